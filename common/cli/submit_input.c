/* Input files: what they are and what they hold. Their content is read again when it is sent. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/submit.h"
#include "crypt/digest.h"

#define INPUTS_MAX 256
#define INPUT_NAME_MAX 255
#define READ_BYTES 65536

static int digest_file(struct submit_input *input, int fd, struct err *err)
{
        CLEANUP_WITH(digest_free) struct digest *digest = digest_new();
        char bytes[READ_BYTES];
        ssize_t n;

        while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(err, ERR_BAD_DATA, "%s: %s", input->path, strerror(errno));
                digest_add(digest, bytes, (size_t)n);
                input->bytes += (uint64_t)n;
        }
        digest_hex(digest, input->sha256);
        return 0;
}

static int look_at_file(struct submit_input *input, struct err *err)
{
        int fd = open(input->path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        int rc;

        if (fd < 0)
                return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_BAD_DATA, "%s: %s", input->path,
                               strerror(errno));
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                rc = err_set(err, ERR_BAD_DATA, "%s: not a regular file", input->path);
        else
                rc = digest_file(input, fd, err);
        input->mode = input->is_script ? 0755 : st.st_mode & 0777;
        close(fd);
        return rc;
}

static int check_name(const struct submit *submit, const char *name, struct err *err)
{
        if (cli_check_text("--in: the name", name, 1, INPUT_NAME_MAX, err) < 0)
                return -1;
        if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return err_set(err, ERR_USAGE,
                               "--in: '%.80s' is no file name; example: --in data/a.csv:a.csv", name);
        for (size_t i = 0; i < submit->n_inputs; i++)
                if (strcmp(submit->inputs[i].name, name) == 0)
                        return err_set(err, ERR_USAGE,
                                       "--in: two files are named '%.80s'; give one another: --in FILE:NAME",
                                       name);
        return 0;
}

int submit_add_input(struct submit *submit, const char *path, const char *name, bool is_script,
                     struct err *err)
{
        struct submit_input *input;

        if (submit->n_inputs == INPUTS_MAX)
                return err_set(err, ERR_USAGE, "more than %d input files", INPUTS_MAX);
        if (check_name(submit, name, err) < 0)
                return -1;
        GROW(submit->inputs, submit->cap_inputs, submit->n_inputs + 1);
        input = &submit->inputs[submit->n_inputs++];
        *input =
                (struct submit_input){ .path = xstrdup(path), .name = xstrdup(name), .is_script = is_script };
        return look_at_file(input, err);
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* FILE or FILE:NAME; a file whose own name has a colon is meant if it exists. */
static int add_option(struct submit *submit, const char *text, struct err *err)
{
        const char *colon = strrchr(text, ':');
        CLEANUP_WITH(xfree) char *path = NULL;

        if (!colon || access(text, F_OK) == 0)
                return submit_add_input(submit, text, base_name(text), false, err);
        path = xstrndup(text, (size_t)(colon - text));
        return submit_add_input(submit, path, colon + 1, false, err);
}

/* What is no file has to be read twice all the same (once for its digest): it becomes a file without a name. */
static int copy_stream(struct submit *submit, int from, char **ret_path, struct err *err)
{
        const char *folder = getenv("TMPDIR");
        CLEANUP_WITH(xfree)
        char *name = xasprintf("%s/jobsubmit.XXXXXX", folder && *folder ? folder : "/tmp");
        char bytes[READ_BYTES];
        ssize_t n, done;

        submit->stdin_fd = mkostemp(name, O_CLOEXEC);
        if (submit->stdin_fd < 0)
                return err_set(err, ERR_INTERNAL, "temporary file %s: %s; set TMPDIR to a folder with room",
                               name, strerror(errno));
        unlink(name);
        while ((n = read(from, bytes, sizeof(bytes))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(err, ERR_BAD_DATA, "it cannot be read: %s", strerror(errno));
                for (ssize_t at = 0; at < n; at += done) {
                        done = write(submit->stdin_fd, bytes + at, (size_t)(n - at));
                        if (done < 0)
                                return err_set(err, ERR_INTERNAL,
                                               "temporary file: %s; set TMPDIR to a folder with room",
                                               strerror(errno));
                }
        }
        *ret_path = xasprintf("/proc/self/fd/%d", submit->stdin_fd);
        return 0;
}

/* A pipe (<(command)), /dev/null, a terminal. */
static int copy_special(struct submit *submit, const char *path, char **ret_copy, struct err *err)
{
        struct stat st;
        int fd, rc;

        if (stat(path, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
                return 0;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return err_set(err, ERR_BAD_DATA, "%s: %s", path, strerror(errno));
        rc = copy_stream(submit, fd, ret_copy, err);
        close(fd);
        return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

static int add_stdin(struct submit *submit, struct err *err)
{
        const char *path = opts_text(submit->opts, "stdin");
        CLEANUP_WITH(xfree) char *copy = NULL;
        int rc;

        if (!path)
                return 0;
        rc = strcmp(path, "-") == 0 ? copy_stream(submit, STDIN_FILENO, &copy, err)
                                    : copy_special(submit, path, &copy, err);
        if (rc < 0)
                return err_wrap(err, "--stdin");
        if (copy)
                path = copy;
        if (submit_add_input(submit, path, ".stdin", false, err) < 0)
                return err_wrap(err, "--stdin");
        submit->spec.stdin_input = submit->n_inputs;
        submit->spec.has_stdin_input = true;
        return 0;
}

int submit_inputs(struct submit *submit, struct err *err)
{
        const struct opt_value *value;
        size_t at = 0;

        while ((value = opts_next(submit->opts, "in", &at)))
                if (add_option(submit, value->text, err) < 0)
                        return strncmp(err->text, "--in: ", 6) == 0 ? -1 : err_wrap(err, "--in");
        if (add_stdin(submit, err) < 0)
                return -1;
        submit->input_recs = xcalloc(MAX(submit->n_inputs, 1), sizeof(*submit->input_recs));
        for (size_t i = 0; i < submit->n_inputs; i++) {
                const struct submit_input *input = &submit->inputs[i];

                submit->input_recs[i] = (struct rec_input){
                        .name = input->name,
                        .n_name = strlen(input->name),
                        .bytes = input->bytes,
                        .has_bytes = true,
                        .sha256 = input->sha256,
                        .n_sha256 = 64,
                        .mode = input->mode,
                        .has_mode = true,
                };
        }
        submit->spec.inputs = submit->input_recs;
        submit->spec.n_inputs = submit->n_inputs;
        return 0;
}
