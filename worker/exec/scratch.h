/* The worker's folder on disk: DIR/<id of the worker's key>/, with a place for each running task and a folder for each
 * job with inputs. It is locked while the worker lives, so that the next worker with the same key knows that what it
 * finds there, and every process that names it, is left over.
 *
 * A place is the empty folder NAME that a task gets and a name for its result beside it. Places are used again: making
 * and removing folders costs milliseconds on a file system that is busy with somebody's fsync, and most tasks leave
 * theirs as they found it. Cleaning is a thread's work. */
#ifndef EXEC_SCRATCH_H
#define EXEC_SCRATCH_H

#include <stdint.h>

#include "exec/spawn.h"

#define PLACE_NAME_BYTES 24

struct place {
        char name[PLACE_NAME_BYTES]; /* of the folder */
        char result[PLACE_NAME_BYTES +
                    16]; /* of the result; NAME.json, or NAME.r/result if tasks have their own user */
        int watch; /* scratch.c's: tells of what is done to the folder; -1: none */
        uint64_t inode; /* of the folder that is watched */
};

struct sweeper;
struct scratch {
        char *path; /* absolute, no slash at the end */
        int fd;
        const struct spawn_user *user; /* who owns places; NULL: we */
        struct sweeper *sweeper;
        struct touched *touched;
        uint64_t n_named;
};

/* base NULL: a folder of our own below $TMPDIR or /tmp. Errors: CONFIG (not ours, not usable, or another worker with this
 * key is there). What was left over is still there: scratch_sweep. */
struct scratch *scratch_open(const char *base, const char *id, const struct spawn_user *user,
                             struct err *err) MUST_CHECK;
void scratch_sweep(struct scratch *scratch); /* remove everything in it */
void scratch_free(
        struct scratch *scratch); /* waits for the thread; removes the folder itself if it is empty */
DEFINE_CLEANUP(struct scratch, scratch_free)

/* An empty place of mode 0700 without a result: 0, or an errno. */
int scratch_take(struct scratch *scratch, struct place *ret_place);
/* has_result: there is something under its result's name. */
void scratch_give(struct scratch *scratch, const struct place *place, bool has_result);

/* Folders for other things: 0, or an errno; the name is ours alone. */
int scratch_make(struct scratch *scratch, const char *name);
void scratch_remove(struct scratch *scratch, const char *name);

#endif
