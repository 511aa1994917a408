/* The options of jobsubmit. Names and meanings are INTERFACE's; what is checked without looking at anything else is
 * checked here. */
#include "cli/submit.h"

#include <string.h>

#include "base/utf8.h"
#include "proto/array_text.h"

static int parse_on_dep_fail(const struct opt *opt UNUSED, const char *text, int64_t *ret_number,
                             struct err *err)
{
        *ret_number = strcmp(text, "run") == 0;
        if (*ret_number == 0 && strcmp(text, "abort") != 0)
                return err_set(err, ERR_USAGE, "'%.40s' is neither abort nor run", text);
        return 0;
}

static int parse_array(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        struct array_text array = { 0 };
        int rc = array_text_parse(text, &array, err);

        array_text_done(&array);
        *ret_number = 0;
        return rc;
}

/* What names of labels and resources are made of. */
static size_t name_bytes(const char *text)
{
        return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
}

static int parse_label(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        size_t n = name_bytes(text);

        *ret_number = 0;
        if (n == 0 || strlen(text) > 255 || !utf8_valid(text, strlen(text)) ||
            (text[n] != '\0' && (text[n] != '=' || text[n + 1] == '\0')))
                return err_set(err, ERR_USAGE, "'%.80s' is no label, nor label=value", text);
        return 0;
}

static int parse_res(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        size_t n = name_bytes(text);
        const char *digits = text + n + 1;

        *ret_number = 0;
        if (n == 0 || n > 64 || text[n] != '=' || *digits == '\0' || strlen(digits) > 15 ||
            digits[strspn(digits, "0123456789")] != '\0' || strspn(digits, "0") == strlen(digits))
                return err_set(err, ERR_USAGE, "'%.80s' is not of the form name=number", text);
        return 0;
}

static int parse_compat(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        int compat = compat_from_word(text);

        if (compat < 0)
                return err_set(err, ERR_USAGE, "'%.80s' is not known; there is: slurm", text);
        *ret_number = compat;
        return 0;
}

static const struct opt options[] = {
        { .name = "name",
          .letter = 'n',
          .parse = opt_word,
          .arg = "NAME",
          .group = "Identity",
          .example = "thumbs",
          .help = "name of the job (default: the command's base name)" },
        { .name = "type",
          .parse = opt_word,
          .arg = "TYPE",
          .example = "noop",
          .help = "task type: command (default), noop, echo TEXT, sleep SECONDS" },
        { .name = "queue",
          .parse = opt_word,
          .arg = "QUEUE",
          .example = "night",
          .help = "queue (default: default)" },
        { .name = "tag",
          .parse = opt_word,
          .arg = "K=V",
          .many = true,
          .example = "project=hull",
          .help = "a tag, to select jobs by; may be given more than once" },
        { .name = "comment",
          .parse = opt_word,
          .arg = "TEXT",
          .example = "'second try'",
          .help = "a remark, kept with the job" },
        { .name = "key",
          .parse = opt_word,
          .arg = "STR",
          .example = "night-2026-11-25",
          .help = "idempotency key: the same key and the same job again give the first job's id (default: "
                  "one is "
                  "made up)" },

        { .name = "array",
          .letter = 'a',
          .parse = parse_array,
          .arg = "LIST",
          .group = "Arrays",
          .help = "one task per index: ranges, lists, :step, and %N for at most N at once; {} is the index" },
        { .name = "each-line",
          .parse = opt_word,
          .arg = "FILE",
          .example = "names.txt",
          .help = "one task per line of FILE (- is stdin); {} is the line" },
        { .name = "each-csv",
          .parse = opt_word,
          .arg = "FILE",
          .example = "table.csv",
          .help = "one task per record; header names become {name}" },
        { .name = "each-json",
          .parse = opt_word,
          .arg = "FILE",
          .example = "rows.json",
          .help = "one task per line of JSON, or per element of one array; members become {name}, elements "
                  "{1} "
                  "{2}" },
        { .name = "file",
          .letter = 'f',
          .parse = opt_word,
          .arg = "FILE",
          .command = true,
          .example = "graph.json",
          .help = "a graph: tasks with names and dependencies, as one job (- is stdin); or a workflow in "
                  "WfFormat" },
        { .name = "wf-scale",
          .parse = submit_parse_scale,
          .arg = "X",
          .command = true,
          .example = "0.01",
          .help = "with -f FILE in WfFormat (wfcommons.org): each task sleeps as long as it ran, times X; "
                  "else "
                  "it runs the command that was recorded" },
        { .name = "each-sql",
          .parse = opt_word,
          .arg = "QUERY",
          .example = "'SELECT task_index, result FROM v_results WHERE job_id=36'",
          .help = "one task per row of the query, asked as yourself; columns become {name}, NULL an empty "
                  "text" },
        { .name = "from",
          .command = true,
          .parse = opt_word,
          .arg = "FILE",
          .example = "jobs.jsonl",
          .help = "one job per line of JSON (- is stdin), all of them in one transaction; keys are long "
                  "option names "
                  "with _ for -, \"command\" is the list of words" },
        { .name = "max-running",
          .parse = opt_count,
          .arg = "N",
          .min = 1,
          .max = 10000000,
          .example = "8",
          .help = "at most N tasks of this job at once" },
        { .name = "no-replace", .help = "::: and {} are ordinary words" },

        { .name = "cpus",
          .letter = 'c',
          .parse = opt_count,
          .arg = "N",
          .group = "Resources",
          .min = 1,
          .max = 65536,
          .example = "4",
          .help = "slots that each task takes (default 1); a task that says so gets no more processor time "
                  "than "
                  "that, where the worker can enforce it" },
        { .name = "mem",
          .parse = submit_parse_mem,
          .arg = "SIZE[,xF[,max=SIZE]]",
          .example = "4G,x2,max=32G",
          .help = "memory that each task may use; more ends it as oom where the worker can enforce it; F "
                  "times "
                  "more, up to max, for the attempt after that" },
        { .name = "gpus",
          .parse = opt_count,
          .arg = "N",
          .min = 1,
          .max = 64,
          .example = "1",
          .help = "gpus that each task has for itself; JOB_GPUS holds their numbers" },
        { .name = "res",
          .parse = parse_res,
          .arg = "NAME=N",
          .many = true,
          .example = "licence=1",
          .help = "so much of what workers offer with --res; may be given more than once" },
        { .name = "require",
          .parse = parse_label,
          .arg = "LABEL[=V]",
          .many = true,
          .example = "disk=ssd",
          .help = "only on workers with this label; may be given more than once" },
        { .name = "avoid",
          .parse = parse_label,
          .arg = "LABEL[=V]",
          .many = true,
          .example = "zone=old",
          .help = "not on workers with this label; may be given more than once" },

        { .name = "time",
          .letter = 't',
          .parse = opt_duration,
          .arg = "T",
          .group = "Time",
          .min = 1,
          .max = 31622400000,
          .example = "1h",
          .help = "run limit of a task: TERM, then KILL after --grace" },
        { .name = "grace",
          .parse = opt_duration,
          .arg = "T",
          .max = 86400000,
          .example = "30s",
          .help = "time between TERM and KILL (default 10s)" },
        { .name = "warn",
          .parse = submit_parse_warn,
          .arg = "SIG@T",
          .example = "USR1@60s --time 1h",
          .help = "send the task this signal so long before its --time is up" },
        { .name = "at",
          .parse = submit_parse_when,
          .arg = "TIME",
          .example = "18:30",
          .help = "start nothing before: 18:30, 2026-11-25T18:30 (here; with Z: UTC), tomorrow 06:00, +30m" },
        { .name = "start-by",
          .parse = submit_parse_when,
          .arg = "TIME",
          .example = "+30m",
          .help = "abort tasks that have not started by then" },

        { .name = "priority",
          .letter = 'p',
          .parse = opt_integer,
          .arg = "N",
          .group = "Order",
          .min = -100,
          .max = 100,
          .example = "10",
          .help = "-100 … 100; higher starts first (default 0)" },
        { .name = "after",
          .parse = opt_word,
          .arg = "[WHEN:]ID[,ID]",
          .many = true,
          .example = "ok:36,37",
          .help = "start when these jobs have ended: ok (all succeeded; default), any, notok; each: every "
                  "element by itself, when the one of its index has succeeded (where there is none: at "
                  "once); "
                  "an ID may be last or @name" },
        { .name = "singleton", .help = "wait while an older job of yours with the same name is unfinished" },
        { .name = "dependency",
          .parse = opt_word,
          .arg = "LIST",
          .many = true,
          .example = "afterok:36:37,afterany:38",
          .help = "the same as Slurm spells it: afterok, afterany, afternotok, aftercorr with :ID[:ID]; "
                  "singleton; with ? for the comma one of them is enough" },
        { .name = "on-dep-fail",
          .parse = parse_on_dep_fail,
          .arg = "WHAT",
          .example = "run",
          .help = "where a dependency is not met: abort what waits (default), or run it all the same" },
        { .name = "hold", .help = "keep it back until: jobctl release" },

        { .name = "retries",
          .parse = opt_count,
          .arg = "N",
          .group = "Failure",
          .max = 1000,
          .example = "3",
          .help = "run a task that failed again, up to N times (default 0)" },
        { .name = "backoff",
          .parse = submit_parse_backoff,
          .arg = "T[,xF][,max=T]",
          .example = "5s,x2,max=10m",
          .help = "with --retries: wait so long before the next attempt, F times longer after each, up to "
                  "max; "
                  "up to a fifth more at random (default: no wait)" },
        { .name = "retry-on",
          .parse = submit_parse_retry_on,
          .arg = "LIST",
          .example = "75,137,signal,timeout,oom",
          .help = "with --retries: run it again only if it ended so; exit codes (a signal counts as 128 and "
                  "its "
                  "number), signal names, signal, timeout, oom, launch or another reason (default: all)" },
        { .name = "max-fails",
          .parse = submit_parse_max_fails,
          .arg = "N|P%",
          .example = "10%",
          .help = "if more than N tasks (or P percent of them) fail, tasks that have not started are "
                  "aborted; "
                  "what runs goes on to its end" },
        { .name = "crash-limit",
          .parse = opt_count,
          .arg = "N",
          .min = 1,
          .max = 1000,
          .example = "5",
          .help = "lost workers that a task may cause before it counts as failed (default 5)" },
        { .name = "ok-codes",
          .parse = opt_word,
          .arg = "LIST",
          .example = "0,3",
          .help = "exit codes that count as success (0 always does)" },
        { .name = "at-most-once", .help = "never start a task twice; where nobody can know, it ends lost" },

        { .name = "cwd",
          .parse = opt_word,
          .arg = "DIR",
          .group = "Data",
          .example = "/srv/texts",
          .help = "folder that tasks run in, as it is called on the workers (default: an empty scratch "
                  "folder)" },
        { .name = "env",
          .letter = 'e',
          .parse = opt_word,
          .arg = "K[=V]",
          .many = true,
          .example = "LANG=C",
          .help = "an environment variable; without =V its value here and now" },
        { .name = "env-all", .help = "the whole environment of this shell" },
        { .name = "in",
          .parse = opt_word,
          .arg = "FILE[:NAME]",
          .many = true,
          .example = "model.bin",
          .help = "a file that each task finds in its folder" },
        { .name = "stdin",
          .parse = opt_word,
          .arg = "FILE",
          .help = "its content is every task's standard input (- is stdin)" },
        { .name = "stdin-from",
          .parse = opt_word,
          .arg = "[each:]ID[.N]",
          .example = "36",
          .help = "every task reads what that job (or its task N) wrote to its stdout, in the order of its "
                  "tasks; "
                  "each: what its task of the same index wrote. Implies --after ok:ID, or each:ID" },
        { .name = "secret",
          .parse = opt_word,
          .arg = "NAME",
          .many = true,
          .example = "API_TOKEN",
          .help = "one of your secrets (jobctl secret), as the tasks' environment variable of that name" },
        { .name = "out",
          .parse = opt_word,
          .arg = "GLOB",
          .many = true,
          .example = "*.csv",
          .help = "files that each task leaves in its folder and that are recorded (jobctl get)" },
        { .name = "out-max",
          .parse = opt_size,
          .arg = "SIZE",
          .max = 1099511627776,
          .example = "1M",
          .help = "bytes of output kept of each attempt (default 16M)" },

        { .name = "compat",
          .parse = parse_compat,
          .arg = "SYSTEM",
          .group = "Other systems",
          .example = "slurm",
          .command = true,
          .help = "slurm: #SBATCH lines of a script are options, tasks see SLURM_ variables, run in this "
                  "folder and "
                  "with this environment" },

        { .name = "wait",
          .command = true,
          .group = "Following",
          .help = "wait for the end; exit code 0 if every task succeeded, else 1" },
        { .name = "watch",
          .command = true,
          .help = "wait, and print output as it comes (the id goes to stderr)" },
        { .name = "progress", .command = true, .help = "with --wait or --watch: show counts on stderr" },
        { .name = "timeout",
          .command = true,
          .parse = opt_duration,
          .arg = "T",
          .min = 0,
          .max = 31622400000,
          .example = "5m",
          .help = "with --wait or --watch: stop waiting after T with exit code 75; the job goes on" },
        { .name = "exit-code",
          .command = true,
          .help = "with --wait or --watch: exit with the task's own code, the largest of an array" },
        { .name = "dry-run",
          .command = true,
          .help = "submit nothing; print the job as it would be and its first five commands" },
        { 0 },
};

static const char *const examples[] = {
        "jobsubmit echo hello                                      # prints the job's id",
        "jobsubmit --wait --progress -a 1-100%8 -- sh -c 'echo $JOB_INDEX'",
        "ls *.png | jobsubmit --cwd . --each-line - -- convert {} -resize 200 thumb/{}",
        "jobsubmit -n pair cmp {1} {2} ::: a b :::+ c d            # two tasks: cmp a c, cmp b d",
        "jobsubmit -t 1h --retries 2 ./train.sh --epochs 10        # a script; its #JOB lines are options",
        NULL,
};
static const char *const usage[] = {
        "[options] [--] command [arg …]          one task; no shell",
        "[options] script.sh [arg …]             a script (begins with #!, has a / or ends in .sh)",
        "[options] command {} ::: a b c          one task per value; ::: multiplies, :::+ pairs",
        "[options] --type TYPE [argument …]      noop, echo TEXT, sleep SECONDS",
        "[options] -f graph.json                 tasks with names and dependencies",
        "[options] --from FILE                   one job per line of JSON, one transaction",
        NULL,
};

const struct opt_program submit_program = {
        .name = "jobsubmit",
        .purpose = "submit a job and print its id",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_common_options,
        .options_first = true,
        .notes = "Durations: 30s 5m 2h 1d, HH:MM:SS, or seconds. Sizes: K M G T (1024).\n"
                 "In arguments {} is the entry or index, {1} {2} the values of an entry, {name} a column, "
                 "{#} the "
                 "index.\n"
                 "Exit codes: 0 done, 1 not every task succeeded, 64 usage, 65 bad data, 66 no such job, 69 "
                 "coordinator\n"
                 "unreachable, 73 key used with another request, 75 try again later, 77 not allowed, 78 "
                 "configuration,\n130 interrupted. See jobsubmit(1), jobctl(1).",
};
