/* A worker without a socket: its core, and a coordinator of one screen that grants and records. Messages go through
 * the codec both ways, so that what the worker says is what a real coordinator could read. */
#ifndef TESTS_WORKER_SCENE_H
#define TESTS_WORKER_SCENE_H

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/wcore.h"

struct worker_scene {
        struct wcore *core;
        struct weffects effects;
        int64_t now_us;
        uint64_t last_id; /* of what the worker sent */
        uint64_t nonce; /* of the last lease granted */
        struct buf header; /* of the last message that it sent */
        struct msg *said; /* the same, decoded; owned */
};

static struct weffects *scene_effects(struct worker_scene *s)
{
        weffects_clear(&s->effects);
        return &s->effects;
}

/* The next message that the worker wants to send, as the coordinator would read it; NULL: none. Borrowed. */
static struct msg *scene_pull(struct worker_scene *s)
{
        struct msg msg;
        struct err err = { 0 };
        uint64_t id;

        if (!wcore_pull(s->core, s->now_us, &msg))
                return NULL;
        if (!msg.id)
                msg.id = ++s->last_id;
        buf_clear(&s->header);
        msg_encode(&msg, &s->header);
        msg_free(s->said);
        s->said = msg_decode(MSG_W2S, s->header.bytes, s->header.n, msg.body, msg.body_bytes, &id, &err);
        BUG_ON(!s->said);
        wcore_sent(s->core, s->now_us, &msg);
        return s->said;
}

/* A message of the coordinator, as JSON without v; the body is optional. */
static void scene_hear(struct worker_scene *s, const char *json, const void *body, size_t body_bytes)
{
        struct err err = { 0 };
        uint64_t id;
        struct msg *msg = msg_decode(MSG_S2W, json, strlen(json), body, body_bytes, &id, &err);

        if (!msg)
                bug_at(json, 0, err.text);
        wcore_on_message(s->core, s->now_us, &msg, scene_effects(s));
        msg_free(msg);
}

static UNUSED void scene_answer(struct worker_scene *s, const char *type, const char *op, uint64_t re)
{
        CLEANUP_BUF struct buf json = { 0 };

        buf_addf(&json, "{\"v\":1,\"type\":\"%s\",\"op\":\"%s\",\"id\":1,\"re\":%llu}", type, op,
                 (unsigned long long)re);
        scene_hear(s, json.bytes, NULL, 0);
}

static void scene_resume(struct worker_scene *s)
{
        scene_hear(
                s,
                "{\"v\":1,\"type\":\"TaskResponse\",\"op\":\"resume\",\"id\":1,\"epoch\":1,\"worker\":\"w1\","
                "\"lease_ms\":30000,\"reconnect_ms\":900000,\"heartbeat_ms\":5000,\"install\":\"test\"}",
                NULL, 0);
}

/* Connected and known. */
static UNUSED struct worker_scene scene_begin(const struct wcore_config *config)
{
        struct worker_scene s = { .now_us = 1000000000 };
        struct msg *ready;

        s.core = wcore_new(config, s.now_us);
        wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
        ready = scene_pull(&s);
        BUG_ON(!ready || ready->kind != MSG_ready);
        scene_resume(&s);
        return s;
}

static UNUSED void scene_end(struct worker_scene *s)
{
        weffects_done(&s->effects);
        wcore_free(s->core);
        msg_free(s->said);
        buf_done(&s->header);
}

/* Grant indexes lo … hi of a job under a new lease. spec: the job_spec as JSON, NULL: not sent. more: further fields
 * of the grant, "" or ",…". */
static UNUSED void scene_grant(struct worker_scene *s, uint64_t job, const char *spec, uint64_t lo,
                               uint64_t hi, const char *more)
{
        CLEANUP_BUF struct buf json = { 0 };

        s->nonce++;
        buf_addf(&json, "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"run\",\"id\":1,\"epoch\":1,");
        if (spec)
                buf_addf(&json,
                         "\"specs\":[{\"job\":%llu,\"spec\":%s,\"tasks\":100000,\"index_min\":0,"
                         "\"index_max\":99999,\"owner\":\"alice\",\"install\":\"test\"}],",
                         (unsigned long long)job, spec);
        buf_addf(&json,
                 "\"grants\":[{\"job\":%llu,\"ranges\":[[%llu,%llu]],\"attempt\":1,\"nonce\":%llu%s}]}",
                 (unsigned long long)job, (unsigned long long)lo, (unsigned long long)hi,
                 (unsigned long long)s->nonce, more);
        scene_hear(s, json.bytes, NULL, 0);
}

#endif
