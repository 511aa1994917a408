/* Removing files and folders that somebody else filled. Follows nothing, crosses no mount. */
#ifndef EXEC_REMOVE_H
#define EXEC_REMOVE_H

/* A file or a whole tree: 0 when it is gone (also if it was not there), -1 when some of it remains. */
int remove_tree(int at_fd, const char *name);
int remove_content(int folder_fd); /* all of it, but not the folder */

#endif
