/* Folder and environment of the tasks. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/submit.h"

#define ENV_MAX 8192
#define ENV_TEXT_MAX 131072
#define CWD_MAX 4095

extern char **environ;

/* [A-Za-z_][A-Za-z0-9_]*, and none of the names that the worker sets. */
bool submit_is_env_name(const char *name, size_t n)
{
        if (n == 0 || (!isalpha((unsigned char)name[0]) && name[0] != '_'))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char)name[i]) && name[i] != '_')
                        return false;
        return n < 4 || memcmp(name, "JOB_", 4) != 0;
}

/* The last one given for a name counts. */
static void set_variable(struct submit *submit, const char *pair)
{
        size_t n = strcspn(pair, "=") + 1;

        for (size_t i = 0; i < submit->env.n; i++)
                if (strncmp(submit->env.list[i], pair, n) == 0) {
                        submit->env.list[i] = pair;
                        return;
                }
        texts_add(&submit->env, pair);
}

static void add_all(struct submit *submit)
{
        for (char **pair = environ; *pair; pair++) {
                size_t n = strcspn(*pair, "=");

                if (!(*pair)[n] || !submit_is_env_name(*pair, n))
                        continue;
                if (!utf8_valid(*pair, strlen(*pair)) || strlen(*pair) > ENV_TEXT_MAX) {
                        cli_note(submit->cli,
                                 "the variable %.*s is left out: it is not valid UTF-8, or too long", (int)n,
                                 *pair);
                        continue;
                }
                texts_add(&submit->env, *pair);
        }
}

static int add_variable(struct submit *submit, const char *text, struct err *err)
{
        size_t n = strcspn(text, "=");
        const char *value;

        if (!submit_is_env_name(text, n))
                return err_set(err, ERR_USAGE,
                               "--env: '%.*s' is no name for a variable%s; example: --env LANG=C",
                               (int)MIN(n, 80), text,
                               strncmp(text, "JOB_", 4) == 0 ? "; JOB_ names are the worker's" : "");
        if (cli_check_text("--env", text, 1, ENV_TEXT_MAX, err) < 0)
                return -1;
        if (text[n]) {
                set_variable(submit, text);
                return 0;
        }
        value = getenv(text);
        if (!value)
                return err_set(err, ERR_USAGE, "--env: %.80s is not set here; give it a value: --env %.80s=…",
                               text, text);
        set_variable(submit, submit_own(submit, xasprintf("%s=%s", text, value)));
        return cli_check_text("--env", submit->env.list[submit->env.n - 1], 1, ENV_TEXT_MAX, err);
}

/* As it is on this machine if it exists here, else as it was written behind the current folder. */
static char *absolute(const char *dir)
{
        char here[PATH_MAX];
        char *real = realpath(dir, NULL);

        if (real)
                return real;
        if (dir[0] == '/' || !getcwd(here, sizeof(here)))
                return xstrdup(dir);
        return xasprintf("%s/%s", strcmp(here, "/") == 0 ? "" : here, dir);
}

static int folder(struct submit *submit, struct err *err)
{
        const char *dir = opts_text(submit->opts, "cwd");

        if (!dir)
                return 0;
        submit->cwd = absolute(dir);
        if (submit->cwd[0] != '/')
                return err_set(err, ERR_USAGE, "--cwd: the current folder has no name: %s", strerror(errno));
        submit->spec.cwd = submit->cwd;
        submit->spec.n_cwd = strlen(submit->cwd);
        return cli_check_text("--cwd", submit->cwd, 1, CWD_MAX, err);
}

int submit_environment(struct submit *submit, struct err *err)
{
        const struct opt_value *value;
        size_t at = 0;

        if (opts_flag(submit->opts, "env-all"))
                add_all(submit);
        while ((value = opts_next(submit->opts, "env", &at)))
                if (add_variable(submit, value->text, err) < 0)
                        return -1;
        if (submit->env.n > ENV_MAX)
                return err_set(err, ERR_USAGE, "%zu variables, at most %d are allowed", submit->env.n,
                               ENV_MAX);
        submit->spec.env = submit->env.list;
        submit->spec.n_env = submit->env.n;
        return folder(submit, err);
}
