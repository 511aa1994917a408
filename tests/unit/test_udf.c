/* The SQL functions, called as the server calls them. A stock server cannot carry a sanitizer; here they run under it. */
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sql/udf/ring.c"
#include "sql/udf/scope.c"
#include "sql/udf/udf.c"
#include "sql/udf/udf_scope.c"
#undef SECRET_BYTES
#include "sql/udf/udf_unseal.c"

#include "tests/unit/crypt_scene.h"
#include "tests/unit/unit.h"

#define ARGS_MAX 12

/* One call site of a statement: arguments as the server hands them over. */
struct site {
        UDF_INIT init;
        UDF_ARGS args;
        enum Item_result types[ARGS_MAX];
        char *values[ARGS_MAX];
        unsigned long lengths[ARGS_MAX];
        long long numbers[ARGS_MAX];
        char message[512];
        char is_null;
        char error;
        unsigned long length;
};

static void set_text(struct site *site, unsigned i, const void *text, size_t n)
{
        site->types[i] = STRING_RESULT;
        site->values[i] = (char *)(uintptr_t)text;
        site->lengths[i] = n;
}

static void set_number(struct site *site, unsigned i, long long n)
{
        site->types[i] = INT_RESULT;
        site->numbers[i] = n;
        site->values[i] = (char *)&site->numbers[i];
        site->lengths[i] = sizeof(n);
}

static void site_ready(struct site *site, unsigned n_args)
{
        site->args = (UDF_ARGS){
                .arg_count = n_args, .arg_type = site->types, .args = site->values, .lengths = site->lengths
        };
        site->is_null = 0;
}

struct scene {
        struct crypt_scene crypt;
        struct buf scope; /* of owners 5 and 7 */
        uint8_t wrapped[WRAPPED_KEY_BYTES];
        struct data_key key;
        struct buf envelope; /* of "hello" at the place below */
        struct seal_place place;
};

static struct scene scene_new(void)
{
        struct scene s = { .crypt = crypt_scene_new() };

        setenv("JOBMILL_KEYRING", s.crypt.ring_path, 1);
        s.place = (struct seal_place){ .kind = SEAL_OUTPUT,
                                       .owner = 5,
                                       .job = 36,
                                       .index = 4,
                                       .attempt = 2,
                                       .part = 1,
                                       .seq = 3,
                                       .final = true };
        CU_ASSERT_EQUAL(data_key_new(s.crypt.keyring, 36, &s.key, s.wrapped, &s.crypt.err), 0);
        CU_ASSERT_EQUAL(seal(s.crypt.sealer, &s.key, &s.place, "hello", 5, &s.envelope, &s.crypt.err), 0);
        CU_ASSERT_EQUAL(scope_make(s.crypt.keyring, "7,5,", 4, &s.scope), 0);
        return s;
}

static void scene_done(struct scene *s)
{
        buf_done(&s->scope);
        buf_done(&s->envelope);
        crypt_scene_done(&s->crypt);
}

static void set_unseal(struct site *site, const struct scene *s)
{
        set_number(site, ARG_KIND, s->place.kind);
        set_text(site, ARG_PAYLOAD, s->envelope.bytes, s->envelope.n);
        set_text(site, ARG_WRAPPED, s->wrapped, sizeof(s->wrapped));
        set_text(site, ARG_SCOPE, s->scope.bytes, s->scope.n);
        set_number(site, ARG_OWNER, s->place.owner);
        set_number(site, ARG_JOB, (long long)s->place.job);
        set_number(site, ARG_INDEX, (long long)s->place.index);
        set_number(site, ARG_ATTEMPT, s->place.attempt);
        set_number(site, ARG_PART, s->place.part);
        set_number(site, ARG_SEQ, (long long)s->place.seq);
        set_number(site, ARG_FINAL, s->place.final);
        site_ready(site, ARG_FINAL + 1);
}

/* What unseal gives now; NULL for NULL. */
static const char *opened(struct site *site)
{
        char *text;

        site->is_null = 0;
        text = sql_unseal(&site->init, &site->args, NULL, &site->length, &site->is_null, &site->error);
        CU_ASSERT_EQUAL(text == NULL, site->is_null != 0);
        return text;
}

static void envelope_opens_within_the_scope(void)
{
        struct scene s = scene_new();
        struct site site = { 0 };

        set_unseal(&site, &s);
        CU_ASSERT_EQUAL_FATAL(unseal_init(&site.init, &site.args, site.message), 0);
        CU_ASSERT_EQUAL(site.init.maybe_null, 1);
        for (int row = 0; row < 3; row++) { /* again with what is kept */
                const char *text = opened(&site);

                CU_ASSERT_PTR_NOT_NULL_FATAL(text);
                CU_ASSERT(site.length == 5 && !memcmp(text, "hello", 5));
        }
        unseal_deinit(&site.init);
        scene_done(&s);
}

static void any_other_argument_gives_null(void)
{
        struct scene s = scene_new();
        struct site site = { 0 };

        set_unseal(&site, &s);
        CU_ASSERT_EQUAL_FATAL(unseal_init(&site.init, &site.args, site.message), 0);
        for (unsigned i = 0; i <= ARG_FINAL; i++) {
                char *value = site.values[i];
                unsigned long length = site.lengths[i];

                CU_ASSERT_PTR_NOT_NULL(opened(&site)); /* in between it opens, so nothing stale is given */
                site.values[i] = NULL;
                CU_ASSERT_PTR_NULL(opened(&site));
                site.values[i] = value;
                if (site.types[i] == STRING_RESULT) {
                        for (site.lengths[i] = 0; site.lengths[i] < length; site.lengths[i]++)
                                CU_ASSERT_PTR_NULL(opened(&site));
                        for (unsigned long k = 0; k < length; k++) {
                                value[k] ^= 1;
                                CU_ASSERT_PTR_NULL(opened(&site));
                                value[k] ^= 1;
                        }
                } else {
                        long long n = site.numbers[i];
                        const long long others[] = { n + 1,           n - 1,           -1,       -n,
                                                     n + (1LL << 32), n | (1LL << 62), INT64_MIN };

                        for (size_t k = 0; k < ARRAY_LEN(others); k++) {
                                site.numbers[i] = others[k];
                                if (others[k] != n)
                                        CU_ASSERT_PTR_NULL(opened(&site));
                        }
                        site.numbers[i] = n;
                }
        }
        CU_ASSERT_PTR_NOT_NULL(opened(&site));
        unseal_deinit(&site.init);
        scene_done(&s);
}

static void scope_needs_the_secret_and_a_whole_list(void)
{
        static const char *const bad_lists[] = { "5",   "5,7", ",",           "5,,",          "x,",
                                                 "5 ,", "-5,", "4294967296,", "99999999999,", "5,\n" };
        struct scene s = scene_new();
        struct site site = { 0 };

        set_text(&site, 0, "7,5,", 4);
        set_text(&site, 1, SCENE_SCOPE, 64);
        site_ready(&site, 2);
        CU_ASSERT_EQUAL_FATAL(seal_scope_init(&site.init, &site.args, site.message), 0);
        char *text = seal_scope(&site.init, &site.args, NULL, &site.length, &site.is_null, &site.error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT(site.length == s.scope.n && !memcmp(text, s.scope.bytes, s.scope.n));
        for (size_t i = 0; i < ARRAY_LEN(bad_lists); i++) {
                set_text(&site, 0, bad_lists[i], strlen(bad_lists[i]));
                CU_ASSERT_PTR_NULL(
                        seal_scope(&site.init, &site.args, NULL, &site.length, &site.is_null, &site.error));
        }
        set_text(&site, 0, "7,5,", 4);
        set_text(&site, 1, SCENE_HASH, 64);
        CU_ASSERT_PTR_NULL(
                seal_scope(&site.init, &site.args, NULL, &site.length, &site.is_null, &site.error));
        set_text(&site, 1, SCENE_SCOPE, 63);
        CU_ASSERT_PTR_NULL(
                seal_scope(&site.init, &site.args, NULL, &site.length, &site.is_null, &site.error));
        set_text(&site, 1, NULL, 0);
        site.is_null = 0;
        CU_ASSERT_PTR_NULL(
                seal_scope(&site.init, &site.args, NULL, &site.length, &site.is_null, &site.error));
        CU_ASSERT_EQUAL(site.is_null, 1);
        seal_scope_deinit(&site.init);
        scene_done(&s);
}

static void scope_covers_exactly_its_owners(void)
{
        static const int64_t others[] = { 0, 4, 6, 8, 57, -5, INT64_C(4294967301), INT64_MAX, INT64_MIN };
        struct scene s = scene_new();
        struct scope scope = { 0 };
        struct buf empty = { 0 };

        CU_ASSERT(scope_covers(&scope, s.crypt.keyring, s.scope.bytes, s.scope.n, 5));
        CU_ASSERT(scope_covers(&scope, s.crypt.keyring, s.scope.bytes, s.scope.n, 7));
        for (size_t i = 0; i < ARRAY_LEN(others); i++)
                CU_ASSERT_FALSE(scope_covers(&scope, s.crypt.keyring, s.scope.bytes, s.scope.n, others[i]));
        CU_ASSERT_EQUAL(scope_make(s.crypt.keyring, "", 0, &empty), 0);
        CU_ASSERT_FALSE(scope_covers(&scope, s.crypt.keyring, empty.bytes, empty.n, 5));
        CU_ASSERT(scope_covers(&scope, s.crypt.keyring, s.scope.bytes, s.scope.n, 5));
        CU_ASSERT_FALSE(scope_covers(&scope, s.crypt.keyring, "", 0, 5));
        buf_done(&empty);
        scope_done(&scope);
        scene_done(&s);
}

static void scope_of_many_people_covers_them_all(void)
{
        enum { MANY = 20000 };
        struct scene s = scene_new();
        struct scope scope = { 0 };
        CLEANUP_BUF struct buf list = { 0 };
        CLEANUP_BUF struct buf text = { 0 };

        for (int i = MANY; i > 0; i--)
                buf_addf(&list, "%d,", 2 * i);
        CU_ASSERT_EQUAL(scope_make(s.crypt.keyring, list.bytes, list.n, &text), 0);
        for (int i = 1; i <= 2 * MANY + 1; i++)
                CU_ASSERT_EQUAL(scope_covers(&scope, s.crypt.keyring, text.bytes, text.n, i), i % 2 == 0);
        text.bytes[0] ^=
                1; /* another owner under the old MAC: he is not covered, whatever was looked at before */
        CU_ASSERT_FALSE(scope_covers(&scope, s.crypt.keyring, text.bytes, text.n, 50000));
        scope_done(&scope);
        CU_ASSERT_FALSE(scope_covers(&scope, s.crypt.keyring, text.bytes, text.n, 2));
        CU_ASSERT_FALSE(scope_covers(&scope, s.crypt.keyring, text.bytes, text.n, 50000));
        scope_done(&scope);
        scene_done(&s);
}

static void numbers_and_text_pass_within_the_scope_only(void)
{
        struct scene s = scene_new();
        struct site site = { 0 };

        set_text(&site, 0, s.scope.bytes, s.scope.n);
        set_number(&site, 1, 7);
        set_number(&site, 2, -42);
        site_ready(&site, 3);
        CU_ASSERT_EQUAL_FATAL(scoped_init(&site.init, &site.args, site.message), 0);
        CU_ASSERT_EQUAL(scoped(&site.init, &site.args, &site.is_null, &site.error), -42);
        CU_ASSERT_EQUAL(site.is_null, 0);
        set_number(&site, 1, 8);
        CU_ASSERT_EQUAL(scoped(&site.init, &site.args, &site.is_null, &site.error), 0);
        CU_ASSERT_EQUAL(site.is_null, 1);
        scoped_deinit(&site.init);

        set_number(&site, 1, 7);
        set_text(&site, 2, "text", 4);
        site_ready(&site, 3);
        CU_ASSERT_EQUAL_FATAL(scoped_text_init(&site.init, &site.args, site.message), 0);
        CU_ASSERT_PTR_EQUAL(
                scoped_text(&site.init, &site.args, NULL, &site.length, &site.is_null, &site.error),
                site.values[2]);
        CU_ASSERT_EQUAL(site.length, 4);
        set_number(&site, 1, 8);
        CU_ASSERT_PTR_NULL(
                scoped_text(&site.init, &site.args, NULL, &site.length, &site.is_null, &site.error));
        CU_ASSERT_EQUAL(site.is_null, 1);
        scoped_text_deinit(&site.init);
        scene_done(&s);
}

/* Entry k of the chunk that `site` names, or "NULL". */
static void entry_is(struct site *site, long long k, const char *want)
{
        char *text;

        set_number(site, ARG_K, k);
        site->is_null = 0;
        text = unseal_entry(&site->init, &site->args, NULL, &site->length, &site->is_null, &site->error);
        if (!want) {
                CU_ASSERT_PTR_NULL(text);
                CU_ASSERT_EQUAL(site->is_null, 1);
                return;
        }
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT(site->length == strlen(want) && !memcmp(text, want, site->length));
}

static void seal_chunk(struct scene *s, const struct buf *chunk, uint64_t seq)
{
        s->place = (struct seal_place){ .kind = SEAL_JOB_CHUNK, .owner = 5, .job = 36, .seq = seq };
        buf_clear(&s->envelope);
        CU_ASSERT_EQUAL(seal(s->crypt.sealer, &s->key, &s->place, chunk->bytes, chunk->n, &s->envelope,
                             &s->crypt.err),
                        0);
}

static void entries_are_opened_by_number(void)
{
        struct scene s = scene_new();
        struct site site = { 0 };
        CLEANUP_BUF struct buf chunk = { 0 };

        entry_add(&chunk, "a\0b c\0d", 7);
        entry_add(&chunk, "", 0);
        entry_add(&chunk, "last, and longer than the others", 32);
        seal_chunk(&s, &chunk, 0);
        set_unseal(&site, &s);
        set_number(&site, ARG_K, 0);
        site_ready(&site, ARG_K + 1);
        CU_ASSERT_EQUAL_FATAL(unseal_entry_init(&site.init, &site.args, site.message), 0);
        entry_is(&site, 0, "a b c d");
        entry_is(&site, 2, "last, and longer than the others");
        entry_is(&site, 1, "");
        entry_is(&site, 3, NULL);
        entry_is(&site, -1, NULL);
        entry_is(&site, INT64_MAX, NULL);
        /* Another chunk, then one cut inside an entry: what lay open before is not given again. */
        buf_clear(&chunk);
        entry_add(&chunk, "other", 5);
        buf_add(&chunk, "\0\0\0\5cut", 7);
        seal_chunk(&s, &chunk, 1);
        set_unseal(&site, &s);
        set_number(&site, ARG_K, 0);
        site_ready(&site, ARG_K + 1);
        entry_is(&site, 0, "other");
        entry_is(&site, 1, NULL);
        s.envelope.bytes[20] ^= 1;
        entry_is(&site, 0, "other"); /* the same nonce and tag: the chunk that lies open */
        s.envelope.bytes[s.envelope.n - 1] ^= 1;
        entry_is(&site, 0, NULL);
        s.envelope.bytes[s.envelope.n - 1] ^= 1;
        entry_is(&site, 0, NULL); /* and now it is read again, and damaged */
        unseal_entry_deinit(&site.init);
        scene_done(&s);
}

static void refused_call(my_bool init(UDF_INIT *, UDF_ARGS *, char *), struct site *site, unsigned n,
                         const char *because)
{
        site_ready(site, n);
        CU_ASSERT_EQUAL(init(&site->init, &site->args, site->message), 1);
        if (!strstr(site->message, because)) {
                CU_FAIL(because);
                fprintf(stderr, "got: %s\n", site->message);
        }
}

static void wrong_calls_are_refused_by_name(void)
{
        struct scene s = scene_new();
        struct site site = { 0 };

        set_unseal(&site, &s);
        refused_call(unseal_init, &site, 3, "unseal needs 11 arguments, not 3");
        refused_call(unseal_entry_init, &site, 11, "unseal_entry needs 12 arguments, not 11");
        refused_call(seal_scope_init, &site, 0, "seal_scope needs 2 arguments, not 0");
        refused_call(scoped_init, &site, 2, "scoped needs 3 arguments, not 2");
        refused_call(scoped_text_init, &site, 4, "scoped_text needs 3 arguments, not 4");
        set_text(&site, ARG_OWNER, "5", 1);
        refused_call(unseal_init, &site, 11, "unseal: argument 5 (owner) must be a whole number");
        set_number(&site, ARG_PAYLOAD, 5);
        refused_call(unseal_init, &site, 11, "unseal: argument 2 (payload) must be a string");
        set_text(&site, 0, NULL, 0);
        set_text(&site, 1, NULL, 0);
        set_text(&site, 2, NULL, 0);
        site_ready(&site, 3);
        CU_ASSERT_EQUAL_FATAL(scoped_init(&site.init, &site.args, site.message),
                              0); /* NULL is welcome, and gives NULL */
        scoped(&site.init, &site.args, &site.is_null, &site.error);
        CU_ASSERT_EQUAL(site.is_null, 1);
        scoped_deinit(&site.init);
        scene_done(&s);
}

static void without_a_key_ring_everything_is_null(void)
{
        struct scene s = scene_new();
        struct site site = { 0 };
        struct site guard = { 0 };

        CU_ASSERT_EQUAL(chmod(s.crypt.ring_path, 0644), 0);
        set_unseal(&site, &s);
        CU_ASSERT_EQUAL_FATAL(unseal_init(&site.init, &site.args, site.message), 0);
        CU_ASSERT_PTR_NULL(opened(&site));
        unseal_deinit(&site.init);
        set_text(&guard, 0, s.scope.bytes, s.scope.n);
        set_number(&guard, 1, 5);
        set_number(&guard, 2, 1);
        site_ready(&guard, 3);
        CU_ASSERT_EQUAL_FATAL(scoped_init(&guard.init, &guard.args, guard.message), 0);
        scoped(&guard.init, &guard.args, &guard.is_null, &guard.error);
        CU_ASSERT_EQUAL(guard.is_null, 1);
        scoped_deinit(&guard.init);
        CU_ASSERT_EQUAL(chmod(s.crypt.ring_path, 0600), 0);
        CU_ASSERT_EQUAL_FATAL(unseal_init(&site.init, &site.args, site.message), 0);
        CU_ASSERT_PTR_NOT_NULL(opened(&site));
        unseal_deinit(&site.init);
        scene_done(&s);
}

static void changed_ring_is_loaded_while_old_statements_go_on(void)
{
        struct scene s = scene_new();
        struct site before = { 0 };
        struct site after = { 0 };
        static const char other[] = SCENE_RING("ffffffffffffffffffffffffffffffff");

        set_unseal(&before, &s);
        CU_ASSERT_EQUAL_FATAL(unseal_init(&before.init, &before.args, before.message), 0);
        scene_write(s.crypt.ring_path, other, sizeof(other) - 1, 0600);
        set_unseal(&after, &s);
        CU_ASSERT_EQUAL_FATAL(unseal_init(&after.init, &after.args, after.message), 0);
        CU_ASSERT_PTR_NOT_NULL(opened(&before));
        CU_ASSERT_PTR_NULL(opened(&after)); /* another installation */
        unseal_deinit(&before.init);
        unseal_deinit(&after.init);
        scene_done(&s);
}

static void *take_and_give(void *arg)
{
        const char *path = arg;

        for (int i = 0; i < 300; i++) {
                struct ring *ring = ring_get();

                if (ring && keyring_install(ring_keys(ring))[0] == 255)
                        return arg; /* another ring than any that was there */
                ring_put(ring);
                if (i % 50 == 0)
                        utimensat(AT_FDCWD, path, NULL, 0); /* seems changed: load again */
        }
        return NULL;
}

static void threads_share_one_ring(void)
{
        struct scene s = scene_new();
        pthread_t threads[4];

        for (size_t i = 0; i < ARRAY_LEN(threads); i++)
                CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, take_and_give, s.crypt.ring_path), 0);
        for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
                void *wrong = NULL;

                pthread_join(threads[i], &wrong);
                CU_ASSERT_PTR_NULL(wrong);
        }
        scene_done(&s);
}

UNIT_MAIN("udf", TEST(envelope_opens_within_the_scope), TEST(any_other_argument_gives_null),
          TEST(scope_needs_the_secret_and_a_whole_list), TEST(scope_covers_exactly_its_owners),
          TEST(scope_of_many_people_covers_them_all), TEST(numbers_and_text_pass_within_the_scope_only),
          TEST(entries_are_opened_by_number), TEST(wrong_calls_are_refused_by_name),
          TEST(without_a_key_ring_everything_is_null),
          TEST(changed_ring_is_loaded_while_old_statements_go_on), TEST(threads_share_one_ring))
