/* What the decoder refuses, and with which word. Nothing here may crash, grow without bound, or echo input. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "proto/msg.h"

static enum err_code refusal(enum msg_direction direction, const char *text, size_t bytes, size_t body_bytes,
                             struct err *err)
{
        static const char body[64] = "0123456789";
        uint64_t id;
        CLEANUP_WITH(msg_free)
        struct msg *msg = msg_decode(direction, text, bytes, body_bytes ? body : NULL, body_bytes, &id, err);

        return msg ? ERR_OK : err->code;
}

struct row {
        const char *text;
        enum err_code code;
};

static void check_rows(enum msg_direction direction, const struct row *rows, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct err err = { 0 };
                enum err_code code = refusal(direction, rows[i].text, strlen(rows[i].text), 0, &err);

                if (code != rows[i].code)
                        printf("row %zu: %s: %s: %s\n", i, rows[i].text, err_word(code), err.text);
                CU_ASSERT_EQUAL(code, rows[i].code);
                CU_ASSERT_PTR_NULL(strstr(err.text, "evil"));
        }
}

#define SET_JOB "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"set\",\"id\":1,\"job\":"
#define CANCEL "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"cancel\",\"id\":1,\"job\":1,"

static void numbers_outside_their_range_are_bad_fields(void)
{
        static const struct row rows[] = {
                { SET_JOB "1}", ERR_OK },
                { SET_JOB "9007199254740991}", ERR_OK },
                { SET_JOB "0}", ERR_BAD_FIELD },
                { SET_JOB "-1}", ERR_BAD_FIELD },
                { SET_JOB "-0}", ERR_BAD_FIELD },
                { SET_JOB "1e308}", ERR_BAD_FIELD },
                { SET_JOB "1e400}", ERR_BAD_FIELD },
                { SET_JOB "1.0}", ERR_BAD_FIELD },
                { SET_JOB "9007199254740992}", ERR_BAD_FIELD },
                { SET_JOB "9007199254740993}", ERR_BAD_FIELD },
                { SET_JOB "18446744073709551616}", ERR_BAD_FIELD },
                { SET_JOB "NaN}", ERR_BAD_FIELD },
                { SET_JOB "Infinity}", ERR_BAD_FIELD },
                { SET_JOB "-Infinity}", ERR_BAD_FIELD },
                { SET_JOB "01}", ERR_BAD_JSON },
                { SET_JOB "1,\"priority\":-100}", ERR_OK },
                { SET_JOB "1,\"priority\":-101}", ERR_BAD_FIELD },
                { SET_JOB "1,\"priority\":101}", ERR_BAD_FIELD },
                { SET_JOB "1,\"time_ms\":1000000000000000000}", ERR_BAD_FIELD },
                { SET_JOB "1,\"time_ms\":0}", ERR_BAD_FIELD },
        };

        check_rows(MSG_C2S, rows, sizeof(rows) / sizeof(rows[0]));
}

static void a_number_of_ten_thousand_digits_is_a_bad_field(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        struct err err = { 0 };

        buf_add_str(&b, SET_JOB);
        for (int i = 0; i < 10000; i++)
                buf_add_char(&b, '7');
        buf_add_char(&b, '}');
        CU_ASSERT_EQUAL(refusal(MSG_C2S, b.bytes, b.n, 0, &err), ERR_BAD_FIELD);
        CU_ASSERT(strlen(err.text) < 200);
}

static void wrong_types_and_members_are_bad_fields(void)
{
        static const struct row rows[] = {
                { SET_JOB "\"1\"}", ERR_BAD_FIELD },
                { SET_JOB "null}", ERR_BAD_FIELD },
                { SET_JOB "[1]}", ERR_BAD_FIELD },
                { SET_JOB "true}", ERR_BAD_FIELD },
                { SET_JOB "1,\"dry_run\":1}", ERR_BAD_FIELD },
                { SET_JOB "1,\"dry_run\":\"true\"}", ERR_BAD_FIELD },
                { SET_JOB "1,\"evil\":1}", ERR_BAD_FIELD },
                { SET_JOB "1,\"user\":\"admin\"}", ERR_BAD_FIELD },
                { SET_JOB "1,\"role\":\"evil\"}", ERR_BAD_FIELD },
                { CANCEL "\"reason\":7}", ERR_BAD_FIELD },
                { CANCEL "\"reason\":\"\"}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[1,2],[5,9]]}", ERR_OK },
                { CANCEL "\"ranges\":{}}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[1,2]}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[1]]}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[1,2,3]]}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[1,[2]]]}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[[1,2]]]}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[2,1]]}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[-1,1]]}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[1,5],[5,9]]}", ERR_BAD_FIELD },
                { CANCEL "\"ranges\":[[5,9],[1,2]]}", ERR_BAD_FIELD },
                { "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"set\",\"id\":1}", ERR_BAD_FIELD },
                { "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"set\",\"job\":1}", ERR_BAD_FIELD },
                { "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"evil\",\"id\":1}", ERR_BAD_FIELD },
                { "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"set\",\"id\":1,\"job\":1}", ERR_BAD_FIELD },
                { "{\"v\":1,\"op\":\"set\",\"id\":1,\"job\":1}", ERR_BAD_FIELD },
                { "{\"v\":1,\"type\":1,\"op\":\"set\",\"id\":1,\"job\":1}", ERR_BAD_FIELD },
                { "[]", ERR_BAD_JSON },
                { "1", ERR_BAD_JSON },
                { "{}", ERR_BAD_FIELD },
        };

        check_rows(MSG_C2S, rows, sizeof(rows) / sizeof(rows[0]));
}

static void other_versions_are_refused_with_what_is_supported(void)
{
        static const char *const versions[] = { "\"v\":0,", "\"v\":99,", "\"v\":\"1\",", "" };

        for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
                CLEANUP_BUF struct buf b = { 0 };
                struct err err = { 0 };

                buf_addf(&b, "{%s\"type\":\"TaskResponse\",\"op\":\"bye\",\"id\":1}", versions[i]);
                CU_ASSERT_EQUAL(refusal(MSG_W2S, b.bytes, b.n, 0, &err), ERR_BAD_FIELD);
                CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "supported versions: 1"));
        }
}

static void doubled_members_are_bad_json(void)
{
        static const struct row rows[] = {
                { SET_JOB "1,\"job\":1}", ERR_BAD_JSON },
                { SET_JOB "1,\"priority\":1,\"priority\":2}", ERR_BAD_JSON },
                { SET_JOB "1,\"id\":1}", ERR_BAD_JSON },
                { SET_JOB "1,\"v\":1}", ERR_BAD_JSON },
                { SET_JOB "1,\"op\":\"cancel\"}", ERR_BAD_JSON },
                { SET_JOB "1,\"\\u006aob\":1}", ERR_BAD_JSON },
        };
        static const struct row answers[] = {
                { "{\"v\":1,\"type\":\"DataResponse\",\"op\":\"rows\",\"columns\":[],\"rows\":[{\"a\":1,"
                  "\"a\":2}]}",
                  ERR_BAD_JSON },
                { "{\"v\":1,\"type\":\"DataResponse\",\"op\":\"rows\",\"columns\":[],\"rows\":[[-1.5e300,"
                  "null]]}",
                  ERR_OK },
        };

        check_rows(MSG_C2S, rows, sizeof(rows) / sizeof(rows[0]));
        check_rows(MSG_S2C, answers, sizeof(answers) / sizeof(answers[0]));
}

static void strings_must_be_clean_utf8(void)
{
        static const char *const strings[] = { "\xc0\x80", "\xed\xa0\x80", "\xff",     "\\u0000", "\\ud800",
                                               "\\udc00x", "a\x01z",       "\xf5\x80", "\\x41" };

        for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
                CLEANUP_BUF struct buf b = { 0 };
                struct err err = { 0 };

                buf_addf(&b, CANCEL "\"reason\":\"%s\"}", strings[i]);
                CU_ASSERT_EQUAL(refusal(MSG_C2S, b.bytes, b.n, 0, &err), ERR_BAD_JSON);
        }
}

static void names_are_plain_ascii(void)
{
        static const char *const names[] = { "\xef\xbd\x81"
                                             "dmin", /* full-width a */
                                             "admi\xcc\x81n", /* combining accent */
                                             "\xe2\x80\xae"
                                             "nimda", /* right-to-left override */
                                             "a b",
                                             "-a",
                                             ".a",
                                             "a/b",
                                             "../x.so",
                                             "",
                                             "a\\u0020" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                CLEANUP_BUF struct buf b = { 0 };
                struct err err = { 0 };

                buf_addf(&b,
                         "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"role-add\",\"id\":1,\"role\":\"%s\"}",
                         names[i]);
                CU_ASSERT_EQUAL(refusal(MSG_C2S, b.bytes, b.n, 0, &err), ERR_BAD_FIELD);
        }
}

static void frames_and_header_must_agree(void)
{
        static const char put[] =
                "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"put\",\"id\":1,\"key\":\"k\",\"no\":0";
        static const char set[] = SET_JOB "1";
        static const struct {
                const char *text;
                const char *body;
                size_t body_bytes;
                enum err_code code;
        } rows[] = {
                { put, ",\"body\":3}", 3, ERR_OK },
                { put, ",\"body\":3}", 4, ERR_BAD_FRAME },
                { put, ",\"body\":3}", 0, ERR_BAD_FRAME },
                { put, "}", 3, ERR_BAD_FRAME },
                { put, "}", 0, ERR_OK },
                { put, ",\"body\":0}", 0, ERR_BAD_FIELD },
                { put, ",\"body\":1048577}", 3, ERR_BAD_FIELD },
                { set, ",\"body\":3}", 3, ERR_BAD_FRAME },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                CLEANUP_BUF struct buf b = { 0 };
                struct err err = { 0 };

                buf_addf(&b, "%s%s", rows[i].text, rows[i].body);
                CU_ASSERT_EQUAL(refusal(MSG_C2S, b.bytes, b.n, rows[i].body_bytes, &err), rows[i].code);
        }
        {
                struct err err = { 0 };
                CLEANUP_BUF struct buf b = { 0 };

                CU_ASSERT_EQUAL(refusal(MSG_C2S, "", 0, 0, &err), ERR_BAD_FRAME);
                buf_reserve(&b, MSG_HEADER_MAX + 1);
                memset(b.bytes, ' ', MSG_HEADER_MAX + 1);
                CU_ASSERT_EQUAL(refusal(MSG_C2S, b.bytes, MSG_HEADER_MAX + 1, 0, &err), ERR_TOO_LARGE);
        }
}

#define SUBMIT "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"submit\",\"id\":1,"

static void chunks_must_add_up_to_the_body(void)
{
        static const struct {
                const char *chunks;
                enum err_code code;
        } rows[] = { { "[10]", ERR_OK },
                     { "[4,6]", ERR_OK },
                     { "[11]", ERR_BAD_FRAME },
                     { "[9]", ERR_BAD_FRAME },
                     { "[]", ERR_BAD_FRAME },
                     { "[-1,11]", ERR_BAD_FRAME },
                     { "[1048577]", ERR_BAD_FRAME },
                     { "[10.0]", ERR_BAD_FIELD } };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                CLEANUP_BUF struct buf b = { 0 };
                struct err err = { 0 };

                buf_addf(&b,
                         SUBMIT
                         "\"body\":10,\"jobs\":[{\"key\":\"k\",\"spec\":{\"type\":\"noop\"},\"chunks\":%s}]}",
                         rows[i].chunks);
                CU_ASSERT_EQUAL(refusal(MSG_C2S, b.bytes, b.n, 10, &err), rows[i].code);
        }
}

#define FINISHED                                                                                             \
        "{\"v\":1,\"type\":\"TaskResponse\",\"op\":\"finished\",\"id\":1,\"window\":1,\"ends\":[{\"job\":1," \
        "\"nonce\":1,\"epoch\":1,\"attempt\":1,\"ranges\":[[1,4]],\"status\":\"succeeded\""

static void an_end_counts_its_tasks(void)
{
        static const struct row rows[] = {
                { FINISHED "}]}", ERR_OK },
                { FINISHED ",\"ago_us\":[1]}]}", ERR_OK },
                { FINISHED ",\"ago_us\":[1,2,3,4]}]}", ERR_OK },
                { FINISHED ",\"ago_us\":[1,2,3]}]}", ERR_BAD_FIELD },
                { FINISHED ",\"rss_kib\":[1,2,3,4,5]}]}", ERR_BAD_FIELD },
                { FINISHED ",\"ago_us\":[1,2,[3],4]}]}", ERR_BAD_FIELD },
                { FINISHED "}],\"chunks\":[{\"end\":1,\"index\":1,\"kind\":\"result\",\"bytes\":0}]}",
                  ERR_BAD_FIELD },
                { FINISHED "}],\"chunks\":[{\"end\":0,\"index\":1,\"kind\":\"result\",\"bytes\":1}]}",
                  ERR_BAD_FRAME },
                { FINISHED "}],\"chunks\":[{\"end\":0,\"index\":1,\"kind\":\"evil\",\"bytes\":0}]}",
                  ERR_BAD_FIELD },
                { FINISHED ",\"exit_code\":256}]}", ERR_BAD_FIELD },
                { FINISHED ",\"reason\":\"evil\"}]}", ERR_BAD_FIELD },
        };

        check_rows(MSG_W2S, rows, sizeof(rows) / sizeof(rows[0]));
}

static void a_spec_is_checked_as_a_whole(void)
{
#define JOB(more) SUBMIT "\"jobs\":[{\"key\":\"k\",\"spec\":{\"type\":\"command\"" more "}}]}"
        static const struct row rows[] = {
                { JOB(",\"array\":[{\"lo\":1,\"hi\":9}]"), ERR_OK },
                { JOB(",\"array\":[{\"lo\":1,\"hi\":9,\"step\":2},{\"lo\":2,\"hi\":10,\"step\":2}]"),
                  ERR_OK },
                { JOB(",\"array\":[{\"lo\":9,\"hi\":1}]"), ERR_BAD_FIELD },
                { JOB(",\"array\":[{\"lo\":1,\"hi\":3},{\"lo\":2,\"hi\":4}]"), ERR_BAD_FIELD },
                { JOB(",\"array\":[{\"lo\":5,\"hi\":6},{\"lo\":1,\"hi\":4}]"), ERR_BAD_FIELD },
                { JOB(",\"array\":[{\"lo\":0,\"hi\":2147483647}]"), ERR_BAD_FIELD },
                { JOB(",\"array\":[{\"lo\":1,\"hi\":18446744073709551615}]"), ERR_BAD_FIELD },
                { JOB(",\"array\":[{\"lo\":1,\"hi\":9,\"step\":0}]"), ERR_BAD_FIELD },
                { JOB(",\"array\":[{},{},{}]"), ERR_BAD_FIELD },
                { JOB(",\"cwd\":\"here\""), ERR_BAD_FIELD },
                { JOB(",\"inputs\":[{\"name\":\"..\",\"bytes\":1,\"sha256\":"
                      "\"0123456789abcdef0123456789abcdef"
                      "0123456789abcdef0123456789abcdef\"}]"),
                  ERR_BAD_FIELD },
                { JOB(",\"inputs\":[{\"name\":\"a/"
                      "b\",\"bytes\":1,\"sha256\":\"0123456789abcdef0123456789abcdef"
                      "0123456789abcdef0123456789abcdef\"}]"),
                  ERR_BAD_FIELD },
                { JOB(",\"inputs\":[{\"name\":\"ab\",\"bytes\":1,\"sha256\":"
                      "\"0123456789ABCDEF0123456789abcdef"
                      "0123456789abcdef0123456789abcdef\"}]"),
                  ERR_BAD_FIELD },
                { SUBMIT "\"jobs\":[]}", ERR_BAD_FIELD },
                { SUBMIT "\"jobs\":[{\"key\":\"k\",\"spec\":{\"type\":\"evil\"}}]}", ERR_BAD_FIELD },
        };

        check_rows(MSG_C2S, rows, sizeof(rows) / sizeof(rows[0]));
}

static void the_other_kind_of_key_is_told_so(void)
{
        static const char finished[] = FINISHED "}]}";
        static const char set[] = SET_JOB "1}";
        struct err err = { 0 };

        CU_ASSERT_EQUAL(refusal(MSG_C2S, finished, strlen(finished), 0, &err), ERR_FORBIDDEN);
        CU_ASSERT_EQUAL(refusal(MSG_W2S, set, strlen(set), 0, &err), ERR_FORBIDDEN);
        CU_ASSERT_EQUAL(refusal(MSG_S2C, set, strlen(set), 0, &err), ERR_BAD_FIELD);
}

static void a_refusal_can_name_the_message(void)
{
        static const char text[] = SET_JOB "0}";
        static const char no_json[] = SET_JOB "0";
        struct err err = { 0 };
        uint64_t id = 99;

        CU_ASSERT_PTR_NULL(msg_decode(MSG_C2S, text, strlen(text), NULL, 0, &id, &err));
        CU_ASSERT_EQUAL(id, 1);
        CU_ASSERT_STRING_EQUAL(err.text, "field job must be an integer from 1 to 9007199254740991");
        CU_ASSERT_PTR_NULL(msg_decode(MSG_C2S, no_json, strlen(no_json), NULL, 0, &id, &err));
        CU_ASSERT_EQUAL(id, 0);
}

static void too_many_elements_are_too_large(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        struct err err = { 0 };

        buf_add_str(&b, CANCEL "\"ranges\":[");
        for (int i = 0; i < 4097; i++)
                buf_addf(&b, "%s[%d,%d]", i ? "," : "", i * 2, i * 2);
        buf_add_str(&b, "]}");
        CU_ASSERT_EQUAL(refusal(MSG_C2S, b.bytes, b.n, 0, &err), ERR_TOO_LARGE);

        buf_clear(&b);
        buf_add_str(&b, CANCEL "\"reason\":\"");
        for (int i = 0; i < 1025; i++)
                buf_add_char(&b, 'x');
        buf_add_str(&b, "\"}");
        CU_ASSERT_EQUAL(refusal(MSG_C2S, b.bytes, b.n, 0, &err), ERR_TOO_LARGE);
}

/* Every prefix and every single changed byte of a good message: an answer, whatever it is. */
static void damaged_messages_never_crash(void)
{
        static const char good[] =
                FINISHED ",\"ago_us\":[1,2,3,4],\"exit_code\":0}],\"chunks\":[{\"end\":0,\"index\":1,"
                         "\"kind\":\"output\",\"stream\":\"stdout\",\"bytes\":0}]}";
        size_t n = strlen(good), accepted = 0;
        struct err err = { 0 };

        CU_ASSERT_EQUAL(refusal(MSG_W2S, good, n, 0, &err), ERR_OK);
        for (size_t i = 0; i < n; i++)
                accepted += refusal(MSG_W2S, good, i, 0, &err) == ERR_OK;
        CU_ASSERT_EQUAL(accepted, 0);
        for (size_t i = 0; i < n; i++)
                for (int c = 1; c < 256; c += 3) {
                        char bad[sizeof(good)];

                        memcpy(bad, good, sizeof(good));
                        bad[i] = (char)c;
                        accepted += refusal(MSG_W2S, bad, n, 0, &err) == ERR_OK;
                }
        CU_ASSERT(accepted > 0); /* another digit is another good number */
}

UNIT_MAIN("msg_hostile", TEST(numbers_outside_their_range_are_bad_fields),
          TEST(a_number_of_ten_thousand_digits_is_a_bad_field), TEST(wrong_types_and_members_are_bad_fields),
          TEST(other_versions_are_refused_with_what_is_supported), TEST(doubled_members_are_bad_json),
          TEST(strings_must_be_clean_utf8), TEST(names_are_plain_ascii), TEST(frames_and_header_must_agree),
          TEST(chunks_must_add_up_to_the_body), TEST(an_end_counts_its_tasks),
          TEST(a_spec_is_checked_as_a_whole), TEST(the_other_kind_of_key_is_told_so),
          TEST(a_refusal_can_name_the_message), TEST(too_many_elements_are_too_large),
          TEST(damaged_messages_never_crash))
