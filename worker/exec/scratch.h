/* The worker's folder on disk: DIR/<id of the worker's key>/, with one folder per attempt and one per job with inputs.
 * It is locked while the worker lives, so that the next worker with the same key knows that what it finds there, and
 * every process that names it, is left over. */
#ifndef EXEC_SCRATCH_H
#define EXEC_SCRATCH_H

#include <stdint.h>

#include "exec/spawn.h"

struct scratch {
        char *path; /* absolute, no slash at the end */
        int fd;
        const struct spawn_user *user; /* who owns attempts' folders; NULL: we */
        struct sweeper *sweeper;
        uint64_t n_named;
};

/* base NULL: $TMPDIR or /tmp, in a folder of our own. Errors: CONFIG (not ours, not usable), RETRY_LATER (another
 * worker with this key runs here). What was left over is still there: scratch_sweep. */
struct scratch *scratch_open(const char *base, const char *id, const struct spawn_user *user,
                             struct err *err) MUST_CHECK;
void scratch_sweep(struct scratch *scratch); /* remove everything in it */
void scratch_free(struct scratch *scratch); /* removes the folder itself if it is empty */
DEFINE_CLEANUP(struct scratch, scratch_free)

/* An empty folder, mode 0700, that nobody has had before: 0, or an errno. */
int scratch_make(struct scratch *scratch, const char *name, bool for_task);
/* Remove a file or a whole tree below the scratch folder, following nothing. Large trees go to a thread. */
void scratch_remove(struct scratch *scratch, const char *name);

#endif
