/* Text of other people, made harmless for where it goes. All append to a buf. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stddef.h>

#include "base/buf.h"

/* For a terminal or a log line: one line that cannot move the cursor, change colours or turn the reading direction.
 * Newline, tab and carriage return become \n \t \r; other controls and bytes that are no UTF-8 become \x1b; the
 * controls U+0080-U+009F, marks and overrides of direction (U+061C U+200E U+200F U+202A-U+202E U+2066-U+2069), the line
 * separators U+2028 U+2029 and U+FEFF become \u202e. All else, the backslash too, stays as it is: this is for eyes. */
void escape_add_text(struct buf *out, const char *text, size_t bytes);

/* The same for at most max_bytes of text (cut between characters), with … behind it if something is missing. */
void escape_add_short(struct buf *out, const char *text, size_t bytes, size_t max_bytes);

/* One CSV field: in quotes only if it holds a comma, a quote, CR or LF; quotes in it are doubled. */
void escape_add_csv(struct buf *out, const char *text, size_t bytes);

/* One word of a shell command line: bare if nothing in it is special, else in single quotes. For showing commands; the
 * result goes through escape_add_text before it meets a terminal. */
void escape_add_shell(struct buf *out, const char *word);

#endif
