/* Who may do what, and how that changes. */
#include "core/access.h"
#include "core_scene.h"

enum { ROOT = 4 };

static unsigned next_random(unsigned *state)
{
        *state = *state * 1103515245u + 12345u;
        return *state >> 16;
}

/* Default deny, allow-only: the decision again, as plainly as it can be said. */
static bool reference(bool member[3][4], const struct store_grant *grants, size_t n, uint32_t who,
                      enum permission permission, uint32_t owner)
{
        for (size_t g = 0; g < n; g++) {
                const struct store_grant *grant = &grants[g];

                if (grant->permission != permission || !member[grant->role][who])
                        continue;
                if (grant->scope == SCOPE_ANY || who == owner ||
                    (grant->scope == SCOPE_ROLE && owner > 0 && member[grant->role][owner]))
                        return true;
        }
        return false;
}

static void decisions_are_those_of_the_plain_reference(void)
{
        unsigned state = 11;

        for (int round = 0; round < 300; round++) {
                struct access access = { 0 };
                bool member[3][4] = { 0 };
                struct store_grant grants[6];

                for (uint32_t p = 1; p < 4; p++) {
                        struct store_principal person = { .principal.n = p, .active = true };

                        snprintf(person.name, sizeof(person.name), "p%u", p);
                        access_person(&access, &person);
                }
                for (uint32_t r = 1; r < 3; r++) {
                        struct store_role role = { .role = r };

                        snprintf(role.name, sizeof(role.name), "r%u", r);
                        access_role(&access, &role);
                        for (uint32_t p = 1; p < 4; p++) {
                                struct store_member row = { .role = r,
                                                            .principal.n = p,
                                                            .removed = next_random(&state) % 2 };

                                member[r][p] = !row.removed;
                                access_member(&access, &row);
                        }
                }
                for (size_t g = 0; g < ARRAY_LEN(grants); g++) {
                        grants[g] = (struct store_grant){
                                .role = 1 + next_random(&state) % 2,
                                .permission =
                                        (enum permission)(PERMISSION_JOB_SUBMIT + next_random(&state) % 3),
                                .scope = (enum scope)(SCOPE_OWN + (int)(next_random(&state) % 3)),
                                .type = "*"
                        };
                        access_grant(&access, &grants[g]);
                }
                for (uint32_t who = 1; who < 4; who++) {
                        for (uint32_t owner = 0; owner < 4; owner++) {
                                for (int p = PERMISSION_JOB_SUBMIT; p < PERMISSION_JOB_SUBMIT + 4; p++)
                                        CU_ASSERT_EQUAL(access_allows(&access, (struct principal_id){ who },
                                                                      (enum permission)p,
                                                                      (struct principal_id){ owner }, NULL),
                                                        reference(member, grants, ARRAY_LEN(grants), who,
                                                                  (enum permission)p, owner));
                        }
                }
                access_done(&access);
        }
}

static void a_right_for_one_task_type_is_for_that_one(void)
{
        struct access access = { 0 };
        struct store_principal person = { .principal.n = 1, .name = "p", .active = true };
        struct store_role role = { .role = 1, .name = "r" };
        struct store_member member = { .role = 1, .principal.n = 1 };
        struct store_grant grant = {
                .role = 1, .permission = PERMISSION_JOB_SUBMIT, .scope = SCOPE_OWN, .type = "noop"
        };
        struct principal_id me = { 1 };

        access_person(&access, &person);
        access_role(&access, &role);
        access_member(&access, &member);
        access_grant(&access, &grant);
        CU_ASSERT_TRUE(access_allows(&access, me, PERMISSION_JOB_SUBMIT, me, "noop"));
        CU_ASSERT_FALSE(access_allows(&access, me, PERMISSION_JOB_SUBMIT, me, "command"));
        CU_ASSERT_FALSE(access_allows(&access, me, PERMISSION_JOB_SUBMIT, me, NULL));
        CU_ASSERT_FALSE(access_holds(&access, me, PERMISSION_JOB_SUBMIT, SCOPE_OWN, "*"));
        access_done(&access);
}

static void revoked_expired_and_unknown_keys_say_nothing(void)
{
        struct access access = { 0 };
        struct store_principal person = { .principal.n = 1, .name = "p", .active = true };
        struct store_key key = { .key = 1, .principal.n = 1, .public_key = "K", .expires_us = 100 };

        access_person(&access, &person);
        access_key(&access, &key);
        CU_ASSERT_PTR_NOT_NULL(access_speaker(&access, "K", 99));
        CU_ASSERT_PTR_NULL(access_speaker(&access, "K", 100));
        CU_ASSERT_PTR_NULL(access_speaker(&access, "k", 1));
        key.revoked = true;
        access_key(&access, &key);
        CU_ASSERT_PTR_NULL(access_speaker(&access, "K", 1));
        key.revoked = false;
        access_key(&access, &key);
        person.active = false;
        access_person(&access, &person);
        CU_ASSERT_PTR_NULL(access_speaker(&access, "K", 1));
        access_done(&access);
}

static void a_worker_key_cannot_submit_and_a_persons_cannot_work(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct rec_new_job job = { .key = "k", .n_key = 1, .spec = &spec };
        struct msg submit = { .kind = MSG_submit };
        struct msg beat = { .kind = MSG_heartbeat };

        submit.u.submit.jobs = &job;
        submit.u.submit.n_jobs = 1;
        scene_say(s, 100, 10, &submit);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_worker_refused);
        CU_ASSERT_EQUAL(s->last[100]->u.worker_refused.code, ERR_FORBIDDEN);
        scene_ask(s, ALICE, &beat);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_FORBIDDEN);
        scene_free(s);
}

static void revoke(struct scene *s, uint32_t who, uint64_t key)
{
        struct msg msg = { .kind = MSG_key_revoke };

        msg.u.key_revoke.key = key;
        scene_ask(s, who, &msg);
}

static void revoking_a_workers_key_ends_its_leases_at_once(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);

        scene_ready(s, 0, 1, 1);
        scene_started(s, &s->grants[0]);
        revoke(s, ALICE, 10);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_FORBIDDEN);
        revoke(s, ROOT, 10);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ROOT), MSG_changed);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_worker_refused);
        CU_ASSERT_EQUAL(s->last[100]->u.worker_refused.code, ERR_UNAUTHENTICATED);
        CU_ASSERT_EQUAL(core_direction_of(s->core, scene_key(10), s->wall_us), -1);
        scene_free(s);
}

static void user_add(struct scene *s, uint32_t who, const char *name, const char *role, uint32_t key)
{
        struct msg msg = { .kind = MSG_user_add };
        const char *roles[] = { role };

        msg.u.user_add.name = name;
        msg.u.user_add.n_name = strlen(name);
        msg.u.user_add.roles = roles;
        msg.u.user_add.n_roles = 1;
        msg.u.user_add.public_key = scene_key(key);
        msg.u.user_add.n_public_key = 40;
        scene_ask(s, who, &msg);
}

static void a_new_person_may_what_his_role_says(void)
{
        struct scene *s = scene_new();

        user_add(s, ALICE, "carol", "submitter", 40);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_FORBIDDEN);
        user_add(s, ROOT, "carol", "nonsense", 40);
        CU_ASSERT_EQUAL(scene_refusal(s, ROOT), ERR_NOT_FOUND);
        user_add(s, ROOT, "carol", "submitter", 40);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ROOT), MSG_changed);
        CU_ASSERT_EQUAL(s->n_visible, 1);
        CU_ASSERT_STRING_EQUAL(s->last_event, "user-add");
        CU_ASSERT_NOT_EQUAL(scene_array(s, 40, 1), 0);
        user_add(s, ROOT, "carol", "submitter", 40); /* sent again */
        CU_ASSERT_EQUAL(scene_answer_kind(s, ROOT), MSG_changed);
        user_add(s, ROOT, "carol", "submitter", 41);
        CU_ASSERT_EQUAL(scene_refusal(s, ROOT), ERR_BAD_FIELD);
        scene_free(s);
}

static void a_removed_person_is_not_heard_any_more(void)
{
        struct scene *s = scene_new();
        struct msg msg = { .kind = MSG_user_rm };

        msg.u.user_rm.name = "alice";
        msg.u.user_rm.n_name = 5;
        scene_ask(s, ROOT, &msg);
        CU_ASSERT_EQUAL(scene_array(s, ALICE, 1), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_UNAUTHENTICATED);
        msg.u.user_rm.name = "root";
        msg.u.user_rm.n_name = 4;
        scene_ask(s, ROOT, &msg);
        CU_ASSERT_EQUAL(scene_refusal(s, ROOT), ERR_BAD_FIELD);
        scene_free(s);
}

static void a_name_with_a_database_account_is_refused(void)
{
        struct scene *s = scene_new();
        const char *roles[] = { "submitter" };
        struct msg msg = { .kind = MSG_user_add };

        s->account_exists = true;
        msg.u.user_add = (struct msg_user_add){ .name = "mysql",
                                                .n_name = 5,
                                                .roles = roles,
                                                .n_roles = 1,
                                                .sql_hash = "*0123456789012345678901234567890123456789",
                                                .n_sql_hash = 41 };
        scene_ask(s, ROOT, &msg);
        CU_ASSERT_EQUAL(scene_refusal(s, ROOT), ERR_BAD_FIELD);
        s->account_exists = false;
        scene_ask(s, ROOT, &msg);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ROOT), MSG_changed);
        scene_free(s);
}

static void grant(struct scene *s, uint32_t who, const char *role, enum permission permission,
                  enum scope scope)
{
        struct msg msg = { .kind = MSG_role_grant };

        msg.u.role_grant.role = role;
        msg.u.role_grant.n_role = strlen(role);
        msg.u.role_grant.permission = permission;
        msg.u.role_grant.scope = scope;
        scene_ask(s, who, &msg);
}

static void nobody_grants_what_he_lacks_unless_he_may_grant_anything(void)
{
        struct scene *s = scene_new();

        grant(s, OSCAR, "operator", PERMISSION_DATA_READ, SCOPE_ANY);
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_FORBIDDEN);
        grant(s, ROOT, "operator", PERMISSION_USER_ADMIN, SCOPE_ANY);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ROOT), MSG_changed);
        grant(s, OSCAR, "operator", PERMISSION_DATA_READ, SCOPE_ANY);
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_FORBIDDEN);
        grant(s, OSCAR, "submitter", PERMISSION_QUEUE_ACT, SCOPE_ANY);
        CU_ASSERT_EQUAL(scene_answer_kind(s, OSCAR), MSG_changed);
        grant(s, ROOT, "submitter", PERMISSION_WORKER_RUN, SCOPE_ANY);
        CU_ASSERT_EQUAL(scene_refusal(s, ROOT), ERR_BAD_FIELD);
        scene_free(s);
}

/* ------------------------------------------------------------------ order */

static void priority_comes_first_then_submission(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t low = scene_submit(s, ALICE, &spec);
        uint64_t late, high;

        late = scene_submit(s, ALICE, &spec);
        spec.priority = 10;
        spec.has_priority = true;
        high = scene_submit(s, ALICE, &spec);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 3);
        CU_ASSERT_EQUAL(s->grants[0].job, high);
        CU_ASSERT_EQUAL(s->grants[1].job, low);
        CU_ASSERT_EQUAL(s->grants[2].job, late);
        scene_free(s);
}

static void two_people_share_fairly_however_much_one_submits(void)
{
        struct scene *s = scene_new();
        uint64_t mine = scene_array(s, ALICE, 1000);
        uint64_t his = scene_array(s, BOB, 20);
        uint64_t n[2] = { 0, 0 };

        scene_ready(s, 0, 2, 2);
        for (size_t k = 0; k < 30; k++) {
                for (size_t i = k; i < s->n_grants && i <= k; i++) {
                        n[s->grants[i].job == his] += s->grants[i].hi - s->grants[i].lo + 1;
                        scene_end(s, &s->grants[i], END_STATUS_SUCCEEDED, 0);
                }
        }
        CU_ASSERT_TRUE(n[1] >= 8);
        CU_ASSERT_TRUE(n[0] >= 8);
        CU_ASSERT_EQUAL(scene_job(s, mine)->state.succeeded, n[0]);
        scene_free(s);
}

static void a_paused_queue_grants_nothing_and_a_limit_holds(void)
{
        struct scene *s = scene_new();
        struct msg msg = { .kind = MSG_queue_set };

        msg.u.queue_set = (struct msg_queue_set){
                .queue = "default", .n_queue = 7, .paused = true, .has_paused = true
        };
        scene_ask(s, OSCAR, &msg);
        scene_array(s, ALICE, 10);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        msg.u.queue_set.paused = false;
        msg.u.queue_set.max_running = 3;
        msg.u.queue_set.has_max_running = true;
        scene_ask(s, OSCAR, &msg);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 3);
        scene_free(s);
}

static void a_drained_worker_gets_nothing_until_it_is_resumed(void)
{
        struct scene *s = scene_new();
        struct msg msg = { .kind = MSG_worker_set };

        scene_ready(s, 0, 2, 2);
        msg.u.worker_set =
                (struct msg_worker_set){ .worker = "w0", .n_worker = 2, .state = WORKER_ORDER_DRAIN };
        scene_ask(s, OSCAR, &msg);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_order);
        scene_array(s, ALICE, 1);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        msg.u.worker_set.state = WORKER_ORDER_RESUME;
        scene_ask(s, OSCAR, &msg);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_free(s);
}

static void scarce_tasks_go_to_free_slots_before_anybody_prefetches(void)
{
        struct scene *s = scene_new();

        scene_ready(s, 0, 2, 100);
        scene_ready(s, 1, 2, 100);
        scene_array(s, ALICE, 4);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        CU_ASSERT_NOT_EQUAL(s->grants[0].worker, s->grants[1].worker);
        scene_free(s);
}

UNIT_MAIN("core_access", TEST(decisions_are_those_of_the_plain_reference),
          TEST(a_right_for_one_task_type_is_for_that_one), TEST(revoked_expired_and_unknown_keys_say_nothing),
          TEST(a_worker_key_cannot_submit_and_a_persons_cannot_work),
          TEST(revoking_a_workers_key_ends_its_leases_at_once), TEST(a_new_person_may_what_his_role_says),
          TEST(a_removed_person_is_not_heard_any_more), TEST(a_name_with_a_database_account_is_refused),
          TEST(nobody_grants_what_he_lacks_unless_he_may_grant_anything),
          TEST(priority_comes_first_then_submission), TEST(two_people_share_fairly_however_much_one_submits),
          TEST(a_paused_queue_grants_nothing_and_a_limit_holds),
          TEST(a_drained_worker_gets_nothing_until_it_is_resumed),
          TEST(scarce_tasks_go_to_free_slots_before_anybody_prefetches))
