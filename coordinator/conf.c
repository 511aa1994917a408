/* Reads the configuration by the table that coordinator_conf.def makes. Must not open the files that it names. */
#include "coordinator/conf.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/duration.h"
#include "base/name.h"
#include "base/xalloc.h"

enum conf_type { TYPE_ENDPOINTS, TYPE_PATH, TYPE_NAME, TYPE_DURATION, TYPE_COUNT };

struct row {
        const char *name;
        enum conf_type type;
        size_t offset;
        const char *value; /* the default; "": must be given */
        int64_t min, max;
        const char *meaning;
};

static const struct row rows[] = {
#define CONF(field, name, kind, value, min, max, meaning)                                                    \
        { name, TYPE_##kind, offsetof(struct coordinator_conf, field), value, min, max, meaning },
#include "coordinator/coordinator_conf.def"
#undef CONF
};
#define N_ROWS ARRAY_LEN(rows)

static const struct row *row_find(const char *name)
{
        for (size_t i = 0; i < N_ROWS; i++)
                if (!strcmp(rows[i].name, name))
                        return &rows[i];
        return NULL;
}

static void *member(struct coordinator_conf *conf, const struct row *row)
{
        return (char *)conf + row->offset;
}

/* tcp://ADDRESS:PORT; ADDRESS may be * or in brackets. */
static int check_endpoint(const char *text, struct err *err)
{
        const char *colon = strrchr(text, ':');
        size_t digits;

        if (strncmp(text, "tcp://", 6) != 0 || !colon || colon <= text + 6)
                return err_set(err, ERR_CONFIG, "not an endpoint; example: tcp://127.0.0.1:5555");
        digits = strspn(colon + 1, "0123456789");
        if (!digits || digits > 5 || colon[1 + digits] || atoi(colon + 1) < 1 || atoi(colon + 1) > 65535)
                return err_set(err, ERR_CONFIG, "no port from 1 to 65535; example: tcp://127.0.0.1:5555");
        return 0;
}

static int set_endpoint(struct coordinator_conf *conf, const struct row *row, const char *text,
                        struct err *err)
{
        char **list = member(conf, row);
        size_t n = 0;

        if (check_endpoint(text, err) < 0)
                return -1;
        while (n < CONF_ENDPOINTS_MAX && list[n])
                n++;
        if (n == CONF_ENDPOINTS_MAX)
                return err_set(err, ERR_CONFIG, "more than %d of them", CONF_ENDPOINTS_MAX);
        list[n] = xstrdup(text);
        return 0;
}

static char *absolute(const struct coordinator_conf *conf, const char *text)
{
        const char *slash = strrchr(conf->path, '/');

        if (text[0] == '/' || !slash)
                return xstrdup(text);
        return xasprintf("%.*s/%s", (int)(slash - conf->path), conf->path, text);
}

static int set_number(struct coordinator_conf *conf, const struct row *row, const char *text, struct err *err)
{
        int64_t number = 0;

        if (row->type == TYPE_DURATION) {
                struct buf least = { 0 }, most = { 0 };

                if (duration_parse(text, &number, err) < 0)
                        return -1;
                duration_print(row->min, &least);
                duration_print(row->max, &most);
                if (number < row->min || number > row->max)
                        err_set(err, ERR_CONFIG, "outside %s … %s", least.bytes, most.bytes);
                buf_done(&least);
                buf_done(&most);
        } else {
                size_t digits = strspn(text, "0123456789");

                number = digits && !text[digits] && digits < 19 ? strtoll(text, NULL, 10) : -1;
                if (number < row->min || number > row->max)
                        err_set(err, ERR_CONFIG, "not a whole number from %" PRId64 " to %" PRId64, row->min,
                                row->max);
        }
        if (number < row->min || number > row->max)
                return -1;
        *(int64_t *)member(conf, row) = number;
        return 0;
}

static int set_value(struct coordinator_conf *conf, const struct row *row, const char *text, struct err *err)
{
        switch (row->type) {
        case TYPE_ENDPOINTS:
                return set_endpoint(conf, row, text, err);
        case TYPE_PATH:
                if (!*text)
                        return err_set(err, ERR_CONFIG, "the name of a file is needed");
                *(char **)member(conf, row) = absolute(conf, text);
                return 0;
        case TYPE_NAME:
                if (!name_is_valid(text, strlen(text)) || (int64_t)strlen(text) > row->max)
                        return err_set(err, ERR_CONFIG,
                                       "not a name: letters, digits, . _ - only, at most %" PRId64, row->max);
                *(char **)member(conf, row) = xstrdup(text);
                return 0;
        case TYPE_DURATION:
        case TYPE_COUNT:
                return set_number(conf, row, text, err);
        }
        return 0;
}

static int set_line(struct coordinator_conf *conf, const struct conf *file, const struct conf_line *line,
                    unsigned *seen, struct err *err)
{
        const struct row *row = row_find(line->name);
        struct err why = { 0 };

        if (!row)
                return conf_refuse(file, line, err, "unknown name");
        if (row->type != TYPE_ENDPOINTS && conf_once(file, line, &seen[row - rows], err) < 0)
                return -1;
        seen[row - rows] = line->line;
        if (set_value(conf, row, line->value, &why) < 0)
                return conf_refuse(file, line, err, "%s", why.text);
        return 0;
}

static int set_defaults(struct coordinator_conf *conf, const unsigned *seen, struct err *err)
{
        for (size_t i = 0; i < N_ROWS; i++) {
                if (seen[i])
                        continue;
                if (!rows[i].value[0])
                        return err_set(err, ERR_CONFIG, "%s: %s is missing", conf->path, rows[i].name);
                if (set_value(conf, &rows[i], rows[i].value, err) < 0)
                        return err_wrap(err, "default of %s", rows[i].name);
        }
        while (conf->n_listen < CONF_ENDPOINTS_MAX && conf->listen[conf->n_listen])
                conf->n_listen++;
        if (conf->heartbeat_ms * 2 > conf->lease_ms)
                return err_set(err, ERR_CONFIG, "%s: heartbeat must be at most half of lease", conf->path);
        return 0;
}

struct coordinator_conf *coordinator_conf_load(const char *path, struct err *err)
{
        CLEANUP_WITH(coordinator_conf_free) struct coordinator_conf *conf = xcalloc(1, sizeof(*conf));
        CLEANUP_CONF struct conf file = { 0 };
        unsigned seen[N_ROWS] = { 0 };
        struct conf_line line;
        int more;

        conf->path = xstrdup(path);
        if (conf_open(&file, path, CONF_PLAIN, err) < 0)
                return NULL;
        while ((more = conf_next(&file, &line, err)) > 0)
                if (set_line(conf, &file, &line, seen, err) < 0)
                        return NULL;
        if (more < 0 || set_defaults(conf, seen, err) < 0)
                return NULL;
        return STEAL(conf);
}

void coordinator_conf_free(struct coordinator_conf *conf)
{
        if (!conf)
                return;
        for (size_t i = 0; i < N_ROWS; i++) {
                char **at = member(conf, &rows[i]);
                size_t n = rows[i].type == TYPE_ENDPOINTS                           ? CONF_ENDPOINTS_MAX
                           : rows[i].type == TYPE_PATH || rows[i].type == TYPE_NAME ? 1
                                                                                    : 0;

                for (size_t j = 0; j < n; j++)
                        free(at[j]);
        }
        free(conf->path);
        free(conf);
}

/* The meaning as comment lines of at most 100 columns. */
static void add_comment(struct buf *out, const char *text)
{
        while (*text) {
                size_t n = strlen(text);

                if (n > 98)
                        for (n = 98; n && text[n] != ' '; n--)
                                continue;
                buf_add_str(out, "# ");
                buf_add(out, text, n);
                buf_add_char(out, '\n');
                text += n + (text[n] == ' ');
        }
}

void coordinator_conf_sample(struct buf *out)
{
        buf_add_str(out, "# Configuration of jobcoordinator: name = value, one a line. What is commented out "
                         "is the default.\n");
        for (size_t i = 0; i < N_ROWS; i++) {
                buf_add_char(out, '\n');
                add_comment(out, rows[i].meaning);
                if (rows[i].value[0])
                        buf_addf(out, "#%s = %s\n", rows[i].name, rows[i].value);
                else
                        buf_addf(out, "%s = /etc/jobmill/%s\n", rows[i].name, rows[i].name);
        }
}
