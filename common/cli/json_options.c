/* JSON members to the options of a table. Values pass the same checks as words of a command line.
 *
 * Invariant: an error leaves what was added before in *opts; whoever called throws it all away. */
#include "cli/json_options.h"

#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"

#define SHOWN_MAX 80 /* bytes of a key that a message repeats */
#define NAME_MAX_BYTES 64 /* of an option; JSON_KEY_MAX */

void json_texts_done(struct json_texts *texts)
{
        for (size_t i = 0; i < texts->n; i++)
                xfree(texts->list[i]);
        xfree(texts->list);
        *texts = (struct json_texts){ 0 };
}

const char *json_texts_keep(struct json_texts *texts, struct buf *take_text)
{
        GROW(texts->list, texts->cap, texts->n + 1);
        buf_add_char(take_text, '\0');
        return texts->list[texts->n++] = buf_steal(take_text);
}

/* One member while it is read. */
struct member {
        const struct json_object *object;
        const char *key;
        size_t n_key;
        const struct opt *opt;
        struct opts *opts;
        struct json_texts *texts;
};

static void example_of(const struct member *member, struct buf *out)
{
        const struct opt *opt = member->opt;

        if (!opt->parse)
                buf_addf(out, "; example: \"%.*s\": true", (int)member->n_key, member->key);
        else if (opt->example)
                buf_addf(out, "; example: \"%.*s\": \"%s\"", (int)member->n_key, member->key, opt->example);
}

static int wrong(const struct member *member, const char *why, struct err *err)
{
        CLEANUP_BUF struct buf example = { 0 };

        example_of(member, &example);
        return err_set(err, ERR_BAD_DATA, "%s: %.*s: %s%.*s", member->object->path, (int)member->n_key,
                       member->key, why, (int)example.n, example.n ? example.bytes : "");
}

static int add_text(const struct member *member, struct buf *take_text, struct err *err)
{
        struct err why = { 0 };

        if (opts_add(member->opts, member->opt, json_texts_keep(member->texts, take_text), true, &why) == 0)
                return 0;
        return wrong(member, why.text, err);
}

/* Characters of a string, digits of a number. */
static int scalar(const struct member *member, size_t at, struct buf *out, struct err *err)
{
        const struct json_token *token = &member->object->list[at];
        const char *text = member->object->text;

        switch (token->kind) {
        case JSON_KIND_STRING:
                buf_reserve(out, token->end - token->at + 1);
                out->n += json_unescape(text, token, out->bytes + out->n);
                return 0;
        case JSON_KIND_INTEGER:
        case JSON_KIND_NUMBER:
                buf_add(out, text + token->at, token->end - token->at);
                return 0;
        default:
                return wrong(member, "a string or a number is wanted", err);
        }
}

static int one_value(const struct member *member, size_t at, struct err *err)
{
        CLEANUP_BUF struct buf out = { 0 };

        return scalar(member, at, &out, err) < 0 ? -1 : add_text(member, &out, err);
}

static int list_value(const struct member *member, size_t at, struct err *err)
{
        const struct json_token *list = member->object->list;
        CLEANUP_BUF struct buf joined = { 0 };

        for (size_t i = at + 1; i < list[at].next; i = json_next(list, i)) {
                if (member->opt->many) {
                        if (one_value(member, i, err) < 0)
                                return -1;
                        continue;
                }
                if (joined.n)
                        buf_add_char(&joined, ',');
                if (scalar(member, i, &joined, err) < 0)
                        return -1;
        }
        if (member->opt->many)
                return 0;
        return joined.n ? add_text(member, &joined, err) : wrong(member, "the list is empty", err);
}

/* {"K": "V"} for what the command line spells K=V. */
static int pairs_value(const struct member *member, size_t at, struct err *err)
{
        const struct json_token *list = member->object->list;

        if (!member->opt->many || !strchr(member->opt->arg, '='))
                return wrong(member, "an object has no meaning here", err);
        for (size_t i = at + 1; i < list[at].next; i = json_next(list, i + 1)) {
                CLEANUP_BUF struct buf pair = { 0 };

                buf_add(&pair, member->object->text + list[i].at, list[i].end - list[i].at);
                buf_add_char(&pair, '=');
                if (scalar(member, i + 1, &pair, err) < 0 || add_text(member, &pair, err) < 0)
                        return -1;
        }
        return 0;
}

static int add_member(const struct member *member, size_t at, struct err *err)
{
        uint8_t kind = member->object->list[at].kind;

        if (kind == JSON_KIND_NULL)
                return 0;
        if (!member->opt->parse) {
                if (kind != JSON_KIND_TRUE && kind != JSON_KIND_FALSE)
                        return wrong(member, "true or false is wanted", err);
                return opts_add(member->opts, member->opt, NULL, kind == JSON_KIND_TRUE, err);
        }
        if (kind == JSON_KIND_ARRAY)
                return list_value(member, at, err);
        if (kind == JSON_KIND_OBJECT)
                return pairs_value(member, at, err);
        return one_value(member, at, err);
}

static void name_of_key(const char *key, size_t n, char ret_name[NAME_MAX_BYTES + 1])
{
        n = MIN(n, (size_t)NAME_MAX_BYTES);
        for (size_t i = 0; i < n; i++)
                ret_name[i] = key[i] == '_' ? '-' : key[i] == '-' ? '_' : key[i];
        ret_name[n] = '\0';
}

static bool is_own(const struct json_object *object, const char *key, size_t n)
{
        for (const char *const *own = object->own; *own; own++)
                if (strlen(*own) == n && memcmp(*own, key, n) == 0)
                        return true;
        return false;
}

static int unknown_key(const struct member *member, const char *name, struct err *err)
{
        struct nearest nearest = { 0 };
        char meant_key[NAME_MAX_BYTES + 1];
        const char *meant;

        for (const char *const *own = member->object->own; *own; own++)
                nearest_offer(&nearest, name, *own);
        for (const struct opt *opt = member->opts->program->options; opt->name; opt++)
                if (!opt->command)
                        nearest_offer(&nearest, name, opt->name);
        meant = nearest_get(&nearest, name);
        for (size_t i = 0; meant && i <= strlen(meant) && i < sizeof(meant_key); i++)
                meant_key[i] = meant[i] == '-' ? '_' : meant[i];
        meant_key[NAME_MAX_BYTES] = '\0';
        if (meant)
                return err_set(err, ERR_BAD_DATA, "%s: unknown key \"%.*s\"; did you mean \"%s\"?",
                               member->object->path, (int)MIN(member->n_key, (size_t)SHOWN_MAX), member->key,
                               meant_key);
        return err_set(err, ERR_BAD_DATA,
                       "%s: unknown key \"%.*s\"; keys are the long options of jobsubmit with _ for -",
                       member->object->path, (int)MIN(member->n_key, (size_t)SHOWN_MAX), member->key);
}

int json_options(const struct json_object *object, struct opts *opts, struct json_texts *texts,
                 struct err *err)
{
        const struct json_token *list = object->list;

        for (size_t at = object->at + 1; at < list[object->at].next; at = json_next(list, at + 1)) {
                struct member member = { .object = object,
                                         .key = object->text + list[at].at,
                                         .n_key = list[at].end - list[at].at,
                                         .opts = opts,
                                         .texts = texts };
                char name[NAME_MAX_BYTES + 1];

                if (is_own(object, member.key, member.n_key))
                        continue;
                name_of_key(member.key, member.n_key, name);
                member.opt = opt_find(opts->program, name);
                if (!member.opt)
                        return unknown_key(&member, name, err);
                if (member.opt->command)
                        return err_set(err, ERR_BAD_DATA,
                                       "%s: \"%.*s\" is for the whole command: give --%s to jobsubmit itself",
                                       object->path, (int)member.n_key, member.key, name);
                if (add_member(&member, at + 1, err) < 0)
                        return -1;
        }
        return 0;
}

size_t json_object_find(const struct json_object *object, const char *key)
{
        const struct json_token *list = object->list;

        for (size_t at = object->at + 1; at < list[object->at].next; at = json_next(list, at + 1))
                if (list[at].end - list[at].at == strlen(key) &&
                    memcmp(object->text + list[at].at, key, strlen(key)) == 0)
                        return at + 1;
        return 0;
}

int json_words(const struct json_object *object, const char *key, size_t at, struct opts *opts,
               struct json_texts *texts, struct err *err)
{
        const struct json_token *list = object->list;

        if (list[at].kind != JSON_KIND_ARRAY)
                return err_set(err, ERR_BAD_DATA,
                               "%s: %s: a list of words is wanted; example: \"%s\": [\"echo\", \"hello\"]",
                               object->path, key, key);
        for (size_t i = at + 1; i < list[at].next; i = json_next(list, i)) {
                CLEANUP_BUF struct buf word = { 0 };

                if (list[i].kind != JSON_KIND_STRING)
                        return err_set(err, ERR_BAD_DATA,
                                       "%s: %s: every word is a string; example: \"%s\": [\"sleep\", \"5\"]",
                                       object->path, key, key);
                buf_reserve(&word, list[i].end - list[i].at + 1);
                word.n += json_unescape(object->text, &list[i], word.bytes);
                opts_add_word(opts, json_texts_keep(texts, &word));
        }
        return 0;
}
