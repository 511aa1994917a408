/* The worker alone: how fast it starts programs and how fast its core turns no-ops, with the real core, exec and
 * codec but without a network and a database. Beside it the same number of bare spawns, two at a time: the limit. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/exec.h"
#include "exec/process.h"
#include "tasks/task.h"
#include "tests/unit/worker_scene.h"

#define SLOTS 2
#define NOOPS 4000000

struct bench {
        struct worker_scene scene;
        struct loop *loop;
        struct exec *exec;
        struct task_host tasks;
        struct watch signals;
        uint64_t granted, recorded, n_messages;
};

static void print_line(const char *name, double value, const char *unit)
{
        printf("{\"name\":\"%s\",\"value\":%.0f,\"unit\":\"%s\"}\n", name, value, unit);
        fflush(stdout);
}

static void on_ended(void *arg, struct wtask *task, const struct wend *end)
{
        struct bench *b = arg;

        if (end->how != WEND_EXITED || end->code != 0)
                fprintf(stderr, "a task ended badly: how=%d code=%d signal=%d reason=%d\n", end->how,
                        end->code, end->signal, end->reason);
        BUG_ON(end->how != WEND_EXITED || end->code != 0);
        wcore_on_ended(b->scene.core, clock_mono_us(), task, end, &b->scene.effects);
}

static void on_group_ended(void *arg, struct wlease *lease, struct range range, const struct wend *end,
                           const struct wchunk *outputs)
{
        struct bench *b = arg;

        wcore_on_group_ended(b->scene.core, clock_mono_us(), lease, range, end, outputs, &b->scene.effects);
}

static bool may_store(void *arg)
{
        (void)arg;
        return false;
}

static void store(void *arg, const struct wtask *task, const struct wchunk *chunk, uint32_t file)
{
        (void)arg, (void)task, (void)chunk, (void)file;
        BUG_ON(true);
}

static int fetch(void *arg, const struct wjob *job, uint64_t input, uint64_t seq)
{
        (void)arg, (void)job, (void)input, (void)seq;
        return -1;
}

static void on_signals(struct watch *watch, uint32_t events)
{
        struct bench *b = (struct bench *)((char *)watch - offsetof(struct bench, signals));
        struct signalfd_siginfo info;

        (void)events;
        if (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                exec_on_child(b->exec);
}

static void carry_out(struct bench *b)
{
        struct weffects *effects = &b->scene.effects;

        for (size_t i = 0; i < effects->n; i++) {
                struct weffect effect = effects->list[i];

                if (effect.kind == WEFFECT_START)
                        task_ops_of(wtask_spec(effect.u.task.task)->type)
                                ->start(&b->tasks, effect.u.task.task);
                else if (effect.kind == WEFFECT_GROUP)
                        task_ops_of(effect.u.group.lease->job->box->spec.type)
                                ->group(&b->tasks, effect.u.group.lease, effect.u.group.range);
        }
        weffects_clear(effects);
}

/* What the worker says, counted and recorded. */
static void listen(struct bench *b)
{
        struct msg *msg;

        b->scene.now_us = clock_mono_us();
        while ((msg = scene_pull(&b->scene))) {
                b->n_messages++;
                if (msg->kind != MSG_finished)
                        continue;
                for (size_t i = 0; i < msg->u.finished.n_ends; i++)
                        for (size_t k = 0; k < msg->u.finished.ends[i].n_ranges; k++)
                                b->recorded += msg->u.finished.ends[i].ranges[k].hi -
                                               msg->u.finished.ends[i].ranges[k].lo + 1;
                scene_answer(&b->scene, "TaskResponse", "recorded", msg->id);
        }
}

/* Leases of at most 512, as the coordinator makes them, up to the window. */
static void grant(struct bench *b, const char *spec, uint64_t n)
{
        uint64_t window = wcore_numbers(b->scene.core).window;

        while (b->granted < n && b->granted - b->recorded < window) {
                uint64_t size = MIN(MIN(window - (b->granted - b->recorded), UINT64_C(512)), n - b->granted);

                b->scene.now_us = clock_mono_us();
                scene_grant(&b->scene, 1, b->granted ? NULL : spec, b->granted, b->granted + size - 1, "");
                b->granted += size;
                carry_out(b);
        }
}

static double cpu_us(int who)
{
        struct rusage usage;

        getrusage(who, &usage);
        return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void run(struct bench *b, const char *name, const char *spec, uint64_t n)
{
        const struct wcore_config config = { .slots = SLOTS,
                                             .version = "1",
                                             .host = "bench",
                                             .pid = 1,
                                             .ends_at_once = task_types_at_once() };
        int64_t from = clock_mono_us();
        double own = cpu_us(RUSAGE_SELF), theirs = cpu_us(RUSAGE_CHILDREN);

        b->scene = scene_begin(&config);
        b->granted = b->recorded = b->n_messages = 0;
        while (b->recorded < n) {
                int64_t until;

                carry_out(b); /* of the ends that the loop brought */
                grant(b, spec, n);
                listen(b);
                until = wcore_next_deadline_us(b->scene.core);
                if (b->recorded < n && wcore_numbers(b->scene.core).running)
                        loop_turn(b->loop, until);
        }
        print_line(name, (double)n * 1e6 / (double)(clock_mono_us() - from), "tasks/s");
        fprintf(stderr, "%s: %llu messages, processor time of our own %.1f us a task, of its process %.1f\n",
                name, (unsigned long long)b->n_messages, (cpu_us(RUSAGE_SELF) - own) / (double)n,
                (cpu_us(RUSAGE_CHILDREN) - theirs) / (double)n);
        scene_end(&b->scene);
}

static void spawn_bare(uint64_t n)
{
        double own = cpu_us(RUSAGE_SELF), theirs = cpu_us(RUSAGE_CHILDREN);
        char name[] = "true", *argv[] = { name, NULL };
        int64_t from = clock_mono_us();
        uint64_t running = 0;

        for (uint64_t i = 0; i < n || running;) {
                pid_t pid;

                if (running == SLOTS || i == n) {
                        BUG_ON(wait(NULL) < 0);
                        running--;
                        continue;
                }
                BUG_ON(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL) != 0);
                running++;
                i++;
        }
        print_line("spawn_bare", (double)n * 1e6 / (double)(clock_mono_us() - from), "tasks/s");
        fprintf(stderr, "spawn_bare: processor time of our own %.1f us each, of the process %.1f\n",
                (cpu_us(RUSAGE_SELF) - own) / (double)n, (cpu_us(RUSAGE_CHILDREN) - theirs) / (double)n);
}

int main(int argc, char **argv)
{
        static const struct env_base env = {
                .path = "/usr/bin:/bin", .home = "/", .user = "bench", .worker = "w1"
        };
        char folder[] = "/tmp/jobmill-bench-exec.XXXXXX";
        uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000;
        struct bench b = { 0 };
        struct exec_config config = { .id = folder + sizeof("/tmp/jobmill-bench-exec"),
                                      .slots = SLOTS,
                                      .env = &env };
        struct exec_host host = {
                .arg = &b, .ended = on_ended, .may_store = may_store, .store = store, .fetch = fetch
        };
        struct err err = { 0 };
        struct scratch *scratch;

        BUG_ON(!mkdtemp(folder));
        b.signals = (struct watch){ .fd = process_signals(&err), .ready = on_signals };
        b.loop = loop_new(&err);
        scratch = scratch_open(folder, "w", NULL, &err);
        BUG_ON(b.signals.fd < 0 || !b.loop || !scratch || process_harden(&err) < 0);
        BUG_ON(loop_add(b.loop, &b.signals, EPOLLIN, &err) < 0);
        b.exec = exec_new(b.loop, scratch, &config, &host, &err);
        BUG_ON(!b.exec);
        b.tasks = (struct task_host){
                .loop = b.loop, .exec = b.exec, .arg = &b, .ended = on_ended, .group_ended = on_group_ended
        };
        spawn_bare(n);
        run(&b, "exec_true", "{\"type\":\"command\",\"args\":[\"/bin/true\"]}", n);
        run(&b, "worker_noop", "{\"type\":\"noop\"}", NOOPS);
        run(&b, "worker_echo", "{\"type\":\"echo\",\"args\":[\"hello\"]}", NOOPS / 8);
        exec_free(b.exec);
        scratch_free(scratch);
        loop_free(b.loop);
        rmdir(folder);
        return 0;
}
