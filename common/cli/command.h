/* The commands of jobctl: one file each, cmd_<name>.c, listed here once. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/listing.h"
#include "cli/resolve.h"

struct command {
        const char *name; /* "ls", "user add" */
        const struct opt_program *program;
        int (*run)(struct cli *cli); /* the exit code; prints its own errors */
};

/* COMMAND(identifier, "name") */
#define COMMANDS                                                                                             \
        COMMAND(ls, "ls")                                                                                    \
        COMMAND(show, "show")                                                                                \
        COMMAND(tasks, "tasks")                                                                              \
        COMMAND(why, "why")                                                                                  \
        COMMAND(wait, "wait")                                                                                \
        COMMAND(logs, "logs")                                                                                \
        COMMAND(results, "results")                                                                          \
        COMMAND(get, "get")                                                                                  \
        COMMAND(sql, "sql")                                                                                  \
        COMMAND(cancel, "cancel")                                                                            \
        COMMAND(hold, "hold")                                                                                \
        COMMAND(release, "release")                                                                          \
        COMMAND(retry, "retry")                                                                              \
        COMMAND(signal, "signal")                                                                            \
        COMMAND(set, "set")                                                                                  \
        COMMAND(events, "events")                                                                            \
        COMMAND(top, "top")                                                                                  \
        COMMAND(stats, "stats")                                                                              \
        COMMAND(audit, "audit")                                                                              \
        COMMAND(report_progress, "report progress")                                                          \
        COMMAND(report_set, "report set")                                                                    \
        COMMAND(queue_ls, "queue ls")                                                                        \
        COMMAND(queue_pause, "queue pause")                                                                  \
        COMMAND(queue_resume, "queue resume")                                                                \
        COMMAND(queue_set, "queue set")                                                                      \
        COMMAND(quota_ls, "quota ls")                                                                        \
        COMMAND(quota_add, "quota add")                                                                      \
        COMMAND(quota_set, "quota set")                                                                      \
        COMMAND(quota_rm, "quota rm")                                                                        \
        COMMAND(worker_ls, "worker ls")                                                                      \
        COMMAND(worker_show, "worker show")                                                                  \
        COMMAND(worker_drain, "worker drain")                                                                \
        COMMAND(worker_resume, "worker resume")                                                              \
        COMMAND(worker_stop, "worker stop")                                                                  \
        COMMAND(user_ls, "user ls")                                                                          \
        COMMAND(user_add, "user add")                                                                        \
        COMMAND(user_rm, "user rm")                                                                          \
        COMMAND(user_set, "user set")                                                                        \
        COMMAND(role_ls, "role ls")                                                                          \
        COMMAND(role_add, "role add")                                                                        \
        COMMAND(role_rm, "role rm")                                                                          \
        COMMAND(role_grant, "role grant")                                                                    \
        COMMAND(role_ungrant, "role ungrant")                                                                \
        COMMAND(key_ls, "key ls")                                                                            \
        COMMAND(key_add, "key add")                                                                          \
        COMMAND(key_revoke, "key revoke")                                                                    \
        COMMAND(secret_ls, "secret ls")                                                                      \
        COMMAND(secret_add, "secret add")                                                                    \
        COMMAND(secret_set, "secret set")                                                                    \
        COMMAND(secret_rm, "secret rm")                                                                      \
        COMMAND(server_status, "server status")

#define COMMAND(id, name) extern const struct command command_##id;
COMMANDS
#undef COMMAND

/* What a command file ends with: its table and its entry of the list. PROGRAM(id, "name", purpose, own options, common
 * options, usage, three examples or more); run_<id> is the function. */
#define PROGRAM(id, name_, purpose_, options_, common_, usage_, ...)                                         \
        static const char *const id##_examples[] = { __VA_ARGS__, NULL };                                    \
        static const char *const id##_usage[] = { usage_, NULL };                                            \
        static const struct opt_program id##_program = {                                                     \
                .name = "jobctl " name_,                                                                     \
                .purpose = purpose_,                                                                         \
                .examples = id##_examples,                                                                   \
                .usage = id##_usage,                                                                         \
                .options = options_,                                                                         \
                .common = common_,                                                                           \
        };                                                                                                   \
        const struct command command_##id = { name_, &id##_program, run_##id }

/* Helpers for commands. */

/* Between least and most words; USAGE otherwise, with the command's usage. */
int command_words(const struct cli *cli, size_t least, size_t most, struct err *err) MUST_CHECK;

/* Options of commands that print rows; print.c knows them by name. view: whose columns they are; limit: what is left. */
#define OPTIONS_OF_ROWS(view, columns, column, limit_help)                                                   \
        { .name = "output",                                                                                  \
          .letter = 'o',                                                                                     \
          .parse = opt_word,                                                                                 \
          .arg = "COLS",                                                                                     \
          .group = "Output",                                                                                 \
          .example = columns,                                                                                \
          .help = "columns, in this order (those of the SQL view " view ")" },                               \
                { .name = "sort",                                                                            \
                  .parse = opt_word,                                                                         \
                  .arg = "COL",                                                                              \
                  .example = column,                                                                         \
                  .help = "order by a column; -COL falling" },                                               \
        {                                                                                                    \
                .name = "limit", .letter = 'n', .parse = opt_count, .arg = "N", .min = 1, .max = 1000000,    \
                .example = "20", .help = limit_help                                                          \
        }

/* Rows of several listings with the same columns, one after the other, printed in the form asked for.
 * Options that the command may have: output (columns), sort, limit. */
struct print {
        const char *schema; /* "jobctl.ls/1" */
        const char *columns; /* what a table shows by default, comma-separated; NULL: all */
        bool newest; /* limit keeps the last rows, not the first */
        const char *missing; /* no rows: NOT_FOUND with this text; NULL: an empty listing */
        const char *once; /* a row whose number in this column was there already is left out; NULL: none is */
        const char *order; /* of several listings: by this column together; NULL: one behind the other */
        bool needs_tasks; /* tasks that were named, but do not exist, are NOT_FOUND */
};
int command_print(struct cli *cli, const struct print *print, struct listing *listings, size_t n);

/* One listing for each target; the caller frees with listings_free. */
struct listing *command_listings(struct cli *cli, enum list_kind what, const struct targets *targets);
void listings_free(struct listing *listings, size_t n);

/* Send a change and say what it did. 0 or the exit code. */
int command_change(struct cli *cli, struct msg *request, const char *done);

/* Words as selectors, resolved; no words: USAGE. */
struct picked_tasks {
        struct selectors selectors;
        struct targets targets;
};
int command_targets(struct cli *cli, struct picked_tasks *picked, struct err *err) MUST_CHECK;
void picked_tasks_done(struct picked_tasks *picked);
#define CLEANUP_PICKED __attribute__((cleanup(picked_tasks_done)))

/* "failed,PD" to words of task_status; Slurm's words and letters count, in any case. Pointers are constants. */
#define STATUS_WORDS_MAX 16
int command_statuses(const char *text, const char *ret_words[STATUS_WORDS_MAX], size_t *ret_n,
                     struct err *err) MUST_CHECK;
/* A time, or a duration meaning so long ago. */
int command_since(const char *text, uint64_t *ret_us, struct err *err) MUST_CHECK;

#endif
