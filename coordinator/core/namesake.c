/* Lists by owner and name.
 * Invariant: a job that waits for a namesake is never the first of its list. */
#include "core/namesake.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/job.h"

static void add_sorted(struct namesakes *names, struct job *job)
{
        struct job *after;

        /* Nearly always the newest; one that comes back by a retry is older. */
        DL_FOREACH2(names->jobs, after, namesake_next)
        {
                if (after->id.n > job->id.n)
                        break;
        }
        if (after)
                DL_PREPEND_ELEM2(names->jobs, after, job, namesake_prev, namesake_next);
        else
                DL_APPEND2(names->jobs, job, namesake_prev, namesake_next);
}

void namesake_join(struct core *core, struct job *job)
{
        const struct rec_job_spec *spec = &job->spec->spec;
        CLEANUP_BUF struct buf key = { 0 };
        struct namesakes *names;

        if (!spec->name)
                return;
        buf_add(&key, &job->owner_id.n, sizeof(job->owner_id.n));
        buf_add_str(&key, spec->name);
        HASH_FIND(hh, core->namesakes, key.bytes, (unsigned)key.n, names);
        if (!names) {
                names = xcalloc(1, sizeof(*names));
                names->key = xmemdup(key.bytes, key.n);
                names->key_bytes = key.n;
                HASH_ADD_KEYPTR(hh, core->namesakes, names->key, (unsigned)names->key_bytes, names);
        }
        job->namesakes = names;
        if (names->jobs && names->jobs->namesake_prev->id.n < job->id.n)
                DL_APPEND2(names->jobs, job, namesake_prev, namesake_next);
        else
                add_sorted(names, job);
}

static void let_go(struct core *core, struct job *job)
{
        job->waits_namesake = false;
        job->n_waits--;
        if (job->n_waits == 0)
                job_rehome(core, job);
}

void namesake_leave(struct core *core, struct job *job)
{
        struct namesakes *names = job->namesakes;

        if (!names)
                return;
        DL_DELETE2(names->jobs, job, namesake_prev, namesake_next);
        job->namesakes = NULL;
        if (names->jobs) {
                if (names->jobs->waits_namesake)
                        let_go(core, names->jobs);
                return;
        }
        HASH_DELETE(hh, core->namesakes, names);
        free(names->key);
        free(names);
}

void namesake_wait(struct job *job)
{
        if (!job->spec->spec.singleton || !job->namesakes || job->namesakes->jobs == job ||
            job->waits_namesake)
                return;
        job->waits_namesake = true;
        job->n_waits++;
}

void namesake_rename(struct core *core, struct job *job)
{
        unsigned waits = job->n_waits;

        job->n_waits -= job->waits_namesake;
        job->waits_namesake = false;
        namesake_leave(core, job);
        namesake_join(core, job);
        if (job->granted == 0 && !job_was_granted(job)) /* as a restart sees it: limbo says nothing */
                namesake_wait(job);
        if ((job->n_waits == 0) != (waits == 0))
                job_rehome(core, job);
}

void namesake_waits_no_more(struct job *job)
{
        job->waits_namesake = false;
}

const struct job *namesake_before(const struct job *job)
{
        return job->waits_namesake ? job->namesake_prev : NULL;
}
