/* `name = value` lines. Knows nothing of any name; every line is either given to the caller or an error. */
#include "base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret_file.h"
#include "base/xalloc.h"

static int read_plain(const char *path, char **ret_text, size_t *ret_bytes, struct err *err)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        char *text;
        ssize_t got = 0;
        size_t n = 0;

        if (fd < 0)
                return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                close(fd);
                return err_set(err, ERR_CONFIG, "%s: not a regular file", path);
        }
        if (st.st_mode & (S_IWGRP | S_IWOTH)) {
                close(fd);
                return err_set(err, ERR_CONFIG, "%s: others may write it; run: chmod go-w %s", path, path);
        }
        text = xmalloc(CONF_FILE_MAX + 2);
        while (n <= CONF_FILE_MAX && (got = read(fd, text + n, CONF_FILE_MAX + 1 - n)) != 0) {
                if (got < 0 && errno != EINTR)
                        break;
                n += got > 0 ? (size_t)got : 0;
        }
        close(fd);
        if (got < 0 || n > CONF_FILE_MAX) {
                free(text);
                return err_set(err, ERR_CONFIG, "%s: %s", path,
                               got < 0 ? strerror(errno) : "longer than 1 MiB, so it is no such file");
        }
        *ret_text = text;
        *ret_bytes = n;
        return 0;
}

int conf_open(struct conf *conf, const char *path, enum conf_kind kind, struct err *err)
{
        char *text;
        size_t n;

        if ((kind == CONF_SECRET ? secret_file_read(path, CONF_FILE_MAX, &text, &n, err)
                                 : read_plain(path, &text, &n, err)) < 0)
                return -1;
        conf_from_text(conf, path, text, n);
        secret_free(text, n);
        return 0;
}

void conf_from_text(struct conf *conf, const char *path, const char *text, size_t n_bytes)
{
        *conf = (struct conf){ .path = xstrdup(path), .text = xmalloc(n_bytes + 1), .n_bytes = n_bytes };
        if (n_bytes)
                memcpy(conf->text, text, n_bytes);
        conf->text[n_bytes] = '\0';
}

void conf_done(struct conf *conf)
{
        free(conf->path);
        secret_free(conf->text, conf->n_bytes);
        *conf = (struct conf){ 0 };
}

static int bad_line(const struct conf *conf, struct err *err, const char *why)
{
        return err_set(err, ERR_CONFIG, "%s:%u: %s", conf->path, conf->line, why);
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r';
}

/* Cut the blanks off both ends of from..to, in place. */
static char *trim(char *from, char *to)
{
        while (from < to && is_blank(*from))
                from++;
        while (to > from && is_blank(to[-1]))
                to--;
        *to = '\0';
        return from;
}

static bool is_name(const char *name)
{
        size_t n = strlen(name);

        if (n == 0 || n > CONF_NAME_MAX || name[0] < 'a' || name[0] > 'z')
                return false;
        for (size_t i = 1; i < n; i++)
                if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
                      name[i] == '-'))
                        return false;
        return true;
}

static const char *bad_bytes(const char *from, const char *to)
{
        if (to - from > CONF_LINE_MAX)
                return "the line is too long";
        for (const char *p = from; p < to; p++) {
                if (*p == '\0')
                        return "a NUL byte: this is no text file";
                if (((unsigned char)*p < 0x20 && !is_blank(*p)) || *p == 0x7f)
                        return "a control character";
        }
        return NULL;
}

static int split_line(struct conf *conf, char *from, char *to, struct conf_line *ret_line, struct err *err)
{
        char *equals = memchr(from, '=', (size_t)(to - from));
        char *name, *value;

        if (!equals)
                return bad_line(conf, err, "no `name = value` line");
        value = trim(equals + 1, to);
        name = trim(from, equals);
        if (!is_name(name))
                return bad_line(conf, err, "the name before `=` is none (small letters, digits and -)");
        *ret_line = (struct conf_line){ .line = conf->line, .name = name, .value = value };
        return 1;
}

int conf_next(struct conf *conf, struct conf_line *ret_line, struct err *err)
{
        while (conf->at < conf->n_bytes) {
                char *from = conf->text + conf->at;
                char *to = memchr(from, '\n', conf->n_bytes - conf->at);
                const char *why;

                if (!to)
                        to = conf->text + conf->n_bytes;
                conf->at = (size_t)(to - conf->text) + 1;
                conf->line++;
                why = bad_bytes(from, to);
                if (why)
                        return bad_line(conf, err, why);
                from = trim(from, to);
                if (*from != '\0' && *from != '#')
                        return split_line(conf, from, from + strlen(from), ret_line, err);
        }
        return 0;
}

int conf_once(const struct conf *conf, const struct conf_line *line, unsigned *seen, struct err *err)
{
        if (*seen)
                return conf_refuse(conf, line, err, "already set on line %u", *seen);
        *seen = line->line;
        return 0;
}

int conf_refuse(const struct conf *conf, const struct conf_line *line, struct err *err, const char *fmt, ...)
{
        char why[256];
        va_list args;

        va_start(args, fmt);
        vsnprintf(why, sizeof(why), fmt, args);
        va_end(args);
        return err_set(err, ERR_CONFIG, "%s:%u: %s: %s", conf->path, line->line, line->name, why);
}
