/* Environment and arguments. What a job names wins over what the worker gives, but never over JOB_*. */
#include "exec/env.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/wargs.h"

/* ------------------------------------------------------------------ words */
void words_done(struct words *words)
{
        buf_done(&words->text);
        free(words->at);
        free(words->list ? words->list - 1 : NULL);
        *words = (struct words){ 0 };
}

void words_clear(struct words *words)
{
        buf_clear(&words->text);
        words->n = 0;
}

void words_open(struct words *words)
{
        GROW(words->at, words->cap, words->n + 1);
        words->at[words->n++] = words->text.n;
}

void words_close(struct words *words)
{
        buf_add_char(&words->text, '\0');
}

void words_add(struct words *words, const char *word)
{
        words_open(words);
        buf_add_str(&words->text, word);
        words_close(words);
}

char *const *words_end(struct words *words)
{
        char **list = xrealloc(words->list ? words->list - 1 : NULL, (words->n + 2) * sizeof(*list));

        words->list = list + 1;
        for (size_t i = 0; i < words->n; i++)
                words->list[i] = words->text.bytes + words->at[i];
        words->list[words->n] = NULL;
        return words->list;
}

/* ------------------------------------------------------------------ environment */
static bool names(const char *setting, const char *name, size_t n_name)
{
        return !strncmp(setting, name, n_name) && setting[n_name] == '=';
}

/* The job's own setting of `name`: behind its `=`, the last one; NULL: none. */
static const char *job_setting(const struct rec_job_spec *spec, const char *name)
{
        size_t n_name = strlen(name);

        for (size_t i = spec->n_env; i-- > 0;)
                if (names(spec->env[i], name, n_name))
                        return spec->env[i] + n_name + 1;
        return NULL;
}

const char *env_path(const struct env_base *base, const struct rec_job_spec *spec)
{
        const char *own = job_setting(spec, "PATH");

        return own ? own : base->path;
}

static void open_setting(struct words *env, const char *name)
{
        words_open(env);
        buf_add_str(&env->text, name);
        buf_add_char(&env->text, '=');
}

static void add_text(struct words *env, const char *name, const char *value)
{
        open_setting(env, name);
        buf_add_str(&env->text, value);
        words_close(env);
}

static void add_number(struct words *env, const char *name, uint64_t value)
{
        open_setting(env, name);
        buf_add_u64(&env->text, value);
        words_close(env);
}

static void add_default(struct words *env, const struct rec_job_spec *spec, const char *name,
                        const char *value)
{
        if (!job_setting(spec, name))
                add_text(env, name, value);
}

/* The name of a column as part of a variable's: each character that is no letter, digit or _ is a _. */
static bool is_plain(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static void add_entry(struct words *env, const struct rec_job_spec *spec, struct wentry entry)
{
        if (!entry.n)
                return;
        open_setting(env, "JOB_ENTRY");
        wargs_entry(entry, &env->text);
        words_close(env);
        for (size_t i = 0; i < spec->n_columns && i < entry.n; i++) {
                words_open(env);
                buf_add_str(&env->text, "JOB_ENTRY_");
                for (const char *c = spec->columns[i]; *c; c++)
                        if (((unsigned char)*c & 0xC0) != 0x80) /* not within a character of UTF-8 */
                                buf_add_char(&env->text, is_plain(*c) ? *c : '_');
                buf_add_char(&env->text, '=');
                buf_add_str(&env->text, entry.values[i]);
                words_close(env);
        }
}

static void add_key(struct words *env, const struct wtask *task)
{
        const struct wjob *job = task->lease->job;

        open_setting(env, "JOB_KEY");
        buf_add_str(&env->text, job->install);
        buf_add_char(&env->text, '-');
        buf_add_u64(&env->text, job->id);
        buf_add_char(&env->text, '-');
        buf_add_u64(&env->text, task->index);
        words_close(env);
}

static void add_gpu_numbers(struct words *env, const char *name, uint64_t gpus)
{
        const char *between = "";

        open_setting(env, name);
        for (unsigned gpu = 0; gpu < 64; gpu++) {
                if (!(gpus >> gpu & 1))
                        continue;
                buf_add_str(&env->text, between);
                buf_add_u64(&env->text, gpu);
                between = ",";
        }
        words_close(env);
}

/* On a worker that gives out gpus a task sees its own: none, if it asked for none. */
static void add_gpus(const struct env_base *base, const struct wtask *task, struct words *env)
{
        if (task->gpus)
                add_gpu_numbers(env, "JOB_GPUS", task->gpus);
        if (base->gpus > 0 && !job_setting(wtask_spec(task), "CUDA_VISIBLE_DEVICES"))
                add_gpu_numbers(env, "CUDA_VISIBLE_DEVICES", task->gpus);
}

/* Slurm's names for what a task has here. A job is a task's whole array here, so SLURM_JOB_ID is that of the array. */
static void add_slurm(const struct env_base *base, const struct wtask *task, struct words *env)
{
        const struct wjob *job = task->lease->job;
        const struct rec_job_spec *spec = &job->box->spec;
        const char *const ones[] = { "SLURM_NTASKS", "SLURM_NPROCS", "SLURM_JOB_NUM_NODES", "SLURM_NNODES" };
        const char *const zeros[] = { "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID" };

        add_number(env, "SLURM_JOB_ID", job->id);
        add_number(env, "SLURM_JOBID", job->id);
        if (spec->n_name)
                add_text(env, "SLURM_JOB_NAME", spec->name);
        add_text(env, "SLURM_JOB_PARTITION", spec->queue ? spec->queue : "default");
        add_text(env, "SLURM_JOB_USER", job->owner);
        add_number(env, "SLURM_CPUS_PER_TASK", spec->has_cpus ? spec->cpus : 1);
        add_number(env, "SLURM_CPUS_ON_NODE", spec->has_cpus ? spec->cpus : 1);
        add_number(env, "SLURM_JOB_CPUS_PER_NODE", spec->has_cpus ? spec->cpus : 1);
        add_number(env, "SLURM_RESTART_COUNT", task->lease->attempt - 1);
        for (size_t i = 0; i < ARRAY_LEN(ones); i++)
                add_number(env, ones[i], 1);
        for (size_t i = 0; i < ARRAY_LEN(zeros); i++)
                add_number(env, zeros[i], 0);
        if (*base->worker) {
                add_text(env, "SLURMD_NODENAME", base->worker);
                add_text(env, "SLURM_JOB_NODELIST", base->worker);
        }
        if (!spec->is_array && !spec->has_entries)
                return;
        add_number(env, "SLURM_ARRAY_JOB_ID", job->id);
        add_number(env, "SLURM_ARRAY_TASK_ID", task->index);
        add_number(env, "SLURM_ARRAY_TASK_COUNT", job->tasks);
        add_number(env, "SLURM_ARRAY_TASK_MIN", job->index_min);
        add_number(env, "SLURM_ARRAY_TASK_MAX", job->index_max);
        add_number(env, "SLURM_ARRAY_TASK_STEP",
                   spec->n_array && spec->array[0].has_step ? spec->array[0].step : 1);
}

/* A variable that the job may set: not one that we set ourselves. */
static bool is_jobs_own(const struct rec_job_spec *spec, const char *setting)
{
        if (strncmp(setting, "JOB_", 4) == 0 || !strchr(setting, '='))
                return false;
        return spec->compat != COMPAT_SLURM ||
               (strncmp(setting, "SLURMD_", 7) != 0 && strncmp(setting, "SLURM_", 6) != 0) ||
               strncmp(setting, "SLURM_SUBMIT_", 13) == 0;
}

void env_build(const struct env_base *base, const struct wtask *task, const struct env_task *about,
               struct words *env)
{
        const struct wjob *job = task->lease->job;
        const struct rec_job_spec *spec = wtask_spec(task);

        words_clear(env);
        add_default(env, spec, "PATH", base->path);
        add_default(env, spec, "HOME", base->home);
        add_default(env, spec, "USER", base->user);
        add_default(env, spec, "LANG", "C.UTF-8");
        add_default(env, spec, "TMPDIR", about->dir);
        for (size_t i = 0; i < spec->n_env; i++)
                if (is_jobs_own(spec, spec->env[i]))
                        words_add(env, spec->env[i]);
        add_number(env, "JOB_ID", job->id);
        add_number(env, "JOB_INDEX", task->index);
        add_number(env, "JOB_COUNT", job->tasks);
        add_number(env, "JOB_INDEX_MIN", job->index_min);
        add_number(env, "JOB_INDEX_MAX", job->index_max);
        if (spec->n_name)
                add_text(env, "JOB_NAME", spec->name);
        add_entry(env, spec, wlease_entry(task->lease, task->index));
        add_number(env, "JOB_ATTEMPT", task->lease->attempt);
        add_text(env, "JOB_DIR", about->dir);
        add_text(env, "JOB_RESULT", about->result);
        if (about->parents)
                add_text(env, "JOB_PARENT_RESULT", about->parents);
        if (about->parents_too_large)
                add_text(env, "JOB_PARENT_RESULT_ERROR", "too-large");
        if (about->stdin_cut)
                add_number(env, "JOB_STDIN_CUT", about->stdin_cut);
        if (about->end_s)
                add_number(env, "JOB_END_TIME", (uint64_t)about->end_s);
        add_number(env, "JOB_CPUS", task->cpus);
        if (task->lease->mem > 0)
                add_number(env, "JOB_MEM", task->lease->mem);
        add_gpus(base, task, env);
        if (*base->worker)
                add_text(env, "JOB_WORKER", base->worker);
        if (about->socket)
                add_text(env, "JOB_SOCKET", about->socket);
        add_key(env, task);
        if (spec->has_compat && spec->compat == COMPAT_SLURM)
                add_slurm(base, task, env);
}

/* ------------------------------------------------------------------ arguments */
void env_args(const struct wtask *task, const char *script, struct words *args)
{
        const struct rec_job_spec *spec = wtask_spec(task);
        struct wentry entry = wlease_entry(task->lease, task->index);

        words_clear(args);
        if (script)
                words_add(args, script);
        for (size_t i = 0; i < spec->n_args; i++) {
                words_open(args);
                wargs_expand(spec, entry, task->index, spec->args[i], &args->text);
                words_close(args);
        }
}
