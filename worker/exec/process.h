/* What the worker's own process is set to once, so that its children need not be: signals, limits, mask, user. */
#ifndef EXEC_PROCESS_H
#define EXEC_PROCESS_H

#include "exec/env.h"
#include "exec/spawn.h"

/* Blocks TERM, INT, HUP, CHLD and PIPE, gives back a signalfd for the first four. Signals that were ignored by who
 * started us are no longer: tasks would inherit that. Before any thread starts. */
int process_signals(struct err *err) MUST_CHECK;

/* No new privileges, no core files (they would hold the key), umask 022, descriptors 0-2 open. */
int process_harden(struct err *err) MUST_CHECK;

/* The user that tasks run as: NULL for as we are. CONFIG: unknown, or we may not change to it. */
int process_user(const char *name, struct spawn_user **ret_user, struct err *err) MUST_CHECK;
void process_user_free(struct spawn_user *user);

/* PATH of ours; HOME and USER of the tasks' user. */
void process_env(const struct spawn_user *user, struct env_base *ret_env);
void process_env_done(struct env_base *env);

#endif
