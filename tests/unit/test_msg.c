/* Messages: what is encoded decodes to the same. What is refused is in test_msg_hostile.c. */
#include "unit.h"

#include <string.h>

#include "proto/msg.h"

static struct msg *decode(enum msg_direction direction, const char *text, struct err *err)
{
        uint64_t id;

        return msg_decode(direction, text, strlen(text), NULL, 0, &id, err);
}

/* Encode, decode, encode: both texts are alike. */
static struct msg *there_and_back(const struct msg *msg, struct buf *text)
{
        CLEANUP_BUF struct buf again = { 0 };
        struct err err = { 0 };
        struct msg *back;
        uint64_t id;

        msg_encode(msg, text);
        back = msg_decode(msg_direction(msg->kind), text->bytes, text->n, msg->body, msg->body_bytes, &id,
                          &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(back);
        CU_ASSERT_EQUAL(id, msg->id);
        msg_encode(back, &again);
        CU_ASSERT_STRING_EQUAL(again.bytes, text->bytes);
        return back;
}

static void a_message_without_fields_is_only_its_header(void)
{
        CLEANUP_BUF struct buf text = { 0 };
        CLEANUP_WITH(msg_free)
        struct msg *back = there_and_back(&(struct msg){ .kind = MSG_bye, .id = 7 }, &text);

        CU_ASSERT_STRING_EQUAL(text.bytes, "{\"v\":1,\"type\":\"TaskResponse\",\"op\":\"bye\",\"id\":7}");
        CU_ASSERT_EQUAL(back->kind, MSG_bye);
}

static void finished_keeps_every_field(void)
{
        struct range ranges[] = { { 1, 3 }, { 7, 7 } };
        int64_t ago[] = { 1, 2, 3, 4 };
        struct rec_task_end end = { .job = 5,
                                    .nonce = ID_MAX,
                                    .epoch = 2,
                                    .attempt = 1,
                                    .ranges = ranges,
                                    .n_ranges = 2,
                                    .status = END_STATUS_FAILED,
                                    .reason = TASK_REASON_EXIT_CODE,
                                    .has_reason = true,
                                    .exit_code = 0,
                                    .has_exit_code = true,
                                    .ago_us = ago,
                                    .n_ago_us = 4 };
        struct rec_task_chunk chunk = { .index = 7, .kind = DATA_KIND_RESULT, .bytes = 4 };
        struct msg msg = {
                .kind = MSG_finished,
                .id = 9,
                .body = "null",
                .body_bytes = 4,
                .u.finished = { .window = 3, .ends = &end, .n_ends = 1, .chunks = &chunk, .n_chunks = 1 }
        };
        CLEANUP_BUF struct buf text = { 0 };
        CLEANUP_WITH(msg_free) struct msg *back = there_and_back(&msg, &text);
        struct rec_task_end *got = back->u.finished.ends;

        CU_ASSERT_EQUAL(back->u.finished.n_ends, 1);
        CU_ASSERT_EQUAL(got->nonce, ID_MAX);
        CU_ASSERT_EQUAL(got->n_ranges, 2);
        CU_ASSERT_EQUAL(got->ranges[1].lo, 7);
        CU_ASSERT_EQUAL(got->n_ago_us, 4);
        CU_ASSERT_EQUAL(got->ago_us[3], 4);
        CU_ASSERT(got->has_exit_code && got->exit_code == 0);
        CU_ASSERT_FALSE(got->has_exit_signal);
        CU_ASSERT_EQUAL(got->reason, TASK_REASON_EXIT_CODE);
        CU_ASSERT_EQUAL(back->body_bytes, 4);
        CU_ASSERT_EQUAL(memcmp(back->body, "null", 4), 0);
}

static void text_survives_escaping(void)
{
        static const char name[] = "a\"b\\c\n\t\x01\x7f\xc3\xa9\xf0\x9f\x98\x80";
        const char *args[] = { "/bin/echo", "", "x y" };
        struct rec_job_spec spec = { .name = name,
                                     .n_name = sizeof(name) - 1,
                                     .type = TASK_TYPE_COMMAND,
                                     .args = args,
                                     .n_args = 3,
                                     .priority = -100,
                                     .has_priority = true };
        CLEANUP_BUF struct buf text = { 0 };
        CLEANUP_WITH(job_spec_free) struct job_spec_box *box = NULL;
        CLEANUP_WITH(job_spec_free) struct job_spec_box *copy = NULL;
        struct err err = { 0 };

        job_spec_encode(&spec, &text);
        box = job_spec_decode(text.bytes, text.n, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(box);
        CU_ASSERT_STRING_EQUAL(box->spec.name, name);
        CU_ASSERT_EQUAL(box->spec.n_args, 3);
        CU_ASSERT_STRING_EQUAL(box->spec.args[2], "x y");
        CU_ASSERT_EQUAL(box->spec.priority, -100);
        copy = job_spec_dup(&box->spec);
        CU_ASSERT_STRING_EQUAL(copy->spec.args[0], "/bin/echo");
}

static void a_signal_means_what_its_direction_says(void)
{
        struct err err = { 0 };
        CLEANUP_WITH(msg_free)
        struct msg *client = decode(
                MSG_C2S,
                "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"signal\",\"id\":1,\"job\":1,\"signal\":9}", &err);
        CLEANUP_WITH(msg_free)
        struct msg *worker = decode(
                MSG_S2W,
                "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"signal\",\"tasks\":[{\"job\":1,\"nonce\":1,"
                "\"ranges\":[[1,1]]}],\"signal\":9}",
                &err);

        CU_ASSERT_PTR_NOT_NULL_FATAL(client);
        CU_ASSERT_PTR_NOT_NULL_FATAL(worker);
        CU_ASSERT_EQUAL(client->kind, MSG_signal);
        CU_ASSERT_EQUAL(worker->kind, MSG_send_signal);
}

UNIT_MAIN("msg", TEST(a_message_without_fields_is_only_its_header), TEST(finished_keeps_every_field),
          TEST(text_survives_escaping), TEST(a_signal_means_what_its_direction_says))
