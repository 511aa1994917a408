/* --from: one job per line of JSON, all of them or none.
 *
 * The lines are read twice. The first time everything is checked, down to the files that they name, so that a mistake in
 * the last line is found before anything was sent. The second time the jobs are sent: by one message if they fit, else
 * as a set, which is loaded by many messages and lives with the last one.
 *
 * A job's key is its own, or that of the whole command with the line's number: the same command again gives the same
 * jobs. Memory holds one message, and the ids. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/follow.h"
#include "cli/json_options.h"
#include "cli/submit.h"

#define LINE_MAX_BYTES ((size_t)1 << 20) /* a description may have half of it */
#define LINE_DEPTH 8
#define JOBS_A_MESSAGE 1000 /* of messages.def */
#define SPECS_A_MESSAGE ((size_t)512 * 1024) /* bytes: half a header frame */
#define JOBS_MAX 1000000 /* of messages.def */
#define SET_KEY_MAX 100 /* leaves room for a line's number in a key */
#define BLOCK_BYTES 65536

struct from_job { /* one line; `submit` points into the rest, which therefore stays where it is */
        struct opts opts;
        struct json_texts texts;
        struct buf script;
        struct submit submit;
};

struct from {
        struct cli *cli;
        const struct opts
                *opts; /* of the command line: they count for every line that does not say otherwise */
        const char *path;
        char *key;
        struct spool lines;
        uint64_t n_lines, n_jobs;
        bool one_message; /* all of them fit one */
        /* reading */
        uint64_t at; /* of the spool */
        struct buf block;
        size_t block_at;
        /* the message that is filled */
        struct from_job *jobs[JOBS_A_MESSAGE];
        struct rec_new_job recs[JOBS_A_MESSAGE];
        size_t n;
        size_t spec_bytes;
        struct buf body;
        /* what was answered */
        struct submitted *told;
        char **keys;
        size_t n_told, cap_told, cap_keys;
        const char *fresh_key; /* of the last job that was not there before */
        uint64_t n_fresh;
        bool unsure;
};

/* --- lines ------------------------------------------------------------------------------------------------------- */
static int keep_lines(struct from *from, struct err *err)
{
        bool is_stdin = strcmp(from->path, "-") == 0;
        FILE *file = is_stdin ? stdin : fopen(from->path, "re");
        char block[BLOCK_BYTES];
        size_t n;
        int rc = 0;

        if (!file)
                return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_BAD_DATA, "--from: %s: %s",
                               from->path, strerror(errno));
        while (rc == 0 && (n = fread(block, 1, sizeof(block), file)) > 0)
                rc = spool_add(&from->lines, block, n, err);
        if (rc == 0 && ferror(file))
                rc = err_set(err, ERR_BAD_DATA, "--from: %s: %s", from->path, strerror(errno));
        if (!is_stdin)
                fclose(file);
        return rc;
}

static void rewind_lines(struct from *from)
{
        from->at = 0;
        from->block_at = 0;
        from->n_lines = 0;
        buf_clear(&from->block);
}

static int more_bytes(struct from *from, struct err *err)
{
        size_t n = (size_t)MIN((uint64_t)BLOCK_BYTES, spool_bytes(&from->lines) - from->at);

        if (from->block_at == from->block.n) {
                buf_clear(&from->block);
                from->block_at = 0;
        }
        buf_reserve(&from->block, n);
        if (n && spool_read(&from->lines, from->at, from->block.bytes + from->block.n, n, err) < 0)
                return -1;
        from->block.n += n;
        from->at += n;
        return n > 0;
}

/* The next line that is not blank, without its end. 1: a line; 0: no more. */
static int next_line(struct from *from, struct buf *line, struct err *err)
{
        buf_clear(line);
        for (;;) {
                const char *start = from->block.bytes + from->block_at;
                size_t left = from->block.n - from->block_at;
                const char *end = left ? memchr(start, '\n', left) : NULL;
                size_t n = end ? (size_t)(end - start) : left;
                int more = 1;

                if (left)
                        buf_add(line, start, n);
                from->block_at += n + (end != NULL);
                if (line->n > LINE_MAX_BYTES)
                        return err_set(err, ERR_BAD_DATA, "line %" PRIu64 ": longer than %zu bytes",
                                       from->n_lines + 1, LINE_MAX_BYTES);
                if (!end && (more = more_bytes(from, err)) < 0)
                        return -1;
                if (!end && more)
                        continue;
                if (!end && line->n == 0)
                        return 0;
                from->n_lines++;
                buf_add_char(line, '\0');
                line->n--;
                if (strspn(line->bytes, " \t\r") < line->n)
                        return 1;
                buf_clear(line);
        }
}

/* --- one job ----------------------------------------------------------------------------------------------------- */
static void from_job_free(struct from_job *job)
{
        if (!job)
                return;
        submit_done(&job->submit);
        opts_done(&job->opts);
        json_texts_done(&job->texts);
        buf_done(&job->script);
        xfree(job);
}
DEFINE_CLEANUP(struct from_job, from_job_free)

static void add_values(struct opts *to, const struct opts *from)
{
        for (size_t i = 0; i < from->n_values; i++) {
                GROW(to->values, to->cap_values, to->n_values + 1);
                to->values[to->n_values++] = from->values[i];
        }
}

/* Options of the script, of the command line, of the line itself: the later count more. */
static int parse_line(struct from *from, struct from_job *job, const struct buf *line, struct err *err)
{
        static const char *const own[] = { "command", NULL };
        CLEANUP_WITH(xfree) char *path = xasprintf("line %" PRIu64, from->n_lines);
        struct json_tokens tokens = { 0 };
        struct json_object object = { .text = line->bytes, .path = path, .own = own };
        CLEANUP_OPTS struct opts said = { .program = &submit_program }, head = { 0 };
        size_t command, late = 0;
        int rc = json_scan(line->bytes, line->n, LINE_DEPTH, &tokens, err);

        object.list = tokens.list;
        if (rc == 0 && tokens.list[0].kind != JSON_KIND_OBJECT)
                rc = err_set(err, ERR_BAD_DATA, "no object; example: {\"command\": [\"echo\", \"hello\"]}");
        if (rc == 0)
                rc = json_no_doubles(line->bytes, &tokens, 0, err);
        if (rc < 0) {
                json_tokens_done(&tokens);
                return err_wrap(err, "%s", path);
        }
        rc = json_options(&object, &said, &job->texts, err);
        command = json_object_find(&object, "command");
        if (rc == 0 && command)
                rc = json_words(&object, "command", command, &job->opts, &job->texts, err);
        json_tokens_done(&tokens);
        if (rc < 0)
                return -1;
        if (job->opts.n_words && !opts_has(&said, "type") && !opts_has(from->opts, "type"))
                job->submit.is_script = submit_is_script(job->opts.words[0]);
        if (job->submit.is_script &&
            submit_script_options(job->opts.words[0], &head, &job->script, &late, err) < 0) {
                err->code = ERR_BAD_DATA; /* what stands in files is data */
                return err_wrap(err, "%s", path);
        }
        add_values(&job->opts, &head);
        job->submit.n_script_values = job->opts.n_values;
        add_values(&job->opts, from->opts);
        add_values(&job->opts, &said);
        job->opts.before_dashes = job->opts.n_words;
        return 0;
}

static int check_stdin(const struct from *from, const struct from_job *job, struct err *err)
{
        static const char *const readers[] = { "each-line", "each-csv", "each-json", "stdin" };

        for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
                const char *path = opts_text(&job->opts, readers[i]);

                if (path && strcmp(path, "-") == 0 && strcmp(from->path, "-") == 0)
                        return err_set(err, ERR_BAD_DATA, "--%s: stdin holds the jobs; name a file",
                                       readers[i]);
        }
        return 0;
}

static int build(struct from *from, struct from_job *job, struct err *err)
{
        const char *key = NULL;

        job->submit.cli = from->cli;
        job->submit.opts = &job->opts;
        for (size_t at = 0; at < job->opts.n_values; at++)
                if (strcmp(job->opts.values[at].opt->name, "key") == 0 &&
                    job->opts.values[at].text != opts_text(from->opts, "key"))
                        key = job->opts.values[at].text;
        if (check_stdin(from, job, err) < 0 || submit_build(&job->submit, err) < 0)
                return -1;
        if (!key) {
                xfree(job->submit.key);
                job->submit.key = xasprintf("%s:%" PRIu64, from->key, from->n_lines);
        }
        return 0;
}

/* The next line as a job; NULL without an error: no more. */
static struct from_job *next_job(struct from *from, struct err *err)
{
        CLEANUP_WITH(from_job_free) struct from_job *job = NULL;
        CLEANUP_BUF struct buf line = { 0 };
        int more = next_line(from, &line, err);

        if (more <= 0)
                return NULL;
        job = xcalloc(1, sizeof(*job));
        job->submit = (struct submit)SUBMIT_EMPTY;
        job->opts.program = &submit_program;
        if (parse_line(from, job, &line, err) < 0)
                return NULL;
        if (build(from, job, err) < 0) {
                err_wrap(err, "line %" PRIu64, from->n_lines);
                if (err->code == ERR_USAGE)
                        err->code = ERR_BAD_DATA;
                return NULL;
        }
        return STEAL(job);
}

/* --- the first time: is all of it right? ------------------------------------------------------------------------- */
static size_t spec_bytes(const struct from_job *job)
{
        CLEANUP_BUF struct buf json = { 0 };

        job_spec_encode(&job->submit.spec, &json);
        return json.n + strlen(job->submit.key) + 64;
}

static int check_all(struct from *from, struct err *err)
{
        size_t specs = 0, room = MSG_BODY_MAX;
        bool dry = opts_flag(from->opts, "dry-run");

        rewind_lines(from);
        from->one_message = true;
        for (;;) {
                CLEANUP_WITH(from_job_free) struct from_job *job = next_job(from, err);

                if (!job && err->code != ERR_OK)
                        return -1;
                if (!job)
                        break;
                specs += spec_bytes(job);
                if (!submit_fits(&job->submit, room) || specs > SPECS_A_MESSAGE ||
                    ++from->n_jobs > JOBS_A_MESSAGE)
                        from->one_message = false;
                else
                        room -= (size_t)submit_total_bytes(&job->submit);
                if (from->n_jobs > JOBS_MAX)
                        return err_set(err, ERR_BAD_DATA, "more than %d jobs", JOBS_MAX);
                if (dry && submit_show(&job->submit, err) < 0)
                        return -1;
        }
        if (from->n_jobs == 0)
                return err_set(err, ERR_BAD_DATA,
                               "--from: %s holds no jobs; example of a line: "
                               "{\"command\": [\"echo\", \"hello\"]}",
                               strcmp(from->path, "-") == 0 ? "stdin" : from->path);
        return 0;
}

/* --- the second time --------------------------------------------------------------------------------------------- */
static void note_answers(struct from *from, struct from_job *const *jobs, const struct submitted *told,
                         size_t n)
{
        for (size_t i = 0; i < n; i++) {
                GROW(from->told, from->cap_told, from->n_told + 1);
                GROW(from->keys, from->cap_keys, from->n_told + 1);
                from->told[from->n_told] = told[i];
                from->keys[from->n_told] = xstrdup(jobs[i]->submit.key);
                if (!told[i].existing) {
                        from->fresh_key = from->keys[from->n_told];
                        from->n_fresh++;
                }
                from->n_told++;
        }
}

static void message_clear(struct from *from)
{
        for (size_t i = 0; i < from->n; i++) {
                xfree(from->recs[i].chunks);
                from_job_free(from->jobs[i]);
        }
        from->n = from->spec_bytes = 0;
        buf_clear(&from->body);
}

static int send_message(struct from *from, struct err *err)
{
        CLEANUP_WITH(msg_free) struct msg *answer = NULL;
        struct msg request = { .kind = MSG_submit };
        struct submitted told[JOBS_A_MESSAGE];

        if (from->n == 0)
                return 0;
        request.u.submit.jobs = from->recs;
        request.u.submit.n_jobs = from->n;
        if (!from->one_message) {
                request.u.submit.set = from->key;
                request.u.submit.n_set = strlen(from->key);
        }
        request.body = from->body.bytes;
        request.body_bytes = from->body.n;
        if (cli_connect(from->cli, err) < 0)
                return -1;
        from->unsure = true;
        answer = client_call(from->cli->client, &request, -1, err);
        if (!answer || submit_take_answer(answer, from->n, told, err) < 0)
                return -1;
        note_answers(from, from->jobs, told, from->n);
        message_clear(from);
        return 0;
}

/* A job whose chunks need messages of their own. */
static int send_large(struct from *from, struct from_job *job, struct err *err)
{
        struct submitted told;

        if (send_message(from, err) < 0 ||
            submit_send(&job->submit, from->key, &told, &from->unsure, err) < 0)
                return -1;
        note_answers(from, &job, &told, 1);
        return 0;
}

static int send_job(struct from *from, struct from_job **take_job, struct err *err)
{
        struct from_job *job = *take_job;
        size_t bytes = spec_bytes(job);

        if (!from->one_message && !submit_fits(&job->submit, MSG_BODY_MAX))
                return send_large(from, job, err);
        if (!from->one_message &&
            (from->n == JOBS_A_MESSAGE || from->spec_bytes + bytes > SPECS_A_MESSAGE ||
             !submit_fits(&job->submit, MSG_BODY_MAX - from->body.n)) &&
            send_message(from, err) < 0)
                return -1;
        if (submit_pack(&job->submit, &from->recs[from->n], &from->body, err) < 0)
                return -1;
        from->jobs[from->n++] = STEAL(*take_job);
        from->spec_bytes += bytes;
        return 0;
}

static int end_set(struct from *from, struct err *err)
{
        CLEANUP_WITH(msg_free) struct msg *answer = NULL;
        struct msg request = { .kind = MSG_submit_set };
        struct submitted last;

        if (from->one_message || from->n_fresh == 0)
                return 0;
        request.u.submit_set = (struct msg_submit_set){ .set = from->key,
                                                        .n_set = strlen(from->key),
                                                        .jobs = from->n_fresh,
                                                        .has_jobs = true,
                                                        .key = from->fresh_key,
                                                        .n_key = strlen(from->fresh_key) };
        answer = client_call(from->cli->client, &request, -1, err);
        if (!answer || submit_take_answer(answer, 1, &last, err) < 0)
                return -1;
        from->told[from->n_told - 1].has_suitable = last.has_suitable;
        from->told[from->n_told - 1].suitable_workers = last.suitable_workers;
        return 0;
}

static int send_all(struct from *from, struct err *err)
{
        rewind_lines(from);
        for (;;) {
                CLEANUP_WITH(from_job_free) struct from_job *job = next_job(from, err);

                if (!job && err->code != ERR_OK)
                        return -1;
                if (!job)
                        break;
                if (send_job(from, &job, err) < 0)
                        return err->code == ERR_BAD_DATA ? err_wrap(err, "line %" PRIu64, from->n_lines) : -1;
                if (interrupted())
                        return err_set(err, ERR_RETRY_LATER, "interrupted");
        }
        return send_message(from, err) < 0 ? -1 : end_set(from, err);
}

/* --- the command ------------------------------------------------------------------------------------------------- */
static int print_ids(const struct from *from, struct err *err)
{
        bool json = from->cli->form == CLI_FORM_JSON;
        CLEANUP_BUF struct buf out = { 0 };

        if (json)
                buf_add_str(&out, "{\"schema\":\"jobsubmit.from/1\",\"rows\":[");
        for (size_t i = 0; i < from->n_told; i++) {
                const struct submitted *one = &from->told[i];

                if (!json) {
                        buf_addf(&out, "%" PRIu64 "\n", one->job);
                        continue;
                }
                buf_addf(&out, "%s{\"job_id\":%" PRIu64 ",\"tasks\":%" PRIu64 ",\"key\":", i ? "," : "",
                         one->job, one->tasks);
                buf_add_json_str(&out, from->keys[i], strlen(from->keys[i]));
                buf_addf(&out, ",\"existing\":%s}", one->existing ? "true" : "false");
        }
        if (json)
                buf_add_str(&out, "]}\n");
        if (opts_flag(from->opts, "watch")) {
                fwrite(out.bytes, 1, out.n, stderr);
                return 0;
        }
        if (cli_write(out.bytes, out.n, err) < 0)
                return -1;
        return fflush(stdout) == 0 ? 0 : err_set(err, ERR_INTERNAL, "write to stdout failed");
}

static void say_what_to_know(const struct from *from)
{
        const struct submitted *last = &from->told[from->n_told - 1];

        if (last->has_suitable && last->suitable_workers == 0)
                cli_note(from->cli,
                         "no connected worker can run job %" PRIu64
                         " now; it is queued. Start one: jobworker --profile FILE (deploy/local scale N)",
                         last->job);
        cli_detail(from->cli, "%zu jobs, %" PRIu64 " of them new, key %s", from->n_told, from->n_fresh,
                   from->key);
}

static int wait_for(const struct from *from)
{
        const struct logs logs = { .streams = LOGS_BOTH, .split = true };
        const struct follow follow = {
                .cli = from->cli,
                .logs = opts_flag(from->opts, "watch") ? &logs : NULL,
                .progress = opts_flag(from->opts, "progress"),
                .exit_code = opts_flag(from->opts, "exit-code"),
                .timeout_ms = opts_number(from->opts, "timeout", -1),
        };
        CLEANUP_TARGETS struct targets targets = { 0 };
        struct err err = { 0 };
        int code;

        GROW(targets.list, targets.cap, from->n_told);
        for (; targets.n < from->n_told; targets.n++)
                targets.list[targets.n] = (struct target){ .job = from->told[targets.n].job };
        if (follow_targets(&follow, &targets, &code, &err) == 0)
                return cli_flush(from->cli, code);
        return interrupted() ? follow_interrupted(from->cli, &targets) : cli_fail(from->cli, &err);
}

static int fail(const struct from *from, const struct err *err)
{
        int code = interrupted() ? EXIT_INTERRUPTED : cli_fail(from->cli, err);

        if (from->unsure && (interrupted() || err->code == ERR_UNREACHABLE || err->code == ERR_RETRY_LATER))
                fprintf(stderr,
                        "%s: either all of the jobs were submitted or none; to have them exactly once, run "
                        "the same "
                        "command again with --key %s\n",
                        from->cli->program, from->key);
        return code;
}

static int prepare(struct from *from, struct err *err)
{
        const char *key = opts_text(from->opts, "key");

        if (from->opts->n_words)
                return err_set(err, ERR_USAGE, "--from: '%.80s' is too much: commands stand in the lines",
                               from->opts->words[0]);
        if (key && cli_check_text("--key", key, 1, SET_KEY_MAX, err) < 0)
                return -1;
        from->key = key ? xstrdup(key) : NULL;
        return submit_key(&from->key, err) < 0 || keep_lines(from, err) < 0 ? -1 : check_all(from, err);
}

static int run(struct from *from)
{
        struct err err = { 0 };

        if (prepare(from, &err) < 0)
                return cli_fail(from->cli, &err);
        if (opts_flag(from->opts, "dry-run"))
                return cli_flush(from->cli, 0);
        interrupt_catch();
        if (send_all(from, &err) < 0)
                return fail(from, &err);
        say_what_to_know(from);
        if (print_ids(from, &err) < 0) {
                (void)err_wrap(&err, "the jobs were submitted, but their ids could not be printed");
                return cli_fail(from->cli, &err);
        }
        if (opts_flag(from->opts, "wait") || opts_flag(from->opts, "watch"))
                return wait_for(from);
        return 0;
}

int submit_from(struct cli *cli, const struct opts *opts)
{
        struct from *from = xcalloc(1, sizeof(*from));
        int code;

        from->cli = cli;
        from->opts = opts;
        from->path = opts_text(opts, "from");
        from->lines = (struct spool)SPOOL_EMPTY;
        code = run(from);
        message_clear(from);
        buf_done(&from->body);
        buf_done(&from->block);
        spool_done(&from->lines);
        for (size_t i = 0; i < from->n_told; i++)
                xfree(from->keys[i]);
        xfree(from->keys);
        xfree(from->told);
        xfree(from->key);
        xfree(from);
        return code;
}
