/* Logins for MariaDB: the hash is the server's own, the file is what the client reads, nothing is overwritten. */
#include "crypt/sql_login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/digests.h"
#include "tests/unit/unit.h"

struct scene {
        char folder[64];
        char path[96];
        struct err err;
};

static struct scene scene_new(void)
{
        struct scene scene = { .folder = "/tmp/jobmill-login.XXXXXX" };

        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(scene.folder));
        snprintf(scene.path, sizeof(scene.path), "%s/alice.cnf", scene.folder);
        return scene;
}

static void scene_write(const struct scene *scene, const char *text)
{
        FILE *file = fopen(scene->path, "w");

        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        fputs(text, file);
        fclose(file);
        chmod(scene->path, 0600);
}

static void scene_done(struct scene *scene)
{
        unlink(scene->path);
        CU_ASSERT_EQUAL(rmdir(scene->folder), 0);
}

/* SELECT PASSWORD('secret') */
static void hash_is_the_one_that_the_server_makes(void)
{
        struct scene scene = scene_new();
        char hash[SQL_HASH_BYTES + 1];

        scene_write(&scene, "[client]\nuser=alice\npassword=secret\n");
        CU_ASSERT_EQUAL(sql_login_hash(scene.path, hash, &scene.err), 0);
        CU_ASSERT_STRING_EQUAL(hash, "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
        scene_done(&scene);
}

static void login_that_was_made_has_the_hash_that_was_given(void)
{
        struct scene scene = scene_new();
        char made[SQL_HASH_BYTES + 1], read[SQL_HASH_BYTES + 1], again[SQL_HASH_BYTES + 1];
        struct stat st;

        CU_ASSERT_EQUAL(sql_login_create(scene.path, "alice", "socket=/s\n", made, &scene.err), 0);
        CU_ASSERT_EQUAL(stat(scene.path, &st), 0);
        CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
        CU_ASSERT_EQUAL(sql_login_hash(scene.path, read, &scene.err), 0);
        CU_ASSERT_STRING_EQUAL(made, read);
        CU_ASSERT_EQUAL(sql_login_create(scene.path, "alice", "socket=/s\n", again, &scene.err), -1);
        CU_ASSERT_EQUAL(scene.err.code, ERR_CONFIG);
        scene_done(&scene);
}

static void only_where_the_server_is_leaves_an_option_file(void)
{
        struct scene scene = scene_new();
        char *where = NULL;

        scene_write(&scene, "# mine\n[client]\nhost=elsewhere\n\n[jobmill]\n  socket = /run/s "
                            "\nuser=jobmill\npassword=x\n"
                            "ssl_ca=/ca.pem\nport=3307\n[mysqld]\nsocket=/other\n");
        CU_ASSERT_EQUAL(sql_server_read(scene.path, "jobmill", &where, &scene.err), 0);
        CU_ASSERT_STRING_EQUAL(where, "socket = /run/s\nssl_ca=/ca.pem\nport=3307\n");
        free(where);
        chmod(scene.path, 0644);
        CU_ASSERT_EQUAL(sql_server_read(scene.path, "jobmill", &where, &scene.err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(scene.err.text, "chmod 600"));
        scene_done(&scene);
}

static void file_without_a_password_is_refused(void)
{
        struct scene scene = scene_new();
        char hash[SQL_HASH_BYTES + 1];

        scene_write(&scene, "[client]\nuser=alice\n");
        CU_ASSERT_EQUAL(sql_login_hash(scene.path, hash, &scene.err), -1);
        CU_ASSERT_EQUAL(scene.err.code, ERR_CONFIG);
        scene_done(&scene);
}

/* SHA-256("abc") begins ba7816bf 8f01cfea 414140de 5dae2223. */
static void submission_is_named_by_the_digests_of_key_and_description(void)
{
        static const uint8_t abc[16] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                         0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23 };
        struct rec_job_spec one = { .type = TASK_TYPE_NOOP, .has_type = true }, two = one;
        struct rec_new_job jobs[] = { { .key = "abc", .n_key = 3, .spec = &one },
                                      { .key = "abd", .n_key = 3, .spec = &two } };
        struct msg submit = { .kind = MSG_submit }, put = { .kind = MSG_put }, other = { .kind = MSG_status };
        struct digests digests = { 0 };

        submit.u.submit.jobs = jobs;
        submit.u.submit.n_jobs = 2;
        digests_of(&digests, &submit);
        CU_ASSERT_EQUAL(digests.n, 2);
        CU_ASSERT_EQUAL(memcmp(digests.key_hash[0], abc, 16), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(digests.key_hash[1], abc, 16), 0);
        CU_ASSERT_EQUAL(memcmp(digests.digest[0], digests.digest[1], 32), 0);
        two.has_cpus = true;
        two.cpus = 2;
        digests_of(&digests, &submit);
        CU_ASSERT_NOT_EQUAL(memcmp(digests.digest[0], digests.digest[1], 32), 0);
        put.u.put.key = "abc";
        put.u.put.n_key = 3;
        digests_of(&digests, &put);
        CU_ASSERT_EQUAL(digests.n, 1);
        CU_ASSERT_EQUAL(memcmp(digests.key_hash[0], abc, 16), 0);
        digests_of(&digests, &other);
        CU_ASSERT_EQUAL(digests.n, 0);
        digests_done(&digests);
}

UNIT_MAIN("sql_login", TEST(hash_is_the_one_that_the_server_makes),
          TEST(login_that_was_made_has_the_hash_that_was_given),
          TEST(only_where_the_server_is_leaves_an_option_file), TEST(file_without_a_password_is_refused),
          TEST(submission_is_named_by_the_digests_of_key_and_description))
