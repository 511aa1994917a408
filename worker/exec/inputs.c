/* Input files of jobs: fetched once a worker and content, checked against their digest, copied into each task's folder.
 * And secrets: fetched anew for tasks that start, so that what was changed or removed counts from then on.
 *
 * 1. A task never sees a file before all of it is here and its SHA-256 is right.
 * 2. Tasks get copies (by reflink where the file system can): what one writes into its input is nobody else's.
 * 3. One chunk is asked for at a time, for any of the job's tasks that is ours.
 * 4. Secrets never touch the disk, and are wiped as soon as the tasks that waited for them have started. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "crypt/digest.h"
#include "exec/cache.h"
#include "exec/run.h"

#define MODE_DEFAULT 0644

struct inputs { /* wjob.files; also in exec->inputs */
        struct inputs *prev, *next;
        struct exec *exec;
        char name[48]; /* of the job's folder below the scratch folder */
        char *script; /* path, once it is there */
        size_t n_done; /* inputs that are complete */
        enum task_reason failed; /* for good */
        /* the one that is coming */
        int fd;
        uint64_t seq, n_bytes;
        struct digest *digest;
        bool asked;
        /* secrets of the spec; those of index < n_secrets are here */
        struct buf *secrets;
        size_t n_secrets;
};

static const struct rec_job_spec *spec_of(const struct wjob *job)
{
        return &job->box->spec;
}

bool inputs_needed(const struct wjob *job)
{
        return spec_of(job)->n_inputs > 0 || spec_of(job)->n_secrets > 0;
}

static bool is_script(const struct rec_job_spec *spec, size_t at)
{
        return at == 0 && spec->has_script && spec->script;
}

static bool name_is_safe(const char *name)
{
        return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

/* Cached under a number; a script under its own name, which its $0 shows. */
static void cached_name(const struct inputs *inputs, const struct rec_job_spec *spec, size_t at,
                        char *ret_name, size_t n)
{
        if (is_script(spec, at))
                snprintf(ret_name, n, "%s/s/%s", inputs->name, spec->inputs[at].name);
        else
                snprintf(ret_name, n, "%s/%zu", inputs->name, at);
}

static enum task_reason reason_of_errno(int error)
{
        return error == ENOSPC || error == EDQUOT ? TASK_REASON_NO_SPACE : TASK_REASON_BAD_INPUT;
}

static struct inputs *inputs_get(struct exec *exec, struct wjob *job)
{
        struct inputs *inputs = job->files;
        char sub[56];
        int error;

        if (inputs)
                return inputs;
        inputs = xcalloc(1, sizeof(*inputs));
        inputs->exec = exec;
        inputs->fd = -1;
        inputs->digest = digest_new();
        /* A number of its own: the folder of an earlier time may still be on its way out. */
        snprintf(inputs->name, sizeof(inputs->name), "j%llu-%llu", (unsigned long long)job->id,
                 (unsigned long long)++exec->scratch->n_named);
        error = scratch_make(exec->scratch, inputs->name);
        snprintf(sub, sizeof(sub), "%s/s", inputs->name);
        if (!error)
                error = scratch_make(exec->scratch, sub);
        if (!error && exec->user) { /* others pass through to run the script, but cannot list */
                fchmodat(exec->scratch->fd, inputs->name, 0711, 0);
                fchmodat(exec->scratch->fd, sub, 0711, 0);
        }
        if (error)
                inputs->failed = reason_of_errno(error);
        DL_APPEND(exec->inputs, inputs);
        job->files = inputs;
        return inputs;
}

static void close_incoming(struct inputs *inputs)
{
        if (inputs->fd >= 0)
                close(inputs->fd);
        inputs->fd = -1;
        inputs->seq = inputs->n_bytes = 0;
}

static void wipe_secrets(struct inputs *inputs)
{
        for (size_t i = 0; i < inputs->n_secrets; i++) {
                explicit_bzero(inputs->secrets[i].bytes, inputs->secrets[i].n);
                buf_done(&inputs->secrets[i]);
        }
        free(inputs->secrets);
        inputs->secrets = NULL;
        inputs->n_secrets = 0;
}

static void inputs_free(struct inputs *inputs)
{
        wipe_secrets(inputs);
        DL_DELETE(inputs->exec->inputs, inputs);
        close_incoming(inputs);
        scratch_remove(inputs->exec->scratch, inputs->name);
        digest_free(inputs->digest);
        free(inputs->script);
        free(inputs);
}

void exec_forget_job(struct exec *exec, struct wjob *job)
{
        parents_forget_job(exec, job);
        if (job->files)
                inputs_free(job->files);
        job->files = NULL;
}

void inputs_free_all(struct exec *exec)
{
        while (exec->inputs)
                inputs_free(exec->inputs);
}

/* ------------------------------------------------------------------ fetching */
static int open_incoming(struct inputs *inputs, const struct wjob *job)
{
        const struct rec_job_spec *spec = spec_of(job);
        char name[512];
        char discard[DIGEST_HEX_BYTES + 1];

        if (!name_is_safe(spec->inputs[inputs->n_done].name))
                return -1;
        digest_hex(inputs->digest, discard); /* begins anew */
        cached_name(inputs, spec, inputs->n_done, name, sizeof(name));
        unlinkat(inputs->exec->scratch->fd, name, 0);
        inputs->fd =
                openat(inputs->exec->scratch->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       is_script(spec, inputs->n_done) ? 0755 : 0600);
        return inputs->fd;
}

/* Every run of the job that waits goes on, or fails. */
static void wake_runs(struct inputs *inputs, const struct wjob *job)
{
        struct run *run, *next;

        DL_FOREACH_SAFE (inputs->exec->runs, run, next) {
                if (run->phase != RUN_INPUTS || run->unsettled || run->pid || run->timer.place ||
                    run->task->lease->job != job || parents_are_missing(run))
                        continue;
                if (inputs->failed != TASK_REASON_NONE)
                        run_fail(run, inputs->failed);
                else
                        run_begin(run);
        }
        wipe_secrets(inputs);
}

static void fail(struct inputs *inputs, const struct wjob *job, enum task_reason reason)
{
        close_incoming(inputs);
        inputs->failed = reason;
        wake_runs(inputs, job);
        inputs->failed = TASK_REASON_NONE; /* a later task tries again: it may have been the disk */
}

/* Ask for the next chunk; false: nobody of the job is left to ask for. */
static bool ask(struct inputs *inputs, const struct wjob *job)
{
        struct exec *exec = inputs->exec;

        inputs->asked = exec->host.fetch(exec->host.arg, job, inputs->n_done + 1 + inputs->n_secrets,
                                         inputs->seq) == 0;
        if (!inputs->asked)
                close_incoming(inputs);
        return inputs->asked;
}

static void set_script(struct inputs *inputs, const char *name)
{
        free(inputs->script);
        inputs->script = xasprintf("%s/%s/s/%s", inputs->exec->scratch->path, inputs->name, name);
}

static struct cache_key key_of(const struct wjob *job, size_t at)
{
        const struct rec_input *input = &spec_of(job)->inputs[at];

        return (struct cache_key){ .owner = job->owner, .sha256 = input->sha256, .bytes = input->bytes };
}

static void keep(struct inputs *inputs, const struct wjob *job)
{
        struct cache_key key = key_of(job, inputs->n_done);
        char name[512];

        cached_name(inputs, spec_of(job), inputs->n_done, name, sizeof(name));
        cache_put(inputs->exec->cache, &key, name);
}

/* The next input is here already: an earlier job of the same person brought it, or an earlier input is the same. */
static bool have(struct inputs *inputs, const struct wjob *job)
{
        const struct rec_job_spec *spec = spec_of(job);
        const struct rec_input *input = &spec->inputs[inputs->n_done];
        struct cache_key key = key_of(job, inputs->n_done);
        int fd = inputs->exec->scratch->fd;
        char name[512], earlier[512];
        bool here = false;

        if (!name_is_safe(input->name) || !input->bytes)
                return false;
        cached_name(inputs, spec, inputs->n_done, name, sizeof(name));
        unlinkat(fd, name, 0);
        for (size_t i = 0; i < inputs->n_done && !here; i++) {
                if (spec->inputs[i].bytes != input->bytes ||
                    strcmp(spec->inputs[i].sha256, input->sha256) != 0)
                        continue;
                cached_name(inputs, spec, i, earlier, sizeof(earlier));
                here = linkat(fd, earlier, fd, name, 0) == 0;
        }
        if (!here && !cache_get(inputs->exec->cache, &key, name))
                return false;
        if (is_script(spec, inputs->n_done)) {
                fchmodat(fd, name, 0755, 0);
                set_script(inputs, input->name);
        }
        inputs->n_done++;
        return true;
}

/* All announced bytes are here: are they the right ones? */
static bool finish_one(struct inputs *inputs, const struct wjob *job)
{
        const struct rec_job_spec *spec = spec_of(job);
        const struct rec_input *input = &spec->inputs[inputs->n_done];
        char sha256[DIGEST_HEX_BYTES + 1];

        digest_hex(inputs->digest, sha256);
        if (inputs->n_bytes != input->bytes || strcmp(sha256, input->sha256) != 0)
                return false;
        if (is_script(spec, inputs->n_done)) {
                fchmod(inputs->fd, 0755);
                set_script(inputs, input->name);
        }
        close_incoming(inputs);
        keep(inputs, job);
        inputs->n_done++;
        return true;
}

/* Open the next input that has something to fetch; empty ones are complete at once. 1 one is open, or a secret comes
 * next; 0 all are here; -1 failed. */
static int next_input(struct inputs *inputs, const struct wjob *job, enum task_reason *ret_reason)
{
        const struct rec_job_spec *spec = spec_of(job);

        while (inputs->fd < 0 && inputs->n_done < spec->n_inputs) {
                if (have(inputs, job))
                        continue;
                if (open_incoming(inputs, job) < 0) {
                        *ret_reason = reason_of_errno(errno);
                        return -1;
                }
                if (spec->inputs[inputs->n_done].bytes)
                        break;
                if (!finish_one(inputs, job)) {
                        *ret_reason = TASK_REASON_BAD_INPUT;
                        return -1;
                }
        }
        return inputs->fd >= 0 || inputs->n_secrets < spec->n_secrets;
}

int inputs_want(struct exec *exec, struct run *run, enum task_reason *ret_reason)
{
        struct wjob *job = run->task->lease->job;
        struct inputs *inputs = inputs_get(exec, job);

        if (inputs->failed != TASK_REASON_NONE) {
                *ret_reason = inputs->failed;
                return -1;
        }
        if (inputs->asked)
                return 1;
        switch (next_input(inputs, job, ret_reason)) {
        case 0:
                return 0;
        case 1:
                break;
        default:
                close_incoming(inputs);
                return -1;
        }
        if (ask(inputs, job))
                return 1;
        *ret_reason = TASK_REASON_BAD_INPUT;
        return -1;
}

bool inputs_write(int fd, const char *bytes, size_t n)
{
        while (n) {
                ssize_t done = write(fd, bytes, n);

                if (done < 0 && errno == EINTR)
                        continue;
                if (done <= 0)
                        return false;
                bytes += done;
                n -= (size_t)done;
        }
        return true;
}

static enum task_reason take_secret(struct inputs *inputs, const struct wjob *job, const struct msg *msg)
{
        const struct rec_job_spec *spec = spec_of(job);

        if (!msg->body_bytes || memchr(msg->body, 0, msg->body_bytes))
                return TASK_REASON_NO_SECRET;
        if (!inputs->secrets)
                inputs->secrets = xcalloc(spec->n_secrets, sizeof(*inputs->secrets));
        buf_add(&inputs->secrets[inputs->n_secrets++], msg->body, msg->body_bytes);
        return TASK_REASON_NONE;
}

/* 0: goes on; else why it cannot. */
static enum task_reason take_chunk(struct inputs *inputs, const struct wjob *job, const struct msg *msg)
{
        uint64_t bytes = spec_of(job)->inputs[inputs->n_done].bytes;

        if (!msg->body_bytes || msg->body_bytes > bytes - inputs->n_bytes)
                return TASK_REASON_BAD_INPUT; /* ends before its announced size, or goes on behind it */
        if (!inputs_write(inputs->fd, msg->body, msg->body_bytes))
                return reason_of_errno(errno);
        digest_add(inputs->digest, msg->body, msg->body_bytes);
        inputs->n_bytes += msg->body_bytes;
        inputs->seq++;
        if (inputs->n_bytes == bytes && !finish_one(inputs, job))
                return TASK_REASON_BAD_INPUT;
        return TASK_REASON_NONE;
}

void exec_on_input(struct wjob *job, const struct msg *msg, bool refused)
{
        struct inputs *inputs = job ? job->files : NULL;
        enum task_reason reason = TASK_REASON_NONE;

        if (!inputs || !inputs->asked)
                return;
        inputs->asked = false;
        /* Neither: that lease is not ours any more; perhaps another one is. */
        if (msg)
                reason = inputs->fd < 0 ? take_secret(inputs, job, msg) : take_chunk(inputs, job, msg);
        else if (refused)
                reason = inputs->fd < 0 ? TASK_REASON_NO_SECRET : TASK_REASON_BAD_INPUT;
        if (reason == TASK_REASON_NONE && next_input(inputs, job, &reason) == 0)
                wake_runs(inputs, job);
        else if (reason != TASK_REASON_NONE || !ask(inputs, job))
                fail(inputs, job, reason != TASK_REASON_NONE ? reason : TASK_REASON_BAD_INPUT);
}

/* ------------------------------------------------------------------ placing */
const char *inputs_script(const struct wjob *job)
{
        const struct inputs *inputs = job->files;

        return inputs ? inputs->script : NULL;
}

static bool copy(int from, int to)
{
        if (ioctl(to, FICLONE, from) == 0)
                return true;
        for (;;) {
                ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0);

                if (n == 0)
                        return true;
                if (n < 0 && errno != EINTR)
                        return false;
        }
}

static enum task_reason place_one(struct run *run, size_t at)
{
        struct exec *exec = run->exec;
        const struct rec_job_spec *spec = wtask_spec(run->task);
        const struct rec_input *input = &spec->inputs[at];
        char from_name[512], to_name[512];
        int from, to;
        enum task_reason reason;
        bool ok;

        cached_name(run->task->lease->job->files, spec, at, from_name, sizeof(from_name));
        snprintf(to_name, sizeof(to_name), "%s/%s", run->place.name, input->name);
        from = openat(exec->scratch->fd, from_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        to = openat(exec->scratch->fd, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        ok = from >= 0 && to >= 0 && copy(from, to) &&
             fchmod(to, (mode_t)(input->has_mode ? input->mode : MODE_DEFAULT)) == 0 &&
             (!exec->user || fchown(to, exec->user->uid, exec->user->gid) == 0);
        reason = ok ? TASK_REASON_NONE : reason_of_errno(errno);
        if (from >= 0)
                close(from);
        if (to >= 0)
                close(to);
        return reason;
}

enum task_reason inputs_place(struct run *run)
{
        const struct rec_job_spec *spec = wtask_spec(run->task);
        enum task_reason reason = TASK_REASON_NONE;

        for (size_t i = is_script(spec, 0) ? 1 : 0; i < spec->n_inputs && reason == TASK_REASON_NONE; i++)
                if (i + 1 != spec->stdin_input)
                        reason = place_one(run, i);
        return reason;
}

int inputs_stdin(const struct run *run)
{
        const struct rec_job_spec *spec = wtask_spec(run->task);
        char name[512];

        if (!spec->has_stdin_input || spec->stdin_input > spec->n_inputs)
                return -1;
        cached_name(run->task->lease->job->files, spec, (size_t)spec->stdin_input - 1, name, sizeof(name));
        return openat(run->exec->scratch->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

void inputs_add_secrets(const struct run *run, struct words *env)
{
        const struct inputs *inputs = run->task->lease->job->files;
        const struct rec_job_spec *spec = wtask_spec(run->task);

        for (size_t i = 0; inputs && i < inputs->n_secrets; i++) {
                words_open(env);
                buf_add_str(&env->text, spec->secrets[i]);
                buf_add_char(&env->text, '=');
                buf_add(&env->text, inputs->secrets[i].bytes, inputs->secrets[i].n);
                words_close(env);
        }
}
