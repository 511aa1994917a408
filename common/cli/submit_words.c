/* The words behind the options: a command, a script, or the argument of another task type; `:::` lists; and the array
 * or entries that make many tasks of them. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/submit.h"
#include "proto/array_text.h"

#define ARG_MAX_BYTES 131072
#define NAME_MAX_BYTES 255

struct type_row {
        enum task_type type;
        const char *word;
        size_t least, most;
        const char *what;
};
static const struct type_row types[] = {
#define TASK_TYPE(name, number, word, least, most, what) { TASK_TYPE_##name, word, least, most, what },
#include "proto/task_types.def"
#undef TASK_TYPE
};

static const struct type_row *find_type(const char *word, struct err *err)
{
        struct nearest nearest = { 0 };
        const char *meant;

        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                if (strcmp(types[i].word, word) == 0)
                        return &types[i];
                nearest_offer(&nearest, word, types[i].word);
        }
        meant = nearest_get(&nearest, word);
        err_set(err, ERR_USAGE,
                "--type: there is no task type '%.80s'%s%s%s; types: command, noop, echo, sleep; example: "
                "--type noop",
                word, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
        return NULL;
}

/* --- arguments ------------------------------------------------------------------------------------------------- */
static int take_args(struct submit *submit, size_t n, struct err *err)
{
        for (size_t i = 0; i < n; i++) {
                char what[32];

                snprintf(what, sizeof(what), "argument %zu", i);
                if (cli_check_text(what, submit->opts->words[i], 0, ARG_MAX_BYTES, err) < 0)
                        return -1;
                texts_add(&submit->args, submit->opts->words[i]);
        }
        return 0;
}

static bool has_braces(const struct submit *submit)
{
        for (size_t i = 0; i < submit->args.n; i++)
                if (strchr(submit->args.list[i], '{'))
                        return true;
        return false;
}

static int check_args(const struct submit *submit, const struct type_row *type, struct err *err)
{
        size_t n = submit->args.n;
        char *end;

        if (n < type->least && type->type == TASK_TYPE_COMMAND)
                return err_set(err, ERR_USAGE, "no command; try: jobsubmit echo hello");
        if (n < type->least || n > type->most)
                return err_set(err, ERR_USAGE, "--type %s takes %s, not %zu words", type->word, type->what,
                               n);
        if (type->type == TASK_TYPE_COMMAND && !*submit->args.list[0])
                return err_set(err, ERR_USAGE, "the command is empty; try: jobsubmit echo hello");
        if (type->type == TASK_TYPE_SLEEP && !has_braces(submit)) {
                const char *text = submit->args.list[0];
                double seconds = strtod(text, &end);

                if (!isdigit((unsigned char)*text) || strspn(text, "0123456789.") != strlen(text) || *end ||
                    seconds > 31622400)
                        return err_set(
                                err, ERR_USAGE,
                                "--type sleep: '%.80s' is no number of seconds; example: --type sleep 0.5",
                                text);
        }
        return 0;
}

/* The command's base name, cut to what a name may hold. */
static int default_name(struct submit *submit, const char *word, struct err *err)
{
        const char *slash = strrchr(word, '/');
        const char *name = slash && slash[1] ? slash + 1 : word;
        size_t n = strlen(name);

        if (submit->spec.name)
                return 0;
        if (!utf8_valid(name, n))
                return err_set(err, ERR_BAD_DATA, "the command's name is not valid UTF-8");
        if (n > NAME_MAX_BYTES)
                n = utf8_cut(name, NAME_MAX_BYTES);
        submit->name = xstrndup(name, n);
        submit->spec.name = submit->name;
        submit->spec.n_name = n;
        return 0;
}

/* --- scripts --------------------------------------------------------------------------------------------------- */
/* A readable text file that begins with #!, contains a slash or ends in .sh. What has a NUL is a program. */
bool submit_is_script(const char *word)
{
        size_t n = strlen(word);
        bool looks_so = strchr(word, '/') || (n > 3 && strcmp(word + n - 3, ".sh") == 0);
        char head[512] = { 0 };
        struct stat st;
        ssize_t got = -1;
        int fd;

        fd = open(word, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return false;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
                got = read(fd, head, sizeof(head));
        close(fd);
        if (got <= 0 || memchr(head, '\0', (size_t)got))
                return false;
        return looks_so || (got >= 2 && head[0] == '#' && head[1] == '!');
}

static int take_script(struct submit *submit, const char *path, struct err *err)
{
        const char *slash = strrchr(path, '/');

        if (submit_add_input(submit, path, slash ? slash + 1 : path, true, err) < 0)
                return err_wrap(err, "script");
        if (submit->inputs[0].bytes > SUBMIT_SCRIPT_MAX)
                return err_set(err, ERR_BAD_DATA, "script %s is larger than 64 MiB", path);
        submit->spec.script = submit->spec.has_script = true;
        return default_name(submit, path, err);
}

/* --- arrays and entries ---------------------------------------------------------------------------------------- */
struct source {
        const char *option;
        int (*read)(struct entry_list *entries, FILE *file, struct err *err);
};
static const struct source sources[] = {
        { "each-line", entry_list_from_lines },
        { "each-csv", entry_list_from_csv },
        { "each-json", entry_list_from_json },
};

/* Options beat #JOB lines: what stands on the command line replaces what the script says. */
static bool is_given(const struct submit *submit, const char *option, bool command_line_only)
{
        size_t at = command_line_only ? submit->n_script_values : 0;

        return opts_next(submit->opts, option, &at) != NULL;
}

static int count_sources(const struct submit *submit, bool command_line_only, bool lists)
{
        int n = lists + is_given(submit, "array", command_line_only) +
                is_given(submit, "each-sql", command_line_only);

        for (size_t i = 0; i < ARRAY_LEN(sources); i++)
                n += is_given(submit, sources[i].option, command_line_only);
        return n;
}

static int read_source(struct submit *submit, const struct source *source, struct err *err)
{
        const char *path = opts_text(submit->opts, source->option);
        bool is_stdin = strcmp(path, "-") == 0;
        FILE *file = is_stdin ? stdin : fopen(path, "re");
        int rc;

        if (!file)
                return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_BAD_DATA, "--%s: %s: %s",
                               source->option, path, strerror(errno));
        rc = source->read(&submit->entries, file, err);
        if (!is_stdin)
                fclose(file);
        if (rc < 0)
                return err_wrap(err, "--%s: %s", source->option, path);
        if (submit->entries.n == 0)
                return err_set(err, ERR_BAD_DATA, "--%s: %s has no entries: there is nothing to do",
                               source->option, is_stdin ? "stdin" : path);
        return 0;
}

static int take_array(struct submit *submit, struct err *err)
{
        struct array_text array = { 0 };

        if (array_text_parse(opts_text(submit->opts, "array"), &array, err) < 0)
                return -1;
        submit->array = array.parts;
        submit->spec.array = array.parts;
        submit->spec.n_array = array.n_parts;
        submit->spec.is_array = submit->spec.has_is_array = true;
        if (array.max_running && !submit->spec.has_max_running) {
                submit->spec.max_running = array.max_running;
                submit->spec.has_max_running = true;
        }
        return 0;
}

void submit_describe_entries(struct submit *submit)
{
        struct entry_list *entries = &submit->entries;

        submit->spec.entries = entries->n;
        submit->spec.has_entries = true;
        submit->spec.entries_per_chunk = entry_list_per_chunk(entries);
        submit->spec.has_entries_per_chunk = true;
        entry_list_sha256(entries, submit->entries_sha256);
        submit->spec.entries_sha256 = submit->entries_sha256;
        submit->spec.n_entries_sha256 = DIGEST_HEX_BYTES;
        submit->spec.columns = (const char **)entries->columns;
        submit->spec.n_columns = entries->columns ? entries->n_values : 0;
        if (!submit->spec.no_replace && !has_braces(submit) && submit->args.n)
                cli_note(submit->cli,
                         "no {} in the arguments: every task gets the same ones; its entry is in $JOB_ENTRY");
}

/* `lists`: the words from the first ::: on; n_lists 0 if there are none. */
static int take_tasks(struct submit *submit, const char *const *lists, size_t n_lists, struct err *err)
{
        bool on_line = count_sources(submit, true, n_lists > 0) > 0;

        if (count_sources(submit, on_line, n_lists > 0) > 1)
                return err_set(err, ERR_USAGE,
                               "--array, --each-line, --each-csv, --each-json, --each-sql and ::: exclude "
                               "each other");
        if (n_lists > 0) {
                if (entry_list_from_lists(&submit->entries, lists, n_lists, err) < 0)
                        return -1;
        } else if (is_given(submit, "array", on_line)) {
                return take_array(submit, err);
        }
        if (n_lists == 0 && is_given(submit, "each-sql", on_line) &&
            submit_sql(submit, opts_text(submit->opts, "each-sql"), err) < 0)
                return -1;
        for (size_t i = 0; i < ARRAY_LEN(sources) && n_lists == 0; i++)
                if (is_given(submit, sources[i].option, on_line) && read_source(submit, &sources[i], err) < 0)
                        return -1;
        if (submit->entries.n)
                submit_describe_entries(submit);
        return 0;
}

int submit_words(struct submit *submit, struct err *err)
{
        const struct opts *opts = submit->opts;
        const struct type_row *type =
                find_type(opts_has(opts, "type") ? opts_text(opts, "type") : "command", err);
        bool script;
        size_t n = 0, skip;

        if (!type)
                return -1;
        while (n < opts->n_words && (submit->spec.no_replace || strncmp(opts->words[n], ":::", 3) != 0 ||
                                     (opts->words[n][3] && strcmp(opts->words[n], ":::+") != 0)))
                n++;
        script = submit->is_script && type->type == TASK_TYPE_COMMAND;
        skip = script ? 1 : 0;
        submit->spec.type = type->type;
        submit->spec.has_type = true;
        if (take_args(submit, n, err) < 0 || check_args(submit, type, err) < 0)
                return -1;
        if (script ? take_script(submit, opts->words[0], err) < 0
                   : default_name(submit, type->type == TASK_TYPE_COMMAND ? opts->words[0] : type->word,
                                  err) < 0)
                return -1;
        submit->spec.args = submit->args.list + skip;
        submit->spec.n_args = submit->args.n - skip;
        return take_tasks(submit, opts->words + n, opts->n_words - n, err);
}
