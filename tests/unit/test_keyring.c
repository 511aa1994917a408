/* The key ring: what it refuses, and that wrapped keys open for their own job only. */
#include "crypt/keyring.h"

#include <string.h>

#include "crypt/bytes.h"
#include "tests/unit/crypt_scene.h"
#include "tests/unit/unit.h"

/* Loads `text` as a key ring; NULL and s->err if it is refused. */
static struct keyring *load_text(struct crypt_scene *s, const char *text)
{
        scene_write(s->ring_path, text, strlen(text), 0600);
        return keyring_load(s->ring_path, &s->err);
}

static void refused(struct crypt_scene *s, const char *text, const char *because)
{
        CLEANUP_WITH(keyring_free) struct keyring *keyring = load_text(s, text);

        CU_ASSERT_PTR_NULL(keyring);
        CU_ASSERT_EQUAL(s->err.code, ERR_CONFIG);
        if (!strstr(s->err.text, because))
                CU_FAIL(because);
        CU_ASSERT_PTR_NULL(strstr(s->err.text, "2021222324")); /* never a key in an error */
}

static void wrong_rings_are_refused_with_their_line(void)
{
        struct crypt_scene s = crypt_scene_new();

        refused(&s, "", "no install line");
        refused(&s, "install = " SCENE_INSTALL "\nscope = " SCENE_SCOPE "\nhash = " SCENE_HASH "\n",
                "no key line");
        refused(&s, "install = " SCENE_INSTALL "\nkey = 7 " SCENE_KEK "\nhash = " SCENE_HASH "\n",
                "no scope line");
        refused(&s, SCENE_RING(SCENE_INSTALL) "hash = " SCENE_HASH "\n", ":6: hash: already set on line 5");
        refused(&s, SCENE_RING(SCENE_INSTALL) "key = 7 " SCENE_KEK "\n", ":6: key: key 7 stands twice");
        refused(&s, SCENE_RING(SCENE_INSTALL) "key = 0 " SCENE_KEK "\n", ":6: key: needs a number");
        refused(&s, SCENE_RING(SCENE_INSTALL) "key = " SCENE_KEK "\n", ":6: key: needs a number");
        refused(&s, SCENE_RING(SCENE_INSTALL) "key = 8 " SCENE_KEK "00\n", ":6: key: needs 64 hexadecimal");
        refused(&s, SCENE_RING(SCENE_INSTALL) "key = 8\n", ":6: key: needs");
        refused(&s, "install = 00\n", ":1: install: needs 32 hexadecimal");
        refused(&s, "install = zz0102030405060708090a0b0c0d0e0f\n", ":1: install: needs 32 hexadecimal");
        refused(&s, "secret = x\n", ":1: secret: a key ring has only");
        refused(&s, "hello\n", ":1: no `name = value` line");
        crypt_scene_done(&s);
}

static void ring_that_others_can_read_is_refused_with_the_chmod(void)
{
        struct crypt_scene s = crypt_scene_new();

        CU_ASSERT_EQUAL(chmod(s.ring_path, 0640), 0);
        CU_ASSERT_PTR_NULL(keyring_load(s.ring_path, &s.err));
        CU_ASSERT_EQUAL(s.err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "chmod 600 "));
        crypt_scene_done(&s);
}

static void new_ring_is_whole_private_and_never_overwritten(void)
{
        struct crypt_scene s = crypt_scene_new();
        CLEANUP_WITH(keyring_free) struct keyring *first = NULL;
        CLEANUP_WITH(keyring_free) struct keyring *again = NULL;
        struct stat st;

        unlink(s.ring_path);
        CU_ASSERT_EQUAL(keyring_create(s.ring_path, &s.err), 0);
        CU_ASSERT_EQUAL(stat(s.ring_path, &st), 0);
        CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
        first = keyring_load(s.ring_path, &s.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(first);
        CU_ASSERT_EQUAL(keyring_create(s.ring_path, &s.err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "File exists"));
        again = keyring_load(s.ring_path, &s.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(again);
        CU_ASSERT_EQUAL(memcmp(keyring_install(first), keyring_install(again), INSTALL_BYTES), 0);
        CU_ASSERT_EQUAL(memcmp(keyring_scope_secret(first), keyring_scope_secret(again), 32), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(keyring_scope_secret(first), keyring_scope_secret(s.keyring), 32), 0);
        crypt_scene_done(&s);
}

/* By an independent implementation: HMAC-SHA256(hash secret, "name" NUL "thumbs"), 16 bytes. */
static void name_hash_has_its_known_answer(void)
{
        struct crypt_scene s = crypt_scene_new();
        uint8_t want[NAME_HASH_BYTES], got[NAME_HASH_BYTES];

        CU_ASSERT(hex_read("e1a41954c66be870647a5d5a0398738c", 32, want, sizeof(want)));
        keyring_name_hash(s.keyring, "name", "thumbs", 6, got);
        CU_ASSERT_EQUAL(memcmp(got, want, sizeof(want)), 0);
        keyring_name_hash(s.keyring, "tag", "thumbs", 6, got);
        CU_ASSERT_NOT_EQUAL(memcmp(got, want, sizeof(want)), 0);
        keyring_name_hash(s.keyring, "name", "", 0, got);
        CU_ASSERT_NOT_EQUAL(memcmp(got, want, sizeof(want)), 0);
        crypt_scene_done(&s);
}

static void golden_wrapped_key_opens_for_its_job_only(void)
{
        struct crypt_scene s = crypt_scene_new();
        uint8_t wrapped[WRAPPED_KEY_BYTES];
        struct data_key key = { { 0 } };

        CU_ASSERT(hex_read("0100000007a0a1a2a3a4a5a6a7a8a9aaab3e7de6778092c6ede961e7f16a1038e9c12e935468e1707"
                           "557cb91a28f3bf1"
                           "a7cd29ce88444211a3aaa22757bad968c4",
                           2 * WRAPPED_KEY_BYTES, wrapped, sizeof(wrapped)));
        CU_ASSERT_EQUAL(data_key_unwrap(s.keyring, 36, wrapped, sizeof(wrapped), &key, &s.err), 0);
        CU_ASSERT_EQUAL(memcmp(key.bytes, s.key.bytes, sizeof(key.bytes)), 0);
        CU_ASSERT_EQUAL(data_key_unwrap(s.keyring, 37, wrapped, sizeof(wrapped), &key, &s.err), -1);
        CU_ASSERT_EQUAL(s.err.code, ERR_BAD_DATA);
        for (size_t bit = 0; bit < 8 * sizeof(wrapped); bit++) {
                wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
                CU_ASSERT_EQUAL(data_key_unwrap(s.keyring, 36, wrapped, sizeof(wrapped), &key, &s.err), -1);
                CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "DATA_CORRUPT"));
                wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        CU_ASSERT_EQUAL(data_key_unwrap(s.keyring, 36, wrapped, sizeof(wrapped) - 1, &key, &s.err), -1);
        crypt_scene_done(&s);
}

static void rotated_ring_wraps_with_its_last_key_and_opens_all(void)
{
        struct crypt_scene s = crypt_scene_new();
        struct data_key old_key, new_key, got;
        uint8_t old_wrapped[WRAPPED_KEY_BYTES], new_wrapped[WRAPPED_KEY_BYTES];
        CLEANUP_WITH(keyring_free) struct keyring *rotated = NULL;

        CU_ASSERT_EQUAL(data_key_new(s.keyring, 9, &old_key, old_wrapped, &s.err), 0);
        rotated = load_text(&s, SCENE_RING(SCENE_INSTALL) "key = 8 " SCENE_SCOPE "\n");
        CU_ASSERT_PTR_NOT_NULL_FATAL(rotated);
        CU_ASSERT_EQUAL(data_key_new(rotated, 9, &new_key, new_wrapped, &s.err), 0);
        CU_ASSERT_EQUAL(get_be32(old_wrapped + 1), 7);
        CU_ASSERT_EQUAL(get_be32(new_wrapped + 1), 8);
        CU_ASSERT_EQUAL(data_key_unwrap(rotated, 9, old_wrapped, sizeof(old_wrapped), &got, &s.err), 0);
        CU_ASSERT_EQUAL(memcmp(&got, &old_key, sizeof(got)), 0);
        CU_ASSERT_EQUAL(data_key_unwrap(rotated, 9, new_wrapped, sizeof(new_wrapped), &got, &s.err), 0);
        CU_ASSERT_EQUAL(memcmp(&got, &new_key, sizeof(got)), 0);
        CU_ASSERT_EQUAL(data_key_unwrap(s.keyring, 9, new_wrapped, sizeof(new_wrapped), &got, &s.err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "key 8 of job 9 is not in the key ring"));
        crypt_scene_done(&s);
}

UNIT_MAIN("keyring", TEST(wrong_rings_are_refused_with_their_line),
          TEST(ring_that_others_can_read_is_refused_with_the_chmod),
          TEST(new_ring_is_whole_private_and_never_overwritten), TEST(name_hash_has_its_known_answer),
          TEST(golden_wrapped_key_opens_for_its_job_only),
          TEST(rotated_ring_wraps_with_its_last_key_and_opens_all))
