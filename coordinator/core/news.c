/* A note says only that something is there: its number is given by the database, and whose rows one sees is decided
 * there as everywhere. Whether to wake somebody is decided here by the same right, so that a note tells nothing either. */
#include "core/news.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"

#define NEWS_MAX 1024 /* subscriptions; each event looks at all of them */
#define RIGHTS_EVERY_US US_PER_S
#define NEWS_EVERY_US (200 * US_PER_MS) /* a note to the same at most so often */

static void news_free(struct core *core, struct news *news)
{
        DL_DELETE(core->news, news);
        core->n_news--;
        free(news);
}

void news_done_all(struct core *core)
{
        while (core->news)
                news_free(core, core->news);
}

static struct news *find(const struct core *core, struct session_id session)
{
        struct news *news;

        DL_FOREACH (core->news, news) {
                if (news->session.n == session.n)
                        return news;
        }
        return NULL;
}

void news_forget_session(struct core *core, struct session_id session)
{
        struct news *news = find(core, session);

        if (news)
                news_free(core, news);
}

static void tell(struct core *core, struct news *news, bool on_commit)
{
        struct msg msg = { .kind = MSG_event, .re = news->re };

        news->due = false;
        news->told_us = core->mono_us;
        msg.u.event.events = msg.u.event.has_events = true;
        effects_send(core->out, news->session, &msg, on_commit);
}

/* One a session: a new one takes the place of the old one. The first note says: look what there is. Events that were
 * recorded before it and are not committed yet wake nobody, so it waits for them. */
void news_on_watch(struct core *core, const struct asker *asker, const struct msg_watch *ask)
{
        struct news *news = find(core, asker->session);

        if (!access_has_some(&core->access, asker->who, PERMISSION_EVENT_READ)) {
                audit_refusal(core, asker->who, "following events without the right event.read");
                reply_refused(core, asker, ERR_FORBIDDEN, "you need the right event.read");
                return;
        }
        if (ask->stop) {
                if (news)
                        news_free(core, news);
                reply_changed(core, asker, news ? 1 : 0, NULL);
                return;
        }
        if (!news && core->n_news >= NEWS_MAX) {
                reply_retry_later(core, asker, "too many follow the events", 1000);
                return;
        }
        if (!news) {
                news = xcalloc(1, sizeof(*news));
                DL_APPEND(core->news, news);
                core->n_news++;
        }
        news->session = asker->session;
        news->re = asker->re;
        news->who = asker->who;
        news->key = asker->key;
        tell(core, news, true);
}

void news_committed(struct core *core, struct principal_id owner)
{
        struct news *news;

        DL_FOREACH (core->news, news) {
                if (!access_allows(&core->access, news->who, PERMISSION_EVENT_READ, owner, NULL))
                        continue;
                news->due = true;
                if (core->mono_us - news->told_us >= NEWS_EVERY_US)
                        tell(core, news, false);
        }
}

/* A key that was revoked or has expired, or a right that was taken away, ends what it still listens to. */
static void check_rights(struct core *core)
{
        struct news *news, *next;

        if (!core->news || core->mono_us < core->news_rights_at_us)
                return;
        core->news_rights_at_us = core->mono_us + RIGHTS_EVERY_US;
        DL_FOREACH_SAFE (core->news, news, next) {
                const struct asker asker = { .session = news->session, .re = news->re, .who = news->who };

                if (!access_key_speaks(&core->access, access_find_key(&core->access, news->key),
                                       core->wall_us))
                        reply_refused(core, &asker, ERR_UNAUTHENTICATED,
                                      "this key is unknown, revoked or expired");
                else if (!access_has_some(&core->access, news->who, PERMISSION_EVENT_READ))
                        reply_refused(core, &asker, ERR_FORBIDDEN, "you may not read events any more");
                else
                        continue;
                news_free(core, news);
        }
}

void news_tick(struct core *core)
{
        struct news *news;

        check_rights(core);
        DL_FOREACH (core->news, news) {
                if (news->due && core->mono_us - news->told_us >= NEWS_EVERY_US)
                        tell(core, news, false);
        }
}

int64_t news_next_deadline(const struct core *core)
{
        const struct news *news;
        int64_t first = core->news ? core->news_rights_at_us : -1;

        DL_FOREACH (core->news, news) {
                int64_t at_us = news->told_us + NEWS_EVERY_US;

                if (news->due && (first < 0 || at_us < first))
                        first = at_us;
        }
        return first;
}
