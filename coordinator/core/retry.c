/* Retries count attempts that ended by themselves, if retry_on lists how; lost workers count crashes, up to a limit of
 * their own. A task that may run at most once has neither. */
#include "core/retry.h"

#include <string.h>

#include "proto/retry_word.h"

#define CRASH_LIMIT 5 /* what INTERFACE promises where --crash-limit says nothing */

static bool code_is_ok(const struct rec_job_spec *spec, const struct rec_task_end *end)
{
        if (end->has_exit_signal)
                return false;
        if (!end->has_exit_code || end->exit_code == 0)
                return true;
        for (size_t i = 0; i < spec->n_ok_codes; i++) {
                if (spec->ok_codes[i] == (int64_t)end->exit_code)
                        return true;
        }
        return false;
}

static struct decision verdict(const struct rec_job_spec *spec, const struct rec_task_end *end)
{
        enum task_reason reason = end->has_reason ? end->reason : TASK_REASON_NONE;
        bool plain = reason == TASK_REASON_NONE || reason == TASK_REASON_EXIT_CODE;

        switch (end->status) {
        case END_STATUS_SUCCEEDED:
        case END_STATUS_FAILED:
                if (plain && code_is_ok(spec, end) &&
                    (end->status == END_STATUS_SUCCEEDED || end->has_exit_code))
                        return (struct decision){ .status = TASK_STATUS_SUCCEEDED };
                if (end->has_exit_signal && plain)
                        reason = TASK_REASON_SIGNAL;
                else if (plain)
                        reason = TASK_REASON_EXIT_CODE;
                return (struct decision){ .status = TASK_STATUS_FAILED, .reason = reason };
        case END_STATUS_TIMEOUT:
                return (struct decision){ .status = TASK_STATUS_TIMEOUT, .reason = TASK_REASON_TIME_LIMIT };
        case END_STATUS_OOM:
                return (struct decision){ .status = TASK_STATUS_OOM, .reason = TASK_REASON_OOM };
        case END_STATUS_CANCELLED:
        case END_STATUS_RETURNED:
                break;
        }
        return (struct decision){ .status = TASK_STATUS_CANCELLED,
                                  .reason = reason == TASK_REASON_NONE ? TASK_REASON_CANCELLED : reason };
}

/* ------------------------------------------------------------------ retry-on */

/* As a shell, and jobsubmit --exit-code, would show it; 0: an end without a code. */
static unsigned code_of_end(const struct rec_task_end *end, const struct decision *decision)
{
        if (decision->status == TASK_STATUS_TIMEOUT)
                return 124;
        if (end->has_exit_signal)
                return 128 + (unsigned)end->exit_signal;
        return end->has_exit_code ? (unsigned)end->exit_code : 0;
}

static bool is_listed(const struct rec_job_spec *spec, const struct rec_task_end *end,
                      const struct decision *decision)
{
        unsigned code = code_of_end(end, decision);
        const char *reason = task_reason_word(decision->reason);

        for (size_t i = 0; i < spec->n_retry_on; i++) {
                const char *word = spec->retry_on[i];

                if ((code != 0 && retry_word_code(word) == code) || strcmp(word, reason) == 0 ||
                    (decision->status == TASK_STATUS_TIMEOUT && strcmp(word, "timeout") == 0) ||
                    (decision->status == TASK_STATUS_FAILED && end->has_exit_signal &&
                     strcmp(word, task_reason_word(TASK_REASON_SIGNAL)) == 0))
                        return true;
        }
        return spec->n_retry_on == 0;
}

struct decision retry_after_end(const struct rec_job_spec *spec, const struct rec_task_end *end,
                                uint32_t tries)
{
        struct decision decision = verdict(spec, end);

        decision.again = decision.status != TASK_STATUS_SUCCEEDED && !spec->at_most_once &&
                         (decision.status == TASK_STATUS_CANCELLED ||
                          (tries <= spec->retries && is_listed(spec, end, &decision)));
        return decision;
}

struct decision retry_after_crash(const struct rec_job_spec *spec, uint32_t crashes)
{
        if (spec->at_most_once)
                return (struct decision){ .status = TASK_STATUS_LOST, .reason = TASK_REASON_WORKER_LOST };
        if (crashes >= (spec->has_crash_limit ? spec->crash_limit : CRASH_LIMIT))
                return (struct decision){ .status = TASK_STATUS_FAILED, .reason = TASK_REASON_CRASH_LIMIT };
        return (struct decision){ .again = true };
}
