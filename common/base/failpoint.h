/* Named crash points, for tests: `make FAILPOINTS=1` compiles them in, elsewhere they are nothing.
 *
 *   JOBMILL_FAILPOINT=coordinator.result.after_commit:kill9@3     ends the process by SIGKILL at the third passing
 *   JOBMILL_FAILPOINT_LOG=FILE                                    every first passing of a point appends its name
 *   JOBMILL_FAILPOINT_ONCE=FILE                                   only the process that makes FILE crashes
 *
 * Several points are separated by commas. */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#ifdef JOBMILL_FAILPOINTS
void failpoint_hit(const char *name);
#define FAILPOINT(name) failpoint_hit(name)
#else
#define FAILPOINT(name) ((void)0)
#endif

#endif
