/* Errors as values, and the one way to stop on a broken invariant. Never logs. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
        const char *word;
        int exit_code;
} codes[] = {
#define ERR_CODE(name, exit_code, word, meaning) [ERR_##name] = { word, exit_code },
#include "base/err_codes.def"
#undef ERR_CODE
};

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
        va_list args;

        if (!err)
                return -1;
        err->code = code;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
        return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
        char inner[ERR_TEXT_BYTES];
        char outer[ERR_TEXT_BYTES];
        va_list args;
        int outer_bytes;

        if (!err)
                return -1;
        memcpy(inner, err->text, sizeof(inner));
        va_start(args, fmt);
        vsnprintf(outer, sizeof(outer), fmt, args);
        va_end(args);
        outer_bytes = (int)strnlen(outer, sizeof(outer) - 1);
        snprintf(err->text, sizeof(err->text), "%.*s: %.*s", outer_bytes, outer,
                 (int)sizeof(inner) - outer_bytes - 3 > 0 ? (int)sizeof(inner) - outer_bytes - 3 : 0, inner);
        return -1;
}

int err_exit_code(enum err_code code)
{
        return codes[code].exit_code;
}

const char *err_word(enum err_code code)
{
        return codes[code].word;
}

enum err_code err_from_word(const char *word)
{
        /* Several codes share a word; the first whose own name is the word wins. */
#define ERR_CODE(name, exit_code, text, meaning)                                                             \
        if (!strcmp(#name, word))                                                                            \
                return ERR_##name;
#include "base/err_codes.def"
#undef ERR_CODE
        return ERR_INTERNAL;
}

void bug_at(const char *file, int line, const char *what)
{
        fprintf(stderr, "BUG: %s:%d: %s\n", file, line, what);
        abort();
}
