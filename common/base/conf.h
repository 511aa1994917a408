/* Files of `name = value` lines: configuration, profiles, keys, the key ring. Blank lines and lines whose first
 * character is # are skipped; blanks around name and value do not count; a value may be empty.
 *
 *   CLEANUP_CONF struct conf conf = { 0 };
 *   struct conf_line line;
 *   int more;
 *
 *   if (conf_open(&conf, path, CONF_SECRET, err) < 0)
 *           return -1;
 *   while ((more = conf_next(&conf, &line, err)) > 0)
 *           if (!strcmp(line.name, "listen")) ...
 *           else return conf_refuse(&conf, &line, err, "unknown name");
 *   if (more < 0) return -1;
 *
 * All errors are CONFIG and begin with FILE:LINE. */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stddef.h>

#include "base/err.h"

#define CONF_FILE_MAX (1024 * 1024) /* nobody writes a longer one by hand */
#define CONF_LINE_MAX 8192
#define CONF_NAME_MAX 64

enum conf_kind {
        CONF_PLAIN, /* refused only if others can write it */
        CONF_SECRET, /* as secret_file_read */
};

struct conf {
        char *path;
        char *text; /* owned; lines are cut in place */
        size_t n_bytes;
        size_t at;
        unsigned line; /* of the line given last; from 1 */
};

struct conf_line {
        unsigned line;
        const char *name; /* [a-z][a-z0-9-]*; borrowed until conf_done, as is value */
        const char *value;
};

int conf_open(struct conf *conf, const char *path, enum conf_kind kind, struct err *err) MUST_CHECK;
/* The same for text at hand, which is copied; `path` only names it in errors. */
void conf_from_text(struct conf *conf, const char *path, const char *text, size_t n_bytes);
void conf_done(struct conf *conf); /* wipes */
#define CLEANUP_CONF __attribute__((cleanup(conf_done)))

/* 1: the next line; 0: the end; -1: a line that is none (no `=`, bad name, NUL or control character, too long). */
int conf_next(struct conf *conf, struct conf_line *ret_line, struct err *err) MUST_CHECK;

/* For names that may stand once: *seen is the line where it stood, 0 at first. */
int conf_once(const struct conf *conf, const struct conf_line *line, unsigned *seen,
              struct err *err) MUST_CHECK;
/* Returns -1 with "FILE:LINE: NAME: why". */
int conf_refuse(const struct conf *conf, const struct conf_line *line, struct err *err, const char *fmt, ...)
        PRINTF_LIKE(4, 5);

#endif
