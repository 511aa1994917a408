/* Listings: the fields of `list` become the values of its statement (sql/queries/list.sql), rows become `rows`. */
#include <inttypes.h>
#include <string.h>

#include "adapters/reader_internal.h"
#include "adapters/store_internal.h"
#include "adapters/store_tasks_read.h"
#include "base/clock.h"
#include "core/indexes.h"

#define ROWS_MAX 1000
#define SPECS_MAX 4 /* a description may have a megabyte */
#define NO_END INT64_C(0x7fffffffffffffff)
#define INDEX_MAX UINT64_C(0xffffffff)
#define LIST_SPEC                                                                                            \
        "* who:u what:u job_lo:u job_hi:u index_lo:u index_hi:u ranges:s statuses:u owner:u user:s queue:s " \
        "name_hash:b tag_hash:b name:s last:u since_us:i now_us:i cursor:u cursor_index:u rows:u"

static const struct {
        const char *statement;
        enum permission permission;
} KINDS[] = {
        { NULL, PERMISSION_NONE },
#define LIST_KIND(name, word, permission, query) { query, PERMISSION_##permission },
#include "proto/list_kinds.def"
#undef LIST_KIND
};

/* Visible.what for a permission; 0: the listing is not by owner. */
static uint64_t what_of(enum list_kind kind)
{
        switch (KINDS[kind].permission) {
        case PERMISSION_JOB_READ:
                return 1;
        case PERMISSION_DATA_READ:
                return 2;
        case PERMISSION_EVENT_READ:
                return 3;
        case PERMISSION_NONE:
        case PERMISSION_JOB_SUBMIT:
        case PERMISSION_JOB_ACT:
        case PERMISSION_WORKER_ACT:
        case PERMISSION_QUEUE_ACT:
        case PERMISSION_USER_ADMIN:
        case PERMISSION_ROLE_GRANT:
        case PERMISSION_SERVER_ADMIN:
        case PERMISSION_WORKER_RUN:
        case PERMISSION_COUNT:
                return 0;
        }
        return 0;
}

struct window { /* which rows of the tables can be meant at all */
        uint64_t job_lo, job_hi, index_lo, index_hi;
        bool by_index; /* the cursor's second part is an index of the job it names */
};

static struct window window_of(const struct msg_list *list)
{
        struct window window = { 0, NO_END, 0, INDEX_MAX, false };

        if (list->has_job) {
                window.job_lo = list->job;
                window.job_hi = list->has_job_to ? list->job_to : list->job;
        }
        if (list->n_ranges) {
                window.index_lo = list->ranges[0].lo;
                window.index_hi = MIN(list->ranges[list->n_ranges - 1].hi, INDEX_MAX);
        }
        window.by_index = list->what == LIST_KIND_TASKS || list->what == LIST_KIND_RESULTS ||
                          list->what == LIST_KIND_PROGRESS;
        if ((window.by_index || list->what == LIST_KIND_ATTEMPTS) && list->has_from)
                window.job_lo = MAX(window.job_lo, list->from);
        if (window.by_index && list->has_from && window.job_lo == window.job_hi &&
            list->from == window.job_lo)
                window.index_lo = MAX(window.index_lo, list->from_index + 1);
        return window;
}

static void put_ranges(struct db_args *args, const struct msg_list *list)
{
        CLEANUP_BUF struct buf json = { 0 };

        /* One range is the window itself. */
        for (size_t i = 0; i < list->n_ranges && list->n_ranges > 1; i++)
                buf_addf(&json, "%s[%" PRIu64 ",%" PRIu64 "]", i ? "," : "[", list->ranges[i].lo,
                         list->ranges[i].hi);
        if (json.n)
                buf_add_char(&json, ']');
        db_put_str(args, json.n ? json.bytes : "");
}

static uint64_t bit(enum task_status status)
{
        return UINT64_C(1) << status;
}

/* failed stands for all ends that people call so: failed, timeout, oom, lost. */
static int status_bits(const struct msg_list *list, uint64_t *ret_bits, struct err *err)
{
        uint64_t bits = 0;

        for (size_t i = 0; i < list->n_statuses; i++) {
                int status = task_status_from_word(list->statuses[i]);

                if (status < 0)
                        return err_set(err, ERR_BAD_FIELD, "statuses: not the word of a status");
                bits |= bit((enum task_status)status);
                if (status == TASK_STATUS_FAILED)
                        bits |= bit(TASK_STATUS_TIMEOUT) | bit(TASK_STATUS_OOM) | bit(TASK_STATUS_LOST);
        }
        *ret_bits = bits;
        return 0;
}

/* Listings of jobs show one's own unless a person or a job is named. */
static uint64_t owner_of(const struct read_request *read, const struct msg_list *list)
{
        bool jobs = list->what == LIST_KIND_JOBS || list->what == LIST_KIND_SELECT;

        return jobs && !list->user && (!list->has_job || list->has_last) ? read->who.n : 0;
}

static void put_hash(struct db_args *args, const struct keyring *keyring, const char *label, const char *text)
{
        uint8_t hash[NAME_HASH_BYTES];

        if (!text) {
                db_put_bytes(args, "", 0);
                return;
        }
        keyring_name_hash(keyring, label, text, strlen(text), hash);
        db_put_bytes(args, hash, sizeof(hash));
}

static size_t limit_of(const struct msg_list *list)
{
        size_t limit = list->has_limit ? list->limit : ROWS_MAX;

        return list->what == LIST_KIND_SPEC ? MIN(limit, SPECS_MAX) : limit;
}

static int fill(struct db_args *args, const struct reader_hand *hand, const struct read_request *read,
                const struct msg_list *list, struct err *err)
{
        struct window window = window_of(list);
        uint64_t statuses = 0;

        if (status_bits(list, &statuses, err) < 0)
                return -1;
        db_args_init(args, LIST_SPEC);
        db_put_u64(args, read->who.n);
        db_put_u64(args, what_of(list->what));
        db_put_u64(args, window.job_lo);
        db_put_u64(args, window.job_hi);
        db_put_u64(args, window.index_lo);
        db_put_u64(args, window.index_hi);
        put_ranges(args, list);
        db_put_u64(args, statuses);
        db_put_u64(args, owner_of(read, list));
        db_put_str(args, list->user && strcmp(list->user, "all") != 0 ? list->user : "");
        db_put_str(args, list->queue ? list->queue : "");
        put_hash(args, hand->keyring, "name", list->name);
        put_hash(args, hand->keyring, "tag", list->tag);
        db_put_str(args, list->name ? list->name : "");
        db_put_u64(args, list->last);
        db_put_i64(args, (int64_t)list->since_us);
        db_put_i64(args, clock_wall_us());
        db_put_u64(args, list->from);
        db_put_u64(args, list->from_index);
        db_put_u64(args, limit_of(list) + 1);
        return 0;
}

/* Somebody names a job: whether it is missing or foreign, the answer is the same. */
static int check_visible(struct reader_hand *hand, const struct read_request *read,
                         const struct msg_list *list, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        uint64_t what = what_of(list->what), n = 0;

        if (!list->has_job || what == 0)
                return 0;

        db_args_init(&args, "who:u what:u job_lo:u job_hi:u");
        db_put_u64(&args, read->who.n);
        db_put_u64(&args, what);
        db_put_u64(&args, list->job);
        db_put_u64(&args, list->has_job_to ? list->job_to : list->job);
        if (db_number(hand->db, "list_may_see", &args, &n, err) < 0)
                return -1;
        return n ? 0 : reader_not_found(err);
}

static bool has_index(const struct rec_job_spec *spec, const struct msg_list *list)
{
        struct indexes indexes;
        struct spans found = { 0 };
        bool any;

        if (indexes_init(&indexes, spec, UINT32_MAX - 1, NULL) < 0)
                return false;
        index_spans(&indexes, list->ranges, list->n_ranges, &found);
        any = found.count > 0;
        spans_done(&found);
        indexes_done(&indexes);
        return any;
}

/* The tasks of a selection are those that exist; one that has none is a mistake. */
static int check_tasks(struct reader_hand *hand, const struct msg_list *list, struct err *err)
{
        struct window window = window_of(list);
        struct replay_job job = { 0 };
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        uint64_t answer = 0;
        bool found = false;

        if (list->what != LIST_KIND_SELECT || !list->has_job || list->has_job_to || list->n_ranges == 0)
                return 0;
        db_args_init(&args, "* job:u index_lo:u index_hi:u ranges:s");
        db_put_u64(&args, list->job);
        db_put_u64(&args, window.index_lo);
        db_put_u64(&args, window.index_hi);
        put_ranges(&args, list);
        if (db_number(hand->db, "list_has_task", &args, &answer, err) < 0 ||
            (answer == 2 && store_read_job(hand->db, hand->keys, hand->sealer, (struct job_id){ list->job },
                                           &job, &found, err) < 0))
                return -1;
        if (answer == 2)
                answer = found && has_index(&job.job.spec->spec, list);
        job_spec_free(job.job.spec);
        return answer ? 0 : err_set(err, ERR_NOT_FOUND, "no such task in job %" PRIu64, list->job);
}

int reader_list(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        const struct msg_list *list = &read->msg->u.list;
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        CLEANUP_BUF struct buf json = { 0 };
        struct reader_columns columns;
        struct msg answer = { .kind = MSG_rows };
        const char *statement = KINDS[list->what].statement;

        if (list->what == LIST_KIND_SELECT && list->has_last)
                statement = "list_select_last";
        if (check_visible(hand, read, list, err) < 0 || check_tasks(hand, list, err) < 0 ||
            fill(&args, hand, read, list, err) < 0 || db_read(hand->db, statement, &args, &rows, err) < 0 ||
            db_keep(&rows, err) < 0 ||
            reader_rows(hand, &rows, limit_of(list), &json, &columns, &answer.u.rows, err) < 0)
                return -1;
        reader_emit(hand, read, &answer, NULL, 0);
        return 0;
}
