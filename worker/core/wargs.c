/* Replacement in arguments. One pass from left to right; what was put in is never looked at again. */
#include "core/wargs.h"

#include <string.h>

void wargs_entry(struct wentry entry, struct buf *out)
{
        for (size_t i = 0; i < entry.n; i++) {
                if (i)
                        buf_add_char(out, ' ');
                buf_add_str(out, entry.values[i]);
        }
}

bool wargs_replaces(const struct rec_job_spec *spec)
{
        if (spec->has_no_replace && spec->no_replace)
                return false;
        if (!spec->has_entries && !(spec->has_is_array && spec->is_array))
                return false;
        for (size_t i = 0; i < spec->n_args; i++)
                if (strchr(spec->args[i], '{'))
                        return true;
        return false;
}

/* The number that `name` is, or 0: decimal from 1, no leading zero. */
static size_t value_number(const char *name, size_t n)
{
        size_t number = 0;

        if (!n || n > 3 || name[0] == '0')
                return 0;
        for (size_t i = 0; i < n; i++) {
                if (name[i] < '0' || name[i] > '9')
                        return 0;
                number = number * 10 + (size_t)(name[i] - '0');
        }
        return number;
}

static size_t column_number(const struct rec_job_spec *spec, const char *name, size_t n)
{
        for (size_t i = 0; i < spec->n_columns; i++)
                if (strlen(spec->columns[i]) == n && !memcmp(spec->columns[i], name, n))
                        return i + 1;
        return 0;
}

/* What stands between the braces; false: it means nothing here. */
static bool expand_name(const struct rec_job_spec *spec, struct wentry entry, uint64_t index,
                        const char *name, size_t n, struct buf *out)
{
        size_t k;

        if (!entry.n) {
                if (n || !spec->has_is_array || !spec->is_array)
                        return false;
                buf_add_u64(out, index);
                return true;
        }
        if (!n) {
                wargs_entry(entry, out);
                return true;
        }
        if (n == 1 && name[0] == '#') {
                buf_add_u64(out, index);
                return true;
        }
        k = column_number(spec, name, n);
        if (!k)
                k = value_number(name, n);
        if (!k || k > entry.n)
                return false;
        buf_add_str(out, entry.values[k - 1]);
        return true;
}

void wargs_expand(const struct rec_job_spec *spec, struct wentry entry, uint64_t index, const char *arg,
                  struct buf *out)
{
        const char *plain = arg;
        const char *open = arg;

        if (spec->has_no_replace && spec->no_replace) {
                buf_add_str(out, arg);
                return;
        }
        while ((open = strchr(open, '{'))) {
                const char *close = open + 1 + strcspn(open + 1, "{}");

                if (*close != '}') { /* names hold no braces: linear */
                        open = close;
                        continue;
                }
                buf_add(out, plain, (size_t)(open - plain));
                plain = open;
                if (expand_name(spec, entry, index, open + 1, (size_t)(close - open - 1), out))
                        open = plain = close + 1;
                else
                        open++;
        }
        buf_add_str(out, plain);
}
