/* Signals as people write them. */
#ifndef BASE_SIGNAME_H
#define BASE_SIGNAME_H

/* `TERM`, `SIGTERM` (either case) or a number 1 … 64; 0: it is no signal. */
int signame_parse(const char *word);

#endif
