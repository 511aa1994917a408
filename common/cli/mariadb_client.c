/* Running the mariadb client. The query travels in a file without a name, never in the arguments, where every user of
 * the machine could read it. */
#include "cli/mariadb_client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret_file.h"
#include "base/xalloc.h"
#include "cli/cli.h"

extern const char *const schema_tables[]; /* of sql/migrations, ends with NULL; made by the Makefile */

#define OPTION_FILE_MAX ((size_t)64 << 10)
#define COMPLAINT_MAX 1024 /* the end of what it says: the error stands there */

extern char **environ;

static int not_there(struct err *err)
{
        return err_set(err, ERR_CONFIG,
                       "the mariadb client cannot be run: %s; install it: apt install mariadb-client-core",
                       strerror(errno));
}

const char *mariadb_option_file(struct cli *cli, struct err *err)
{
        const char *path;
        char *text = NULL;
        size_t n = 0;

        if (cli_profile(cli, err) < 0)
                return NULL;
        path = cli->profile->sql_option_file;
        if (!path) {
                err_set(err, ERR_CONFIG,
                        "this profile (%s) has no SQL account; an administrator makes one with the profile: "
                        "jobctl user add NAME --role ROLE --profile-out FILE --sql",
                        cli->profile->path);
                return NULL;
        }
        if (secret_file_read(path, OPTION_FILE_MAX, &text, &n, err) < 0) {
                err_wrap(err, "the SQL option file that the profile names");
                return NULL;
        }
        secret_free(text, n);
        return path;
}

static int query_file(const char *query, struct err *err)
{
        int fd = memfd_create("query", MFD_CLOEXEC);
        size_t n = strlen(query);

        if (fd < 0 || write(fd, query, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0) {
                if (fd >= 0)
                        close(fd);
                return err_set(err, ERR_INTERNAL, "query: %s", strerror(errno));
        }
        return fd;
}

static int spawn(struct mariadb_client *client, char *const *args, int in, int out, struct err *err)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t defaults;
        int rc;

        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE); /* we ignore it, the child should not */
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, client->complaints, STDERR_FILENO);
        rc = posix_spawnp(&client->pid, args[0], &actions, &attributes, args, environ);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        errno = rc;
        return rc ? not_there(err) : 0;
}

int mariadb_client_start(struct mariadb_client *client, const char *option_file, const char *mode,
                         const char *more, const char *query, struct err *err)
{
        CLEANUP_WITH(xfree) char *defaults = xasprintf("--defaults-file=%s", option_file);
        char *args[] = { (char *)"mariadb",
                         defaults,
                         (char *)"--default-character-set=utf8mb4",
                         (char *)"--init-command=SET SESSION TRANSACTION READ ONLY",
                         (char *)mode,
                         more ? (char *)more : (char *)MARIADB_DATABASE,
                         more ? (char *)MARIADB_DATABASE : NULL,
                         NULL };
        int in = query_file(query, err), pipes[2];
        int rc;

        *client = (struct mariadb_client){ .complaints = -1 };
        if (in < 0)
                return -1;
        client->complaints = memfd_create("complaints", MFD_CLOEXEC);
        if (client->complaints < 0 || pipe2(pipes, O_CLOEXEC) < 0) {
                close(in);
                return err_set(err, ERR_INTERNAL, "pipe: %s", strerror(errno));
        }
        rc = spawn(client, args, in, pipes[1], err);
        close(in);
        close(pipes[1]);
        if (rc < 0) {
                close(pipes[0]);
                close(client->complaints);
                return -1;
        }
        client->out = fdopen(pipes[0], "re");
        BUG_ON(!client->out);
        return 0;
}

/* "ERROR 1064 (42000) at line 1: …" */
static enum err_code code_of(const char *complaint)
{
        static const int no_connection[] = { 1040, 1053, 1203, 2002, 2003, 2005, 2006, 2013, 2026 };
        static const int no_right[] = { 1044, 1045, 1142, 1143, 1227, 1370, 1698 };
        const char *number = strstr(complaint, "ERROR ");
        int n = number ? atoi(number + strlen("ERROR ")) : 0;

        for (size_t i = 0; i < ARRAY_LEN(no_connection); i++)
                if (n == no_connection[i])
                        return ERR_UNREACHABLE;
        for (size_t i = 0; i < ARRAY_LEN(no_right); i++)
                if (n == no_right[i])
                        return ERR_FORBIDDEN;
        return ERR_BAD_DATA;
}

/* "SELECT command denied to user … for table `jobmill`.`v_jbs`": what a reader may not see and what is not there are one to
 * the server. A name that no table of the schema has is a slip. */
static bool is_slip(const char *complaint)
{
        static const char start[] = "for table `" MARIADB_DATABASE "`.`";
        const char *name = strstr(complaint, start);
        size_t n;

        if (!strstr(complaint, "SELECT command denied") || !name)
                return false;
        name += strlen(start);
        n = strcspn(name, "`");
        for (size_t i = 0; schema_tables[i]; i++)
                if (strlen(schema_tables[i]) == n && memcmp(schema_tables[i], name, n) == 0)
                        return false;
        return true;
}

static int complain(const struct mariadb_client *client, struct err *err)
{
        char text[COMPLAINT_MAX + 1];
        off_t size = lseek(client->complaints, 0, SEEK_END);
        ssize_t n = pread(client->complaints, text, COMPLAINT_MAX,
                          size > COMPLAINT_MAX ? size - COMPLAINT_MAX : 0);
        const char *what;

        text[n > 0 ? n : 0] = '\0';
        while (n > 0 && text[n - 1] == '\n')
                text[--n] = '\0';
        what = strstr(text, "ERROR "); /* the query is printed in front of it */
        if (!what)
                what = *text ? text : "the mariadb client failed without a word";
        if (is_slip(what))
                return err_set(err, ERR_BAD_DATA, "SQL: %s; jobctl sql --schema lists the views", what);
        return err_set(err, code_of(text), "SQL: %s", what);
}

int mariadb_client_end(struct mariadb_client *client, struct err *err)
{
        int status, rc;

        fclose(client->out);
        while ((rc = waitpid(client->pid, &status, 0)) < 0 && errno == EINTR)
                continue;
        if (rc < 0)
                rc = err_set(err, ERR_INTERNAL, "wait for the mariadb client: %s", strerror(errno));
        else if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                rc = not_there(err);
        else
                rc = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : complain(client, err);
        close(client->complaints);
        return rc;
}

int mariadb_client_become(const char *option_file, struct err *err)
{
        CLEANUP_WITH(xfree) char *defaults = xasprintf("--defaults-file=%s", option_file);

        signal(SIGPIPE, SIG_DFL);
        execlp("mariadb", "mariadb", defaults, "--init-command=SET SESSION TRANSACTION READ ONLY",
               MARIADB_DATABASE, (char *)NULL);
        return not_there(err);
}
