/* Finding statements in the embedded SQL. It never makes SQL out of values: what it cuts and rewrites is our own
 * text, before anybody's data is near. */
#include "adapters/sql_files.h"

#include <ctype.h>
#include <string.h>

#define NAME_HEADER "-- name: "

static const char *line_end(const char *at)
{
        const char *end = strchr(at, '\n');

        return end ? end + 1 : at + strlen(at);
}

static bool line_is(const char *line, const char *end, const char *word)
{
        size_t n = strlen(word);

        while (end > line && isspace((unsigned char)end[-1]))
                end--;
        return (size_t)(end - line) == n && memcmp(line, word, n) == 0;
}

static const char *find_in(const char *text, const char *name, size_t *ret_bytes)
{
        const char *found = NULL;

        for (const char *line = text, *end; *line; line = end) {
                end = line_end(line);
                if (strncmp(line, NAME_HEADER, strlen(NAME_HEADER)) != 0)
                        continue;
                if (found) {
                        *ret_bytes = (size_t)(line - found);
                        return found;
                }
                if (line_is(line + strlen(NAME_HEADER), end, name))
                        found = end;
        }
        if (found)
                *ret_bytes = strlen(found);
        return found;
}

const char *sql_find(const char *name, size_t *ret_bytes)
{
        for (const struct sql_file *file = sql_files; file->name; file++) {
                const char *found = NULL;

                if (strncmp(file->name, "queries/", 8) == 0)
                        found = find_in(file->text, name, ret_bytes);
                if (found)
                        return found;
        }
        return NULL;
}

static bool says_something(const char *text)
{
        for (const char *line = text, *end; *line; line = end) {
                end = line_end(line);
                while (line < end && isspace((unsigned char)*line))
                        line++;
                if (line < end && strncmp(line, "--", 2) != 0)
                        return true;
        }
        return false;
}

bool sql_next(const char **at, struct buf *ret_statement)
{
        while (**at) {
                const char *line = *at, *end = line;

                buf_clear(ret_statement);
                for (; *line; line = end) {
                        end = line_end(line);
                        if (line_is(line, end, ";;"))
                                break;
                        buf_add(ret_statement, line, (size_t)(end - line));
                }
                *at = end;
                if (ret_statement->n && says_something(ret_statement->bytes))
                        return true;
        }
        return false;
}

void sql_choose(const char *text, bool udf, struct buf *out)
{
        bool keep = true;

        buf_clear(out);
        buf_add_str(out, "");
        for (const char *line = text, *end; *line; line = end) {
                end = line_end(line);
                if (line_is(line, end, "-- if: udf"))
                        keep = udf;
                else if (line_is(line, end, "-- if: no-udf"))
                        keep = !udf;
                else if (line_is(line, end, "-- else"))
                        keep = !keep;
                else if (line_is(line, end, "-- end"))
                        keep = true;
                else if (keep)
                        buf_add(out, line, (size_t)(end - line));
        }
}

/* Copies what must not be looked into (a quoted text), or skips a comment; returns where to go on. */
static const char *pass_over(const char *at, const char *end, struct buf *out)
{
        const char *from = at;
        char quote = *at++;

        if (quote == '-') {
                while (at < end && *at != '\n')
                        at++;
                return at;
        }
        while (at < end && *at != quote)
                at++;
        at = at < end ? at + 1 : at;
        buf_add(out, from, (size_t)(at - from));
        return at;
}

void sql_positional(const char *text, size_t bytes, struct buf *out, struct buf *names)
{
        const char *end = text + bytes;

        for (const char *at = text; at < end;) {
                bool comment = *at == '-' && at + 1 < end && at[1] == '-';

                if (*at == '\'' || *at == '"' || *at == '`' || comment) {
                        at = pass_over(at, end, out);
                } else if (*at == ':' && at + 1 < end && islower((unsigned char)at[1])) {
                        buf_add_char(out, '?');
                        for (at++; at < end &&
                                   (islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_');
                             at++)
                                buf_add_char(names, *at);
                        buf_add_char(names, ' ');
                } else {
                        buf_add_char(out, *at++);
                }
        }
}
