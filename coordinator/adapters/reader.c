/* The reader threads and their queue.
 *
 * 1. Questions of people wait in a bounded queue and are shed when it is full; loads for the core are few (one
 *    outstanding a job) and are never shed.
 * 2. A question fails by a refusal and is gone; a load is tried until the database answers, because tasks wait for it.
 * 3. Every thread has its own connection, keys and sealer; they share the queue and the list of answers alone. */
#include "adapters/reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <mysql.h>
#include <mysqld_error.h>
#include <utlist.h>

#include "adapters/reader_internal.h"
#include "adapters/secrets.h"
#include "base/xalloc.h"

#define THREADS_MAX 16
#define RETRY_AFTER_MS 1000
#define LOAD_PAUSE_MS 200 /* between two tries of a load while the database is down */

struct task { /* one of the three */
        struct task *next, *prev;
        struct read_request *read;
        struct reader_answer *load;
};

struct reader {
        char *option_file, *database;
        const struct keyring *keyring;
        pthread_t threads[THREADS_MAX];
        unsigned n_threads;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct task *tasks;
        size_t n_tasks;
        struct reader_answer *answers, *last_answer;
        bool stopping;
        int event_fd;
};

/* ------------------------------------------------------------------ answers */
static void push_answer(struct reader *reader, struct reader_answer *answer)
{
        uint64_t one = 1;

        pthread_mutex_lock(&reader->lock);
        if (reader->last_answer)
                reader->last_answer->next = answer;
        else
                reader->answers = answer;
        reader->last_answer = answer;
        pthread_mutex_unlock(&reader->lock);
        if (write(reader->event_fd, &one, sizeof(one)) < 0)
                BUG_ON(errno != EAGAIN);
}

struct reader_answer *reader_next(struct reader *reader)
{
        struct reader_answer *answer;
        uint64_t count;

        pthread_mutex_lock(&reader->lock);
        answer = reader->answers;
        if (answer)
                reader->answers = answer->next;
        else if (read(reader->event_fd, &count, sizeof(count)) < 0)
                BUG_ON(errno != EAGAIN);
        if (!reader->answers)
                reader->last_answer = NULL;
        pthread_mutex_unlock(&reader->lock);
        if (answer)
                answer->next = NULL;
        return answer;
}

static void round_free(struct job_round *round)
{
        if (!round)
                return;
        job_spec_free(round->replay.job.spec);
        free(round->tasks);
        free(round);
}

void reader_answer_free(struct reader_answer *answer)
{
        if (!answer)
                return;
        buf_done(&answer->header);
        buf_done(&answer->bytes);
        shared_bytes_unref(answer->body);
        round_free(answer->round);
        free(answer);
}

static struct reader_answer *answer_of(const struct read_request *read, struct msg *msg, const void *body,
                                       size_t n)
{
        struct reader_answer *answer = xcalloc(1, sizeof(*answer));

        answer->to = read->session;
        msg->re = read->re;
        if (n) { /* an empty body is no frame */
                msg->body = body;
                msg->body_bytes = n;
                answer->body = shared_bytes_new(body, n);
        }
        msg_encode(msg, &answer->header);
        return answer;
}

void reader_emit(struct reader_hand *hand, const struct read_request *read, struct msg *msg, const void *body,
                 size_t body_bytes)
{
        push_answer(hand->reader, answer_of(read, msg, body, body_bytes));
}

static void refuse(struct reader *reader, const struct read_request *read, const struct err *err)
{
        struct msg msg = { 0 };
        size_t n = strlen(err->text);

        if (read->msg->kind == MSG_fetch || read->msg->kind == MSG_fetch_parent) {
                msg.kind = MSG_worker_refused;
                msg.u.worker_refused = (struct msg_worker_refused){
                        .code = err->code, .has_code = true, .text = err->text, .n_text = n
                };
        } else {
                bool later = err->code == ERR_RETRY_LATER;

                msg.kind = MSG_refused;
                msg.u.refused = (struct msg_refused){ .code = err->code,
                                                      .has_code = true,
                                                      .text = err->text,
                                                      .n_text = n,
                                                      .retry_after_ms = RETRY_AFTER_MS,
                                                      .has_retry_after_ms = later };
        }
        push_answer(reader, answer_of(read, &msg, NULL, 0));
}

/* What a person may hear of a failure: no SQL, no address, no number of the server's. */
static void soften(const struct reader_hand *hand, struct err *err)
{
        if (err->code == ERR_UNREACHABLE || !hand->db)
                err_set(err, ERR_RETRY_LATER, "the database does not answer");
        else if (err->code == ERR_INTERNAL && db_errno(hand->db) == ER_STATEMENT_TIMEOUT)
                err_set(err, ERR_RETRY_LATER, "this took too long: ask for less at once");
        else if (err->code == ERR_INTERNAL || err->code == ERR_CONFIG) /* a right that the account lacks */
                err_set(err, ERR_INTERNAL, "the listing failed");
}

/* ------------------------------------------------------------------ one thread */
static int connect_hand(struct reader_hand *hand, struct err *err)
{
        struct db_target target = { hand->reader->option_file, hand->reader->database };

        if (!hand->db)
                hand->db = db_open(&target, DB_READER, err);
        return hand->db ? 0 : -1;
}

static void disconnect_if_down(struct reader_hand *hand)
{
        if (!hand->db || db_fate(hand->db) == DB_FATE_BROKEN)
                return;
        db_close(hand->db);
        hand->db = NULL;
}

static int answer_once(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        if (connect_hand(hand, err) < 0)
                return -1;
        if (read->watch_answer)
                return reader_watch(hand, read, err);
        switch ((int)read->msg->kind) { /* what the core hands to readers */
        case MSG_list:
                return reader_list(hand, read, err);
        case MSG_logs:
                return reader_logs(hand, read, err);
        case MSG_tail:
                return reader_tail(hand, read, err);
        case MSG_get:
                return reader_get(hand, read, err);
        case MSG_fetch_parent:
                return reader_parents(hand, read, err);
        case MSG_fetch:
                return read->secret[0] ? reader_secret(hand, read, err) : reader_fetch(hand, read, err);
        default:
                BUG_ON(true);
        }
}

static void answer_read(struct reader_hand *hand, const struct read_request *read)
{
        struct err err = { 0 };

        if (answer_once(hand, read, &err) == 0)
                return;
        if (err.code ==
            ERR_UNREACHABLE) { /* a connection that had died while idle: once more with a new one */
                disconnect_if_down(hand);
                err = (struct err){ 0 };
                if (answer_once(hand, read, &err) == 0)
                        return;
        }
        soften(hand, &err);
        refuse(hand->reader, read, &err);
        disconnect_if_down(hand);
}

static int load_once(struct reader_hand *hand, struct reader_answer *load, struct err *err)
{
        bool last;

        if (connect_hand(hand, err) < 0)
                return -1;
        if (load->round)
                return reader_round(hand, load->round, err);
        buf_clear(&load->bytes);
        return reader_chunk(hand, (struct reader_place){ load->job, 0, load->chunk }, &load->bytes, &last,
                            err);
}

static bool is_stopping(struct reader *reader)
{
        bool stopping;

        pthread_mutex_lock(&reader->lock);
        stopping = reader->stopping;
        pthread_mutex_unlock(&reader->lock);
        return stopping;
}

static void pause_a_little(void)
{
        struct timespec pause = { 0, LOAD_PAUSE_MS * 1000000L };

        nanosleep(&pause, NULL);
}

static void forget_round(struct job_round *round)
{
        job_spec_free(round->replay.job.spec);
        free(round->tasks);
        *round =
                (struct job_round){ .job = round->job, .ends = round->ends, .generation = round->generation };
}

static void answer_load(struct reader_hand *hand, struct reader_answer *load)
{
        struct err err = { 0 };

        while (load_once(hand, load, &err) < 0) {
                bool down = err.code == ERR_UNREACHABLE;

                disconnect_if_down(hand);
                if (load->round)
                        forget_round(load->round);
                if (!down || is_stopping(hand->reader)) {
                        load->failed = true;
                        if (load->round)
                                load->round->failed = true;
                        break;
                }
                pause_a_little();
                err = (struct err){ 0 };
        }
        push_answer(hand->reader, load);
}

static struct task *take(struct reader *reader)
{
        struct task *task;

        pthread_mutex_lock(&reader->lock);
        while (!reader->tasks && !reader->stopping)
                pthread_cond_wait(&reader->wake, &reader->lock);
        task = reader->stopping ? NULL : reader->tasks;
        if (task) {
                DL_DELETE(reader->tasks, task);
                reader->n_tasks -= task->read != NULL;
        }
        pthread_mutex_unlock(&reader->lock);
        return task;
}

static void task_free(struct task *task)
{
        read_request_free(task->read);
        reader_answer_free(task->load);
        free(task);
}

static void *run_thread(void *arg)
{
        struct reader *reader = arg;
        struct reader_hand hand = { .reader = reader,
                                    .keyring = reader->keyring,
                                    .keys = store_keys_new(reader->keyring),
                                    .sealer = sealer_new(reader->keyring) };
        struct task *task;

        pthread_setname_np(pthread_self(), "reader");
        mysql_thread_init();
        while ((task = take(reader))) {
                if (task->read)
                        answer_read(&hand, task->read);
                else
                        answer_load(&hand, STEAL(task->load));
                task_free(task);
        }
        db_close(hand.db);
        store_keys_free(hand.keys);
        sealer_free(hand.sealer);
        buf_done(&hand.entries);
        mysql_thread_end();
        return NULL;
}

/* ------------------------------------------------------------------ from the coordinator's thread */
struct reader *reader_start(const struct store_config *config, const struct keyring *keyring,
                            unsigned threads, struct err *err)
{
        CLEANUP_WITH(reader_free) struct reader *reader = xcalloc(1, sizeof(*reader));

        reader->option_file = xstrdup(config->option_file);
        reader->database = xstrdup(config->database);
        reader->keyring = keyring;
        reader->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        BUG_ON(reader->event_fd < 0);
        pthread_mutex_init(&reader->lock, NULL);
        pthread_cond_init(&reader->wake, NULL);
        for (unsigned i = 0; i < MIN(MAX(threads, 1u), (unsigned)THREADS_MAX); i++) {
                int code = pthread_create(&reader->threads[i], NULL, run_thread, reader);

                if (code != 0) {
                        err_set(err, ERR_INTERNAL, "start a reader thread: %s", strerror(code));
                        return NULL;
                }
                reader->n_threads++;
        }
        return STEAL(reader);
}

void reader_free(struct reader *reader)
{
        struct task *task, *tmp;
        struct reader_answer *answer;

        if (!reader)
                return;
        pthread_mutex_lock(&reader->lock);
        reader->stopping = true;
        pthread_cond_broadcast(&reader->wake);
        pthread_mutex_unlock(&reader->lock);
        for (unsigned i = 0; i < reader->n_threads; i++)
                pthread_join(reader->threads[i], NULL);
        DL_FOREACH_SAFE (reader->tasks, task, tmp) {
                DL_DELETE(reader->tasks, task);
                task_free(task);
        }
        while ((answer = reader_next(reader)))
                reader_answer_free(answer);
        close(reader->event_fd);
        pthread_mutex_destroy(&reader->lock);
        pthread_cond_destroy(&reader->wake);
        free(reader->option_file);
        free(reader->database);
        free(reader);
}

int reader_fd(const struct reader *reader)
{
        return reader->event_fd;
}

static bool push_task(struct reader *reader, struct task *task)
{
        bool room;

        pthread_mutex_lock(&reader->lock);
        room = !task->read || reader->n_tasks < READER_QUEUE_MAX;
        if (room) {
                DL_APPEND(reader->tasks, task);
                reader->n_tasks += task->read != NULL;
                pthread_cond_signal(&reader->wake);
        }
        pthread_mutex_unlock(&reader->lock);
        return room;
}

void reader_ask(struct reader *reader, struct read_request **take_read)
{
        struct task *task = xcalloc(1, sizeof(*task));
        struct err full = { 0 };

        task->read = STEAL(*take_read);
        if (push_task(reader, task))
                return;
        err_set(&full, ERR_RETRY_LATER, "too many questions at once");
        refuse(reader, task->read, &full);
        task_free(task);
}

void reader_load(struct reader *reader, struct job_id job, uint32_t chunk)
{
        struct task *task = xcalloc(1, sizeof(*task));

        task->load = xcalloc(1, sizeof(*task->load));
        task->load->is_entries = true;
        task->load->job = job;
        task->load->chunk = chunk;
        push_task(reader, task);
}

static void load_round(struct reader *reader, const struct job_round *round)
{
        struct task *task = xcalloc(1, sizeof(*task));

        task->load = xcalloc(1, sizeof(*task->load));
        task->load->job = round->job;
        task->load->round = xmemdup(round, sizeof(*round));
        push_task(reader, task);
}

void reader_load_round(struct reader *reader, struct job_id job)
{
        load_round(reader, &(struct job_round){ .job = job });
}

void reader_load_ends(struct reader *reader, struct job_id job, uint32_t generation)
{
        load_round(reader, &(struct job_round){ .job = job, .ends = true, .generation = generation });
}
