/* The words of a description's retry_on: how an attempt must have ended to be run again. */
#ifndef PROTO_RETRY_WORD_H
#define PROTO_RETRY_WORD_H

#include <stdbool.h>

/* An exit code in digits, 1 … 255; 0: the word is none. */
unsigned retry_word_code(const char *word);
/* A code, `timeout`, or a reason (task_reason.def) for which an attempt ends by itself. */
bool retry_word_is_valid(const char *word);

#endif
