/* Messages of people. Rights are checked where the thing that they concern is known; here only those that concern no
 * particular thing. */
#include "core/client.h"

#include "base/xalloc.h"
#include "core/act.h"
#include "core/admin.h"
#include "core/secrets.h"
#include "core/sets.h"
#include "core/submit.h"
#include "core/watch.h"
#include "core/why.h"

static enum permission list_permission(enum list_kind what)
{
        switch (what) {
#define LIST_KIND(name, word, perm, query)                                                                   \
        case LIST_KIND_##name:                                                                               \
                return PERMISSION_##perm;
#include "proto/list_kinds.def"
#undef LIST_KIND
        case LIST_KIND_NO_KIND:
                break;
        }
        return PERMISSION_NONE;
}

/* Rows of other people are filtered in SQL by Visible; the core only says that he may ask at all, and with which right. */
static void read_for(struct core *core, const struct asker *asker, struct msg **take_msg,
                     enum permission permission)
{
        struct read_request *read;

        if (permission != PERMISSION_NONE && !access_has_some(&core->access, asker->who, permission)) {
                CLEANUP_BUF struct buf text = { 0 };

                buf_addf(&text, "you need the right %s", permission_word(permission));
                audit_refusal(core, asker->who, text.bytes);
                reply_refused(core, asker, ERR_FORBIDDEN, text.bytes);
                return;
        }
        read = xcalloc(1, sizeof(*read));
        read->session = asker->session;
        read->re = asker->re;
        read->who = asker->who;
        read->permission = permission;
        read->data_any = access_holds(&core->access, asker->who, PERMISSION_DATA_READ, SCOPE_ANY, NULL);
        read->msg = STEAL(*take_msg);
        effects_read(core->out, read);
}

void client_on_message(struct core *core, const struct asker *asker, struct event *event)
{
        struct msg **msg = &event->u.message.msg;

        if ((*msg)->kind == MSG_submit) {
                core->submitted_us = core->mono_us;
                submit_on_submit(core, asker, event);
        } else if ((*msg)->kind == MSG_submit_set)
                sets_on_commit(core, asker, event);
        else if ((*msg)->kind == MSG_put)
                submit_on_put(core, asker, event);
        else if ((*msg)->kind == MSG_secret_set || (*msg)->kind == MSG_secret_rm)
                secrets_on_message(core, asker, msg);
        else if ((*msg)->kind == MSG_watch)
                watch_on_watch(core, asker, msg);
        else if ((*msg)->kind == MSG_list)
                read_for(core, asker, msg, list_permission((*msg)->u.list.what));
        else if ((*msg)->kind == MSG_logs || (*msg)->kind == MSG_tail || (*msg)->kind == MSG_get)
                read_for(core, asker, msg, PERMISSION_DATA_READ);
        else if ((*msg)->kind == MSG_why)
                why_on_why(core, asker, msg);
        else if ((*msg)->kind == MSG_status)
                why_on_status(core, asker);
        else if (msg_permission((*msg)->kind) == PERMISSION_JOB_ACT)
                act_on_message(core, asker, msg);
        else
                admin_on_message(core, asker, msg);
}
