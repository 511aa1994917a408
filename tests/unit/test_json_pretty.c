/* proto/json_pretty: what people see of a description. */
#include "proto/json_pretty.h"

#include <string.h>

#include "unit.h"

static void expect(const char *text, size_t indent, const char *wanted)
{
        CLEANUP_BUF struct buf out = { 0 };

        json_pretty_add(&out, text, strlen(text), indent);
        CU_ASSERT_STRING_EQUAL(out.bytes, wanted);
}

static void a_member_has_a_line_of_its_own(void)
{
        expect("{\"name\":\"a/b\",\"args\":[1,2]}", 0,
               "{\n  \"name\": \"a/b\",\n  \"args\": [\n    1,\n    2\n  ]\n}");
}

static void lines_after_the_first_are_indented(void)
{
        expect("{\"x\":1}", 4, "{\n      \"x\": 1\n    }");
}

static void controls_inside_strings_stay_escaped(void)
{
        expect("\"a\\u001b[31m\\n\"", 0, "\"a\\u001b[31m\\n\"");
}

static void what_is_no_json_stays_as_it_is(void)
{
        expect("{\"x\":", 2, "{\"x\":");
        expect("12", 2, "12");
}

UNIT_MAIN("json_pretty", TEST(a_member_has_a_line_of_its_own), TEST(lines_after_the_first_are_indented),
          TEST(controls_inside_strings_stay_escaped), TEST(what_is_no_json_stays_as_it_is))
