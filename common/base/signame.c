#include "base/signame.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SIGNAL_MAX 64

static int parse_number(const char *word)
{
        int number = 0;

        for (const char *p = word; *p; p++) {
                if (*p < '0' || *p > '9' || number > SIGNAL_MAX)
                        return 0;
                number = number * 10 + (*p - '0');
        }
        return number <= SIGNAL_MAX ? number : 0;
}

int signame_parse(const char *word)
{
        const char *name = strncasecmp(word, "SIG", 3) == 0 ? word + 3 : word;
        int number = parse_number(word);

        for (int i = 1; i < NSIG && i <= SIGNAL_MAX && number == 0; i++) {
                const char *abbreviation = sigabbrev_np(i);

                if (abbreviation && strcasecmp(abbreviation, name) == 0)
                        number = i;
        }
        return number;
}
