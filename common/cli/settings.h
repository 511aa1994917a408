/* The words of `jobctl set`: KEY=VALUE, each key an option of jobsubmit and each value what that option takes. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "cli/submit.h"

struct settings {
        struct opts opts; /* as if jobsubmit had been given them */
        struct submit submit; /* what it makes of them; the message points into it */
};
#define SETTINGS_EMPTY                                                                                       \
        {                                                                                                    \
                .submit = SUBMIT_EMPTY                                                                       \
        }

bool settings_is_one(const char *word); /* else it is a selector */
/* USAGE: no such setting, given twice, or a wrong value, with an example that works. Those of which the value is `none`, so that
 * it is taken away, are in *set at once. */
int settings_add(struct settings *settings, const char *word, struct msg_set *set,
                 struct err *err) MUST_CHECK;
/* The others; none at all is USAGE. */
int settings_fill(struct settings *settings, struct cli *cli, struct msg_set *set,
                  struct err *err) MUST_CHECK;
void settings_done(struct settings *settings);
#define CLEANUP_SETTINGS __attribute__((cleanup(settings_done)))

extern const char settings_help[]; /* lines for --help */

#endif
