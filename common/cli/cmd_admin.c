/* jobctl role, worker, queue, quota, server: administration that is one message each. */
#include <inttypes.h>
#include <string.h>

#include "base/name.h"
#include "base/nearest.h"
#include "cli/command.h"

static int word_is_name(struct cli *cli, size_t i, const char *what, const char **ret_name, size_t *ret_n,
                        struct err *err)
{
        const char *name = cli->opts->words[i];

        if (!name_is_valid(name, strlen(name)) || strlen(name) > 64)
                return err_set(err, ERR_USAGE, "%s: '%.80s' is no name; names are letters, digits, . _ -",
                               what, name);
        *ret_name = name;
        *ret_n = strlen(name);
        return 0;
}

static int print_kind(struct cli *cli, enum list_kind what, const char *name, const char *schema)
{
        const struct print print = { .schema = schema,
                                     .missing = name ? "no such worker: jobctl worker ls" : NULL };
        CLEANUP_LISTING struct listing listing = listing_of(cli, what);

        listing.request.u.list.name = name;
        listing.request.u.list.n_name = name ? strlen(name) : 0;
        return command_print(cli, &print, &listing, 1);
}

static int print_all(struct cli *cli, enum list_kind what, const char *schema)
{
        struct err err = { 0 };

        if (command_words(cli, 0, 0, &err) < 0)
                return cli_fail(cli, &err);
        return print_kind(cli, what, NULL, schema);
}

/* --- role ------------------------------------------------------------------------------------------------------ */
static int run_role_ls(struct cli *cli)
{
        return print_all(cli, LIST_KIND_ROLES, "jobctl.role/1");
}

static int run_role_add(struct cli *cli)
{
        struct msg request = { .kind = MSG_role_add };
        struct err err = { 0 };

        if (command_words(cli, 1, 1, &err) < 0 ||
            word_is_name(cli, 0, "role", &request.u.role_add.role, &request.u.role_add.n_role, &err) < 0)
                return cli_fail(cli, &err);
        return command_change(cli, &request, "role added");
}

static int run_role_rm(struct cli *cli)
{
        struct msg request = { .kind = MSG_role_rm };
        struct err err = { 0 };

        if (command_words(cli, 1, 1, &err) < 0 ||
            word_is_name(cli, 0, "role", &request.u.role_rm.role, &request.u.role_rm.n_role, &err) < 0)
                return cli_fail(cli, &err);
        return command_change(cli, &request, "role removed");
}

static int unknown_word(const char *what, const char *word, const char *const *all, size_t n, struct err *err)
{
        CLEANUP_BUF struct buf list = { 0 };

        for (size_t i = 0; i < n; i++)
                buf_addf(&list, " %s", all[i]);
        return err_set(err, ERR_USAGE, "'%.80s' is no %s; there are:%s", word, what, list.bytes);
}

static int fill_grant(struct cli *cli, struct msg_role_grant *grant, struct err *err)
{
        static const char *const permissions[] = {
#define PERMISSION(name, word, scopes, meaning) word,
#include "proto/permissions.def"
#undef PERMISSION
        };
        static const char *const scopes[] = { "own", "role", "any" };
        const char *const *words = cli->opts->words;
        int permission, scope;

        if (command_words(cli, 3, 4, err) < 0 ||
            word_is_name(cli, 0, "role", &grant->role, &grant->n_role, err) < 0)
                return -1;
        permission = permission_from_word(words[1]);
        scope = scope_from_word(words[2]);
        if (permission <= 0)
                return unknown_word("permission", words[1], permissions + 1, ARRAY_LEN(permissions) - 1, err);
        if (scope < 0)
                return unknown_word("scope", words[2], scopes, ARRAY_LEN(scopes), err);
        grant->permission = (enum permission)permission;
        grant->scope = (enum scope)scope;
        grant->has_permission = grant->has_scope = true;
        if (cli->opts->n_words == 4)
                return word_is_name(cli, 3, "task type", &grant->task_type, &grant->n_task_type, err);
        return 0;
}

static int run_role_grant(struct cli *cli)
{
        struct msg request = { .kind = MSG_role_grant };
        struct err err = { 0 };

        if (fill_grant(cli, &request.u.role_grant, &err) < 0)
                return cli_fail(cli, &err);
        return command_change(cli, &request, "granted");
}

static int run_role_ungrant(struct cli *cli)
{
        struct msg request = { .kind = MSG_role_grant };
        struct err err = { 0 };

        if (fill_grant(cli, &request.u.role_grant, &err) < 0)
                return cli_fail(cli, &err);
        request.u.role_grant.take_away = request.u.role_grant.has_take_away = true;
        return command_change(cli, &request, "taken away");
}

/* --- worker ---------------------------------------------------------------------------------------------------- */
static int run_worker_ls(struct cli *cli)
{
        return print_all(cli, LIST_KIND_WORKERS, "jobctl.worker/1");
}

static int run_worker_show(struct cli *cli)
{
        struct err err = { 0 };
        const char *name;
        size_t n;

        if (command_words(cli, 1, 1, &err) < 0 || word_is_name(cli, 0, "worker", &name, &n, &err) < 0)
                return cli_fail(cli, &err);
        return print_kind(cli, LIST_KIND_WORKERS, name, "jobctl.worker/1");
}

static int order(struct cli *cli, enum worker_order state, const char *done)
{
        struct msg request = { .kind = MSG_worker_set };
        struct msg_worker_set *set = &request.u.worker_set;
        struct err err = { 0 };
        int code = 0;

        if (cli->opts->n_words == 0 && command_words(cli, 1, 1, &err) < 0)
                return cli_fail(cli, &err);
        set->state = state;
        set->has_state = true;
        for (size_t i = 0; i < cli->opts->n_words && !code; i++) {
                request.id = 0;
                if (word_is_name(cli, i, "worker", &set->worker, &set->n_worker, &err) < 0)
                        return cli_fail(cli, &err);
                code = command_change(cli, &request, done);
        }
        return code;
}

static int run_worker_drain(struct cli *cli)
{
        return order(cli, WORKER_ORDER_DRAIN, "the worker takes nothing new");
}

static int run_worker_resume(struct cli *cli)
{
        return order(cli, WORKER_ORDER_RESUME, "the worker takes tasks again");
}

static int run_worker_stop(struct cli *cli)
{
        return order(cli, WORKER_ORDER_STOP, "the worker stops");
}

/* --- queue ----------------------------------------------------------------------------------------------------- */
static int run_queue_ls(struct cli *cli)
{
        return print_all(cli, LIST_KIND_QUEUES, "jobctl.queue/1");
}

static int pause_queue(struct cli *cli, bool paused)
{
        struct msg request = { .kind = MSG_queue_set };
        struct msg_queue_set *set = &request.u.queue_set;
        struct err err = { 0 };

        if (command_words(cli, 1, 1, &err) < 0 ||
            word_is_name(cli, 0, "queue", &set->queue, &set->n_queue, &err) < 0)
                return cli_fail(cli, &err);
        set->paused = paused;
        set->has_paused = true;
        return command_change(cli, &request, paused ? "queue paused" : "queue resumed");
}

static int run_queue_pause(struct cli *cli)
{
        return pause_queue(cli, true);
}

static int run_queue_resume(struct cli *cli)
{
        return pause_queue(cli, false);
}

/* "weight: '0' is not within 1 … 1000000; example: weight=2" */
static int wrong_setting(const char *name, const char *example, struct err *err)
{
        struct err why = *err;

        return err_set(err, why.code, "%s: %s; example: %s=%s", name, why.text, name, example);
}

static int queue_setting(struct msg_queue_set *set, const char *word, struct err *err)
{
        static const struct opt weights = { .min = 1, .max = 1000000 },
                                limits = { .min = 0, .max = (int64_t)ID_MAX };
        int64_t n;

        if (strncmp(word, "max-running=", 12) == 0) {
                if (opt_count(&limits, word + 12, &n, err) < 0)
                        return wrong_setting("max-running", "50", err);
                set->max_running = (uint64_t)n;
                set->has_max_running = true;
                return 0;
        }
        if (strncmp(word, "weight=", 7) == 0) {
                if (opt_count(&weights, word + 7, &n, err) < 0)
                        return wrong_setting("weight", "2", err);
                set->weight = (uint64_t)n;
                set->has_weight = true;
                return 0;
        }
        return err_set(err, ERR_USAGE,
                       "'%.80s' is no setting; settings: max-running=N weight=N; example: weight=2", word);
}

static int run_queue_set(struct cli *cli)
{
        struct msg request = { .kind = MSG_queue_set };
        struct msg_queue_set *set = &request.u.queue_set;
        struct err err = { 0 };

        if (command_words(cli, 2, 3, &err) < 0 ||
            word_is_name(cli, 0, "queue", &set->queue, &set->n_queue, &err) < 0)
                return cli_fail(cli, &err);
        for (size_t i = 1; i < cli->opts->n_words; i++)
                if (queue_setting(set, cli->opts->words[i], &err) < 0)
                        return cli_fail(cli, &err);
        return command_change(cli, &request, "queue changed");
}

/* --- quota ------------------------------------------------------------------------------------------------------ */
static int run_quota_ls(struct cli *cli)
{
        return print_all(cli, LIST_KIND_QUOTAS, "jobctl.quota/1");
}

static int quota_limit(struct msg_quota_set *set, const char *word, struct err *err)
{
        static const struct opt limits = { .min = 0, .max = (int64_t)ID_MAX };
        const struct {
                const char *name;
                uint64_t *value;
                bool *has;
        } known[] = { { "max-jobs", &set->max_jobs, &set->has_max_jobs },
                      { "max-tasks", &set->max_tasks, &set->has_max_tasks },
                      { "max-running", &set->max_running, &set->has_max_running } };
        int64_t value;

        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
                size_t n = strlen(known[i].name);

                if (strncmp(word, known[i].name, n) != 0 || word[n] != '=')
                        continue;
                if (opt_count(&limits, word + n + 1, &value, err) < 0)
                        return wrong_setting(known[i].name, "50", err);
                *known[i].value = (uint64_t)value;
                *known[i].has = true;
                return 0;
        }
        return err_set(
                err, ERR_USAGE,
                "'%.80s' is no limit; limits: max-jobs=N max-tasks=N max-running=N; example: max-running=50",
                word);
}

static int run_quota_set(struct cli *cli)
{
        struct msg request = { .kind = MSG_quota_set };
        struct msg_quota_set *set = &request.u.quota_set;
        struct err err = { 0 };

        if (command_words(cli, 2, 4, &err) < 0 ||
            word_is_name(cli, 0, "user", &set->name, &set->n_name, &err) < 0)
                return cli_fail(cli, &err);
        for (size_t i = 1; i < cli->opts->n_words; i++)
                if (quota_limit(set, cli->opts->words[i], &err) < 0)
                        return cli_fail(cli, &err);
        return command_change(cli, &request, "quota changed");
}

static int run_quota_add(struct cli *cli)
{
        return run_quota_set(cli);
}

static int run_quota_rm(struct cli *cli)
{
        struct msg request = { .kind = MSG_quota_set };
        struct msg_quota_set *set = &request.u.quota_set;
        struct err err = { 0 };

        if (command_words(cli, 1, 1, &err) < 0 ||
            word_is_name(cli, 0, "user", &set->name, &set->n_name, &err) < 0)
                return cli_fail(cli, &err);
        set->has_max_jobs = set->has_max_tasks = set->has_max_running = true;
        return command_change(cli, &request, "quota removed");
}

/* --- server ---------------------------------------------------------------------------------------------------- */
static int run_server_status(struct cli *cli)
{
        static const struct print print = { .schema = "jobctl.server/1" };
        CLEANUP_LISTING struct listing listing = { .cli = cli, .request = { .kind = MSG_status } };
        struct err err = { 0 };

        if (command_words(cli, 0, 0, &err) < 0)
                return cli_fail(cli, &err);
        return command_print(cli, &print, &listing, 1);
}

/* --- tables ---------------------------------------------------------------------------------------------------- */
static const struct opt no_options[] = { { 0 } };

PROGRAM(role_ls, "role ls", "list roles and what they grant", no_options, cli_query_options, "[options]",
        "jobctl role ls", "jobctl role ls --json", "jobctl role ls --csv");
PROGRAM(role_add, "role add", "make a role", no_options, cli_common_options, "ROLE",
        "jobctl role add nightly", "jobctl role grant nightly job.submit own echo", "jobctl role ls");
PROGRAM(role_rm, "role rm", "remove a role", no_options, cli_common_options, "ROLE", "jobctl role rm nightly",
        "jobctl role rm nightly -q", "jobctl role rm nightly --json");
PROGRAM(role_grant, "role grant", "grant a permission to a role", no_options, cli_common_options,
        "ROLE PERMISSION SCOPE [TYPE]", "jobctl role grant nightly job.submit own",
        "jobctl role grant nightly job.submit own echo", "jobctl role grant team data.read role");
PROGRAM(role_ungrant, "role ungrant", "take a permission from a role", no_options, cli_common_options,
        "ROLE PERMISSION SCOPE [TYPE]", "jobctl role ungrant nightly job.submit own",
        "jobctl role ungrant nightly job.submit own echo", "jobctl role ungrant team data.read role");
PROGRAM(worker_ls, "worker ls", "list workers", no_options, cli_query_options, "[options]",
        "jobctl worker ls", "jobctl worker ls --json", "jobctl worker ls --csv");
PROGRAM(worker_show, "worker show", "show one worker", no_options, cli_query_options, "WORKER",
        "jobctl worker show w1", "jobctl worker show w1 --json", "jobctl worker show w1 --csv");
PROGRAM(worker_drain, "worker drain", "let a worker finish and take nothing new", no_options,
        cli_common_options, "WORKER …", "jobctl worker drain w1", "jobctl worker drain w1 w2",
        "jobctl worker resume w1");
PROGRAM(worker_resume, "worker resume", "let a drained worker take tasks again", no_options,
        cli_common_options, "WORKER …", "jobctl worker resume w1", "jobctl worker resume w1 w2",
        "jobctl worker ls");
PROGRAM(worker_stop, "worker stop", "stop a worker; its tasks are given back", no_options, cli_common_options,
        "WORKER …", "jobctl worker stop w1", "jobctl worker stop w1 w2",
        "jobctl worker drain w1   # the gentle way");
PROGRAM(queue_ls, "queue ls", "list queues", no_options, cli_query_options, "[options]", "jobctl queue ls",
        "jobctl queue ls --json", "jobctl queue ls --csv");
PROGRAM(queue_pause, "queue pause", "start nothing from a queue", no_options, cli_common_options, "QUEUE",
        "jobctl queue pause default", "jobctl queue pause night", "jobctl queue resume default");
PROGRAM(queue_resume, "queue resume", "start from a paused queue again", no_options, cli_common_options,
        "QUEUE", "jobctl queue resume default", "jobctl queue resume night", "jobctl queue ls");
PROGRAM(queue_set, "queue set", "change a queue, or make one", no_options, cli_common_options,
        "QUEUE max-running=N weight=N", "jobctl queue set night max-running=4",
        "jobctl queue set urgent weight=10", "jobctl queue set night max-running=0   # no limit");
PROGRAM(quota_ls, "quota ls", "list quotas, and what is used of them", no_options, cli_query_options,
        "[options]", "jobctl quota ls", "jobctl quota ls --json", "jobctl quota ls --csv");
PROGRAM(quota_add, "quota add", "limit what a person may have at once", no_options, cli_common_options,
        "USER max-jobs=N max-tasks=N max-running=N", "jobctl quota add ann max-running=50",
        "jobctl quota add ann max-jobs=1000 max-tasks=1000000", "jobctl quota ls");
PROGRAM(quota_set, "quota set", "change limits of a person; the others stay", no_options, cli_common_options,
        "USER max-jobs=N max-tasks=N max-running=N", "jobctl quota set ann max-running=100",
        "jobctl quota set ann max-tasks=0   # no limit", "jobctl quota ls");
PROGRAM(quota_rm, "quota rm", "take all limits from a person", no_options, cli_common_options, "USER",
        "jobctl quota rm ann", "jobctl quota set ann max-running=0   # this one only", "jobctl quota ls");
PROGRAM(server_status, "server status", "how the coordinator is", no_options, cli_query_options, "[options]",
        "jobctl server status", "jobctl server status --json", "jobctl server status --csv");
