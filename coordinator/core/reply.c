/* Answers that several modules give, and rows of Events. */
#include "core/reply.h"

#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"

#define EVENT_RANGES_MAX 20 /* ranges that an event names */
#define REFUSALS_EVERY_US US_PER_S /* a flood of refused messages must not become a flood of rows */

static void refuse(struct core *core, const struct asker *asker, enum err_code code, const char *text,
                   uint64_t after_ms)
{
        struct msg msg = { .kind = MSG_refused, .re = asker->re };

        msg.u.refused.code = code;
        msg.u.refused.has_code = true;
        msg.u.refused.text = text;
        msg.u.refused.n_text = MIN(strlen(text), (size_t)640);
        msg.u.refused.retry_after_ms = after_ms;
        msg.u.refused.has_retry_after_ms = after_ms > 0;
        effects_send(core->out, asker->session, &msg, false);
}

void reply_refused(struct core *core, const struct asker *asker, enum err_code code, const char *text)
{
        refuse(core, asker, code, text, 0);
}

void reply_retry_later(struct core *core, const struct asker *asker, const char *text, uint64_t after_ms)
{
        refuse(core, asker, ERR_RETRY_LATER, text, after_ms);
}

void reply_not_found(struct core *core, const struct asker *asker)
{
        refuse(core, asker, ERR_NOT_FOUND, "no such job", 0);
}

void reply_worker_refused(struct core *core, const struct asker *asker, enum err_code code, const char *text)
{
        struct msg msg = { .kind = MSG_worker_refused, .re = asker->re };

        msg.u.worker_refused.code = code;
        msg.u.worker_refused.has_code = true;
        msg.u.worker_refused.text = text;
        msg.u.worker_refused.n_text = MIN(strlen(text), (size_t)640);
        effects_send(core->out, asker->session, &msg, false);
}

void reply_changed(struct core *core, const struct asker *asker, uint64_t count, const char *detail)
{
        struct msg msg = { .kind = MSG_changed, .re = asker->re };

        msg.u.changed.count = count;
        msg.u.changed.has_count = true;
        msg.u.changed.detail = detail;
        msg.u.changed.n_detail = detail ? strlen(detail) : 0;
        effects_send(core->out, asker->session, &msg, true);
}

void reply_pair_add(struct buf *json_rows, const char *name, const char *value)
{
        buf_add_str(json_rows, json_rows->n > 0 ? ",[" : "[[");
        buf_add_json_str(json_rows, name, strlen(name));
        buf_add_char(json_rows, ',');
        buf_add_json_str(json_rows, value, strlen(value));
        buf_add_char(json_rows, ']');
}

void reply_pairs(struct core *core, const struct asker *asker, const char *const columns[2],
                 const struct buf *json_rows)
{
        const char *names[2] = { columns[0], columns[1] };
        struct msg msg = { .kind = MSG_rows, .re = asker->re };
        CLEANUP_BUF struct buf text = { 0 };

        if (json_rows->n > 0)
                buf_add(&text, json_rows->bytes, json_rows->n);
        else
                buf_add_char(&text, '[');
        buf_add_char(&text, ']');
        msg.u.rows.columns = names;
        msg.u.rows.n_columns = 2;
        msg.u.rows.rows = text.bytes;
        msg.u.rows.n_rows = text.n;
        effects_send(core->out, asker->session, &msg, false);
}

/* Borrowed until the next effect. */
static struct store_event *add_event(struct core *core, const char *kind, const struct job *job,
                                     struct principal_id actor, const char *detail)
{
        struct store_event *event = &effects_store(core->out, STORE_EVENT)->u.event;

        event->at_us = core->wall_us;
        if (job) {
                event->job = job->id;
                event->owner = job->owner_id;
        }
        strncpy(event->kind, kind, sizeof(event->kind) - 1);
        event->actor = actor;
        event->detail = detail ? xstrdup(detail) : NULL;
        return event;
}

static void tell_news(struct core *core, const struct job *job)
{
        if (core->news)
                effects_fact(core->out, (struct fact){ .kind = FACT_EVENTS, .n = job ? job->owner_id.n : 0 });
}

void audit(struct core *core, const char *kind, const struct job *job, struct principal_id actor,
           const char *detail)
{
        (void)add_event(core, kind, job, actor, detail);
        tell_news(core, job);
}

/* "1-9,12", cut where it gets long. */
static void add_ranges(struct buf *text, const struct range *ranges, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (i == EVENT_RANGES_MAX) {
                        buf_addf(text, " and %llu more ranges", (unsigned long long)(n - i));
                        return;
                }
                buf_addf(text, "%s%llu", i > 0 ? "," : "", (unsigned long long)ranges[i].lo);
                if (ranges[i].hi > ranges[i].lo)
                        buf_addf(text, "-%llu", (unsigned long long)ranges[i].hi);
        }
}

void audit_tasks(struct core *core, const char *kind, const struct job *job, struct principal_id actor,
                 const struct chosen *chosen, const char *what, const char *reason)
{
        CLEANUP_BUF struct buf text = { 0 };
        bool one = chosen->n_ranges == 1 && chosen->ranges[0].lo == chosen->ranges[0].hi;
        struct store_event *event;

        if (what)
                buf_add_str(&text, what);
        if (chosen->n_ranges > 0 && !one) {
                buf_add_str(&text, text.n > 0 ? ", tasks " : "tasks ");
                add_ranges(&text, chosen->ranges, chosen->n_ranges);
        }
        for (size_t i = 0; i < chosen->n_statuses; i++) {
                buf_add_str(&text, i > 0 ? "," : text.n > 0 ? ", " : "");
                buf_add_str(&text, chosen->statuses[i]);
        }
        if (reason) {
                buf_add_str(&text, text.n > 0 ? ": " : "");
                buf_add_str(&text, reason);
        }
        event = add_event(core, kind, job, actor, text.n > 0 ? text.bytes : NULL);
        event->has_index = one;
        event->index = one ? chosen->ranges[0].lo : 0;
        tell_news(core, job);
}

void audit_refusal(struct core *core, struct principal_id actor, const char *detail)
{
        CLEANUP_BUF struct buf text = { 0 };

        if (core->mono_us < core->refuse_until_us) {
                core->refusals_hidden++;
                return;
        }
        core->refuse_until_us = core->mono_us + REFUSALS_EVERY_US;
        buf_add_str(&text, detail);
        if (core->refusals_hidden > 0)
                buf_addf(&text, " (and %u others before)", core->refusals_hidden);
        audit(core, "refuse", NULL, actor, text.bytes);
        core->refusals_hidden = 0;
}
