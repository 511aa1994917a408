/* What the tests of the worker's core share. */
#ifndef TESTS_WORKER_CORE_SCENE_H
#define TESTS_WORKER_CORE_SCENE_H

#include <stdio.h>

#include "tests/unit/unit.h"
#include "tests/unit/worker_scene.h"

#define MS INT64_C(1000)
#define COMMAND "{\"type\":\"command\",\"args\":[\"x\"]}"

static const struct wcore_config two_slots = {
        .slots = 2, .version = "1", .host = "h", .pid = 1, .ends_at_once = UINT32_C(1) << TASK_TYPE_NOOP
};
static const struct wend ok = { .how = WEND_EXITED };

/* The n-th effect of a kind after the last call; NULL: there are not so many. */
static inline const struct weffect *nth(const struct worker_scene *s, enum weffect_kind kind, size_t n)
{
        for (size_t i = 0; i < s->effects.n; i++)
                if (s->effects.list[i].kind == kind && !n--)
                        return &s->effects.list[i];
        return NULL;
}
static inline size_t count(const struct worker_scene *s, enum weffect_kind kind)
{
        size_t n = 0;

        while (nth(s, kind, n))
                n++;
        return n;
}
static inline struct wtask *started(const struct worker_scene *s, size_t n)
{
        const struct weffect *effect = nth(s, WEFFECT_START, n);

        return effect ? effect->u.task.task : NULL;
}
static inline void pass(struct worker_scene *s, int64_t us)
{
        s->now_us += us;
        wcore_on_tick(s->core, s->now_us, scene_effects(s));
}
static inline void end_task(struct worker_scene *s, struct wtask *task, const struct wend *end)
{
        wcore_on_ended(s->core, s->now_us, task, end, scene_effects(s));
}
/* The next message of this kind; others are read and passed over. NULL: it says no such thing now. */
static inline struct msg *said(struct worker_scene *s, enum msg_kind kind)
{
        struct msg *msg;

        while ((msg = scene_pull(s)))
                if (msg->kind == kind)
                        return msg;
        return NULL;
}

#endif
