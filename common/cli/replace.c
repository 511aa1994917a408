/* Replacement in arguments: one pass, nothing that was put in is read again. */
#include "cli/replace.h"

#include <string.h>

static void add_entry(const struct replace *replace, struct buf *out)
{
        if (!replace->values)
                buf_add_u64(out, replace->index);
        for (size_t i = 0; replace->values && i < replace->n_values; i++) {
                if (i)
                        buf_add_char(out, ' ');
                buf_add_str(out, replace->values[i]);
        }
}

/* "1" … "256" without leading zeros: the value's number, else 0. */
static size_t value_number(const char *name, size_t n)
{
        size_t number = 0;

        if (n == 0 || n > 3 || name[0] == '0')
                return 0;
        for (size_t i = 0; i < n; i++) {
                if (name[i] < '0' || name[i] > '9')
                        return 0;
                number = number * 10 + (size_t)(name[i] - '0');
        }
        return number;
}

/* What stands between braces; 0 if it means nothing here. A column named like a number is that column. */
static int add_named(const struct replace *replace, const char *name, size_t n, struct buf *out)
{
        size_t number;

        if (n == 0) {
                add_entry(replace, out);
                return 1;
        }
        if (!replace->values)
                return 0;
        if (n == 1 && name[0] == '#') {
                buf_add_u64(out, replace->index);
                return 1;
        }
        for (size_t i = 0; i < replace->n_columns && i < replace->n_values; i++)
                if (strlen(replace->columns[i]) == n && memcmp(replace->columns[i], name, n) == 0) {
                        buf_add_str(out, replace->values[i]);
                        return 1;
                }
        number = value_number(name, n);
        if (number == 0 || number > replace->n_values)
                return 0;
        buf_add_str(out, replace->values[number - 1]);
        return 1;
}

void replace_add(const struct replace *replace, const char *text, struct buf *out)
{
        for (;;) {
                size_t plain = strcspn(text, "{");
                size_t inner;

                buf_add(out, text, plain);
                text += plain;
                if (!*text)
                        return;
                inner = strcspn(text + 1, "{}");
                if (text[1 + inner] == '}' && add_named(replace, text + 1, inner, out)) {
                        text += inner + 2;
                } else {
                        buf_add_char(out, '{');
                        text++;
                }
        }
}
