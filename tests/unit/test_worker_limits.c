/* A run limit that a person changes counts for what runs. */
#include <stdio.h>

#include "tests/unit/unit.h"
#include "tests/unit/worker_scene.h"

#define MS US_PER_MS

static const struct wcore_config one_slot = {
        .slots = 1, .version = "1", .host = "h", .enforces = "", .pid = 1
};

static size_t count(const struct worker_scene *s, enum weffect_kind kind)
{
        size_t n = 0;

        for (size_t i = 0; i < s->effects.n; i++)
                n += s->effects.list[i].kind == kind;
        return n;
}

static void pass(struct worker_scene *s, int64_t us)
{
        s->now_us += us;
        wcore_on_tick(s->core, s->now_us, scene_effects(s));
}

static void set_limit(struct worker_scene *s, unsigned job, unsigned ms)
{
        char json[160];

        snprintf(json, sizeof(json),
                 "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"set\",\"jobs\":[{\"job\":%u,\"time_ms\":%u}]}",
                 job, ms);
        scene_hear(s, json, NULL, 0);
}

static void a_longer_limit_lets_a_running_task_go_on(void)
{
        struct worker_scene s = scene_begin(&one_slot);

        scene_grant(&s, 1, "{\"type\":\"command\",\"args\":[\"x\"],\"time_ms\":200}", 1, 1, "");
        pass(&s, 100 * MS);
        set_limit(&s, 1, 1000);
        pass(&s, 899 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        pass(&s, 1 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 1);
        scene_end(&s);
}

static void a_limit_that_has_passed_ends_it_at_once_and_holds_for_the_next(void)
{
        struct worker_scene s = scene_begin(&one_slot);
        struct wtask *task;

        scene_grant(&s, 1, "{\"type\":\"command\",\"args\":[\"x\"]}", 1, 2, "");
        pass(&s, 150 * MS);
        set_limit(&s, 7, 50); /* of a job that is not here */
        pass(&s, 0);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        set_limit(&s, 1, 100);
        pass(&s, 0);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_STOP), 1);
        task = s.effects.list[0].u.task.task;
        wcore_on_ended(s.core, s.now_us, task, &(struct wend){ .how = WEND_SIGNALED, .signal = 15 },
                       scene_effects(&s));
        CU_ASSERT_EQUAL(count(&s, WEFFECT_START), 1);
        pass(&s, 99 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        pass(&s, 1 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 1);
        scene_end(&s);
}

UNIT_MAIN("worker limits", TEST(a_longer_limit_lets_a_running_task_go_on),
          TEST(a_limit_that_has_passed_ends_it_at_once_and_holds_for_the_next))
