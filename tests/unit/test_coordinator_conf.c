/* The coordinator's configuration: what is refused, in which words, and that the sample is what the program prints. */
#include "coordinator/conf.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define NEEDED "key-file = k\nkeyring = /etc/r\ndatabase-options = d\n"

struct scene {
        char folder[64];
        char path[96];
        struct err err;
};

static struct scene scene_new(void)
{
        struct scene scene = { .folder = "/tmp/jobmill-conf.XXXXXX" };

        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(scene.folder));
        snprintf(scene.path, sizeof(scene.path), "%s/coordinator.conf", scene.folder);
        return scene;
}

static void scene_done(struct scene *scene)
{
        unlink(scene->path);
        rmdir(scene->folder);
}

static struct coordinator_conf *scene_load(struct scene *scene, const char *text)
{
        FILE *file = fopen(scene->path, "w");

        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        fputs(text, file);
        fclose(file);
        chmod(scene->path, 0644);
        return coordinator_conf_load(scene->path, &scene->err);
}

static void refused(struct scene *scene, const char *text, const char *because)
{
        struct coordinator_conf *conf = scene_load(scene, text);

        CU_ASSERT_PTR_NULL(conf);
        CU_ASSERT_EQUAL(scene->err.code, ERR_CONFIG);
        if (!strstr(scene->err.text, because))
                printf("\n  expected \"%s\" in: %s\n", because, scene->err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(scene->err.text, because));
        coordinator_conf_free(conf);
}

static void defaults_hold_and_relative_paths_count_from_the_file(void)
{
        struct scene scene = scene_new();
        struct coordinator_conf *conf = scene_load(&scene, NEEDED);
        char expected[96];

        CU_ASSERT_PTR_NOT_NULL_FATAL(conf);
        CU_ASSERT_EQUAL(conf->n_listen, 1);
        CU_ASSERT_STRING_EQUAL(conf->listen[0], "tcp://127.0.0.1:5555");
        CU_ASSERT_EQUAL(conf->lease_ms, 30000);
        CU_ASSERT_EQUAL(conf->reconnect_ms, 900000);
        CU_ASSERT_EQUAL(conf->tasks_per_job, 10000000);
        CU_ASSERT_STRING_EQUAL(conf->database, "jobmill");
        snprintf(expected, sizeof(expected), "%s/k", scene.folder);
        CU_ASSERT_STRING_EQUAL(conf->key_file, expected);
        CU_ASSERT_STRING_EQUAL(conf->keyring, "/etc/r");
        coordinator_conf_free(conf);
        scene_done(&scene);
}

static void given_values_are_taken(void)
{
        struct scene scene = scene_new();
        struct coordinator_conf *conf =
                scene_load(&scene, NEEDED
                           "listen = tcp://*:6000\nlisten = tcp://[::1]:6001\nlease = 1m\nheartbeat = 2s\n"
                           "readers = 5\ndatabase = mill_2\n");

        if (!conf)
                printf("\n  %s\n", scene.err.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(conf);
        CU_ASSERT_EQUAL(conf->n_listen, 2);
        CU_ASSERT_STRING_EQUAL(conf->listen[1], "tcp://[::1]:6001");
        CU_ASSERT_EQUAL(conf->lease_ms, 60000);
        CU_ASSERT_EQUAL(conf->readers, 5);
        CU_ASSERT_STRING_EQUAL(conf->database, "mill_2");
        coordinator_conf_free(conf);
        scene_done(&scene);
}

static void wrong_lines_are_named_with_their_number(void)
{
        struct scene scene = scene_new();

        refused(&scene, NEEDED "colour = blue\n", "coordinator.conf:4: colour");
        refused(&scene, NEEDED "lease = 30s\nlease = 40s\n", "coordinator.conf:5: lease");
        refused(&scene, NEEDED "lease\n", "coordinator.conf:4");
        refused(&scene, NEEDED "lease = soon\n", "coordinator.conf:4: lease");
        refused(&scene, NEEDED "lease = 5ms\n", "1s");
        refused(&scene, NEEDED "readers = 65\n", "from 1 to 64");
        refused(&scene, NEEDED "readers = -1\n", "from 1 to 64");
        refused(&scene, NEEDED "readers = 99999999999999999999\n", "from 1 to 64");
        refused(&scene, NEEDED "listen = 5555\n", "tcp://127.0.0.1:5555");
        refused(&scene, NEEDED "listen = tcp://127.0.0.1:0\n", "port");
        refused(&scene, NEEDED "listen = tcp://127.0.0.1:55x\n", "port");
        refused(&scene, NEEDED "database = a'b\n", "not a name");
        refused(&scene, NEEDED "heartbeat = 20s\n", "half of lease");
        refused(&scene, "keyring = r\ndatabase-options = d\n", "key-file is missing");
        refused(&scene, "key-file =\n", "coordinator.conf:1: key-file");
        scene_done(&scene);
}

static void file_that_others_may_write_is_refused(void)
{
        struct scene scene = scene_new();

        coordinator_conf_free(scene_load(&scene, NEEDED));
        chmod(scene.path, 0666);
        CU_ASSERT_PTR_NULL(coordinator_conf_load(scene.path, &scene.err));
        CU_ASSERT_PTR_NOT_NULL(strstr(scene.err.text, "chmod"));
        scene_done(&scene);
}

static void sample_in_the_tree_is_the_one_the_program_prints(void)
{
        struct scene scene = scene_new();
        struct buf sample = { 0 };
        FILE *file = fopen("deploy/config/coordinator.conf", "r");
        char text[16384];
        size_t n;
        struct coordinator_conf *conf;

        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        n = fread(text, 1, sizeof(text) - 1, file);
        text[n] = '\0';
        fclose(file);
        coordinator_conf_sample(&sample);
        CU_ASSERT_STRING_EQUAL(text, sample.bytes); /* make it again: jobcoordinator --sample-config */
        conf = scene_load(&scene, text);
        CU_ASSERT_PTR_NOT_NULL(conf);
        coordinator_conf_free(conf);
        buf_done(&sample);
        scene_done(&scene);
}

UNIT_MAIN("coordinator_conf", TEST(defaults_hold_and_relative_paths_count_from_the_file),
          TEST(given_values_are_taken), TEST(wrong_lines_are_named_with_their_number),
          TEST(file_that_others_may_write_is_refused), TEST(sample_in_the_tree_is_the_one_the_program_prints))
