/* JSON for people, by json-c's tree and printer. */
#include "proto/json_pretty.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "proto/msg.h"

static struct json_object *parse(const char *text, size_t bytes)
{
        struct json_tokener *tokener;
        struct json_object *value;

        if (bytes > INT_MAX)
                return NULL;
        tokener = json_tokener_new_ex(MSG_DEPTH_MAX + 1);
        if (!tokener)
                return NULL;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        value = json_tokener_parse_ex(tokener, text, (int)bytes);
        if (!value && json_tokener_get_error(tokener) == json_tokener_continue) /* a number: end it */
                value = json_tokener_parse_ex(tokener, "", 1);
        json_tokener_free(tokener);
        return value;
}

void json_pretty_add(struct buf *out, const char *text, size_t bytes, size_t indent)
{
        struct json_object *value = parse(text, bytes);
        const char *line, *end;

        if (!value) {
                buf_add(out, text, bytes);
                return;
        }
        line = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE);
        while ((end = strchr(line, '\n'))) {
                buf_add(out, line, (size_t)(end + 1 - line));
                for (size_t i = 0; i < indent; i++)
                        buf_add_char(out, ' ');
                line = end + 1;
        }
        buf_add_str(out, line);
        json_object_put(value);
}
