/* A watch on jobs that are not in memory: they are over, and their rows say how, or they are not there. One that is not over
 * is being brought back by a retry, or was just submitted: who asks again finds it in memory. */
#include <inttypes.h>

#include "adapters/reader_internal.h"
#include "core/indexes.h"

enum { COL_JOB, COL_STATUS, COL_ENDED, COL_COUNTS };

static void add_counts(const struct db_rows *rows, struct rec_job_counts *sum)
{
        sum->tasks += db_u64(rows, COL_COUNTS);
        sum->held += db_u64(rows, COL_COUNTS + 1);
        sum->waiting += db_u64(rows, COL_COUNTS + 2);
        sum->queued += db_u64(rows, COL_COUNTS + 3);
        sum->running += db_u64(rows, COL_COUNTS + 4);
        sum->succeeded += db_u64(rows, COL_COUNTS + 5);
        sum->failed += db_u64(rows, COL_COUNTS + 6);
        sum->cancelled += db_u64(rows, COL_COUNTS + 7);
        sum->aborted += db_u64(rows, COL_COUNTS + 8);
}

static int ask_states(struct reader_hand *hand, const struct read_request *read, struct db_rows *rows,
                      struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_BUF struct buf json = { 0 };
        uint64_t one = read->msg->u.watch.job;
        const uint64_t *jobs = read->jobs ? read->jobs : &one;
        size_t n = read->jobs ? read->n_jobs : 1;

        for (size_t i = 0; i < n; i++)
                buf_addf(&json, "%c%" PRIu64, i ? ',' : '[', jobs[i]);
        buf_add_char(&json, ']');
        db_args_init(&args, "who:u jobs:s");
        db_put_u64(&args, read->who.n);
        db_put_str(&args, json.bytes);
        return db_read(hand->db, "watch_states", &args, rows, err);
}

int reader_watch(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        struct msg answer = { .kind = MSG_event };
        struct msg_event *event = &answer.u.event;
        struct ranges succeeded = { 0 }, ended = { 0 };
        struct rec_job_counts counts = { .has_tasks = true,
                                         .has_held = true,
                                         .has_waiting = true,
                                         .has_queued = true,
                                         .has_running = true,
                                         .has_succeeded = true,
                                         .has_failed = true,
                                         .has_cancelled = true,
                                         .has_aborted = true };
        uint64_t back = 0, n = 0;
        int more;

        if (ask_states(hand, read, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                uint64_t job = db_u64(&rows, COL_JOB);
                bool well = db_u64(&rows, COL_COUNTS) == db_u64(&rows, COL_COUNTS + 5);

                n++;
                if (!db_u64(&rows, COL_ENDED))
                        back = job;
                event->status = (enum task_status)db_u64(&rows, COL_STATUS);
                add_counts(&rows, &counts);
                ranges_add(well ? &succeeded : &ended, job, job);
        }
        if (more == 0 && n < (read->jobs ? read->n_jobs : 1))
                more = reader_not_found(err);
        else if (more == 0 && back)
                more = err_set(err, ERR_RETRY_LATER, "job %" PRIu64 " is just coming back", back);
        event->counts = &counts;
        if (read->jobs) {
                event->succeeded = succeeded.list;
                event->n_succeeded = succeeded.n;
                event->ended = ended.list;
                event->n_ended = ended.n;
                event->past = event->has_past = true;
        } else {
                event->job = read->msg->u.watch.job;
                event->has_job = event->has_status = event->done = event->has_done = true;
        }
        if (more == 0)
                reader_emit(hand, read, &answer, NULL, 0);
        ranges_done(&succeeded);
        ranges_done(&ended);
        return more;
}
