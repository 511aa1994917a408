/* Files that hold secrets: keys, profiles, the key ring. They are read only if nobody else could have read or
 * replaced them, and made so that a crash leaves the whole file or none. Errors are CONFIG and name the remedy. */
#ifndef BASE_SECRET_FILE_H
#define BASE_SECRET_FILE_H

#include <stddef.h>

#include "base/err.h"

/* Read a whole file of at most max_bytes. Refuses a symbolic link, anything that is no regular file, a file that is
 * neither ours nor root's, one that group or others may touch, and one in a folder where everybody may replace it
 * (a sticky folder like /tmp is fine). The text is followed by a NUL that is not counted; give it to secret_free. */
int secret_file_read(const char *path, size_t max_bytes, char **ret_text, size_t *ret_bytes,
                     struct err *err) MUST_CHECK;

/* Make a file of mode 0600 that must not exist yet. It appears whole and on disk, or not at all. */
int secret_file_create(const char *path, const void *text, size_t bytes, struct err *err) MUST_CHECK;

void secret_wipe(void *bytes, size_t n); /* the compiler may not leave it out */
void secret_free(char *text, size_t n_bytes); /* wipes first; NULL is fine */

#endif
