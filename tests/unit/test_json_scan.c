/* The strict reader: the grammar and nothing else, for messages and for results. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "proto/json_scan.h"

#define TOKENS __attribute__((cleanup(json_tokens_done))) struct json_tokens

static int scan(const char *text, size_t bytes, enum err_code *ret_code)
{
        struct err err = { 0 };
        TOKENS tokens = { 0 };
        int result = json_scan(text, bytes, 16, &tokens, &err);

        *ret_code = err.code;
        return result;
}

struct row {
        const char *text;
        bool message; /* accepted by json_scan */
        bool result; /* accepted by json_check */
};

static void both_readers_know_the_grammar(void)
{
        static const struct row rows[] = {
                { "{}", true, true },
                { " [ 1 , -2.5e+3 , \"x\" , null , true , false , { \"a\" : [ ] } ] \n", true, true },
                { "\"\\u00e9\\ud83d\\ude00\\n\\/\"", true, true },
                { "0", true, true },
                { "-0", true, true },
                { "1E400", true, true },
                { "", false, false },
                { " ", false, false },
                { "{", false, false },
                { "[1,]", false, false },
                { "[,1]", false, false },
                { "{\"a\":1,}", false, false },
                { "{\"a\"}", false, false },
                { "{\"a\":}", false, false },
                { "{a:1}", false, false },
                { "{'a':1}", false, false },
                { "[1}", false, false },
                { "{\"a\":1]", false, false },
                { "01", false, false },
                { "-01", false, false },
                { "1.", false, false },
                { ".5", false, false },
                { "+1", false, false },
                { "-", false, false },
                { "1e", false, false },
                { "0x10", false, false },
                { "NaN", false, false },
                { "-Infinity", false, false },
                { "nul", false, false },
                { "True", false, false },
                { "\"abc", false, false },
                { "\"a\nb\"", false, false },
                { "\"\\x41\"", false, false },
                { "\"\\u12\"", false, false },
                { "\"\\u12g4\"", false, false },
                { "\"\\", false, false },
                { "{} {}", false, false },
                { "{}x", false, false },
                { "\xef\xbb\xbf{}", false, false },
                { "\"\xc0\x80\"", false, false },
                { "\"\xed\xa0\x80\"", false, false },
                { "\"\xff\"", false, false },
                { "/**/{}", false, false },
                /* What a message must not hold, but a result may. */
                { "\"\\u0000\"", false, true },
                { "\"\\ud83d\"", false, true },
                { "\"\\ude00\\ud83d\"", false, true },
                { "{\"\\u0061\":1}", false, true },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                enum err_code code;
                bool message = scan(rows[i].text, strlen(rows[i].text), &code) == 0;
                bool result = json_check(rows[i].text, strlen(rows[i].text), NULL) == 0;

                if (message != rows[i].message || result != rows[i].result)
                        printf("row %zu: %s\n", i, rows[i].text);
                CU_ASSERT_EQUAL(message, rows[i].message);
                CU_ASSERT_EQUAL(result, rows[i].result);
                if (!message)
                        CU_ASSERT_EQUAL(code, strpbrk(rows[i].text, "NI") ? ERR_BAD_FIELD : ERR_BAD_JSON);
        }
}

static void a_nul_byte_is_no_blank(void)
{
        enum err_code code;

        CU_ASSERT_EQUAL(scan("{}\0", 3, &code), -1);
        CU_ASSERT_EQUAL(scan("\"a\0b\"", 5, &code), -1);
        CU_ASSERT_EQUAL(json_check("1\0", 2, NULL), -1);
}

static void depth_is_counted_not_recursed(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        enum err_code code;

        for (int depth = 1; depth <= 100000; depth = depth < 17 ? depth + 1 : depth * 7) {
                buf_clear(&b);
                for (int i = 0; i < depth; i++)
                        buf_add_char(&b, '[');
                CU_ASSERT_EQUAL(json_check(b.bytes, b.n, NULL), -1); /* not closed */
                for (int i = 0; i < depth; i++)
                        buf_add_char(&b, ']');
                CU_ASSERT_EQUAL(scan(b.bytes, b.n, &code), depth <= 16 ? 0 : -1);
                CU_ASSERT_EQUAL(json_check(b.bytes, b.n, NULL), 0);
        }
        CU_ASSERT_EQUAL(code, ERR_BAD_JSON);
}

static void mixed_nesting_closes_in_order(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        for (int i = 0; i < 500; i++)
                buf_add_str(&b, i % 3 ? "[" : "{\"a\":");
        buf_add_char(&b, '1');
        for (int i = 499; i >= 0; i--)
                buf_add_char(&b, i % 3 ? ']' : '}');
        CU_ASSERT_EQUAL(json_check(b.bytes, b.n, NULL), 0);
        b.bytes[b.n - 250] = b.bytes[b.n - 250] == ']' ? '}' : ']';
        CU_ASSERT_EQUAL(json_check(b.bytes, b.n, NULL), -1);
}

static void floods_are_too_large(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        enum err_code code = ERR_OK;

        buf_add_char(&b, '{');
        for (int i = 0; i < 10000; i++)
                buf_addf(&b, "%s\"k%d\":%d", i ? "," : "", i, i);
        buf_add_char(&b, '}');
        CU_ASSERT_EQUAL(scan(b.bytes, b.n, &code), -1);
        CU_ASSERT_EQUAL(code, ERR_TOO_LARGE);

        buf_clear(&b);
        buf_add_char(&b, '[');
        for (int i = 0; i < 1000000; i++)
                buf_add_str(&b, i ? ",0" : "0");
        buf_add_char(&b, ']');
        CU_ASSERT_EQUAL(scan(b.bytes, b.n, &code), -1);
        CU_ASSERT_EQUAL(code, ERR_TOO_LARGE);

        buf_clear(&b);
        buf_add_str(&b, "{\"");
        for (int i = 0; i < 1000000; i++)
                buf_add_char(&b, 'k');
        buf_add_str(&b, "\":1}");
        CU_ASSERT_EQUAL(scan(b.bytes, b.n, &code), -1);
        CU_ASSERT_EQUAL(code, ERR_TOO_LARGE);
}

static void only_exact_integers_are_integers(void)
{
        static const struct {
                const char *text;
                bool integer;
                int64_t value;
        } rows[] = { { "0", true, 0 },
                     { "9007199254740991", true, 9007199254740991 },
                     { "-9007199254740991", true, -9007199254740991 },
                     { "9007199254740992", false, 0 },
                     { "18446744073709551616", false, 0 },
                     { "-0", false, 0 },
                     { "1.0", false, 0 },
                     { "1e3", false, 0 } };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                TOKENS tokens = { 0 };

                CU_ASSERT_EQUAL(json_scan(rows[i].text, strlen(rows[i].text), 16, &tokens, NULL), 0);
                CU_ASSERT_EQUAL(tokens.list[0].kind == JSON_KIND_INTEGER, rows[i].integer);
                if (rows[i].integer)
                        CU_ASSERT_EQUAL(tokens.list[0].integer, rows[i].value);
        }
}

static void doubled_members_are_found_at_any_depth(void)
{
        static const char good[] = "[{\"a\":{\"a\":1},\"b\":1},{\"a\":2}]";
        static const char bad[] = "[{\"a\":{\"c\":1,\"d\":[],\"c\":1},\"b\":1},{\"a\":2}]";
        TOKENS tokens = { 0 };

        CU_ASSERT_EQUAL(json_scan(good, strlen(good), 16, &tokens, NULL), 0);
        CU_ASSERT_EQUAL(json_no_doubles(good, &tokens, 0, NULL), 0);
        CU_ASSERT_EQUAL(json_scan(bad, strlen(bad), 16, &tokens, NULL), 0);
        CU_ASSERT_EQUAL(json_no_doubles(bad, &tokens, 0, NULL), -1);
}

static void unescaping_gives_the_bytes(void)
{
        static const char text[] = "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00\xc3\xa9\"";
        static const char want[] = "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9";
        TOKENS tokens = { 0 };
        char out[100];
        size_t n;

        CU_ASSERT_EQUAL_FATAL(json_scan(text, strlen(text), 16, &tokens, NULL), 0);
        n = json_unescape(text, &tokens.list[0], out);
        CU_ASSERT_EQUAL(n, strlen(want));
        CU_ASSERT_EQUAL(memcmp(out, want, n), 0);
}

UNIT_MAIN("json_scan", TEST(both_readers_know_the_grammar), TEST(a_nul_byte_is_no_blank),
          TEST(depth_is_counted_not_recursed), TEST(mixed_nesting_closes_in_order),
          TEST(floods_are_too_large), TEST(only_exact_integers_are_integers),
          TEST(doubled_members_are_found_at_any_depth), TEST(unescaping_gives_the_bytes))
