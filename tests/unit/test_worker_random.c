/* The worker's core: any calls in any order, and a coordinator that means ill. */
#include "tests/unit/worker_core_scene.h"

/* Every kind of call in any order, from a seed: nothing is lost, nothing is said twice, slots add up. */
static void random_life_loses_no_task(void)
{
        for (unsigned seed = 1; seed <= 60; seed++) {
                struct worker_scene s = scene_begin(&two_slots);
                struct wtask *running[8] = { 0 };
                uint64_t granted = 0, ended = 0;
                unsigned random = seed;

                for (int step = 0; step < 400 || ended < granted; step++) {
                        struct wcore_numbers n;
                        struct msg *msg;
                        bool calm = step >= 400;

                        random = random * 1103515245u + 12345u;
                        switch (calm ? 3 + step % 3 : (int)(random >> 16) % 8) {
                        case 0:
                        case 1:
                                if (wcore_numbers(s.core).live) {
                                        uint64_t n_tasks = 1 + (random >> 20) % 5;

                                        scene_grant(&s, 1, COMMAND, granted, granted + n_tasks - 1, "");
                                        granted += n_tasks;
                                }
                                break;
                        case 2:
                                wcore_on_link(s.core, s.now_us, random >> 30 & 1, scene_effects(&s));
                                break;
                        case 3:
                                pass(&s, 1 + (random >> 18) % (60 * MS));
                                break;
                        case 4:
                                if (calm && !wcore_numbers(s.core).live)
                                        wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
                                scene_effects(&s);
                                for (size_t i = 0; i < 8; i++)
                                        if (running[i]) {
                                                struct wtask *task = running[i];

                                                running[i] = NULL;
                                                end_task(&s, task, &ok);
                                                break;
                                        }
                                break;
                        default:
                                scene_effects(&s);
                                if (!(msg = scene_pull(&s)))
                                        break;
                                if (msg->kind == MSG_ready) {
                                        scene_resume(&s);
                                } else if (msg->kind == MSG_finished && (calm || (random >> 29 & 1))) {
                                        for (size_t i = 0; i < msg->u.finished.n_ends; i++)
                                                for (size_t k = 0; k < msg->u.finished.ends[i].n_ranges; k++)
                                                        ended += msg->u.finished.ends[i].ranges[k].hi -
                                                                 msg->u.finished.ends[i].ranges[k].lo + 1;
                                        scene_answer(&s, "TaskResponse", "recorded", msg->id);
                                }
                        }
                        for (size_t k = 0; started(&s, k); k++)
                                for (size_t i = 0; i < 8; i++)
                                        if (!running[i]) {
                                                running[i] = started(&s, k);
                                                break;
                                        }
                        scene_effects(&s);
                        n = wcore_numbers(s.core);
                        CU_ASSERT_EQUAL_FATAL(n.running + n.free_slots, 2);
                        /* Unrecorded at the end of the wild part: only a new connection brings them again. */
                        if (step == 400) {
                                wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
                        }
                        CU_ASSERT_FATAL(step < 20000);
                }
                CU_ASSERT_EQUAL(ended, granted);
                CU_ASSERT_EQUAL(wcore_numbers(s.core).leases, 0);
                CU_ASSERT_EQUAL(wcore_numbers(s.core).unrecorded_batches, 0);
                scene_end(&s);
        }
}

/* ------------------------------------------------------------------ hostile */
struct hostile {
        struct worker_scene s;
        struct wtask *running[8];
        unsigned random;
};
static unsigned draw(struct hostile *h, unsigned below)
{
        h->random = h->random * 1103515245u + 12345u;
        return (h->random >> 12) % below;
}

/* What an app does with effects; tasks end later, in any order. */
static void carry_out(struct hostile *h)
{
        for (size_t i = 0; i < h->s.effects.n; i++) {
                struct weffect effect = h->s.effects.list[i];

                if (effect.kind == WEFFECT_START) {
                        size_t at = 0;

                        while (h->running[at])
                                at++;
                        h->running[at] = effect.u.task.task;
                } else if (effect.kind == WEFFECT_GROUP) {
                        wcore_on_group_ended(h->s.core, h->s.now_us, effect.u.group.lease,
                                             effect.u.group.range, &ok, NULL, &h->s.effects);
                } else if (effect.kind == WEFFECT_STOP || effect.kind == WEFFECT_SIGNAL) {
                        CU_ASSERT_FATAL(effect.u.task.task->lease->attempt > 0); /* it lives */
                }
        }
        weffects_clear(&h->s.effects);
}

static void add_lease_tasks(struct hostile *h, struct buf *json)
{
        unsigned lo = draw(h, 12);

        buf_addf(json,
                 "[{\"job\":%u,\"nonce\":%u,\"ranges\":[[%u,%u]]},{\"job\":1,\"nonce\":%u,\"ranges\":[[0,%u]]"
                 "}]",
                 1 + draw(h, 3), 1 + draw(h, 9), lo, lo + draw(h, 5), 1 + draw(h, 9), draw(h, 9));
}

static void hostile_message(struct hostile *h)
{
        static const char *const answers[][2] = { { "TaskResponse", "recorded" },
                                                  { "TaskResponse", "stale" },
                                                  { "DataResponse", "stored" },
                                                  { "TaskResponse", "heartbeat" } };
        static const char *const orders[] = { "drain", "resume", "resume", "resume" };
        static const char *const codes[] = { "RETRY_LATER", "BAD_FIELD", "STALE", "FORBIDDEN" };
        static const char *const types[] = { "noop", "command", "sleep" };
        CLEANUP_BUF struct buf json = { 0 };
        unsigned lo = draw(h, 12), job = 1 + draw(h, 3), what = draw(h, 14);

        if (what < 4) {
                scene_answer(&h->s, answers[what][0], answers[what][1],
                             1 + draw(h, (unsigned)h->s.last_id + 2));
                return;
        }
        buf_add_str(&json, "{\"v\":1,\"id\":1,");
        if (what == 4) {
                buf_addf(&json, "\"type\":\"TaskRequest\",\"op\":\"stop\",\"reason\":\"%s\",\"tasks\":",
                         draw(h, 2) ? "cancelled" : "worker-lost");
                add_lease_tasks(h, &json);
        } else if (what == 5) {
                buf_add_str(&json, "\"type\":\"TaskRequest\",\"op\":\"signal\",\"signal\":10,\"tasks\":");
                add_lease_tasks(h, &json);
        } else if (what == 6) {
                buf_addf(&json, "\"type\":\"TaskRequest\",\"op\":\"take-back\",\"n\":%u", 1 + draw(h, 9));
        } else if (what == 7) {
                buf_addf(&json, "\"type\":\"TaskRequest\",\"op\":\"order\",\"state\":\"%s\"",
                         orders[draw(h, 4)]);
        } else if (what == 8) {
                buf_addf(&json,
                         "\"type\":\"TaskResponse\",\"op\":\"refused\",\"re\":%u,\"code\":\"%s\",\"text\":"
                         "\"x\"",
                         1 + draw(h, (unsigned)h->s.last_id + 2), codes[draw(h, 4)]);
        } else if (what == 9) {
                scene_resume(&h->s);
                return;
        } else {
                buf_add_str(&json, "\"type\":\"TaskRequest\",\"op\":\"run\",\"epoch\":1,");
                if (draw(h, 3))
                        buf_addf(&json,
                                 "\"specs\":[{\"job\":%u,\"spec\":{\"type\":\"%s\",\"args\":[\"1\"],\"cpus\":"
                                 "%u},\"tasks\":20,"
                                 "\"index_min\":0,\"index_max\":20,\"owner\":\"a\",\"install\":\"t\"}],",
                                 job, types[draw(h, 8) ? job - 1 : draw(h, 3)], 1 + draw(h, 3));
                buf_addf(&json,
                         "\"grants\":[{\"job\":%u,\"ranges\":[[%u,%u],[30,31]],\"attempt\":1,\"nonce\":%u}]",
                         job, lo, lo + draw(h, 5), 1 + draw(h, 9));
        }
        buf_add_char(&json, '}');
        scene_hear(&h->s, json.bytes, NULL, 0);
}

static void a_hostile_coordinator_cannot_break_it(void)
{
        for (unsigned seed = 1; seed <= 150; seed++) {
                struct hostile h = { .s = scene_begin(&two_slots), .random = seed };
                struct wchunk chunk = { STREAM_STDOUT, 0, false, "x", 1 };

                for (int step = 0; step < 600; step++) {
                        unsigned at = draw(&h, 2);
                        struct wcore_numbers n;

                        switch (draw(&h, 8)) {
                        case 0:
                                if (h.running[at]) {
                                        struct wtask *task = h.running[at];

                                        h.running[at] = NULL;
                                        end_task(&h.s, task, &ok);
                                }
                                break;
                        case 1:
                                pass(&h.s, draw(&h, 400) * MS);
                                break;
                        case 2:
                                wcore_on_link(h.s.core, h.s.now_us, draw(&h, 8) > 0, scene_effects(&h.s));
                                break;
                        case 3:
                                if (h.running[at] && wcore_may_store(h.s.core))
                                        wcore_store(h.s.core, h.running[at], &chunk, 0);
                                if (h.running[at])
                                        CU_ASSERT(wcore_fetch(h.s.core, h.running[at]->lease->job, 1, 0) <=
                                                  0);
                                break;
                        case 4:
                                while (scene_pull(&h.s))
                                        continue;
                                break;
                        default:
                                hostile_message(&h);
                        }
                        carry_out(&h);
                        n = wcore_numbers(h.s.core);
                        CU_ASSERT_FATAL(n.free_slots <= 2 && n.running <= 2);
                        CU_ASSERT_FATAL(n.window <= WCORE_WINDOW_MAX);
                }
                scene_end(&h.s);
        }
}

UNIT_MAIN("worker random", TEST(random_life_loses_no_task), TEST(a_hostile_coordinator_cannot_break_it))
