/* jobctl get: recorded files, into a folder: DIR/NAME of a single task, DIR/JOB.INDEX/NAME of several. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/sheet.h"
#include "crypt/digest.h"

static const struct opt options[] = {
        { .name = "force", .group = "Files", .help = "write over files that exist" },
        { .name = "list", .help = "only list the files" },
        { 0 },
};
static const char *const examples[] = {
        "jobctl get last                  # into the current folder",
        "jobctl get 36.4 out/",
        "jobctl get 36 --list",
        NULL,
};
static const char *const usage[] = { "SEL [DIR] [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl get",
        .purpose = "fetch files that tasks recorded (--out)",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_query_options,
};

struct file { /* one row of the listing `files` */
        uint64_t job, index, attempt, no, bytes;
        char *name;
        char sha256[DIGEST_HEX_BYTES + 1];
};

static int read_row(const struct listing *listing, struct file *file, struct err *err)
{
        const struct cell *name, *sha256;

        if (listing_u64(listing, "job_id", &file->job, err) < 0 ||
            listing_u64(listing, "task_index", &file->index, err) < 0 ||
            listing_u64(listing, "attempt", &file->attempt, err) < 0 ||
            listing_u64(listing, "file", &file->no, err) < 0 ||
            listing_u64(listing, "bytes", &file->bytes, err) < 0 ||
            listing_cell(listing, "name", &name, err) < 0 ||
            listing_cell(listing, "sha256", &sha256, err) < 0)
                return -1;
        if (name->kind != CELL_TEXT || sha256->kind != CELL_TEXT || sha256->n != DIGEST_HEX_BYTES)
                return err_set(err, ERR_INTERNAL, "a file without name or digest");
        file->name = xstrndup(name->text, name->n);
        memcpy(file->sha256, sha256->text, DIGEST_HEX_BYTES);
        return 0;
}

/* A name comes from the task: it must stay below the folder. */
static bool is_safe(const char *name)
{
        if (*name == '/' || !*name)
                return false;
        for (const char *p = name; p; p = strchr(p, '/')) {
                p += *p == '/';
                if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || !p[2]))
                        return false;
        }
        return true;
}

static int make_folders(char *path, struct err *err)
{
        for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
                int rc;

                *p = '\0';
                rc = mkdir(path, 0777);
                *p = '/';
                if (rc < 0 && errno != EEXIST)
                        return err_set(err, ERR_BAD_DATA, "%.*s: %s", (int)(p - path), path, strerror(errno));
        }
        return 0;
}

static int write_all(int fd, const char *bytes, size_t n)
{
        while (n > 0) {
                ssize_t done = write(fd, bytes, n);

                if (done < 0 && errno != EINTR)
                        return -1;
                if (done > 0) {
                        bytes += done;
                        n -= (size_t)done;
                }
        }
        return 0;
}

static int fetch(struct cli *cli, const struct file *file, int fd, const char *path, struct err *err)
{
        CLEANUP_WITH(digest_free) struct digest *digest = digest_new();
        char sha256[DIGEST_HEX_BYTES + 1];
        uint64_t got = 0;

        for (uint64_t seq = 0; got < file->bytes; seq++) {
                struct msg request = { .kind = MSG_get };
                CLEANUP_WITH(msg_free) struct msg *answer = NULL;
                struct msg_get *get = &request.u.get;

                get->job = file->job;
                get->index = file->index;
                get->attempt = file->attempt;
                get->file = file->no;
                get->seq = seq;
                get->has_job = get->has_index = get->has_attempt = get->has_file = get->has_seq = true;
                answer = cli_call(cli, &request, MSG_chunk, err);
                if (!answer)
                        return -1;
                if (!answer->body_bytes)
                        break;
                if (write_all(fd, answer->body, answer->body_bytes) < 0)
                        return err_set(err, ERR_BAD_DATA, "%s: %s", path, strerror(errno));
                digest_add(digest, answer->body, answer->body_bytes);
                got += answer->body_bytes;
        }
        digest_hex(digest, sha256);
        if (strcmp(sha256, file->sha256) != 0)
                return err_set(err, ERR_INTERNAL, "%s: what was fetched differs from what was recorded",
                               path);
        return 0;
}

/* The file appears under its name only when it is whole. */
static int save(struct cli *cli, const struct file *file, char *path, struct err *err)
{
        CLEANUP_WITH(xfree) char *part = xasprintf("%s.part", path);
        int fd, rc;

        if (make_folders(path, err) < 0)
                return -1;
        if (!opts_flag(cli->opts, "force") && access(path, F_OK) == 0)
                return err_set(err, ERR_BAD_DATA, "%s exists; --force writes over it", path);
        fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0)
                return err_set(err, ERR_BAD_DATA, "%s: %s", part, strerror(errno));
        rc = fetch(cli, file, fd, path, err);
        if (close(fd) < 0 && rc == 0)
                rc = err_set(err, ERR_BAD_DATA, "%s: %s", part, strerror(errno));
        if (rc == 0 && rename(part, path) < 0)
                rc = err_set(err, ERR_BAD_DATA, "%s: %s", path, strerror(errno));
        if (rc < 0)
                unlink(part);
        return rc;
}

/* One saved file: its path, or in JSON and CSV what v_data says of it, and the path. */
static struct sheet *saved_sheet(const struct cli *cli)
{
        static const char *const columns[] = { "job_id", "task_index", "attempt", "name",
                                               "bytes",  "sha256",     "path" };

        return cli->form == CLI_FORM_TEXT ? NULL
                                          : sheet_new(cli, "jobctl.get/1", columns, ARRAY_LEN(columns), NULL);
}

static void print_saved(const struct cli *cli, struct sheet *sheet, const struct file *file, const char *path)
{
        char numbers[4][24];
        const uint64_t values[] = { file->job, file->index, file->attempt, file->bytes };
        struct cell cells[4];

        if (!sheet) {
                if (!cli->quiet)
                        printf("%s\n", path);
                return;
        }
        for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
                int n = snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64, values[i]);

                cells[i] = (struct cell){ .kind = CELL_NUMBER, .text = numbers[i], .n = (size_t)n };
        }
        sheet_row(sheet, (struct cell[]){
                                 cells[0],
                                 cells[1],
                                 cells[2],
                                 { .kind = CELL_TEXT, .text = file->name, .n = strlen(file->name) },
                                 cells[3],
                                 { .kind = CELL_TEXT, .text = file->sha256, .n = DIGEST_HEX_BYTES },
                                 { .kind = CELL_TEXT, .text = path, .n = strlen(path) },
                         });
}

static int get_row(struct cli *cli, struct sheet *sheet, const struct listing *listing, const char *dir,
                   bool single, struct err *err)
{
        struct file file = { 0 };
        CLEANUP_WITH(xfree) char *path = NULL;
        int rc;

        if (read_row(listing, &file, err) < 0) {
                xfree(file.name);
                return -1;
        }
        path = single ? xasprintf("%s/%s", dir, file.name)
                      : xasprintf("%s/%" PRIu64 ".%" PRIu64 "/%s", dir, file.job, file.index, file.name);
        rc = is_safe(file.name)
                     ? save(cli, &file, path, err)
                     : err_set(err, ERR_BAD_DATA, "the recorded name '%.80s' leaves the folder", file.name);
        if (rc == 0)
                print_saved(cli, sheet, &file, path);
        xfree(file.name);
        return rc;
}

static void select_files(struct listing *listing, const struct target *target)
{
        listing->request.u.list.job = target->job;
        listing->request.u.list.has_job = true;
        listing->request.u.list.ranges = (struct range *)target->ranges;
        listing->request.u.list.n_ranges = target->n_ranges;
}

/* One task of one job needs no folder of its own. */
static int is_single(struct cli *cli, const struct targets *targets, bool *ret_single, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_TASKS);
        int more = 1;
        int n = 0;

        *ret_single = false;
        if (targets->n != 1)
                return 0;
        select_files(&listing, &targets->list[0]);
        listing.request.u.list.limit = 2;
        listing.request.u.list.has_limit = true;
        while (n < 2 && (more = listing_next(&listing, err)) > 0)
                n++;
        *ret_single = n == 1;
        return more < 0 ? -1 : 0;
}

static int get_all(struct cli *cli, const struct targets *targets, const char *dir, struct err *err)
{
        CLEANUP_WITH(sheet_free) struct sheet *sheet = saved_sheet(cli);
        uint64_t files = 0;
        bool single;

        if (is_single(cli, targets, &single, err) < 0)
                return -1;
        for (size_t i = 0; i < targets->n; i++) {
                CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_FILES);
                int more;

                select_files(&listing, &targets->list[i]);
                while ((more = listing_next(&listing, err)) > 0) {
                        files++;
                        if (get_row(cli, sheet, &listing, dir, single, err) < 0)
                                return -1;
                }
                if (more < 0)
                        return -1;
        }
        if (!files)
                return err_set(err, ERR_NOT_FOUND,
                               "no files were recorded; jobsubmit --out GLOB records some");
        return sheet ? sheet_end(sheet, err) : 0;
}

static int list_files(struct cli *cli, const struct targets *targets)
{
        static const struct print print = { .schema = "jobctl.get/1" };
        struct listing *listings = command_listings(cli, LIST_KIND_FILES, targets);
        int code = command_print(cli, &print, listings, targets->n);

        listings_free(listings, targets->n);
        return code;
}

static int run(struct cli *cli)
{
        const struct opts *opts = cli->opts;
        CLEANUP_SELECTORS struct selectors selectors = { 0 };
        CLEANUP_TARGETS struct targets targets = { 0 };
        struct err err = { 0 };

        if (command_words(cli, 1, 2, &err) < 0 || selectors_parse(opts->words, 1, &selectors, &err) < 0 ||
            targets_resolve(cli, &selectors, &targets, &err) < 0)
                return cli_fail(cli, &err);
        if (opts_flag(opts, "list"))
                return list_files(cli, &targets);
        if (get_all(cli, &targets, opts->n_words > 1 ? opts->words[1] : ".", &err) < 0)
                return cli_fail(cli, &err);
        return cli_flush(cli, 0);
}

const struct command command_get = { "get", &program, run };
