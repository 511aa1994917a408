#include "proto/retry_word.h"

#include <string.h>

#include "base/cleanup.h"
#include "proto/words.h"

unsigned retry_word_code(const char *word)
{
        unsigned code = 0;

        for (const char *p = word; *p; p++) {
                if (*p < '0' || *p > '9' || p - word >= 3)
                        return 0;
                code = code * 10 + (unsigned)(*p - '0');
        }
        return *word == '0' || code > 255 ? 0 : code;
}

bool retry_word_is_valid(const char *word)
{
        /* The others are decisions of people or of the coordinator. */
        static const enum task_reason not_by_itself[] = {
                TASK_REASON_NONE,      TASK_REASON_CRASH_LIMIT, TASK_REASON_WORKER_LOST,
                TASK_REASON_RETURNED,  TASK_REASON_CANCELLED,   TASK_REASON_DEPENDENCY,
                TASK_REASON_MAX_FAILS, TASK_REASON_START_BY,    TASK_REASON_STOPPED,
        };
        int reason = task_reason_from_word(word);

        for (size_t i = 0; i < ARRAY_LEN(not_by_itself); i++)
                if (reason == (int)not_by_itself[i])
                        return false;
        return reason > 0 || retry_word_code(word) != 0 || strcmp(word, "timeout") == 0;
}
