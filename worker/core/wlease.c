/* Jobs and leases of a worker: what it has been granted and has not started.
 *
 * 1. A lease keeps the `run` message that brought it, so entries are never copied.
 * 2. left[] is ascending and apart, like the ranges of the grant it comes from. */
#include "core/wstate.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

void grants_unref(struct wgrants *grants)
{
        if (--grants->refs)
                return;
        msg_free(grants->msg);
        free(grants);
}

struct wjob *job_find(struct wcore *core, uint64_t id)
{
        struct wjob *job;

        HASH_FIND(hh, core->jobs, &id, sizeof(id), job);
        return job;
}

/* What running tasks, leases and fetched inputs of a job rest on is the same. It is, but for a broken coordinator. */
static bool same_shape(const struct rec_job_spec *a, const struct rec_job_spec *b)
{
        if (a->type != b->type || a->script != b->script || a->n_inputs != b->n_inputs ||
            a->has_entries != b->has_entries)
                return false;
        for (size_t i = 0; i < a->n_inputs; i++)
                if (a->inputs[i].bytes != b->inputs[i].bytes ||
                    strcmp(a->inputs[i].sha256, b->inputs[i].sha256) != 0 ||
                    strcmp(a->inputs[i].name, b->inputs[i].name) != 0)
                        return false;
        return true;
}

struct wjob *job_add(struct wcore *core, const struct rec_run_spec *spec)
{
        struct wjob *job = job_find(core, spec->job);

        if (job) { /* changed by `set`: holds for what starts from now on */
                if (same_shape(&job->box->spec, spec->spec)) {
                        job_spec_free(job->box);
                        job->box = job_spec_dup(spec->spec);
                }
                return job;
        }
        job = xcalloc(1, sizeof(*job));
        job->id = spec->job;
        job->box = job_spec_dup(spec->spec);
        job->owner = xstrndup(spec->owner, spec->n_owner);
        job->install = xstrndup(spec->install, spec->n_install);
        job->tasks = spec->tasks;
        job->index_min = spec->index_min;
        job->index_max = spec->index_max;
        HASH_ADD(hh, core->jobs, id, sizeof(job->id), job);
        DL_APPEND(core->idle_jobs, job);
        core->n_idle_jobs++;
        return job;
}

void job_ref(struct wcore *core, struct wjob *job)
{
        if (job->refs++)
                return;
        DL_DELETE(core->idle_jobs, job);
        core->n_idle_jobs--;
}

void job_free(struct wcore *core, struct wjob *job)
{
        HASH_DELETE(hh, core->jobs, job);
        job_spec_free(job->box);
        free(job->owner);
        free(job->install);
        free(job);
}

/* The job itself dies in weffects_clear, after its effect has been carried out. */
static void job_forget(struct wcore *core, struct wjob *job, struct weffects *out)
{
        DL_DELETE(core->idle_jobs, job);
        core->n_idle_jobs--;
        if (!job->files) {
                job_free(core, job);
                return;
        }
        HASH_DELETE(hh, core->jobs, job);
        effect_add(out, WEFFECT_JOB_GONE)->u.input.job = job;
}

void job_unref(struct wcore *core, struct wjob *job, struct weffects *out)
{
        BUG_ON(!job->refs);
        if (--job->refs)
                return;
        DL_APPEND(core->idle_jobs, job);
        core->n_idle_jobs++;
        while (core->n_idle_jobs > WCORE_IDLE_JOBS_MAX)
                job_forget(core, core->idle_jobs, out);
}

struct wlease *lease_find(struct wcore *core, uint64_t nonce)
{
        struct wlease *lease;

        HASH_FIND(hh, core->leases, &nonce, sizeof(nonce), lease);
        return lease;
}

/* More cpus or gpus than there are: it runs alone rather than never. */
static void take_needs(const struct wcore *core, struct wlease *lease)
{
        const struct rec_job_spec *spec = &lease->job->box->spec;
        const struct rec_grant *grant = lease->grant;
        uint64_t cpus = grant->has_cpus ? grant->cpus : spec->has_cpus ? spec->cpus : 1;

        lease->cpus = MIN(cpus, core->config.slots);
        lease->says_cpus = grant->has_cpus || spec->has_cpus;
        lease->gpus = MIN(grant->has_gpus ? grant->gpus : spec->gpus, core->config.gpus);
        lease->mem = grant->has_mem ? grant->mem : spec->mem;
}

struct wlease *lease_add(struct wcore *core, int64_t now_us, struct wjob *job, uint64_t epoch,
                         const struct rec_grant *grant, struct wgrants *keep)
{
        struct wlease *lease = xcalloc(1, sizeof(*lease));

        lease->serial = ++core->n_leases_ever;
        lease->job = job;
        job_ref(core, job);
        lease->epoch = epoch;
        lease->nonce = grant->nonce;
        lease->attempt = (uint32_t)grant->attempt;
        lease->grant = grant;
        take_needs(core, lease);
        lease->keep = keep;
        keep->refs++;
        lease->left = xmemdup(grant->ranges, grant->n_ranges * sizeof(*grant->ranges));
        lease->n_left = grant->n_ranges;
        for (size_t i = 0; i < lease->n_left; i++)
                lease->n_unstarted += lease->left[i].hi - lease->left[i].lo + 1;
        lease->came_us = now_us;
        HASH_ADD(hh, core->leases, nonce, sizeof(lease->nonce), lease);
        DL_APPEND(core->queue, lease);
        lease->queued = true;
        core->n_unstarted += lease->n_unstarted;
        core->unstarted_cpus += lease->n_unstarted * lease->cpus;
        return lease;
}

void lease_free(struct wcore *core, struct wlease *lease, struct weffects *out)
{
        if (lease->queued)
                DL_DELETE(core->queue, lease);
        core->n_unstarted -= lease->n_unstarted;
        core->unstarted_cpus -= lease->n_unstarted * lease->cpus;
        HASH_DELETE(hh, core->leases, lease);
        job_unref(core, lease->job, out);
        grants_unref(lease->keep);
        free(lease->left);
        free(lease);
}

void lease_settle(struct wcore *core, struct wlease *lease, struct weffects *out)
{
        if (!lease->n_unstarted && !lease->n_running)
                lease_free(core, lease, out);
}

static void took(struct wcore *core, struct wlease *lease, uint64_t n)
{
        lease->n_unstarted -= n;
        core->n_unstarted -= n;
        core->unstarted_cpus -= n * lease->cpus;
        if (!lease->n_unstarted && lease->queued) {
                DL_DELETE(core->queue, lease);
                lease->queued = false;
        }
}

static void left_remove(struct wlease *lease, size_t i)
{
        lease->n_left--;
        memmove(lease->left + i, lease->left + i + 1, (lease->n_left - i) * sizeof(*lease->left));
}

bool lease_take_first(struct wcore *core, struct wlease *lease, struct range *ret_range, uint64_t n_max)
{
        struct range *first = lease->left;

        if (!lease->n_left)
                return false;
        ret_range->lo = first->lo;
        ret_range->hi = MIN(first->hi, first->lo + n_max - 1);
        if (ret_range->hi == first->hi)
                left_remove(lease, 0);
        else
                first->lo = ret_range->hi + 1;
        took(core, lease, ret_range->hi - ret_range->lo + 1);
        return true;
}

bool lease_take_last(struct wcore *core, struct wlease *lease, struct range *ret_range, uint64_t n_max)
{
        struct range *last = lease->left + lease->n_left - 1;

        if (!lease->n_left)
                return false;
        ret_range->hi = last->hi;
        ret_range->lo = last->hi - last->lo < n_max ? last->lo : last->hi - n_max + 1;
        if (ret_range->lo == last->lo)
                lease->n_left--;
        else
                last->hi = ret_range->lo - 1;
        took(core, lease, ret_range->hi - ret_range->lo + 1);
        return true;
}

bool lease_take_inside(struct wcore *core, struct wlease *lease, const struct range *range,
                       struct range *ret_range)
{
        for (size_t i = 0; i < lease->n_left; i++) {
                struct range *left = lease->left + i;
                struct range was = *left;

                if (was.hi < range->lo)
                        continue;
                if (was.lo > range->hi)
                        return false;
                *ret_range = (struct range){ MAX(was.lo, range->lo), MIN(was.hi, range->hi) };
                if (ret_range->lo > was.lo && ret_range->hi < was.hi) { /* a hole: two remain */
                        lease->left = xrealloc(lease->left, (lease->n_left + 1) * sizeof(*lease->left));
                        left = lease->left + i;
                        memmove(left + 1, left, (lease->n_left - i) * sizeof(*left));
                        lease->n_left++;
                        left[0].hi = ret_range->lo - 1;
                        left[1].lo = ret_range->hi + 1;
                } else if (ret_range->lo > was.lo) {
                        left->hi = ret_range->lo - 1;
                } else if (ret_range->hi < was.hi) {
                        left->lo = ret_range->hi + 1;
                } else {
                        left_remove(lease, i);
                }
                took(core, lease, ret_range->hi - ret_range->lo + 1);
                return true;
        }
        return false;
}

struct wentry wlease_entry(const struct wlease *lease, uint64_t index)
{
        const struct rec_grant *grant = lease->grant;
        uint64_t n_values = grant->has_n_values ? grant->n_values : 1;
        uint64_t before = 0;

        if (!grant->n_entries)
                return (struct wentry){ NULL, 0 };
        for (size_t i = 0; i < grant->n_ranges; i++) {
                const struct range *range = grant->ranges + i;

                if (index >= range->lo && index <= range->hi)
                        return (struct wentry){ grant->entries + (before + index - range->lo) * n_values,
                                                lease->job->box->spec.has_edges ? 1 : n_values };
                before += range->hi - range->lo + 1;
        }
        return (struct wentry){ NULL, 0 };
}

/* The task of a graph says for itself what runs, where and how long; everything else is its job's. */
struct job_spec_box *wlease_own_spec(const struct wlease *lease, uint64_t index)
{
        struct rec_job_spec merged = lease->job->box->spec;
        struct wentry entry = wlease_entry(lease, index);
        CLEANUP_WITH(job_spec_free) struct job_spec_box *said = NULL;

        if (!merged.has_edges || entry.n == 0 || lease->grant->n_values < GRAPH_VALUES ||
            entry.values[GRAPH_VALUES - 1][0] != 1)
                return NULL;
        said = job_spec_decode(entry.values[GRAPH_VALUES - 1] + 1, strlen(entry.values[GRAPH_VALUES - 1] + 1),
                               NULL);
        if (!said)
                return NULL;
        merged.args = said->spec.args;
        merged.n_args = said->spec.n_args;
        merged.env = said->spec.env;
        merged.n_env = said->spec.n_env;
        merged.cwd = said->spec.cwd;
        merged.n_cwd = said->spec.n_cwd;
        merged.time_ms = said->spec.time_ms;
        merged.has_time_ms = said->spec.has_time_ms;
        if (said->spec.n_ok_codes > 0) {
                merged.ok_codes = said->spec.ok_codes;
                merged.n_ok_codes = said->spec.n_ok_codes;
        }
        if (said->spec.n_outs > 0) {
                merged.outs = said->spec.outs;
                merged.n_outs = said->spec.n_outs;
        }
        if (said->spec.has_out_max) {
                merged.out_max = said->spec.out_max;
                merged.has_out_max = true;
        }
        if (said->spec.has_warn_signal) {
                merged.warn_signal = said->spec.warn_signal;
                merged.warn_ms = said->spec.warn_ms;
                merged.has_warn_signal = merged.has_warn_ms = true;
        }
        merged.stdin_index = said->spec.stdin_index;
        merged.has_stdin_index = said->spec.has_stdin_index;
        merged.grace_ms = said->spec.grace_ms;
        merged.has_grace_ms = said->spec.has_grace_ms;
        return job_spec_dup(&merged);
}
