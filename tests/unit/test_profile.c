/* Profiles and key files: what is refused, and in which words. */
#include "net/profile.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "net/key_file.h"
#include "tests/unit/unit.h"

struct scene {
        char folder[64];
        char path[96];
        struct key_pair keys;
        struct err err;
};

static struct scene scene_new(void)
{
        struct scene scene = { .folder = "/tmp/jobmill-profile.XXXXXX" };

        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(scene.folder));
        snprintf(scene.path, sizeof(scene.path), "%s/profile", scene.folder);
        CU_ASSERT_EQUAL_FATAL(key_pair_new(&scene.keys, &scene.err), 0);
        return scene;
}

static void scene_done(struct scene *scene)
{
        unlink(scene->path);
        CU_ASSERT_EQUAL(rmdir(scene->folder), 0);
}

static void scene_write(const struct scene *scene, const char *extra, const char *secret)
{
        FILE *file = fopen(scene->path, "w");

        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        fprintf(file,
                "# mine\nendpoint = tcp://127.0.0.1:5555\nserver-key = %s\npublic-key = %s\nsecret-key = "
                "%s\n%s",
                scene->keys.public_key, scene->keys.public_key, secret, extra);
        fclose(file);
        chmod(scene->path, 0600);
}

/* Loading fails as CONFIG and says `word`. */
static void scene_refused(struct scene *scene, const char *word)
{
        struct profile *profile = profile_load(scene->path, &scene->err);

        CU_ASSERT_PTR_NULL(profile);
        CU_ASSERT_EQUAL(scene->err.code, ERR_CONFIG);
        if (!strstr(scene->err.text, word))
                printf("\n  expected \"%s\" in: %s\n", word, scene->err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(scene->err.text, word));
        profile_free(profile);
}

static void saved_profile_reads_back_the_same(void)
{
        struct scene scene = scene_new();
        struct profile out = { .endpoints = { (char *)"tcp://10.0.0.1:5555", (char *)"tcp://10.0.0.2:5555" },
                               .n_endpoints = 2,
                               .sql_option_file = (char *)"/home/alice/alice.cnf" };
        struct profile *in;
        struct stat st;

        memcpy(out.server_key, scene.keys.public_key, 41);
        memcpy(out.public_key, scene.keys.public_key, 41);
        memcpy(out.secret_key, scene.keys.secret_key, 41);
        CU_ASSERT_EQUAL_FATAL(profile_save(&out, scene.path, &scene.err), 0);
        CU_ASSERT_EQUAL(stat(scene.path, &st), 0);
        CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
        in = profile_load(scene.path, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(in);
        CU_ASSERT_EQUAL(in->n_endpoints, 2);
        CU_ASSERT_STRING_EQUAL(in->endpoints[1], "tcp://10.0.0.2:5555");
        CU_ASSERT_STRING_EQUAL(in->secret_key, scene.keys.secret_key);
        CU_ASSERT_STRING_EQUAL(in->sql_option_file, "/home/alice/alice.cnf");
        profile_free(in);
        scene_done(&scene);
}

static void profile_is_never_written_over_an_existing_file(void)
{
        struct scene scene = scene_new();
        struct profile out = { .endpoints = { (char *)"tcp://10.0.0.1:5555" }, .n_endpoints = 1 };

        scene_write(&scene, "", scene.keys.secret_key);
        CU_ASSERT_EQUAL(profile_save(&out, scene.path, &scene.err), -1);
        CU_ASSERT_EQUAL(scene.err.code, ERR_CONFIG);
        scene_done(&scene);
}

static void loose_profile_is_refused_with_the_chmod_to_run(void)
{
        struct scene scene = scene_new();
        char fix[128];

        scene_write(&scene, "", scene.keys.secret_key);
        chmod(scene.path, 0640);
        snprintf(fix, sizeof(fix), "chmod 600 %s", scene.path);
        scene_refused(&scene, fix);
        scene_done(&scene);
}

static void odd_lines_are_refused_with_their_number(void)
{
        struct scene scene = scene_new();

        scene_write(&scene, "colour = blue\n", scene.keys.secret_key);
        scene_refused(&scene, ":6: colour");
        scene_write(&scene, "public-key = x\n", scene.keys.secret_key);
        scene_refused(&scene, ":6: public-key");
        scene_write(&scene, "endpoint = 127.0.0.1\n", scene.keys.secret_key);
        scene_refused(&scene, "tcp://127.0.0.1:5555");
        scene_write(&scene, "endpoint = tcp://127.0.0.1:99999\n", scene.keys.secret_key);
        scene_refused(&scene, ":6: endpoint");
        scene_write(&scene, "sql-option-file = alice.cnf\n", scene.keys.secret_key);
        scene_refused(&scene, "absolute");
        scene_write(&scene, "", "short");
        scene_refused(&scene, ":5: secret-key");
        scene_done(&scene);
}

static void keys_that_do_not_belong_together_are_refused(void)
{
        struct scene scene = scene_new();
        struct key_pair other;

        CU_ASSERT_EQUAL_FATAL(key_pair_new(&other, &scene.err), 0);
        scene_write(&scene, "", other.secret_key);
        scene_refused(&scene, "does not belong");
        scene_done(&scene);
}

static void missing_profile_and_missing_lines_are_named(void)
{
        struct scene scene = scene_new();
        FILE *file;

        scene_refused(&scene, scene.path);
        file = fopen(scene.path, "w");
        fclose(file);
        chmod(scene.path, 0600);
        scene_refused(&scene, "endpoint is missing");
        scene_done(&scene);
}

static void key_file_is_made_once_and_read_back(void)
{
        struct scene scene = scene_new();
        struct key_pair pair;

        CU_ASSERT_EQUAL_FATAL(key_file_create(scene.path, &scene.err), 0);
        CU_ASSERT_EQUAL(key_file_load(scene.path, &pair, &scene.err), 0);
        CU_ASSERT_TRUE(key_pair_matches(&pair));
        CU_ASSERT_EQUAL(key_file_create(scene.path, &scene.err), -1);
        chmod(scene.path, 0604);
        CU_ASSERT_EQUAL(key_file_load(scene.path, &pair, &scene.err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(scene.err.text, "chmod 600"));
        scene_done(&scene);
}

UNIT_MAIN("profile", TEST(saved_profile_reads_back_the_same),
          TEST(profile_is_never_written_over_an_existing_file),
          TEST(loose_profile_is_refused_with_the_chmod_to_run), TEST(odd_lines_are_refused_with_their_number),
          TEST(keys_that_do_not_belong_together_are_refused),
          TEST(missing_profile_and_missing_lines_are_named), TEST(key_file_is_made_once_and_read_back))
