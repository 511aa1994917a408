/* Has anybody touched a folder since it was found empty? The kernel tells (inotify), so that asking costs one system call
 * instead of opening and reading the folder. Told are: an entry that is made or moved in, and a change of the folder's
 * own name, mode, owner or other properties. Not thread-safe. */
#ifndef EXEC_TOUCHED_H
#define EXEC_TOUCHED_H

#include <stdbool.h>

struct touched;
struct touched *touched_new(void);
void touched_free(struct touched *touched); /* NULL is fine */

/* From now on. A number for the watch, to be given back by one of the next two; -1: the kernel has none for us. */
int touched_watch(struct touched *touched, const char *path);
/* False: nobody touched it, and it is watched on. True: somebody may have (always for -1), and it is watched no more. */
bool touched_ask(struct touched *touched, int watch);
void touched_forget(struct touched *touched, int watch);

#endif
