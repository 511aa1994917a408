/* Entries from tables: CSV with a header line, and JSON lines. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/entry_list.h"
#include "proto/json_scan.h"

#define JSON_LINE_MAX ((size_t)1 << 20)
#define JSON_LINE_DEPTH 16

/* A column's name becomes {name} and JOB_ENTRY_name. */
int entry_list_columns(struct entry_list *entries, const char *const *names, size_t n, struct err *err)
{
        if (n > ENTRY_VALUES_MAX)
                return err_set(err, ERR_BAD_DATA, "more than %d columns", ENTRY_VALUES_MAX);
        for (size_t i = 0; i < n; i++) {
                if (!*names[i] || strlen(names[i]) > 255)
                        return err_set(err, ERR_BAD_DATA, "column %zu has no usable name", i + 1);
                for (size_t j = 0; j < i; j++)
                        if (strcmp(names[i], names[j]) == 0)
                                return err_set(err, ERR_BAD_DATA, "two columns are named '%.80s'", names[i]);
        }
        entries->columns = xcalloc(n, sizeof(char *));
        entries->n_values = n;
        for (size_t i = 0; i < n; i++)
                entries->columns[i] = xstrdup(names[i]);
        return 0;
}

/* --- CSV ------------------------------------------------------------------------------------------------------- */
struct csv {
        FILE *file;
        struct buf text; /* the fields of a record, each with its NUL */
        size_t starts[ENTRY_VALUES_MAX];
        size_t n;
        uint64_t line;
};

static int start_field(struct csv *csv, struct err *err)
{
        if (csv->n == ENTRY_VALUES_MAX)
                return err_set(err, ERR_BAD_DATA, "line %llu has more than %d fields",
                               (unsigned long long)csv->line, ENTRY_VALUES_MAX);
        csv->starts[csv->n++] = csv->text.n;
        return 0;
}

/* A quoted field behind its first quote; returns the character behind it, or -2 after an error. */
static int read_quoted(struct csv *csv, struct err *err)
{
        for (;;) {
                int c = getc(csv->file);

                if (c == '"' && (c = getc(csv->file)) != '"')
                        return c;
                if (c == EOF || !c) {
                        err_set(err, ERR_BAD_DATA, "line %llu: a quote that is not closed",
                                (unsigned long long)csv->line);
                        return -2;
                }
                csv->line += c == '\n';
                buf_add_char(&csv->text, (char)c);
        }
}

static int read_plain(struct csv *csv, int c)
{
        for (; c != EOF && c != ',' && c != '\n' && c != '\r'; c = getc(csv->file))
                buf_add_char(&csv->text, (char)c);
        return c;
}

/* 1: a record is in csv; 0: the end; -1: error. */
static int csv_next(struct csv *csv, struct err *err)
{
        int c = getc(csv->file);

        buf_clear(&csv->text);
        csv->n = 0;
        csv->line++;
        if (c == EOF)
                return ferror(csv->file) ? err_set(err, ERR_BAD_DATA, "cannot be read") : 0;
        for (;;) {
                if (start_field(csv, err) < 0)
                        return -1;
                c = c == '"' ? read_quoted(csv, err) : read_plain(csv, c);
                if (c == -2)
                        return -1;
                buf_add_char(&csv->text, '\0');
                if (c == '\r')
                        c = getc(csv->file);
                if (c == '\n' || c == EOF)
                        return 1;
                if (c != ',')
                        return err_set(err, ERR_BAD_DATA, "line %llu: no comma after a field",
                                       (unsigned long long)csv->line);
                c = getc(csv->file);
        }
}

static bool is_blank(const struct csv *csv)
{
        return csv->n == 1 && csv->text.n == 1;
}

static void csv_fields(const struct csv *csv, const char **ret_fields)
{
        for (size_t i = 0; i < csv->n; i++)
                ret_fields[i] = csv->text.bytes + csv->starts[i];
}

static int csv_records(struct entry_list *entries, struct csv *csv, struct err *err)
{
        const char *fields[ENTRY_VALUES_MAX];
        int more = csv_next(csv, err);

        if (more == 0)
                return err_set(err, ERR_BAD_DATA, "no header line");
        if (more < 0)
                return -1;
        csv_fields(csv, fields);
        if (strncmp(fields[0], "\xEF\xBB\xBF", 3) == 0) /* a byte order mark is no part of the first name */
                fields[0] += 3;
        if (entry_list_columns(entries, fields, csv->n, err) < 0)
                return -1;
        while ((more = csv_next(csv, err)) > 0) {
                if (is_blank(csv) && entries->n_values > 1)
                        continue;
                if (csv->n != entries->n_values)
                        return err_set(err, ERR_BAD_DATA, "line %llu has %zu fields, the header %zu",
                                       (unsigned long long)csv->line, csv->n, entries->n_values);
                csv_fields(csv, fields);
                if (entry_list_add(entries, fields, csv->n, err) < 0)
                        return -1;
        }
        return more;
}

int entry_list_from_csv(struct entry_list *entries, FILE *file, struct err *err)
{
        struct csv csv = { .file = file };
        int rc = csv_records(entries, &csv, err);

        buf_done(&csv.text);
        return rc;
}

/* --- JSON lines ------------------------------------------------------------------------------------------------ */
struct json_line {
        const char *text;
        struct json_tokens tokens;
        struct buf values; /* each with its NUL */
        const char *list[ENTRY_VALUES_MAX];
};

/* The text of a value: of a string its characters, of everything else its JSON. */
static void add_value(struct json_line *line, const struct json_token *list, size_t at)
{
        const struct json_token *token = &list[at];
        struct buf *values = &line->values;
        size_t end = token->end;

        if (token->kind == JSON_KIND_STRING) {
                buf_reserve(values, token->end - token->at + 1);
                values->n += json_unescape(line->text, token, values->bytes + values->n);
        } else {
                buf_add(values, line->text + token->at, end - token->at);
        }
        buf_add_char(values, '\0');
}

static int object_columns(struct entry_list *entries, const struct json_line *line, struct err *err)
{
        const struct json_token *list = line->tokens.list;
        const char *names[ENTRY_VALUES_MAX];
        char *owned[ENTRY_VALUES_MAX];
        size_t n = 0;
        int rc;

        for (size_t at = 1; at < list[0].next; at = json_next(list, at + 1)) {
                owned[n] = xstrndup(line->text + list[at].at, list[at].end - list[at].at);
                names[n] = owned[n];
                n++;
        }
        rc = n ? entry_list_columns(entries, names, n, err)
               : err_set(err, ERR_BAD_DATA, "the first object is empty");
        for (size_t i = 0; i < n; i++)
                xfree(owned[i]);
        return rc;
}

/* Values of an object in the order of the columns. */
static int object_values(struct entry_list *entries, struct json_line *line, struct err *err)
{
        const struct json_token *list = line->tokens.list;

        if (!entries->n && !entries->columns && object_columns(entries, line, err) < 0)
                return -1;
        if (!entries->columns || list[0].n != entries->n_values)
                return err_set(err, ERR_BAD_DATA, "the members differ from those of the first entry");
        for (size_t i = 0; i < entries->n_values; i++) {
                const char *name = entries->columns[i];
                size_t at = 1;

                while (at < list[0].next && (strlen(name) != list[at].end - list[at].at ||
                                             memcmp(line->text + list[at].at, name, strlen(name)) != 0))
                        at = json_next(list, at + 1);
                if (at >= list[0].next)
                        return err_set(err, ERR_BAD_DATA, "no member '%.80s', which the first entry has",
                                       name);
                add_value(line, list, at + 1);
        }
        return 0;
}

static int json_values(struct entry_list *entries, struct json_line *line, size_t *ret_n, struct err *err)
{
        const struct json_token *list = line->tokens.list;

        *ret_n = 1;
        if (list[0].kind == JSON_KIND_OBJECT) {
                if (object_values(entries, line, err) < 0)
                        return -1;
                *ret_n = entries->n_values;
                return 0;
        }
        if (entries->columns)
                return err_set(err, ERR_BAD_DATA, "no object, as the first entry is");
        if (list[0].kind != JSON_KIND_ARRAY) {
                add_value(line, list, 0);
                return 0;
        }
        *ret_n = list[0].n;
        for (size_t at = 1; at < list[0].next; at = json_next(list, at))
                add_value(line, list, at);
        return 0;
}

static int json_entry(struct entry_list *entries, struct json_line *line, size_t bytes, struct err *err)
{
        size_t n, at = 0;

        buf_clear(&line->values);
        if (bytes > JSON_LINE_MAX)
                return err_set(err, ERR_BAD_DATA, "longer than %zu bytes", JSON_LINE_MAX);
        if (json_scan(line->text, bytes, JSON_LINE_DEPTH, &line->tokens, err) < 0 ||
            json_no_doubles(line->text, &line->tokens, 0, err) < 0 || json_values(entries, line, &n, err) < 0)
                return -1;
        for (size_t i = 0; i < n && i < ENTRY_VALUES_MAX; i++) {
                line->list[i] = line->values.bytes + at;
                at += strlen(line->list[i]) + 1;
        }
        return entry_list_add(entries, line->list, n, err);
}

static int wrong_entry(const char *what, uint64_t no, struct err *err)
{
        err->code = ERR_BAD_DATA;
        return err_wrap(err, "%s %llu", what, (unsigned long long)no);
}

/* --- JSON: one array instead of lines ---------------------------------------------------------------------------- */
struct json_chars { /* what was read ahead, then the rest of the file */
        const char *text;
        size_t at, n;
        FILE *file;
};

static int next_char(struct json_chars *chars)
{
        return chars->at < chars->n ? (unsigned char)chars->text[chars->at++] : getc_unlocked(chars->file);
}

/* The next element into `element`; returns what it ended with: a comma, or the array's bracket. -1: neither came. */
static int next_element(struct json_chars *chars, struct buf *element, struct err *err)
{
        bool quoted = false, escaped = false;
        int depth = 0, c;

        buf_clear(element);
        while ((c = next_char(chars)) != EOF) {
                if (!quoted && depth == 0 && (c == ',' || c == ']'))
                        return c;
                if (quoted) {
                        quoted = escaped || c != '"';
                        escaped = !escaped && c == '\\';
                } else {
                        quoted = c == '"';
                        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
                }
                buf_add_char(element, (char)c);
                if (element->n > JSON_LINE_MAX)
                        return err_set(err, ERR_BAD_DATA, "longer than %zu bytes", JSON_LINE_MAX);
        }
        return err_set(err, ERR_BAD_DATA, "the array ends too early");
}

/* Each element of the array is an entry; the opening bracket was read. */
static int from_elements(struct entry_list *entries, struct json_chars *chars, struct json_line *line,
                         struct err *err)
{
        CLEANUP_BUF struct buf element = { 0 };
        uint64_t no = 0;
        int c;

        do {
                c = next_element(chars, &element, err);
                no++;
                if (c == ']' && no == 1 && (!element.n || strspn(element.bytes, " \t\r\n") == element.n))
                        break; /* [] */
                line->text = element.n ? element.bytes : "";
                if (c < 0 || json_entry(entries, line, element.n, err) < 0)
                        return wrong_entry("element", no, err);
        } while (c == ',');
        while ((c = next_char(chars)) != EOF)
                if (!strchr(" \t\r\n", c))
                        return err_set(err, ERR_BAD_DATA, "bytes after the array");
        return 0;
}

/* Blanks up to the end of the file; else what follows them is read again. */
static bool is_rest_blank(FILE *file)
{
        int c;

        while ((c = getc_unlocked(file)) != EOF)
                if (!strchr(" \t\r\n", c)) {
                        ungetc(c, file);
                        return false;
                }
        return true;
}

/* Is the file one array, and not lines of which the first is one? It does not end in its first line, or it is nothing
 * but objects, and all there is. */
static bool is_one_array(struct json_line *line, size_t n, FILE *file)
{
        const struct json_token *list;
        size_t objects = 0;
        struct err err;

        if (line->text[strspn(line->text, " \t")] != '[')
                return false;
        if (n > JSON_LINE_MAX || json_scan(line->text, n, JSON_LINE_DEPTH, &line->tokens, &err) < 0)
                return true;
        list = line->tokens.list;
        for (size_t at = 1; at < list[0].next; at = json_next(list, at))
                objects += list[at].kind == JSON_KIND_OBJECT;
        return objects > 0 && objects == list[0].n && is_rest_blank(file);
}

/* A line; *ret_all: it was the beginning of an array, which was read whole. */
static int from_line(struct entry_list *entries, struct json_line *line, size_t n, FILE *file, bool *ret_all,
                     struct err *err)
{
        struct json_chars chars = { .text = line->text, .n = n, .file = file };

        if (entries->n > 0 || !is_one_array(line, n, file))
                return json_entry(entries, line, n, err);
        *ret_all = true;
        chars.at = strspn(line->text, " \t") + 1;
        return from_elements(entries, &chars, line, err);
}

int entry_list_from_json(struct entry_list *entries, FILE *file, struct err *err)
{
        static const char mark[] = "\xEF\xBB\xBF"; /* a byte order mark is no JSON */
        struct json_line line = { 0 };
        char *text = NULL;
        bool all = false;
        size_t cap = 0;
        uint64_t no = 0;
        ssize_t n;
        int rc = 0;

        while (rc == 0 && !all && (n = getline(&text, &cap, file)) >= 0) {
                size_t skip = no++ == 0 && strncmp(text, mark, 3) == 0 ? 3 : 0;

                line.text = text + skip;
                n -= (ssize_t)skip;
                if (n && strspn(line.text, " \t\r\n") == (size_t)n)
                        continue;
                rc = from_line(entries, &line, (size_t)n, file, &all, err);
                if (rc < 0 && !all)
                        rc = wrong_entry("line", no, err);
        }
        if (rc == 0 && ferror(file))
                rc = err_set(err, ERR_BAD_DATA, "cannot be read");
        free(text);
        json_tokens_done(&line.tokens);
        buf_done(&line.values);
        return rc;
}
