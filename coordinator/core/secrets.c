/* Keeping and removing secrets. */
#include "core/secrets.h"

#include <string.h>

#include "base/xalloc.h"
#include "core/pending.h"
#include "core/spec.h"

static const char *name_of(const struct msg *msg)
{
        return msg->kind == MSG_secret_set ? msg->u.secret_set.name : msg->u.secret_rm.name;
}

static struct store_secret *write_secret(struct core *core, const struct pending *pending)
{
        struct store_secret *row = &effects_store(core->out, STORE_SECRET)->u.secret;

        row->owner = pending->asker.who;
        row->at_us = core->wall_us;
        strncpy(row->name, name_of(pending->msg), sizeof(row->name) - 1);
        return row;
}

static void go_on(struct core *core, struct pending *pending)
{
        const struct store_find_secret *known = pending_secret(pending, name_of(pending->msg));
        bool removes = pending->msg->kind == MSG_secret_rm;
        struct store_secret *row;

        if (removes && !known->found) {
                reply_refused(core, &pending->asker, ERR_NOT_FOUND, "you have no secret of this name");
                return;
        }
        if (!removes && !known->found && known->count >= SECRETS_MAX) {
                reply_refused(core, &pending->asker, ERR_TOO_LARGE, "you have 1000 secrets: remove some");
                return;
        }
        row = write_secret(core, pending);
        row->removed = removes;
        if (!removes) {
                row->value = shared_bytes_new(pending->msg->body, pending->msg->body_bytes);
                row->value->wipe = true;
                explicit_bzero((void *)(uintptr_t)pending->msg->body, pending->msg->body_bytes);
        }
        audit(core, removes ? "secret-rm" : "secret-set", NULL, pending->asker.who, row->name);
        reply_changed(core, &pending->asker, 1, row->name);
}

static int check(const struct msg *msg, struct err *err)
{
        const char *name = name_of(msg);

        if (!spec_env_name(name, strlen(name)))
                return err_set(err, ERR_BAD_FIELD,
                               "name: not [A-Za-z_][A-Za-z0-9_]*, or the system's own (JOB_)");
        if (msg->kind == MSG_secret_rm)
                return 0;
        if (msg->body_bytes == 0 || msg->body_bytes > SECRET_BYTES_MAX)
                return err_set(err, ERR_TOO_LARGE, "a secret has 1 to %d bytes", SECRET_BYTES_MAX);
        if (memchr(msg->body, 0, msg->body_bytes))
                return err_set(err, ERR_BAD_FIELD, "body: a secret holds no zero byte");
        return 0;
}

void secrets_on_message(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        struct pending *pending;
        struct err err = { 0 };

        if (!access_has_some(&core->access, asker->who, PERMISSION_JOB_SUBMIT)) {
                audit_refusal(core, asker->who, "secrets are for who may submit jobs");
                reply_refused(core, asker, ERR_FORBIDDEN, "you may not submit jobs, so you need no secrets");
                return;
        }
        if (check(*take_msg, &err) < 0) {
                reply_refused(core, asker, err.code, err.text);
                return;
        }
        if (core->degraded || core->draining || pending_full(core)) {
                reply_retry_later(core, asker, "not now: the database does not answer", 2000);
                return;
        }
        pending = pending_new(core, asker, take_msg, go_on);
        pending_ask_secret(core, pending, asker->who, name_of(pending->msg));
}

bool secrets_lack(struct core *core, const struct pending *pending, const struct rec_job_spec *spec)
{
        for (size_t k = 0; k < spec->n_secrets; k++) {
                const struct store_find_secret *secret = pending_secret(pending, spec->secrets[k]);
                CLEANUP_BUF struct buf text = { 0 };

                if (secret && secret->found)
                        continue;
                buf_addf(&text, "you have no secret %s; keep one: jobctl secret add %s FILE",
                         spec->secrets[k], spec->secrets[k]);
                reply_refused(core, &pending->asker, ERR_NOT_FOUND, text.bytes);
                return true;
        }
        return false;
}
