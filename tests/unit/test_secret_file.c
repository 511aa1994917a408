/* Secret files: what is refused, with the remedy, and that a new one is whole and private. */
#include "base/secret_file.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

struct scene {
        char folder[64];
        char path[96];
        struct err err;
};

static struct scene scene_new(void)
{
        struct scene s = { .folder = "/tmp/jobmill-unit-XXXXXX" };

        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s.folder));
        snprintf(s.path, sizeof(s.path), "%s/key", s.folder);
        return s;
}

static void scene_done(struct scene *s)
{
        chmod(s->folder, 0700);
        unlink(s->path);
        rmdir(s->folder);
}

static void put(const char *path, const char *text, mode_t mode)
{
        FILE *file = fopen(path, "w");

        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        fputs(text, file);
        fclose(file);
        CU_ASSERT_EQUAL(chmod(path, mode), 0);
}

static void refused(struct scene *s, const char *path, const char *because)
{
        char *text = NULL;
        size_t n = 0;

        s->err = (struct err){ 0 };
        CU_ASSERT_EQUAL(secret_file_read(path, 16, &text, &n, &s->err), -1);
        CU_ASSERT_EQUAL(s->err.code, ERR_CONFIG);
        if (!strstr(s->err.text, because))
                CU_FAIL(because);
        CU_ASSERT_PTR_NULL(text);
}

static void private_file_is_read_whole(void)
{
        struct scene s = scene_new();
        char *text = NULL;
        size_t n = 0;

        put(s.path, "0123456789abcdef", 0600);
        CU_ASSERT_EQUAL_FATAL(secret_file_read(s.path, 16, &text, &n, &s.err), 0);
        CU_ASSERT_EQUAL(n, 16);
        CU_ASSERT_STRING_EQUAL(text, "0123456789abcdef");
        secret_free(text, n);
        put(s.path, "", 0400);
        CU_ASSERT_EQUAL_FATAL(secret_file_read(s.path, 16, &text, &n, &s.err), 0);
        CU_ASSERT_EQUAL(n, 0);
        secret_free(text, n);
        scene_done(&s);
}

static void file_that_others_may_touch_is_refused_with_the_chmod(void)
{
        static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666 };
        struct scene s = scene_new();
        char chmod_text[128];

        snprintf(chmod_text, sizeof(chmod_text), "run: chmod 600 %s", s.path);
        for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
                put(s.path, "x", modes[i]);
                refused(&s, s.path, chmod_text);
        }
        scene_done(&s);
}

static void what_is_no_plain_file_is_refused(void)
{
        struct scene s = scene_new();
        char other[128];

        refused(&s, s.path, "No such file");
        refused(&s, s.folder, "not a regular file");
        snprintf(other, sizeof(other), "%s/link", s.folder);
        put(s.path, "x", 0600);
        CU_ASSERT_EQUAL(symlink(s.path, other), 0);
        refused(&s, other, "symbolic link");
        unlink(other);
        CU_ASSERT_EQUAL(mkfifo(other, 0600), 0);
        refused(&s, other, "not a regular file"); /* and does not wait for a writer */
        unlink(other);
        refused(&s, "/dev/null", "not a regular file");
        scene_done(&s);
}

static void file_over_its_limit_is_refused(void)
{
        struct scene s = scene_new();

        put(s.path, "0123456789abcdefg", 0600);
        refused(&s, s.path, "longer than 16 bytes");
        scene_done(&s);
}

static void folder_that_everybody_may_write_is_refused_unless_sticky(void)
{
        struct scene s = scene_new();
        char *text = NULL;
        size_t n;

        put(s.path, "x", 0600);
        CU_ASSERT_EQUAL(chmod(s.folder, 0777), 0);
        refused(&s, s.path, "run: chmod o-w ");
        CU_ASSERT_EQUAL(chmod(s.folder, 01777), 0);
        CU_ASSERT_EQUAL_FATAL(secret_file_read(s.path, 16, &text, &n, &s.err), 0);
        secret_free(text, n);
        scene_done(&s);
}

static void file_of_somebody_else_is_refused(void)
{
        struct scene s = scene_new();

        put(s.path, "x", 0600);
        if (geteuid() == 0) { /* only root can give a file away */
                CU_ASSERT_EQUAL(chown(s.path, 12345, 12345), 0);
                refused(&s, s.path, "belongs to user 12345");
        }
        scene_done(&s);
}

static void new_file_is_whole_private_and_alone(void)
{
        struct scene s = scene_new();
        mode_t before = umask(0);
        struct stat st;
        char *text = NULL;
        size_t n;

        CU_ASSERT_EQUAL(secret_file_create(s.path, "secret\n", 7, &s.err), 0);
        umask(before);
        CU_ASSERT_EQUAL(stat(s.path, &st), 0);
        CU_ASSERT_EQUAL(st.st_mode, S_IFREG | 0600);
        CU_ASSERT_EQUAL(st.st_nlink, 1);
        CU_ASSERT_EQUAL_FATAL(secret_file_read(s.path, 16, &text, &n, &s.err), 0);
        CU_ASSERT_STRING_EQUAL(text, "secret\n");
        secret_free(text, n);
        scene_done(&s);
        CU_ASSERT_EQUAL(access(s.folder, F_OK), -1); /* rmdir worked: no draft was left behind */
}

static void existing_file_is_never_overwritten(void)
{
        struct scene s = scene_new();
        char *text = NULL;
        size_t n;

        CU_ASSERT_EQUAL(secret_file_create(s.path, "first", 5, &s.err), 0);
        CU_ASSERT_EQUAL(secret_file_create(s.path, "second", 6, &s.err), -1);
        CU_ASSERT_EQUAL(s.err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "File exists"));
        CU_ASSERT_EQUAL_FATAL(secret_file_read(s.path, 16, &text, &n, &s.err), 0);
        CU_ASSERT_STRING_EQUAL(text, "first");
        secret_free(text, n);
        scene_done(&s);
        CU_ASSERT_EQUAL(access(s.folder, F_OK), -1);
}

static void new_file_needs_its_folder(void)
{
        struct err err = { 0 };

        CU_ASSERT_EQUAL(secret_file_create("/nonexistent/folder/key", "x", 1, &err), -1);
        CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nonexistent/folder/key cannot be made"));
}

static void wiping_leaves_zeros(void)
{
        char bytes[4] = "abc";

        secret_wipe(bytes, sizeof(bytes));
        CU_ASSERT_EQUAL(memcmp(bytes, "\0\0\0\0", 4), 0);
        secret_wipe(NULL, 0);
        secret_free(NULL, 0);
}

UNIT_MAIN("secret_file", TEST(private_file_is_read_whole),
          TEST(file_that_others_may_touch_is_refused_with_the_chmod), TEST(what_is_no_plain_file_is_refused),
          TEST(file_over_its_limit_is_refused),
          TEST(folder_that_everybody_may_write_is_refused_unless_sticky),
          TEST(file_of_somebody_else_is_refused), TEST(new_file_is_whole_private_and_alone),
          TEST(existing_file_is_never_overwritten), TEST(new_file_needs_its_folder),
          TEST(wiping_leaves_zeros))
