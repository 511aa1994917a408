/* The strict JSON reader. Every byte that a peer sends passes here before anything else looks at it.
 *
 * 1. No recursion: what is open lies on a stack of its own, whose depth is checked before it grows.
 * 2. `p` never moves past `end`; every byte is looked at a bounded number of times.
 * 3. Messages tell where the trouble is by its offset, never by its bytes. */
#include "proto/json_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

struct scan {
        const char *text;
        const char *p;
        const char *end;
        struct json_tokens *tokens; /* NULL: only check */
        size_t depth_max;
        size_t depth;
        bool object; /* the innermost open container is one */
        uint32_t count; /* its elements or members so far; those of the others wait in their tokens */
        uint32_t *open; /* tokens == NULL: one bit each, object or array; else the containers' tokens */
        size_t open_cap;
        struct err *err;
};

void json_tokens_done(struct json_tokens *tokens)
{
        free(tokens->list);
        *tokens = (struct json_tokens){ 0 };
}

static int fail(struct scan *s, const char *what)
{
        return err_set(s->err, ERR_BAD_JSON, "%s at byte %zu", what, (size_t)(s->p - s->text));
}

static int too_many(struct scan *s, const char *what)
{
        return err_set(s->err, ERR_TOO_LARGE, "%s at byte %zu", what, (size_t)(s->p - s->text));
}

static uint32_t offset(const struct scan *s)
{
        return (uint32_t)(s->p - s->text);
}

static void skip_blanks(struct scan *s)
{
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
                s->p++;
}

static int push_token(struct scan *s, struct json_token token)
{
        struct json_tokens *tokens = s->tokens;

        if (!tokens)
                return 0;
        if (tokens->n == (tokens->most ? tokens->most : JSON_TOKENS_MAX))
                return too_many(s, "more values than a message may hold");
        GROW(tokens->list, tokens->cap, tokens->n + 1);
        tokens->list[tokens->n++] = token;
        return 0;
}

/* ------------------------------------------------------------------ scalars */

static int hex4(const char *p, uint32_t *ret_code)
{
        uint32_t code = 0;

        for (int i = 0; i < 4; i++) {
                char c = p[i];

                if (c >= '0' && c <= '9')
                        code = code << 4 | (uint32_t)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        code = code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
                else
                        return -1;
        }
        *ret_code = code;
        return 0;
}

/* p stands behind "\u". */
static int scan_unicode_escape(struct scan *s)
{
        uint32_t code, low;

        if (s->end - s->p < 4 || hex4(s->p, &code) < 0)
                return fail(s, "four hexadecimal digits are missing");
        s->p += 4;
        if (!s->tokens) /* only a check of the grammar: the value stays text */
                return 0;
        if (code == 0)
                return fail(s, "a string holds U+0000");
        if (code < 0xd800 || code > 0xdfff)
                return 0;
        if (code > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u' ||
            hex4(s->p + 2, &low) < 0 || low < 0xdc00 || low > 0xdfff)
                return fail(s, "half of a surrogate pair");
        s->p += 6;
        return 0;
}

static int scan_escape(struct scan *s)
{
        s->p++; /* the backslash */
        if (s->p == s->end)
                return fail(s, "the text ends inside a string");
        if (*s->p == 'u') {
                s->p++;
                return scan_unicode_escape(s);
        }
        if (!*s->p || !strchr("\"\\/bfnrt", *s->p))
                return fail(s, "an unknown escape");
        s->p++;
        return 0;
}

/* To the next byte of a string that means something: its end, an escape, a control, a character beyond ASCII. */
static void skip_plain(struct scan *s)
{
        const char *p = s->p;

        while (p < s->end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
                p++;
        s->p = p;
}

static int scan_string(struct scan *s, struct json_token *ret_token)
{
        bool escaped = false;
        uint32_t at;

        s->p++;
        at = offset(s);
        for (;;) {
                unsigned char c;
                uint32_t code;
                size_t n;

                skip_plain(s);
                if (s->p == s->end || *s->p == '"')
                        break;
                c = (unsigned char)*s->p;
                if (c == '\\') {
                        escaped = true;
                        if (scan_escape(s) < 0)
                                return -1;
                } else if (c < 0x20) {
                        return fail(s, "a control character in a string");
                } else {
                        n = utf8_decode(s->p, s->end, &code);
                        if (!n)
                                return fail(s, "invalid UTF-8");
                        s->p += n;
                }
        }
        if (s->p == s->end)
                return fail(s, "the text ends inside a string");
        *ret_token = (struct json_token){
                .at = at, .end = offset(s), .kind = JSON_KIND_STRING, .escaped = escaped
        };
        s->p++;
        return 0;
}

static size_t skip_digits(struct scan *s)
{
        const char *from = s->p;

        while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
                s->p++;
        return (size_t)(s->p - from);
}

/* The digits from `from` to p as an integer, if they are one that we take. */
static void set_integer(const struct scan *s, const char *from, bool negative, struct json_token *token)
{
        int64_t n = 0;

        if (s->p - from > 16 || (negative && *from == '0'))
                return;
        for (const char *p = from; p < s->p; p++)
                n = n * 10 + (*p - '0');
        if (n > JSON_INTEGER_MAX)
                return;
        token->kind = JSON_KIND_INTEGER;
        token->integer = negative ? -n : n;
}

/* What sloppy writers put where a number has no JSON form. */
static bool is_no_number(const struct scan *s)
{
        size_t left = (size_t)(s->end - s->p);

        return (left >= 3 && !memcmp(s->p, "NaN", 3)) || (left >= 8 && !memcmp(s->p, "Infinity", 8));
}

static int scan_number(struct scan *s, struct json_token *ret_token)
{
        const char *digits;
        bool negative = *s->p == '-';
        bool whole = true;

        *ret_token = (struct json_token){ .at = offset(s), .kind = JSON_KIND_NUMBER };
        s->p += negative;
        digits = s->p;
        if (!skip_digits(s))
                return s->tokens && is_no_number(s)
                               ? err_set(s->err, ERR_BAD_FIELD, "NaN and Infinity are no values")
                               : fail(s, "no JSON value");
        if (*digits == '0' && s->p - digits > 1)
                return fail(s, "a number with a leading zero");
        if (s->p < s->end && *s->p == '.') {
                whole = false;
                s->p++;
                if (!skip_digits(s))
                        return fail(s, "a number without digits");
        }
        if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
                whole = false;
                s->p++;
                s->p += s->p < s->end && (*s->p == '+' || *s->p == '-');
                if (!skip_digits(s))
                        return fail(s, "a number without digits");
        }
        if (whole)
                set_integer(s, digits, negative, ret_token);
        ret_token->end = offset(s);
        return 0;
}

static int scan_word(struct scan *s, const char *word, enum json_kind kind, struct json_token *ret_token)
{
        size_t n = strlen(word);

        if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
                return fail(s, "no JSON value");
        *ret_token =
                (struct json_token){ .at = offset(s), .end = offset(s) + (uint32_t)n, .kind = (uint8_t)kind };
        s->p += n;
        return 0;
}

static int scan_scalar(struct scan *s, struct json_token *ret_token)
{
        switch (*s->p) {
        case '"':
                return scan_string(s, ret_token);
        case 't':
                return scan_word(s, "true", JSON_KIND_TRUE, ret_token);
        case 'f':
                return scan_word(s, "false", JSON_KIND_FALSE, ret_token);
        case 'n':
                return scan_word(s, "null", JSON_KIND_NULL, ret_token);
        default:
                return scan_number(s, ret_token);
        }
}

/* ------------------------------------------------------------------ containers */

static void remember(struct scan *s, bool object)
{
        size_t word = s->depth / 32;

        GROW(s->open, s->open_cap, word + 1);
        s->open[word] &= ~(UINT32_C(1) << s->depth % 32);
        s->open[word] |= (uint32_t)object << s->depth % 32;
}

static int open_container(struct scan *s, bool object)
{
        struct json_token token = { .at = offset(s), .kind = object ? JSON_KIND_OBJECT : JSON_KIND_ARRAY };

        if (s->depth == s->depth_max)
                return fail(s, "nested too deep");
        s->p++;
        s->object = object;
        if (!s->tokens) {
                remember(s, object);
                s->depth++;
                return 0;
        }
        if (s->depth)
                s->tokens->list[s->open[s->depth - 1]].n = s->count;
        s->open[s->depth++] = (uint32_t)s->tokens->n;
        s->count = 0;
        return push_token(s, token);
}

static void close_container(struct scan *s)
{
        struct json_token *token;

        s->p++;
        s->depth--;
        if (!s->tokens) {
                s->object = s->depth && (s->open[(s->depth - 1) / 32] >> (s->depth - 1) % 32 & 1);
                return;
        }
        token = &s->tokens->list[s->open[s->depth]];
        token->end = offset(s);
        token->next = (uint32_t)s->tokens->n;
        token->n = s->count;
        if (s->depth) {
                token = &s->tokens->list[s->open[s->depth - 1]];
                s->count = token->n;
                s->object = token->kind == JSON_KIND_OBJECT;
        }
}

/* An element or member begins. */
static int count_one(struct scan *s)
{
        s->count++;
        if (s->object && s->tokens && s->count > JSON_MEMBERS_MAX)
                return too_many(s, "an object with too many members");
        return 0;
}

static int scan_key(struct scan *s)
{
        struct json_token token;

        if (*s->p != '"')
                return fail(s, "a member's name is missing");
        if (count_one(s) < 0 || scan_string(s, &token) < 0)
                return -1;
        if (s->tokens && token.escaped)
                return fail(s, "an escape in a member's name");
        if (s->tokens && token.end - token.at > JSON_KEY_MAX)
                return too_many(s, "a member's name is too long");
        if (push_token(s, token) < 0)
                return -1;
        skip_blanks(s);
        if (s->p == s->end || *s->p != ':')
                return fail(s, "a colon is missing");
        s->p++;
        return 0;
}

enum want { WANT_VALUE, WANT_ELEMENT_OR_END, WANT_KEY, WANT_KEY_OR_END, WANT_COMMA_OR_END };

/* p stands at the first byte of a value. */
static int scan_value(struct scan *s, enum want *ret_want)
{
        struct json_token token;

        if (!s->object && count_one(s) < 0) /* a member was counted at its key */
                return -1;
        if (*s->p == '{' || *s->p == '[') {
                *ret_want = *s->p == '{' ? WANT_KEY_OR_END : WANT_ELEMENT_OR_END;
                return open_container(s, *s->p == '{');
        }
        *ret_want = WANT_COMMA_OR_END;
        if (scan_scalar(s, &token) < 0)
                return -1;
        return push_token(s, token);
}

static int scan_comma_or_end(struct scan *s, enum want *ret_want)
{
        if (*s->p == ',') {
                s->p++;
                *ret_want = s->object ? WANT_KEY : WANT_VALUE;
                return 0;
        }
        if (*s->p != (s->object ? '}' : ']'))
                return fail(s, "a comma or the end of an object or array is missing");
        close_container(s);
        *ret_want = WANT_COMMA_OR_END;
        return 0;
}

static int scan_step(struct scan *s, enum want *want)
{
        switch (*want) {
        case WANT_ELEMENT_OR_END:
                if (*s->p == ']')
                        return scan_comma_or_end(s, want);
                return scan_value(s, want);
        case WANT_VALUE:
                return scan_value(s, want);
        case WANT_KEY_OR_END:
                if (*s->p == '}')
                        return scan_comma_or_end(s, want);
                *want = WANT_VALUE;
                return scan_key(s);
        case WANT_KEY:
                *want = WANT_VALUE;
                return scan_key(s);
        case WANT_COMMA_OR_END:
                return scan_comma_or_end(s, want);
        }
        return -1;
}

static int scan_text(struct scan *s)
{
        enum want want = WANT_VALUE;

        do {
                skip_blanks(s);
                if (s->p == s->end)
                        return fail(s, "the text ends too early");
                if (scan_step(s, &want) < 0)
                        return -1;
        } while (s->depth || want != WANT_COMMA_OR_END);
        skip_blanks(s);
        if (s->p != s->end)
                return fail(s, "bytes after the value");
        return 0;
}

int json_scan(const char *text, size_t bytes, size_t depth_max, struct json_tokens *tokens, struct err *err)
{
        uint32_t open[64];
        struct scan s = { .text = text,
                          .p = text,
                          .end = text + bytes,
                          .tokens = tokens,
                          .depth_max = depth_max,
                          .open = open,
                          .open_cap = ARRAY_LEN(open),
                          .err = err };

        BUG_ON(depth_max > ARRAY_LEN(open) || bytes > UINT32_MAX);
        tokens->n = 0;
        /* Messages have a value for every 5 to 10 bytes: enough for most, so that few grow. */
        GROW(tokens->list, tokens->cap, MIN(bytes / 8 + 16, (size_t)JSON_TOKENS_MAX));
        return scan_text(&s);
}

int json_check(const char *text, size_t bytes, struct err *err)
{
        struct scan s = { .text = text, .p = text, .end = text + bytes, .depth_max = bytes, .err = err };
        int result = scan_text(&s);

        free(s.open);
        return result;
}

/* ------------------------------------------------------------------ what the tokens say */

static int object_no_doubles(const char *text, const struct json_token *list, size_t at, struct err *err)
{
        uint32_t keys[JSON_MEMBERS_MAX];
        size_t token = at + 1;

        for (uint32_t i = 0; i < list[at].n; i++, token = json_next(list, token + 1)) {
                size_t bytes = list[token].end - list[token].at;

                for (uint32_t k = 0; k < i; k++)
                        if (list[keys[k]].end - list[keys[k]].at == bytes &&
                            !memcmp(text + list[keys[k]].at, text + list[token].at, bytes))
                                return err_set(err, ERR_BAD_JSON, "a member is there twice at byte %u",
                                               list[token].at);
                keys[i] = (uint32_t)token;
        }
        return 0;
}

int json_no_doubles(const char *text, const struct json_tokens *tokens, size_t at, struct err *err)
{
        size_t end = json_next(tokens->list, at);

        for (; at < end; at++)
                if (tokens->list[at].kind == JSON_KIND_OBJECT &&
                    object_no_doubles(text, tokens->list, at, err) < 0)
                        return -1;
        return 0;
}

static size_t unescape_unicode(const char **p, char *out)
{
        uint32_t code = 0, low = 0;

        if (hex4(*p, &code) < 0)
                BUG_ON(true);
        *p += 4;
        if (code >= 0xd800 && code < 0xdc00) {
                if (hex4(*p + 2, &low) < 0)
                        BUG_ON(true);
                *p += 6;
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        return utf8_encode(code, out);
}

size_t json_unescape(const char *text, const struct json_token *string, char *out)
{
        static const char from[] = "bfnrt";
        static const char to[] = "\b\f\n\r\t";
        const char *p = text + string->at;
        const char *end = text + string->end;
        char *o = out;

        if (!string->escaped) {
                memcpy(out, p, (size_t)(end - p));
                return (size_t)(end - p);
        }
        while (p < end) {
                const char *letter;

                if (*p != '\\') {
                        *o++ = *p++;
                        continue;
                }
                p++;
                if (*p == 'u') {
                        p++;
                        o += unescape_unicode(&p, o);
                        continue;
                }
                letter = strchr(from, *p);
                *o++ = letter ? to[letter - from] : *p;
                p++;
        }
        return (size_t)(o - out);
}
