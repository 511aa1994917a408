/* The message decoder, in every direction: never crashes, never accepts what a second strict reader refuses, and what it
 * accepts encodes to a text that decodes to the same again. */
#include <json-c/json.h>
#include <string.h>

#include "base/xalloc.h"
#include "proto/json_scan.h"
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The second opinion. It is laxer than ours in places, so only its refusals count. */
static void ask_json_c(const char *text, size_t bytes)
{
        struct json_tokener *reader = json_tokener_new_ex(MSG_DEPTH_MAX + 1);
        struct json_object *tree;

        json_tokener_set_flags(reader, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        tree = json_tokener_parse_ex(reader, text,
                                     (int)bytes + 1); /* the NUL tells it that a number is over */
        BUG_ON(json_tokener_get_error(reader) != json_tokener_success);
        json_object_put(tree);
        json_tokener_free(reader);
}

/* As many body bytes as the header asks for, so that messages with a body get past that check. */
static size_t body_bytes(const char *text)
{
        const char *at = strstr(text, "\"body\":");
        size_t n = 0;

        for (at = at ? at + 7 : ""; *at >= '0' && *at <= '9' && n < MSG_BODY_MAX; at++)
                n = n * 10 + (size_t)(*at - '0');
        return n > MSG_BODY_MAX ? 0 : n;
}

static void check_round_trip(const struct msg *msg)
{
        CLEANUP_BUF struct buf once = { 0 };
        CLEANUP_BUF struct buf twice = { 0 };
        CLEANUP_WITH(msg_free) struct msg *again = NULL;
        uint64_t id;

        msg_encode(msg, &once);
        again = msg_decode(msg_direction(msg->kind), once.bytes, once.n, msg->body, msg->body_bytes, &id,
                           NULL);
        if (!again && once.n > MSG_HEADER_MAX) /* escapes may be longer than what they stand for */
                return;
        BUG_ON(!again);
        msg_encode(again, &twice);
        BUG_ON(once.n != twice.n || memcmp(once.bytes, twice.bytes, once.n) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP_WITH(xfree) char *text = xstrndup((const char *)data, size);
        CLEANUP_WITH(xfree) void *body = NULL;
        size_t n_body = body_bytes(text);

        body = xcalloc(n_body, 1);
        for (enum msg_direction direction = MSG_C2S; direction <= MSG_S2W; direction++) {
                struct err err = { 0 };
                uint64_t id;
                CLEANUP_WITH(msg_free)
                struct msg *msg = msg_decode(direction, text, size, n_body ? body : NULL, n_body, &id, &err);

                if (!msg) {
                        BUG_ON(err.code == ERR_OK || !err.text[0]);
                        continue;
                }
                ask_json_c(text, size);
                check_round_trip(msg);
        }
        return 0;
}
