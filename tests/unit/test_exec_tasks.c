/* Tasks as real processes, nasty ones too: what is reported, what is left (nothing). */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/exec.h"
#include "exec/process.h"
#include "exec/tree.h"
#include "tests/unit/unit.h"
#include "tests/unit/worker_scene.h"

/* One exec with its loop; a task is made by hand, ends are copied out. */
struct bench {
        char folder[64];
        struct loop *loop;
        struct scratch *scratch;
        struct exec *exec;
        struct watch signals;
        bool over;
        struct wend end;
        struct buf result, out, err, files;
        uint32_t n_chunks; /* seen so far: seq must run */
        bool final;
        unsigned credit; /* stores that may still come; UINT_MAX: any */
        size_t stored;
        struct job_spec_box box;
        struct wjob job;
        struct wlease lease;
        struct rec_grant grant;
        struct wtask task;
        const char *input; /* what fetch gives */
        bool refuse; /* ... nothing: it is refused */
        int64_t fetch_after_us;
        enum data_kind parent_kind; /* of the last question for what parents left */
        struct wplace parent_at;
        unsigned n_parent_fetches;
};

static const struct env_base env = { .path = "/usr/bin:/bin", .home = "/", .user = "u", .worker = "w1" };

static void add_chunk(struct bench *b, const struct wchunk *chunk)
{
        CU_ASSERT_EQUAL(chunk->seq, b->n_chunks);
        CU_ASSERT(chunk->n_bytes <= WCORE_CHUNK_MAX);
        CU_ASSERT_FALSE(b->final);
        b->n_chunks++;
        b->final = chunk->final;
        buf_add(chunk->stream == STREAM_STDOUT ? &b->out : &b->err, chunk->bytes, chunk->n_bytes);
}

static void on_ended(void *arg, struct wtask *task, const struct wend *end)
{
        struct bench *b = arg;

        CU_ASSERT_PTR_EQUAL(task, &b->task);
        b->over = true;
        b->end = *end;
        if (end->result)
                buf_add(&b->result, end->result, end->result_bytes);
        for (size_t i = 0; i < end->n_chunks; i++)
                add_chunk(b, end->chunks + i);
        for (size_t i = 0; i < end->n_files; i++)
                buf_addf(&b->files, "%s:%d:%.8s ", end->files[i].name, (int)end->files[i].bytes,
                         end->files[i].sha256);
}

static bool may_store(void *arg)
{
        return ((struct bench *)arg)->credit > 0;
}

static void store(void *arg, const struct wtask *task, const struct wchunk *chunk, uint32_t file)
{
        struct bench *b = arg;

        (void)task;
        if (b->credit != UINT_MAX)
                b->credit--;
        b->stored++;
        if (!file)
                add_chunk(b, chunk);
}

static int fetch(void *arg, const struct wjob *job, uint64_t input, uint64_t seq)
{
        struct bench *b = arg;

        (void)job;
        (void)input;
        CU_ASSERT_EQUAL(seq, 0);
        b->fetch_after_us = 1;
        return b->input ? 0 : -1;
}

static void fetch_parent(void *arg, const struct wtask *task, enum data_kind kind, const struct wplace *at)
{
        struct bench *b = arg;

        CU_ASSERT_PTR_EQUAL(task, &b->task);
        b->parent_kind = kind;
        b->parent_at = *at;
        b->n_parent_fetches++;
}

static void on_signals(struct watch *watch, uint32_t events)
{
        struct bench *b = (struct bench *)((char *)watch - offsetof(struct bench, signals));
        struct signalfd_siginfo info;

        (void)events;
        while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                exec_on_child(b->exec);
}

static void bench_init(struct bench *b)
{
        const struct exec_host host = { .arg = b,
                                        .ended = on_ended,
                                        .may_store = may_store,
                                        .store = store,
                                        .fetch = fetch,
                                        .fetch_parent = fetch_parent };
        struct exec_config config = { .slots = 2, .env = &env };
        struct err err = { 0 };

        memset(b, 0, sizeof(*b));
        snprintf(b->folder, sizeof(b->folder), "/tmp/jobmill-test-exec.XXXXXX");
        BUG_ON(!mkdtemp(b->folder));
        b->credit = UINT_MAX;
        b->signals = (struct watch){ .fd = process_signals(&err), .ready = on_signals };
        b->loop = loop_new(&err);
        b->scratch = scratch_open(b->folder, "w", NULL, &err);
        BUG_ON(!b->scratch || process_harden(&err) < 0 || loop_add(b->loop, &b->signals, EPOLLIN, &err) < 0);
        config.id = b->folder + sizeof("/tmp/jobmill-test-exec");
        b->exec = exec_new(b->loop, b->scratch, &config, &host, &err);
        BUG_ON(!b->exec);
        b->job = (struct wjob){ .id = 5, .box = &b->box, .install = xstrdup("i"), .tasks = 1 };
        b->lease = (struct wlease){ .job = &b->job, .attempt = 1, .grant = &b->grant };
        b->task = (struct wtask){ .lease = &b->lease, .index = 1 };
}

static size_t entries_of(const char *path)
{
        DIR *dir = opendir(path);
        size_t n = 0;

        while (dir && readdir(dir))
                n++;
        if (dir)
                closedir(dir);
        return n - 2;
}

static void bench_done(struct bench *b)
{
        char *path = xstrdup(b->scratch->path);

        exec_forget_job(b->exec, &b->job);
        exec_free(b->exec);
        scratch_free(b->scratch);
        CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0); /* all of it is gone */
        loop_free(b->loop);
        close(b->signals.fd);
        free(b->job.install);
        free(path);
        buf_done(&b->result), buf_done(&b->out), buf_done(&b->err), buf_done(&b->files);
        rmdir(b->folder);
}

static void spin(struct bench *b, int64_t for_us)
{
        int64_t until = clock_mono_us() + for_us;

        while (!b->over && clock_mono_us() < until) {
                if (b->fetch_after_us) {
                        struct msg msg = { .kind = MSG_input_chunk,
                                           .body = b->input,
                                           .body_bytes = strlen(b->input) };

                        b->fetch_after_us = 0;
                        exec_on_input(&b->job, b->refuse ? NULL : &msg, b->refuse);
                }
                exec_settle(b->exec);
                if (!b->over)
                        loop_turn(b->loop, exec_has_unsettled(b->exec) || b->fetch_after_us ? 0 : until);
        }
}

static void start(struct bench *b, const char **args, size_t n)
{
        b->over = b->final = false;
        b->n_chunks = 0;
        buf_clear(&b->result), buf_clear(&b->out), buf_clear(&b->err), buf_clear(&b->files);
        b->box.spec.args = args;
        b->box.spec.n_args = n;
        exec_start(b->exec, &b->task);
}

static void run_args(struct bench *b, const char **args, size_t n)
{
        start(b, args, n);
        spin(b, 20 * US_PER_S);
        CU_ASSERT_TRUE_FATAL(b->over);
}

static void run_sh(struct bench *b, const char *script)
{
        const char *args[] = { "sh", "-c", script };

        run_args(b, args, 3);
}

static bool is_alive(const char *pid_text)
{
        pid_t pid = (pid_t)atoi(pid_text);
        char path[40], text[256] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        file = fopen(path, "re");
        if (!file)
                return false;
        if (!fgets(text, sizeof(text), file))
                text[0] = '\0';
        fclose(file);
        return pid > 0 && !strstr(text, ") Z");
}

/* ------------------------------------------------------------------ */
static void exit_codes_and_signals_are_told_as_they_are(void)
{
        static const int codes[] = { 0, 1, 127, 128, 255 };
        static const int signals[] = { SIGHUP, SIGKILL, SIGSEGV, SIGTERM, SIGUSR1, SIGABRT };
        struct bench b;
        char script[64];

        bench_init(&b);
        for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
                snprintf(script, sizeof(script), "exit %d", codes[i]);
                run_sh(&b, script);
                CU_ASSERT_EQUAL(b.end.how, WEND_EXITED);
                CU_ASSERT_EQUAL(b.end.code, codes[i]);
        }
        for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
                snprintf(script, sizeof(script), "kill -%d $$", signals[i]);
                run_sh(&b, script);
                CU_ASSERT_EQUAL(b.end.how, WEND_SIGNALED);
                CU_ASSERT_EQUAL(b.end.signal, signals[i]);
                CU_ASSERT_FALSE(b.end.oom);
        }
        bench_done(&b);
}

static void what_cannot_be_started_has_its_reason(void)
{
        static const char *const shebang_missing = "/nonexistent/interpreter";
        struct bench b;
        char path[128], big[200000];
        const char *args[] = { path, big };
        FILE *file;

        bench_init(&b);
        snprintf(path, sizeof(path), "no-such-program-at-all");
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NOT_FOUND);
        path[0] = '\0';
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NOT_FOUND);
        snprintf(path, sizeof(path), "%s", b.folder);
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NOT_EXECUTABLE);
        snprintf(path, sizeof(path), "%s/junk", b.folder);
        file = fopen(path, "we");
        fputs("\001\002 no program", file);
        fclose(file);
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NOT_EXECUTABLE); /* no x bit */
        chmod(path, 0755);
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NOT_EXECUTABLE); /* ENOEXEC */
        file = fopen(path, "we");
        fprintf(file, "#!%s\n", shebang_missing);
        fclose(file);
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NOT_FOUND);
        unlink(path);
        snprintf(path, sizeof(path), "/bin/true");
        memset(big, 'x', sizeof(big));
        big[sizeof(big) - 1] = '\0';
        run_args(&b, args, 2); /* one argument over 128 KiB */
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_ARGS_TOO_LONG);
        b.box.spec.cwd = "/nonexistent";
        b.box.spec.n_cwd = strlen(b.box.spec.cwd);
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NO_CWD);
        CU_ASSERT_EQUAL(b.end.how, WEND_FAILED);
        bench_done(&b);
}

static void a_task_sees_a_clean_place(void)
{
        struct bench b;

        bench_init(&b);
        run_sh(&b, "[ \"$PWD\" = \"$JOB_DIR\" ] && ls -A && echo end && ls -1 /proc/self/fd | wc -l && cat | "
                   "wc -c && "
                   "grep -c . /proc/self/environ >/dev/null; ps -o sid=,pgid= -p $$ | awk '{print $1 == "
                   "$2}'; umask; "
                   "grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status | tr -d '\\t' | tr '\\n' ' '; "
                   "cat /proc/self/oom_score_adj");
        /* fds of ls: 0 1 2 and its own */
        CU_ASSERT_STRING_EQUAL(
                b.out.bytes,
                "end\n4\n0\n1\n0022\nSigBlk:0000000000000000 SigIgn:0000000000000000 NoNewPrivs:1 500\n");
        CU_ASSERT_EQUAL(b.err.n, 0);
        bench_done(&b);
}

static int own_score(void)
{
        FILE *file = fopen("/proc/self/oom_score_adj", "re");
        int score = -1;

        if (file) {
                if (fscanf(file, "%d", &score) != 1)
                        score = -1;
                fclose(file);
        }
        return score;
}

static void when_memory_runs_out_tasks_go_first_and_ours_stays_as_it_was(void)
{
        const char *args[] = { "no-such-program" };
        int before = own_score();
        struct bench b;

        bench_init(&b);
        for (int i = 0; i < 3; i++) { /* the first writes its own, the next ones inherit it */
                run_sh(&b, "cat /proc/self/oom_score_adj");
                CU_ASSERT_STRING_EQUAL(b.out.bytes, "500\n");
                CU_ASSERT_EQUAL(own_score(), before);
        }
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NOT_FOUND);
        CU_ASSERT_EQUAL(own_score(), before);
        bench_done(&b);
}

static void what_lingers_uses_its_own_tasks_time_and_not_the_nexts(void)
{
        struct bench b;

        bench_init(&b);
        for (int i = 0; i < 4; i++) {
                run_sh(&b, "(i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done) &");
                CU_ASSERT_EQUAL(b.end.code, 0);
                run_sh(&b, ":");
                CU_ASSERT_TRUE(b.end.cpu_us > 0);
                CU_ASSERT_TRUE(b.end.cpu_us < 15000);
        }
        bench_done(&b);
}

static void folders_are_empty_each_time_whatever_was_left_in_them(void)
{
        struct bench b;

        bench_init(&b);
        for (int i = 0; i < 6; i++) {
                run_sh(&b, "ls -A; mkdir -p a/b/c && ln -s / a/root && mkfifo a/f && touch \"$(printf "
                           "'x\\ny')\" && "
                           "chmod 0 a/b && ln -s /etc/passwd p && chmod 500 .");
                CU_ASSERT_EQUAL(b.end.code, 0);
                CU_ASSERT_EQUAL(b.out.n, 0);
                run_sh(&b, "stat -c %a .; ls -A");
                CU_ASSERT_STRING_EQUAL(b.out.bytes, "700\n");
        }
        CU_ASSERT_EQUAL(access("/etc/passwd", F_OK), 0);
        bench_done(&b);
}

static void a_folder_that_was_changed_and_left_empty_is_as_new(void)
{
        static const char *const scripts[] = { "chmod 755 .",
                                               "touch a && rm a",
                                               "mkdir b && rmdir b",
                                               "echo 1 >$JOB_RESULT",
                                               "rmdir \"$PWD\"",
                                               "rmdir \"$PWD\" && ln -s / \"$PWD\"",
                                               ":" };
        struct bench b;

        bench_init(&b);
        for (size_t i = 0; i < ARRAY_LEN(scripts) * 3; i++) {
                run_sh(&b, scripts[i % ARRAY_LEN(scripts)]);
                CU_ASSERT_EQUAL(b.end.code, 0);
                run_sh(&b, "stat -c %a \"$JOB_DIR\"; ls -A \"$JOB_DIR\"; ls $JOB_RESULT");
                CU_ASSERT_STRING_EQUAL(b.out.bytes, "700\n");
        }
        bench_done(&b);
}

static void a_folder_in_the_place_of_one_that_somebody_keeps_open_is_not_taken_for_it(void)
{
        struct bench b;
        int fd;

        bench_init(&b);
        run_sh(&b, "printf %s \"$JOB_DIR\"");
        fd = open(b.out.bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CU_ASSERT_TRUE_FATAL(fd >= 0);
        run_sh(&b, "cd / && rmdir \"$JOB_DIR\" && mkdir -m 700 \"$JOB_DIR\" && touch \"$JOB_DIR/x\"");
        CU_ASSERT_EQUAL(b.end.code, 0);
        for (int i = 0; i < 3; i++) {
                run_sh(&b, "ls -A \"$JOB_DIR\"");
                CU_ASSERT_EQUAL(b.out.n, 0);
        }
        close(fd);
        bench_done(&b);
}

static void deep_trees_are_removed(void)
{
        struct bench b;

        bench_init(&b);
        run_sh(&b, "i=0; while [ $i -lt 300 ]; do mkdir d && cd d || exit 1; : >f; i=$((i+1)); done");
        CU_ASSERT_EQUAL(b.end.code, 0);
        bench_done(&b); /* checks that nothing is left */
}

static void a_result_is_any_json_and_nothing_else(void)
{
        static const struct {
                const char *script;
                enum task_reason reason;
                const char *result; /* NULL: none */
        } cases[] = {
                { "echo '{\"loss\": 1.5e-3}' >$JOB_RESULT", TASK_REASON_NONE, "{\"loss\": 1.5e-3}" },
                { "printf ' [1,null]\\n\\n' >$JOB_RESULT; exit 3", TASK_REASON_NONE, "[1,null]" },
                { "printf '\"\\303\\244\"' >$JOB_RESULT", TASK_REASON_NONE, "\"\303\244\"" },
                { ":", TASK_REASON_NONE, NULL },
                { ": >$JOB_RESULT", TASK_REASON_BAD_RESULT, NULL },
                { "echo '{\"a\":NaN}' >$JOB_RESULT", TASK_REASON_BAD_RESULT, NULL },
                { "echo '{} {}' >$JOB_RESULT", TASK_REASON_BAD_RESULT, NULL },
                { "printf '\"\\377\"' >$JOB_RESULT; exit 9", TASK_REASON_BAD_RESULT, NULL },
                { "ln -s /etc/hostname $JOB_RESULT", TASK_REASON_BAD_RESULT, NULL },
                { "mkfifo $JOB_RESULT", TASK_REASON_BAD_RESULT, NULL },
                { "mkdir $JOB_RESULT", TASK_REASON_BAD_RESULT, NULL },
                { "(printf '\"'; head -c 1048574 /dev/zero | tr '\\0' x; printf '\"') >$JOB_RESULT",
                  TASK_REASON_NONE, "" },
                { "(printf '\"'; head -c 1048575 /dev/zero | tr '\\0' x; printf '\"') >$JOB_RESULT",
                  TASK_REASON_RESULT_TOO_LARGE, NULL },
                { "ln /dev/null $JOB_RESULT 2>/dev/null || truncate -s 10G $JOB_RESULT",
                  TASK_REASON_RESULT_TOO_LARGE, NULL },
        };
        struct bench b;

        bench_init(&b);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                run_sh(&b, cases[i].script);
                CU_ASSERT_EQUAL(b.end.reason, cases[i].reason);
                CU_ASSERT_EQUAL(b.end.result != NULL, cases[i].result != NULL);
                if (cases[i].result && *cases[i].result) {
                        CU_ASSERT_STRING_EQUAL(b.result.bytes, cases[i].result);
                } else if (cases[i].result) {
                        CU_ASSERT_EQUAL(b.result.n, 1 << 20);
                }
        }
        run_sh(&b, "printf '\"\\377\"' >$JOB_RESULT; exit 9");
        CU_ASSERT_EQUAL(b.end.code, 9);
        bench_done(&b);
}

static void output_comes_whole_in_order_and_characters_are_not_cut(void)
{
        struct bench b;
        char *want;

        bench_init(&b);
        run_sh(&b, "echo 1; echo 2 >&2; printf 'a\\303'; sleep 0.15; printf '\\244b'");
        CU_ASSERT_STRING_EQUAL(b.out.bytes, "1\na\303\244b");
        CU_ASSERT_STRING_EQUAL(b.err.bytes, "2\n");
        CU_ASSERT_TRUE(b.final);
        run_sh(&b, ":");
        CU_ASSERT_EQUAL(b.n_chunks, 0);
        run_sh(&b, "printf 'x\\303'"); /* no character: the byte is kept */
        CU_ASSERT_EQUAL(b.out.n, 2);
        b.stored = 0;
        /* 3 bytes a character, so that 64 KiB is no boundary */
        run_sh(&b, "yes $(printf '\\342\\202\\254') | tr -d '\\n' | head -c 3000000");
        CU_ASSERT_EQUAL_FATAL(b.out.n, 3000000);
        CU_ASSERT(b.stored > 40);
        want = xmalloc(3000001);
        for (size_t i = 0; i < 3000000; i++)
                want[i] = "\342\202\254"[i % 3];
        CU_ASSERT_EQUAL(memcmp(want, b.out.bytes, 3000000), 0);
        free(want);
        CU_ASSERT_TRUE(b.final);
        bench_done(&b);
}

static void output_over_the_cap_is_cut_and_said_and_the_task_goes_on(void)
{
        struct bench b;

        bench_init(&b);
        b.box.spec.has_out_max = true;
        b.box.spec.out_max = 1000;
        run_sh(&b, "head -c 50000000 /dev/zero | tr '\\0' x; exit 5");
        CU_ASSERT_EQUAL(b.end.code, 5);
        CU_ASSERT_EQUAL(b.out.n, 1000);
        CU_ASSERT_STRING_EQUAL(b.err.bytes, "[jobmill: output cut at 1000 bytes]\n");
        b.box.spec.out_max = 10;
        run_sh(&b, "printf 0123456789");
        CU_ASSERT_EQUAL(b.out.n, 10);
        CU_ASSERT_EQUAL(b.err.n, 0); /* nothing was cut */
        b.box.spec.out_max = 0;
        run_sh(&b, "echo x");
        CU_ASSERT_EQUAL(b.out.n, 0);
        CU_ASSERT_STRING_EQUAL(b.err.bytes, "[jobmill: output cut at 0 bytes]\n");
        bench_done(&b);
}

static void without_credit_the_task_waits_at_its_pipe(void)
{
        const char *args[] = { "sh", "-c", "head -c 4000000 /dev/zero; echo done >&2" };
        struct bench b;

        bench_init(&b);
        b.credit = 2;
        start(&b, args, 3);
        spin(&b, 300 * US_PER_MS);
        CU_ASSERT_FALSE(b.over);
        CU_ASSERT_EQUAL(b.credit, 0);
        CU_ASSERT(b.out.n <= 2 * WCORE_CHUNK_MAX);
        for (int i = 0; i < 1000 && !b.over; i++) {
                b.credit = 1;
                exec_on_credit(b.exec);
                spin(&b, 2 * US_PER_MS);
        }
        CU_ASSERT_TRUE(b.over);
        CU_ASSERT_EQUAL(b.out.n, 4000000);
        CU_ASSERT_STRING_EQUAL(b.err.bytes, "done\n");
        bench_done(&b);
}

static void a_task_whose_output_nobody_takes_can_still_be_given_back(void)
{
        const char *args[] = { "sh", "-c", "head -c 150000 /dev/zero" };
        struct bench b;

        bench_init(&b);
        b.credit = 0;
        start(&b, args, 3);
        spin(&b, 300 * US_PER_MS);
        CU_ASSERT_FALSE(b.over); /* it has ended and waits for credit */
        b.task.stop = WSTOP_LEAVE;
        exec_stop(b.exec, &b.task, 0);
        spin(&b, US_PER_S);
        CU_ASSERT_TRUE(b.over);
        bench_done(&b);
}

static void the_end_waits_for_the_leader_not_for_who_holds_its_pipes(void)
{
        struct bench b;
        int64_t from = clock_mono_us();

        bench_init(&b);
        run_sh(&b, "setsid sh -c 'echo $$; exec sleep 60' & sleep 60 & sleep 0.1; exit 4");
        CU_ASSERT_EQUAL(b.end.code, 4);
        CU_ASSERT(clock_mono_us() - from < 5 * US_PER_S);
        CU_ASSERT_FALSE(is_alive(b.out.bytes));
        CU_ASSERT_TRUE(b.final);
        bench_done(&b);
}

static void nothing_outlives_its_task(void)
{
        /* In turn: same group; own session; double fork; own session with an empty environment and closed
         * descriptors; ignoring TERM. Each writes its number first. */
        static const char *const scripts[] = {
                "sleep 60 & echo $!",
                "setsid sh -c 'echo $$; exec sleep 60' & sleep 0.1",
                "sh -c 'setsid sh -c \"echo \\$\\$; exec sleep 60\" & sleep 0.1' & sleep 0.3",
                "setsid env -i /bin/sh -c 'echo $$; exec >&- 2>&- <&-; exec /bin/sleep 60' & sleep 0.1",
                "(trap '' TERM HUP; sh -c 'echo $PPID'; sleep 60; sleep 60) & sleep 0.1",
        };
        struct bench b;

        bench_init(&b);
        for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
                run_sh(&b, scripts[i]);
                CU_ASSERT(atoi(b.out.bytes) > 1);
                usleep(20000); /* SIGKILL takes effect when it is scheduled */
                CU_ASSERT_FALSE(is_alive(b.out.bytes));
        }
        bench_done(&b);
}

static void stopping_asks_first_and_kills_the_whole_tree_after_its_grace(void)
{
        const char *polite[] = { "sh", "-c",
                                 "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done" };
        const char *deaf[] = { "sh", "-c",
                               "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$; sleep 60' & "
                               "while :; do sleep 0.05; done" };
        struct bench b;
        int64_t from;

        bench_init(&b);
        start(&b, polite, 3);
        spin(&b, 300 * US_PER_MS);
        exec_stop(b.exec, &b.task, 10 * US_PER_S);
        spin(&b, 5 * US_PER_S);
        CU_ASSERT_TRUE_FATAL(b.over);
        CU_ASSERT_EQUAL(b.end.code, 7);
        CU_ASSERT_STRING_EQUAL(b.out.bytes, "up\nbye\n");
        start(&b, deaf, 3);
        spin(&b, 300 * US_PER_MS);
        from = clock_mono_us();
        exec_stop(b.exec, &b.task, 200 * US_PER_MS);
        spin(&b, 10 * US_PER_S);
        CU_ASSERT_TRUE_FATAL(b.over);
        CU_ASSERT(clock_mono_us() - from >= 200 * US_PER_MS);
        CU_ASSERT_EQUAL(b.end.signal, SIGKILL);
        CU_ASSERT_FALSE(is_alive(b.out.bytes));
        bench_done(&b);
}

static void a_stopped_process_hears_term_too(void)
{
        const char *args[] = { "sh", "-c", "kill -STOP $$; sleep 60" };
        struct bench b;

        bench_init(&b);
        start(&b, args, 3);
        spin(&b, 200 * US_PER_MS);
        exec_stop(b.exec, &b.task, 5 * US_PER_S);
        spin(&b, 3 * US_PER_S);
        CU_ASSERT_TRUE_FATAL(b.over);
        CU_ASSERT_EQUAL(b.end.signal, SIGTERM);
        bench_done(&b);
}

static void a_fork_storm_is_ended_whole(void)
{
        const char *args[] = { "sh", "-c",
                               "n=0; while [ $n -lt 150 ]; do setsid sleep 61 & n=$((n+1)); done; wait" };
        struct bench b;

        bench_init(&b);
        start(&b, args, 3);
        spin(&b, 1500 * US_PER_MS);
        exec_stop(b.exec, &b.task, 0);
        spin(&b, 10 * US_PER_S);
        CU_ASSERT_TRUE(b.over);
        usleep(50000);
        CU_ASSERT_EQUAL(tree_kill_below(b.scratch->path), 0);
        bench_done(&b);
}

static void left_over_processes_of_a_dead_worker_are_found_by_their_folder(void)
{
        const char *args[] = { "sh", "-c", "setsid sleep 62 & sleep 63 & wait" };
        struct bench b;

        bench_init(&b);
        start(&b, args, 3);
        spin(&b, 200 * US_PER_MS);
        CU_ASSERT_EQUAL(tree_kill_below("/tmp/jobmill-no-such-folder"), 0);
        CU_ASSERT(tree_kill_below(b.scratch->path) >= 3);
        spin(&b, 5 * US_PER_S);
        CU_ASSERT_TRUE(b.over);
        CU_ASSERT_EQUAL(b.end.signal, SIGKILL);
        bench_done(&b);
}

static void inputs_are_checked_copied_and_the_tasks_own(void)
{
        struct rec_input inputs[2] = {
                { .name = "data.txt",
                  .bytes = 6,
                  .mode = 0640,
                  .has_mode = true,
                  .sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" },
                { .name = "empty",
                  .bytes = 0,
                  .sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        };
        struct bench b;

        bench_init(&b);
        b.input = "hello\n";
        b.box.spec.inputs = inputs;
        b.box.spec.n_inputs = 2;
        run_sh(&b, "cat data.txt; stat -c %a data.txt empty; echo changed >data.txt");
        CU_ASSERT_STRING_EQUAL(b.out.bytes, "hello\n640\n644\n");
        b.input = NULL; /* it is here: nothing is fetched again */
        run_sh(&b, "cat data.txt");
        CU_ASSERT_STRING_EQUAL(b.out.bytes, "hello\n");
        exec_forget_job(b.exec, &b.job);
        b.input = "hellO\n";
        run_sh(&b, "cat data.txt");
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_BAD_INPUT);
        exec_forget_job(b.exec, &b.job);
        b.refuse = true;
        run_sh(&b, "cat data.txt");
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_BAD_INPUT);
        b.refuse = false;
        inputs[0].name = "../evil";
        b.input = "hello\n";
        exec_forget_job(b.exec, &b.job);
        run_sh(&b, ":");
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_BAD_INPUT);
        bench_done(&b);
}

/* A secret is a variable of the task's and nothing else: no argument, no file, and no task after this one has it. */
static void a_secret_is_a_variable_fetched_anew_for_each_task(void)
{
        const char *names[] = { "TOKEN" };
        struct bench b;

        bench_init(&b);
        b.input = "hunter2-hunter2";
        b.box.spec.secrets = names;
        b.box.spec.n_secrets = 1;
        run_sh(&b, "printf '%s\n' \"$TOKEN\"; tr '\\0' ' ' </proc/self/cmdline | grep -c hunter2-; grep -rl "
                   "hunter2- . | wc -l");
        CU_ASSERT_STRING_EQUAL(b.out.bytes, "hunter2-hunter2\n0\n0\n");
        b.input = "changed-meanwhile";
        run_sh(&b, "printf '%s\n' \"$TOKEN\"");
        CU_ASSERT_STRING_EQUAL(b.out.bytes, "changed-meanwhile\n");
        b.refuse = true; /* it was removed: the task does not run without it */
        run_sh(&b, "echo ran");
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_NO_SECRET);
        CU_ASSERT_EQUAL(b.out.n, 0);
        b.refuse = false;
        b.box.spec.n_secrets = 0;
        run_sh(&b, "printf '%s\n' \"${TOKEN-unset}\"");
        CU_ASSERT_STRING_EQUAL(b.out.bytes, "unset\n");
        bench_done(&b);
}

static void a_script_runs_from_outside_its_folder_with_or_without_its_first_line(void)
{
        static const char *const text = "echo $0 $1; pwd; ls -A\n";
        struct rec_input input = { .name = "job.sh", .bytes = strlen(text), .sha256 = "" };
        const char *args[] = { "arg" };
        char hex[65];
        FILE *sum;
        struct bench b;

        sum = popen("printf 'echo $0 $1; pwd; ls -A\\n' | sha256sum", "re");
        CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(hex, 65, sum));
        pclose(sum);
        input.sha256 = hex;
        bench_init(&b);
        b.input = text;
        b.box.spec.inputs = &input;
        b.box.spec.n_inputs = 1;
        b.box.spec.has_script = b.box.spec.script = true;
        run_args(&b, args, 1);
        CU_ASSERT_EQUAL(b.end.code, 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(b.out.bytes, "/job.sh arg\n"));
        CU_ASSERT_PTR_NULL(strstr(b.out.bytes, "\njob.sh"));
        bench_done(&b);
}

static void out_files_are_regular_below_the_folder_and_no_others(void)
{
        static const struct {
                const char *pattern, *script, *files;
                enum task_reason reason;
        } cases[] = {
                { "*.txt", "echo hello >b.txt; echo hello >a.txt; : >c.dat",
                  "a.txt:6:5891b5b5 b.txt:6:5891b5b5 ", TASK_REASON_NONE },
                { "sub/*/x", "mkdir -p sub/1 sub/2; : >sub/1/x; : >sub/2/y", "sub/1/x:0:e3b0c442 ",
                  TASK_REASON_NONE },
                { "none*", ":", "", TASK_REASON_NONE },
                { "missing", ":", "", TASK_REASON_OUTPUT_FILES },
                { "link", "ln -s /etc/passwd link", "", TASK_REASON_OUTPUT_FILES },
                { "l*", "ln -s /etc/passwd link; mkfifo lfifo; mkdir ldir; echo hello >lfile",
                  "lfile:6:5891b5b5 ", TASK_REASON_NONE },
                { "dir/passwd", "ln -s /etc dir", "", TASK_REASON_OUTPUT_FILES },
                { "../*", ":", "", TASK_REASON_OUTPUT_FILES },
                { "/etc/passwd", ":", "", TASK_REASON_OUTPUT_FILES },
                { "./a", "echo hello >a", "a:6:5891b5b5 ", TASK_REASON_NONE },
        };
        struct bench b;

        bench_init(&b);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                const char *outs[] = { cases[i].pattern };

                b.box.spec.outs = outs;
                b.box.spec.n_outs = 1;
                run_sh(&b, cases[i].script);
                CU_ASSERT_STRING_EQUAL(b.files.bytes ? b.files.bytes : "", cases[i].files);
                CU_ASSERT_EQUAL(b.end.reason, cases[i].reason);
        }
        b.box.spec.n_outs = 0;
        bench_done(&b);
}

static void a_second_worker_with_the_same_key_is_refused_the_folder(void)
{
        struct bench b;
        struct err err = { 0 };
        struct scratch *second;

        bench_init(&b);
        second = scratch_open(b.folder, "w", NULL, &err);
        CU_ASSERT_PTR_NULL(second);
        CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another worker"));
        CU_ASSERT_EQUAL(access(b.scratch->path, F_OK), 0);
        bench_done(&b);
}

static void the_sweep_removes_what_a_dead_worker_left(void)
{
        struct bench b;
        char command[300];

        bench_init(&b);
        snprintf(command, sizeof(command), "mkdir -p %s/t1/x %s/gone-1-0/y && : >%s/t1.json", b.scratch->path,
                 b.scratch->path, b.scratch->path);
        CU_ASSERT_EQUAL(system(command), 0);
        scratch_sweep(b.scratch);
        for (int i = 0; i < 500 && entries_of(b.scratch->path); i++)
                usleep(10000);
        CU_ASSERT_EQUAL(entries_of(b.scratch->path), 0);
        bench_done(&b);
}

/* What parents left: an answer to the last question. */
static void answer_parent(struct bench *b, const char *text, bool final, uint64_t next)
{
        struct msg msg = { .kind = MSG_parent_chunk, .body = text, .body_bytes = strlen(text) };

        msg.u.parent_chunk.kind = b->parent_kind;
        msg.u.parent_chunk.final = final;
        msg.u.parent_chunk.has_next_index = !final;
        msg.u.parent_chunk.next_index = next;
        msg.u.parent_chunk.cut = final && b->parent_kind == DATA_KIND_OUTPUT;
        exec_on_parent(b->exec, &b->task, &msg);
}

static void a_task_finds_what_its_parents_left(void)
{
        const char *args[] = { "sh", "-c", "cat $JOB_PARENT_RESULT; cat; echo $JOB_STDIN_CUT; ls -A" };
        struct bench b;

        bench_init(&b);
        b.grant.parent_results = b.grant.has_parent_results = true;
        b.box.spec.stdin_job = 4;
        b.box.spec.has_stdin_job = true;
        start(&b, args, 3);
        CU_ASSERT_EQUAL(b.parent_kind, DATA_KIND_RESULT);
        answer_parent(&b, "[1]", true, 0);
        CU_ASSERT_EQUAL(b.parent_kind, DATA_KIND_OUTPUT);
        CU_ASSERT_EQUAL(b.parent_at.index, 0);
        answer_parent(&b, "one ", false, 7);
        CU_ASSERT_EQUAL(b.parent_at.index, 7);
        CU_ASSERT_EQUAL(b.n_parent_fetches, 3);
        answer_parent(&b, "two\n", true, 0);
        spin(&b, 20 * US_PER_S);
        CU_ASSERT_TRUE_FATAL(b.over);
        CU_ASSERT_NSTRING_EQUAL(b.out.bytes, "[1]one two\n1\n", b.out.n);
        CU_ASSERT_PTR_NOT_NULL(strstr(b.err.bytes, "[jobmill: stdin lacks"));
        run_args(&b, args, 3); /* the same attempt: it is still here */
        CU_ASSERT_EQUAL(b.n_parent_fetches, 3);
        CU_ASSERT_NSTRING_EQUAL(b.out.bytes, "[1]one two\n1\n", b.out.n);
        b.lease.attempt = 2; /* they may have run again since */
        start(&b, args, 3);
        CU_ASSERT_EQUAL(b.n_parent_fetches, 4);
        exec_on_parent(b.exec, &b.task, NULL);
        spin(&b, 20 * US_PER_S);
        CU_ASSERT_EQUAL(b.end.how, WEND_FAILED);
        CU_ASSERT_EQUAL(b.end.reason, TASK_REASON_BAD_INPUT);
        bench_done(&b);
}

static void what_no_parent_left_is_unset_and_what_is_too_large_cannot_be_opened(void)
{
        const char *args[] = {
                "sh", "-c", "echo ${JOB_PARENT_RESULT+set} $JOB_PARENT_RESULT_ERROR; cat $JOB_PARENT_RESULT"
        };
        struct bench b;
        struct msg msg = { .kind = MSG_parent_chunk };

        bench_init(&b);
        b.grant.parent_results = b.grant.has_parent_results = true;
        start(&b, args, 3);
        answer_parent(&b, "", true, 0);
        spin(&b, 20 * US_PER_S);
        CU_ASSERT_NSTRING_EQUAL(b.out.bytes, "\n", b.out.n);
        b.lease.attempt = 2;
        start(&b, args, 3);
        msg.u.parent_chunk.kind = DATA_KIND_RESULT;
        msg.u.parent_chunk.final = msg.u.parent_chunk.too_large = true;
        exec_on_parent(b.exec, &b.task, &msg);
        spin(&b, 20 * US_PER_S);
        CU_ASSERT_NSTRING_EQUAL(b.out.bytes, "set too-large\n", b.out.n);
        CU_ASSERT_EQUAL(b.end.code, 1);
        bench_done(&b);
}

static void a_task_that_is_stopped_while_it_waits_leaves_the_question(void)
{
        const char *args[] = { "true" };
        struct bench b;

        bench_init(&b);
        b.grant.parent_results = b.grant.has_parent_results = true;
        start(&b, args, 1);
        exec_stop(b.exec, &b.task, 0);
        spin(&b, 20 * US_PER_S);
        CU_ASSERT_EQUAL(b.end.how, WEND_FAILED);
        start(&b, args, 1);
        CU_ASSERT_EQUAL(b.n_parent_fetches, 2);
        answer_parent(&b, "1", true, 0);
        spin(&b, 20 * US_PER_S);
        CU_ASSERT_EQUAL(b.end.how, WEND_EXITED);
        bench_done(&b);
}

UNIT_MAIN("tasks as processes", TEST(exit_codes_and_signals_are_told_as_they_are),
          TEST(what_cannot_be_started_has_its_reason), TEST(a_task_sees_a_clean_place),
          TEST(when_memory_runs_out_tasks_go_first_and_ours_stays_as_it_was),
          TEST(what_lingers_uses_its_own_tasks_time_and_not_the_nexts),
          TEST(folders_are_empty_each_time_whatever_was_left_in_them), TEST(deep_trees_are_removed),
          TEST(a_folder_in_the_place_of_one_that_somebody_keeps_open_is_not_taken_for_it),
          TEST(a_folder_that_was_changed_and_left_empty_is_as_new),
          TEST(a_result_is_any_json_and_nothing_else),
          TEST(output_comes_whole_in_order_and_characters_are_not_cut),
          TEST(output_over_the_cap_is_cut_and_said_and_the_task_goes_on),
          TEST(without_credit_the_task_waits_at_its_pipe),
          TEST(a_task_whose_output_nobody_takes_can_still_be_given_back),
          TEST(the_end_waits_for_the_leader_not_for_who_holds_its_pipes), TEST(nothing_outlives_its_task),
          TEST(stopping_asks_first_and_kills_the_whole_tree_after_its_grace),
          TEST(a_stopped_process_hears_term_too), TEST(a_fork_storm_is_ended_whole),
          TEST(left_over_processes_of_a_dead_worker_are_found_by_their_folder),
          TEST(inputs_are_checked_copied_and_the_tasks_own),
          TEST(a_secret_is_a_variable_fetched_anew_for_each_task),
          TEST(a_script_runs_from_outside_its_folder_with_or_without_its_first_line),
          TEST(out_files_are_regular_below_the_folder_and_no_others),
          TEST(a_second_worker_with_the_same_key_is_refused_the_folder),
          TEST(the_sweep_removes_what_a_dead_worker_left), TEST(a_task_finds_what_its_parents_left),
          TEST(what_no_parent_left_is_unset_and_what_is_too_large_cannot_be_opened),
          TEST(a_task_that_is_stopped_while_it_waits_leaves_the_question))
