/* Writing what tasks give and what happened: results, output, files, events, workers. Sealed before it leaves. */
#include <string.h>

#include "adapters/store_writer.h"

#define DETAIL_MAX 1900 /* bytes of an event's detail; its column holds 2,048 with the envelope */

static enum seal_kind seal_of(enum data_kind kind)
{
        switch (kind) {
        case DATA_KIND_RESULT:
                return SEAL_RESULT;
        case DATA_KIND_OUTPUT:
                return SEAL_OUTPUT;
        case DATA_KIND_FILE:
                return SEAL_FILE;
        }
        BUG_ON(true);
}

int store_data(struct store_writer *writer, struct db *db, const struct store_data *data, struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_DATA];
        bool plain = data->kind == DATA_KIND_RESULT; /* one value: no part, number or end to bind */
        struct seal_place place = { .kind = seal_of(data->kind),
                                    .owner = data->owner.n,
                                    .job = data->job.n,
                                    .index = data->index,
                                    .attempt = data->attempt,
                                    .part = plain ? 0 : data->part,
                                    .seq = plain ? 0 : data->seq,
                                    .final = !plain && data->final };

        db_put_u64(args, data->job.n);
        db_put_u64(args, data->index);
        db_put_u64(args, data->kind);
        db_put_u64(args, data->attempt);
        db_put_u64(args, place.part);
        db_put_u64(args, place.seq);
        db_put_u64(args, data->final);
        db_put_u64(args, data->owner.n);
        db_put_i64(args, data->recorded_us);
        if (store_put_sealed(writer, db, ROWS_DATA, &place, data->bytes, data->n_bytes, err) < 0)
                return -1;
        return store_row_added(writer, db, ROWS_DATA, err);
}

int store_file(struct store_writer *writer, struct db *db, const struct store_file *file, struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_FILE];
        struct seal_place place = { .kind = SEAL_FILE_NAME,
                                    .owner = file->owner.n,
                                    .job = file->job.n,
                                    .index = file->index,
                                    .attempt = file->attempt,
                                    .part = file->file };

        db_put_u64(args, file->job.n);
        db_put_u64(args, file->index);
        db_put_u64(args, file->attempt);
        db_put_u64(args, file->file);
        db_put_u64(args, file->owner.n);
        db_put_u64(args, file->bytes);
        db_put_str(args, file->sha256);
        if (store_put_sealed(writer, db, ROWS_FILE, &place, file->name, strlen(file->name), err) < 0)
                return -1;
        return store_row_added(writer, db, ROWS_FILE, err);
}

int store_report(struct store_writer *writer, struct db *db, const struct store_report *report,
                 struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_REPORT];
        struct seal_place place = { .kind = SEAL_REPORT,
                                    .owner = report->owner.n,
                                    .job = report->job.n,
                                    .index = report->index,
                                    .attempt = report->attempt,
                                    .seq = (uint64_t)report->at_us };

        db_put_u64(args, report->job.n);
        db_put_u64(args, report->index);
        db_put_u64(args, report->owner.n);
        db_put_u64(args, report->attempt);
        db_put_i64(args, report->done);
        db_put_i64(args, report->total);
        db_put_i64(args, report->at_us);
        if (!report->values)
                db_put_bytes(args, "", 0);
        else if (store_put_sealed(writer, db, ROWS_REPORT, &place, report->values, strlen(report->values),
                                  err) < 0)
                return -1;
        return store_row_added(writer, db, ROWS_REPORT, err);
}

/* As many bytes of the text as fit, cut between characters. */
static size_t cut(const char *text, size_t max)
{
        size_t n = strlen(text);

        if (n <= max)
                return n;
        for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
                n--;
        return n;
}

int store_event(struct store_writer *writer, struct db *db, const struct store_event *event, struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_EVENT];
        struct seal_place place = { .kind = SEAL_EVENT_DETAIL,
                                    .owner = event->owner.n,
                                    .job = event->job.n,
                                    .index = event->has_index ? event->index : 0,
                                    .seq = (uint64_t)event->at_us };

        db_put_i64(args, event->at_us);
        db_put_u64(args, event->job.n);
        db_put_u64(args, event->owner.n);
        db_put_u64(args, place.index);
        db_put_u64(args, event->has_index);
        db_put_str(args, event->kind);
        db_put_u64(args, event->actor.n);
        if (!event->detail || !*event->detail)
                db_put_bytes(args, "", 0);
        else if (store_put_sealed(writer, db, ROWS_EVENT, &place, event->detail,
                                  cut(event->detail, DETAIL_MAX), err) < 0)
                return -1;
        return store_row_added(writer, db, ROWS_EVENT, err);
}

/* Columns count characters; as many bytes are never too long. */
static void put_text(struct db_args *args, const char *text, size_t max)
{
        if (text)
                db_put_bytes(args, text, cut(text, max));
        else
                db_put_null(args);
}

int store_worker(struct store_writer *writer, struct db *db, const struct store_worker *worker,
                 struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_WORKER];

        db_put_u64(args, worker->worker.n);
        db_put_u64(args, worker->state);
        db_put_u64(args, worker->slots);
        db_put_u64(args, worker->busy);
        put_text(args, worker->labels, 4096);
        put_text(args, worker->version, 64);
        put_text(args, worker->host, 255);
        put_text(args, worker->enforces, 255);
        put_text(args, worker->offers, 1024);
        db_put_i64(args, worker->seen_us);
        return store_row_added(writer, db, ROWS_WORKER, err);
}
