/* The worker's one loop, and the only place where its core, its link and its processes meet.
 *
 *   gather (messages, children, pipes, timers) -> core -> effects -> what the core wants to say goes out -> sleep
 *
 * 1. Effects are carried out after each call of the core, in order; those that come up meanwhile join the list.
 * 2. Nothing is decided here about tasks. */
#include "app.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "adapters/link.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "crypt/digest.h"
#include "exec/exec.h"
#include "exec/process.h"
#include "exec/tree.h"
#include "tasks/task.h"

#define REFUSALS_MAX 5 /* half a minute of back-off after having been known: the key is gone for good */
#define MESSAGES_A_TURN 1000 /* then the children get a look in */

struct app {
        const struct app_config *config;
        struct loop *loop;
        struct profile *profile;
        struct link *link;
        struct spawn_user *user;
        struct scratch *scratch;
        struct env_base env;
        struct exec *exec;
        struct wcore *core;
        struct task_host tasks;
        struct weffects effects;
        struct watch link_watch, signal_watch;
        int64_t started_us;
        unsigned refusals; /* by ZAP, in a row */
        bool was_ready, over;
        int exit_code;
};

static void carry_out(struct app *app);

static void end_with(struct app *app, int code)
{
        if (app->over)
                return;
        app->over = true;
        app->exit_code = code;
}

/* ------------------------------------------------------------------ what exec and task types call */
static void on_ended(void *arg, struct wtask *task, const struct wend *end)
{
        struct app *app = arg;

        wcore_on_ended(app->core, clock_mono_us(), task, end, &app->effects);
}

static void on_group_ended(void *arg, struct wlease *lease, struct range range, const struct wend *end,
                           const struct wchunk *outputs)
{
        struct app *app = arg;

        wcore_on_group_ended(app->core, clock_mono_us(), lease, range, end, outputs, &app->effects);
}

static bool may_store(void *arg)
{
        struct app *app = arg;

        return wcore_may_store(app->core);
}

static void store(void *arg, const struct wtask *task, const struct wchunk *chunk, uint32_t file)
{
        struct app *app = arg;

        wcore_store(app->core, task, chunk, file);
}

static int fetch(void *arg, const struct wjob *job, uint64_t input, uint64_t seq)
{
        struct app *app = arg;

        return wcore_fetch(app->core, job, input, seq);
}

static void fetch_parent(void *arg, const struct wtask *task, enum data_kind kind, const struct wplace *at)
{
        struct app *app = arg;

        wcore_fetch_parent(app->core, task, kind, at);
}

static int report(void *arg, struct wtask *task, const struct wnews *news, struct err *err)
{
        struct app *app = arg;

        return wcore_report(app->core, clock_mono_us(), task, news, err);
}

/* ------------------------------------------------------------------ effects */
static void say_ready(struct app *app)
{
        app->refusals = 0;
        app->env.worker = wcore_worker_name(app->core);
        if (app->was_ready) {
                log_info("connected again");
                return;
        }
        app->was_ready = true;
        log_info("ready: worker=%s slots=%llu", app->env.worker, (unsigned long long)app->config->slots);
        puts("ready");
        fflush(stdout);
}

static void carry_out_one(struct app *app, const struct weffect *effect)
{
        struct wtask *task = effect->u.task.task;

        switch (effect->kind) {
        case WEFFECT_START:
                task_ops_of(wtask_spec(task)->type)->start(&app->tasks, task);
                break;
        case WEFFECT_GROUP:
                task_ops_of(effect->u.group.lease->job->box->spec.type)
                        ->group(&app->tasks, effect->u.group.lease, effect->u.group.range);
                break;
        case WEFFECT_STOP:
                task_ops_of(wtask_spec(task)->type)->stop(&app->tasks, task, effect->u.task.grace_us);
                break;
        case WEFFECT_SIGNAL:
                task_ops_of(wtask_spec(task)->type)->signal(&app->tasks, task, effect->u.task.signal);
                break;
        case WEFFECT_CREDIT:
                exec_on_credit(app->exec);
                break;
        case WEFFECT_INPUT:
                exec_on_input(effect->u.input.job, effect->u.input.msg, effect->u.input.refused);
                break;
        case WEFFECT_PARENT:
                exec_on_parent(app->exec, effect->u.input.task, effect->u.input.msg);
                break;
        case WEFFECT_JOB_GONE:
                exec_forget_job(app->exec, effect->u.input.job);
                break;
        case WEFFECT_LIVE:
                say_ready(app);
                break;
        case WEFFECT_NOTE:
                log_line(effect->u.say.is_error ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "%s", effect->u.say.text);
                break;
        case WEFFECT_EXIT:
                log_line(effect->u.say.is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "ends: %s",
                         effect->u.say.text);
                end_with(app, effect->u.say.code);
                break;
        }
}

/* Effects may bring forth more of them: the list may move, so each is copied before it is carried out. */
static void carry_out(struct app *app)
{
        for (size_t i = 0; i < app->effects.n; i++) {
                struct weffect effect = app->effects.list[i];

                carry_out_one(app, &effect);
        }
        weffects_clear(&app->effects);
}

/* ------------------------------------------------------------------ the link */
static void on_refused(struct app *app, int64_t now_us)
{
        wcore_on_link(app->core, now_us, false, &app->effects);
        if (!link_was_up(app->link)) {
                log_error("the coordinator refuses this key: it is unknown, revoked or expired; "
                          "ask for a new one with: jobctl key add --worker NAME --out FILE");
                end_with(app, 77);
                return;
        }
        log_warn("the coordinator refuses this key now; trying again: times=%u", ++app->refusals);
        if (app->refusals < REFUSALS_MAX)
                return;
        wcore_on_drain(app->core, now_us, &app->effects); /* drain, and stop what runs */
        wcore_on_drain(app->core, now_us, &app->effects);
}

static void on_wrong_server(struct app *app, int64_t now_us)
{
        wcore_on_link(app->core, now_us, false, &app->effects);
        if (link_was_up(app->link)) {
                log_warn("what answers now is not the coordinator of this profile; trying on");
                return;
        }
        log_error("what answers at %s does not have the server-key of %s", app->profile->endpoints[0],
                  app->config->profile);
        end_with(app, 78);
}

static bool look_at_link(struct app *app, int64_t now_us)
{
        switch (link_news(app->link, now_us)) {
        case LINK_NO_NEWS:
                return false;
        case LINK_IS_UP:
                wcore_on_link(app->core, now_us, true, &app->effects);
                break;
        case LINK_IS_DOWN:
                log_warn("the connection is lost; trying to get it back");
                wcore_on_link(app->core, now_us, false, &app->effects);
                break;
        case LINK_REFUSED:
                on_refused(app, now_us);
                break;
        case LINK_WRONG_SERVER:
                on_wrong_server(app, now_us);
                break;
        }
        carry_out(app);
        return true;
}

static void receive(struct app *app)
{
        for (int i = 0; i < MESSAGES_A_TURN && !app->over; i++) {
                struct err err = { 0 };
                CLEANUP_WITH(msg_free) struct msg *msg = link_recv(app->link, &err);

                if (!msg && err.code == ERR_OK)
                        return;
                if (!msg) {
                        log_warn("a message of the coordinator was dropped: %s", err.text);
                        continue;
                }
                wcore_on_message(app->core, clock_mono_us(), &msg, &app->effects);
                carry_out(app);
        }
}

static void send_all(struct app *app)
{
        struct msg msg;
        int64_t now_us = clock_mono_us();

        while (wcore_pull(app->core, now_us, &msg)) {
                struct err err;
                int sent = link_send(app->link, &msg, now_us, &err);

                if (sent < 0) {
                        log_error("cannot send: %s", err.text);
                        end_with(app, 70);
                        return;
                }
                if (!sent)
                        return;
                wcore_sent(app->core, now_us, &msg);
        }
}

/* ------------------------------------------------------------------ signals */
static void on_signals(struct watch *watch, uint32_t events)
{
        struct app *app = (struct app *)((char *)watch - offsetof(struct app, signal_watch));
        struct signalfd_siginfo infos[4]; /* of each signal one at most is pending */
        ssize_t n = read(watch->fd, infos, sizeof(infos));

        (void)events;
        for (ssize_t i = 0; i < n / (ssize_t)sizeof(*infos); i++) {
                if (infos[i].ssi_signo == SIGCHLD)
                        exec_on_child(app->exec);
                else if (infos[i].ssi_signo == SIGTERM || infos[i].ssi_signo == SIGINT) {
                        log_info("drains: signal %u", infos[i].ssi_signo);
                        wcore_on_drain(app->core, clock_mono_us(), &app->effects);
                } /* HUP: there is nothing to read again, and a terminal that closes does not end a worker */
        }
}

static void on_link_ready(struct watch *watch, uint32_t events)
{
        (void)watch; /* the turn looks at the link in any case */
        (void)events;
}

/* ------------------------------------------------------------------ the loop */
static void check_patience(struct app *app, int64_t now_us)
{
        if (link_was_up(app->link) || now_us < app->started_us + app->config->connect_timeout_us)
                return;
        log_error("no coordinator answers at %s; is it running?", app->profile->endpoints[0]);
        end_with(app, 69);
}

static int64_t next_deadline_us(const struct app *app)
{
        int64_t at = INT64_MAX;
        int64_t core_us = wcore_next_deadline_us(app->core);
        int64_t link_us = link_deadline_us(app->link);

        if (core_us >= 0)
                at = MIN(at, core_us);
        if (link_us >= 0) /* no room: what is due cannot go out before */
                at = core_us <= clock_mono_us() ? link_us : MIN(at, link_us);
        if (!link_was_up(app->link))
                at = MIN(at, app->started_us + app->config->connect_timeout_us);
        return at == INT64_MAX ? -1 : at;
}

/* What came while we sent: the link's descriptor may have told it already and says nothing any more. */
static bool may_sleep(const struct app *app)
{
        return !exec_has_unsettled(app->exec) && !link_pending(app->link);
}

static void turn(struct app *app)
{
        int64_t now_us = clock_mono_us();

        carry_out(app); /* of ends that the loop brought */
        while (look_at_link(app, now_us))
                ;
        receive(app);
        now_us = clock_mono_us();
        wcore_on_tick(app->core, now_us, &app->effects);
        carry_out(app);
        exec_settle(app->exec);
        carry_out(app);
        send_all(app);
        check_patience(app, now_us);
        if (!app->over)
                loop_turn(app->loop, may_sleep(app) ? next_deadline_us(app) : 0);
}

/* ------------------------------------------------------------------ setting up */
static void worker_id(const struct profile *profile, char ret_id[17])
{
        CLEANUP_WITH(digest_free) struct digest *digest = digest_new();
        char hex[DIGEST_HEX_BYTES + 1];

        digest_add(digest, profile->public_key, strlen(profile->public_key));
        digest_hex(digest, hex);
        memcpy(ret_id, hex, 16);
        ret_id[16] = '\0';
}

static int set_up_exec(struct app *app, struct err *err)
{
        const struct exec_host host = { .arg = app,
                                        .ended = on_ended,
                                        .may_store = may_store,
                                        .store = store,
                                        .fetch = fetch,
                                        .fetch_parent = fetch_parent,
                                        .report = report };
        struct exec_config exec = { .slots = app->config->slots,
                                    .cache_bytes = app->config->cache_bytes,
                                    .env = &app->env };
        char id[17];
        unsigned left;

        if (process_user(app->config->task_user, &app->user, err) < 0)
                return -1;
        process_env(app->user, &app->env);
        app->env.gpus = app->config->gpus;
        worker_id(app->profile, id);
        app->scratch = scratch_open(app->config->scratch, id, app->user, err);
        if (!app->scratch)
                return -1;
        left = tree_kill_below(app->scratch->path);
        if (left)
                log_warn("killed what an earlier worker with this key had left: processes=%u", left);
        scratch_sweep(app->scratch);
        exec.id = id;
        exec.user = app->user;
        app->exec = exec_new(app->loop, app->scratch, &exec, &host, err);
        if (app->exec && exec_no_socket(app->exec))
                log_warn("tasks have no JOB_SOCKET: %s", exec_no_socket(app->exec));
        return app->exec ? 0 : -1;
}

static void set_up_core(struct app *app, struct utsname *name)
{
        const struct app_config *config = app->config;
        const struct wcore_config core = {
                .slots = config->slots,
                .labels = config->labels,
                .n_labels = config->n_labels,
                .mem_bytes = config->mem_bytes,
                .gpus = config->gpus,
                .res = config->res,
                .n_res = config->n_res,
                .version = JOBMILL_VERSION,
                .host = name->nodename[0] ? name->nodename : "localhost",
                .enforces = exec_enforces(app->exec),
                .pid = (uint64_t)getpid(),
                .on_lost = config->on_lost,
                .ends_at_once = task_types_at_once(),
                .idle_exit_us = config->idle_exit_us,
                .life_us = config->life_us,
                .drain_timeout_us = config->drain_timeout_us,
        };

        app->core = wcore_new(&core, app->started_us);
        app->tasks = (struct task_host){ .loop = app->loop,
                                         .exec = app->exec,
                                         .arg = app,
                                         .ended = on_ended,
                                         .group_ended = on_group_ended };
}

static int set_up(struct app *app, struct utsname *name, struct err *err)
{
        app->signal_watch = (struct watch){ .fd = process_signals(err), .ready = on_signals };
        app->profile = profile_load(app->config->profile, err);
        app->loop = loop_new(err);
        if (app->signal_watch.fd < 0 || !app->profile || !app->loop)
                return -1;
        if (process_harden(err) < 0 || set_up_exec(app, err) < 0)
                return -1;
        app->link = link_new(app->profile, err);
        if (!app->link)
                return -1;
        app->link_watch = (struct watch){ .fd = link_fd(app->link), .ready = on_link_ready };
        if (loop_add(app->loop, &app->link_watch, EPOLLIN, err) < 0 ||
            loop_add(app->loop, &app->signal_watch, EPOLLIN, err) < 0)
                return -1;
        uname(name);
        app->started_us = clock_mono_us();
        set_up_core(app, name);
        return 0;
}

static void tear_down(struct app *app)
{
        link_free(app->link); /* lets the last message out */
        exec_free(app->exec);
        wcore_free(app->core);
        weffects_done(&app->effects);
        scratch_free(app->scratch);
        process_user_free(app->user);
        process_env_done(&app->env);
        profile_free(app->profile);
        if (app->signal_watch.fd >= 0)
                close(app->signal_watch.fd);
        loop_free(app->loop);
}

int app_run(const struct app_config *config)
{
        struct app app = { .config = config, .signal_watch.fd = -1 };
        struct utsname name = { 0 };
        struct err err = { 0 };

        if (set_up(&app, &name, &err) < 0) {
                log_error("%s", err.text);
                end_with(&app, err_exit_code(err.code));
        }
        while (!app.over)
                turn(&app);
        if (app.refusals >= REFUSALS_MAX)
                app.exit_code = 77;
        tear_down(&app);
        return app.exit_code;
}
