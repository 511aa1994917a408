/* CURVE keys as text (Z85, 40 characters), and the file that holds the coordinator's own pair: mode 0600, lines
 * `public-key = …` and `secret-key = …`. */
#ifndef NET_KEY_FILE_H
#define NET_KEY_FILE_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/err.h"

#define KEY_TEXT_BYTES 40

struct key_pair {
        char public_key[KEY_TEXT_BYTES + 1];
        char secret_key[KEY_TEXT_BYTES + 1];
};

/* Refuses what secret_file_read refuses, and a public key that is not the secret key's: CONFIG. */
int key_file_load(const char *path, struct key_pair *ret_pair, struct err *err) MUST_CHECK;
int key_file_create(const char *path,
                    struct err *err) MUST_CHECK; /* a new pair; never over an existing file */
int key_pair_new(struct key_pair *ret_pair, struct err *err) MUST_CHECK;
bool key_pair_matches(const struct key_pair *pair);
void key_pair_done(struct key_pair *pair); /* wipes */

/* Takes the value of a line that holds a key. `seen` as in conf_once. */
int key_from_line(const struct conf *conf, const struct conf_line *line, unsigned *seen,
                  char ret_key[KEY_TEXT_BYTES + 1], struct err *err) MUST_CHECK;

#endif
