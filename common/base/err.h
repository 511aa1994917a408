/* Errors: a code for programs, one line of text for people. Filled by the callee, wrapped on the way up, logged
 * or printed once, where the error ends. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/cleanup.h"

enum err_code {
#define ERR_CODE(name, exit_code, word, meaning) ERR_##name,
#include "base/err_codes.def"
#undef ERR_CODE
};

#define ERR_TEXT_BYTES 640

struct err {
        enum err_code code;
        char text[ERR_TEXT_BYTES];
};

/* Both return -1, so that `return err_set(err, ERR_X, "...")` is a whole failure path. err may be NULL.
 * err_wrap puts "what was being done: " in front of the text and keeps the code. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

int err_exit_code(enum err_code code);
const char *err_word(enum err_code code);
/* Code for a word of the wire's vocabulary; ERR_INTERNAL for one that we do not know. */
enum err_code err_from_word(const char *word);

/* A broken invariant of our own: prints where and stops the process (abort). Never for input. */
void bug_at(const char *file, int line, const char *what) __attribute__((noreturn));
#define BUG_ON(cond) ((cond) ? bug_at(__FILE__, __LINE__, #cond) : (void)0)

#endif
