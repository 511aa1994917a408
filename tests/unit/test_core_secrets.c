/* Secrets in the coordinator's core: their values pass through it once, into the store, and are said to nobody but the
 * worker that holds a lease of a task that asks for them, which the readers answer. */
#include "core_scene.h"

#define VALUE "hunter2-hunter2"

static void keep(struct scene *s, uint32_t who, const char *name, const void *value, size_t n)
{
        struct msg msg = { .kind = MSG_secret_set, .body = value, .body_bytes = n };

        msg.u.secret_set = (struct msg_secret_set){ .name = name, .n_name = strlen(name) };
        scene_ask(s, who, &msg);
}

static uint64_t submit_with(struct scene *s, const char *name)
{
        struct rec_job_spec spec = scene_spec();

        spec.secrets = &name;
        spec.n_secrets = 1;
        return scene_submit(s, ALICE, &spec);
}

static bool says_value(const struct msg *msg)
{
        CLEANUP_BUF struct buf header = { 0 };

        msg_encode(msg, &header);
        return strstr(header.bytes, VALUE) != NULL;
}

static void a_secret_is_stored_to_be_wiped_and_only_its_name_is_told(void)
{
        struct scene *s = scene_new();

        keep(s, ALICE, "TOKEN", VALUE, strlen(VALUE));
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_changed);
        CU_ASSERT_FALSE(says_value(s->last[ALICE]));
        CU_ASSERT_EQUAL_FATAL(s->n_secrets, 1);
        CU_ASSERT_STRING_EQUAL(s->secrets[0].name, "TOKEN");
        CU_ASSERT_EQUAL(s->secrets[0].owner.n, ALICE);
        CU_ASSERT_STRING_EQUAL(s->last_event, "secret-set");
        CU_ASSERT_STRING_EQUAL(s->last_detail, "TOKEN");
        scene_free(s);
}

static void a_name_that_no_variable_can_have_and_a_value_that_none_can_hold_are_refused(void)
{
        struct scene *s = scene_new();
        char *large = xcalloc(1, 1 << 20);

        memset(large, 'x', 1 << 20);
        keep(s, ALICE, "two words", VALUE, strlen(VALUE));
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        keep(s, ALICE, "JOB_ID", VALUE, strlen(VALUE));
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        keep(s, ALICE, "TOKEN", "a\0b", 3);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        keep(s, ALICE, "TOKEN", large, 1 << 20);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_TOO_LARGE);
        CU_ASSERT_EQUAL(s->n_secrets, 0);
        xfree(large);
        scene_free(s);
}

static void a_job_may_name_only_secrets_that_its_owner_has(void)
{
        struct scene *s = scene_new();
        uint64_t job;

        CU_ASSERT_EQUAL(submit_with(s, "TOKEN"), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_NOT_FOUND);
        CU_ASSERT_EQUAL(s->n_jobs, 0);
        keep(s, ALICE, "TOKEN", VALUE, strlen(VALUE));
        job = submit_with(s, "TOKEN");
        CU_ASSERT_NOT_EQUAL_FATAL(job, 0);
        CU_ASSERT_EQUAL_FATAL(scene_job(s, job)->spec->spec.n_secrets, 1);
        CU_ASSERT_STRING_EQUAL(scene_job(s, job)->spec->spec.secrets[0], "TOKEN");
        scene_free(s);
}

static void fetch(struct scene *s, unsigned worker, const struct scene_grant *grant, uint64_t nonce,
                  uint64_t input)
{
        struct msg msg = { .kind = MSG_fetch };

        s->read_secret[0] = 0;
        msg.u.fetch = (struct msg_fetch){
                .job = grant->job, .nonce = nonce, .index = grant->lo, .input = input, .seq = 0
        };
        scene_say_worker(s, worker, &msg);
        scene_commit(s);
}

static void a_value_goes_to_who_holds_the_lease_and_as_long_as_he_holds_it(void)
{
        struct scene *s = scene_new();
        struct scene_grant grant;
        unsigned reads;

        keep(s, ALICE, "TOKEN", VALUE, strlen(VALUE));
        CU_ASSERT_NOT_EQUAL_FATAL(submit_with(s, "TOKEN"), 0);
        scene_ready(s, 0, 1, 1);
        scene_ready(s, 1, 1, 1);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        grant = s->grants[0];
        reads = s->n_reads;
        fetch(s, grant.worker, &grant, grant.nonce, 1);
        CU_ASSERT_EQUAL(s->n_reads, reads + 1);
        CU_ASSERT_STRING_EQUAL(s->read_secret, "TOKEN");
        fetch(s, grant.worker, &grant, grant.nonce, 2); /* there is no second one */
        fetch(s, grant.worker, &grant, grant.nonce + 1, 1);
        fetch(s, 1 - grant.worker, &grant, grant.nonce, 1);
        CU_ASSERT_EQUAL(s->n_reads, reads + 1);
        scene_end(s, &grant, END_STATUS_SUCCEEDED, 0);
        fetch(s, grant.worker, &grant, grant.nonce, 1);
        CU_ASSERT_EQUAL(s->n_reads, reads + 1);
        CU_ASSERT_STRING_EQUAL(s->read_secret, "");
        scene_free(s);
}

static void what_is_removed_is_gone_and_a_stranger_removes_nothing(void)
{
        struct scene *s = scene_new();
        struct msg rm = { .kind = MSG_secret_rm };

        rm.u.secret_rm = (struct msg_secret_rm){ .name = "TOKEN", .n_name = 5 };
        scene_ask(s, ALICE, &rm);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_NOT_FOUND);
        keep(s, ALICE, "TOKEN", VALUE, strlen(VALUE));
        scene_ask(s, ALICE, &rm);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_changed);
        CU_ASSERT_EQUAL(s->n_secrets, 0);
        CU_ASSERT_STRING_EQUAL(s->last_event, "secret-rm");
        CU_ASSERT_EQUAL(submit_with(s, "TOKEN"), 0);
        keep(s, OSCAR, "TOKEN", VALUE, strlen(VALUE)); /* may act on jobs, but submit none */
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_FORBIDDEN);
        scene_free(s);
}

UNIT_MAIN("core secrets", TEST(a_secret_is_stored_to_be_wiped_and_only_its_name_is_told),
          TEST(a_name_that_no_variable_can_have_and_a_value_that_none_can_hold_are_refused),
          TEST(a_job_may_name_only_secrets_that_its_owner_has),
          TEST(a_value_goes_to_who_holds_the_lease_and_as_long_as_he_holds_it),
          TEST(what_is_removed_is_gone_and_a_stranger_removes_nothing))
