/* The recorded messages of common/proto/examples, one a kind and more of some (KIND-WORD): each decodes, and encodes to the
 * same text again. A kind without an example fails. A file KIND.body beside it is the second frame. */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "proto/msg.h"

#define FOLDER "common/proto/examples"

static bool read_file(const char *kind, const char *suffix, struct buf *out)
{
        char path[300];
        char part[4096];
        size_t n;
        FILE *file;

        snprintf(path, sizeof(path), FOLDER "/%s%s", kind, suffix);
        file = fopen(path, "rb");
        if (!file)
                return false;
        while ((n = fread(part, 1, sizeof(part), file)) > 0)
                buf_add(out, part, n);
        fclose(file);
        return true;
}

static void replay(enum msg_kind kind, const char *name)
{
        CLEANUP_BUF struct buf text = { 0 };
        CLEANUP_BUF struct buf body = { 0 };
        CLEANUP_BUF struct buf again = { 0 };
        CLEANUP_WITH(msg_free) struct msg *msg = NULL;
        struct err err = { 0 };
        uint64_t id;

        if (!read_file(name, ".json", &text)) {
                printf("no example %s/%s.json\n", FOLDER, name);
                CU_FAIL_FATAL("a kind of message has no example");
        }
        read_file(name, ".body", &body);
        msg = msg_decode(msg_direction(kind), text.bytes, text.n, body.bytes, body.n, &id, &err);
        if (!msg) {
                printf("%s: %s\n", name, err.text);
                CU_FAIL_FATAL("an example does not decode");
        }
        CU_ASSERT_EQUAL(msg->kind, kind);
        CU_ASSERT_EQUAL(msg->body_bytes, body.n);
        msg_encode(msg, &again);
        buf_add_char(&again, '\n');
        CU_ASSERT_STRING_EQUAL(again.bytes, text.bytes);
}

static void every_kind_has_an_example_that_replays(void)
{
#define MSG(kind, type, op, direction, perm) replay(MSG_##kind, #kind);
#define REC(record)
#define FIELD(owner, name, field_kind, presence, min, max)
#define FIELD_ENUM(owner, name, set, presence)
#define FIELD_REC(owner, name, record, presence)
#define FIELD_RECS(owner, name, record, presence, min, max)
#define END(kind)
#define END_REC(record)
#include "proto/messages.def"
#undef MSG
}

/* Of KIND.json, KIND-WORD.json; -1: it names none. */
static int kind_of(const char *name)
{
        size_t n = strcspn(name, "-.");

#define MSG(kind, type, op, direction, perm)                                                                 \
        if (n == strlen(#kind) && !memcmp(name, #kind, n))                                                   \
                return MSG_##kind;
#include "proto/messages.def"
#undef MSG
        return -1;
}

static void replay_further(const char *name)
{
        char word[64] = { 0 };

        memcpy(word, name, strcspn(name, ".") < sizeof(word) ? strcspn(name, ".") : 0);
        replay((enum msg_kind)kind_of(name), word);
}

static void every_example_is_of_a_kind(void)
{
        DIR *folder = opendir(FOLDER);
        struct dirent *entry;
        size_t n = 0;

        CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
        while ((entry = readdir(folder))) {
                const char *dot = strrchr(entry->d_name, '.');

                if (entry->d_name[0] == '.')
                        continue;
                CU_ASSERT_FATAL(dot && (!strcmp(dot, ".json") || !strcmp(dot, ".body")));
                CU_ASSERT(kind_of(entry->d_name) >= 0);
                if (strchr(entry->d_name, '-') && !strcmp(dot, ".json"))
                        replay_further(entry->d_name);
                n++;
        }
        closedir(folder);
        CU_ASSERT(n >= MSG_KIND_COUNT - 1);
}

/* A message's own members share one object with the header's. */
static void no_field_is_named_like_one_of_the_header(void)
{
        static const char *const of_messages[] = {
#undef FIELD
#undef FIELD_ENUM
#undef FIELD_REC
#undef FIELD_RECS
#define MSG(kind, type, op, direction, perm)
#define FIELD(owner, name, field_kind, presence, min, max) #owner "." #name,
#define FIELD_ENUM(owner, name, set, presence) #owner "." #name,
#define FIELD_REC(owner, name, record, presence) #owner "." #name,
#define FIELD_RECS(owner, name, record, presence, min, max) #owner "." #name,
#include "proto/messages.def"
#undef MSG
        };
        static const char *const of_header[] = { ".v", ".type", ".op", ".id", ".re", ".body" };

        for (size_t i = 0; i < sizeof(of_messages) / sizeof(of_messages[0]); i++) {
                const char *dot = strchr(of_messages[i], '.');

                if (kind_of(of_messages[i]) < 0)
                        continue; /* a record has an object of its own */
                for (size_t k = 0; k < sizeof(of_header) / sizeof(of_header[0]); k++)
                        CU_ASSERT_STRING_NOT_EQUAL(dot, of_header[k]);
        }
}

UNIT_MAIN("msg_examples", TEST(every_kind_has_an_example_that_replays), TEST(every_example_is_of_a_kind),
          TEST(no_field_is_named_like_one_of_the_header))
