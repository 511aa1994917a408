/* Envelopes: known answers (NIST's for the cipher, an independent implementation's for our own forms), and that an
 * envelope opens at its own place only. */
#include "crypt/envelope.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "crypt/bytes.h"
#include "crypt/gcm.h"
#include "tests/unit/crypt_scene.h"
#include "tests/unit/unit.h"

/* Cases 13 to 16 of the GCM specification, as NIST published them for AES-256. */
static const struct {
        const char *key, *nonce, *aad, *plain, *cipher, *tag;
} vectors[] = {
        { "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
          "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
        { "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
          "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
          "d0d1c8a799996bf0265b98b5d48ab919" },
        { "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
          "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b1"
          "6aedf5aa0d"
          "e657ba637b391aafd255",
          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5"
          "f61e6393ba"
          "7a0abcc9f662898015ad",
          "b094dac5d93471bdec1a502270e3cc6c" },
        { "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
          "feedfacedeadbeeffeedfacedeadbeefabaddad2",
          "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b1"
          "6aedf5aa0d"
          "e657ba637b39",
          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5"
          "f61e6393ba"
          "7a0abcc9f662",
          "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static size_t unhex(const char *hex, uint8_t *into)
{
        size_t n = strlen(hex) / 2;

        CU_ASSERT_FATAL(hex_read(hex, strlen(hex), into, n));
        return n;
}

static void cipher_gives_the_answers_of_nist(void)
{
        CLEANUP_GCM struct gcm gcm = { 0 }; /* one for all: keys and directions change in between */

        for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
                uint8_t key[32], nonce[12], aad[32], plain[64], cipher[64], tag[16], out[64], got[16];
                struct gcm_text text = { .aad = aad, .in = plain };

                unhex(vectors[i].key, key);
                unhex(vectors[i].nonce, nonce);
                unhex(vectors[i].tag, tag);
                text.aad_bytes = unhex(vectors[i].aad, aad);
                text.bytes = unhex(vectors[i].plain, plain);
                unhex(vectors[i].cipher, cipher);
                for (int twice = 0; twice < 2; twice++) { /* the second time with the kept key */
                        gcm_seal(&gcm, key, nonce, &text, out, got);
                        CU_ASSERT_EQUAL(memcmp(out, cipher, text.bytes), 0);
                        CU_ASSERT_EQUAL(memcmp(got, tag, sizeof(tag)), 0);
                }
                text.in = cipher;
                CU_ASSERT(gcm_open(&gcm, key, nonce, &text, out, tag));
                CU_ASSERT_EQUAL(memcmp(out, plain, text.bytes), 0);
                tag[15] ^= 1;
                CU_ASSERT_FALSE(gcm_open(&gcm, key, nonce, &text, out, tag));
        }
}

/* Made by another implementation of AES-GCM, from the description in envelope.h alone. */
static const char golden[] =
        "01a0a1a2a3a4a5a6a7a8a9aaabb0fdc5832174bc6a161b35f4f6815aa138b71ea823a7f8edc87e8587";
static const struct seal_place golden_place = { .kind = SEAL_OUTPUT,
                                                .owner = 5,
                                                .job = 36,
                                                .index = 4,
                                                .attempt = 2,
                                                .part = 1,
                                                .seq = 3,
                                                .final = true };
static const char golden_plain[] = "grüß Gott\n";

static void golden_envelope_opens(void)
{
        struct crypt_scene s = crypt_scene_new();
        uint8_t envelope[64];
        size_t n = unhex(golden, envelope);

        CU_ASSERT_EQUAL(unseal(s.sealer, &s.key, &golden_place, envelope, n, &s.out, &s.err), 0);
        CU_ASSERT_EQUAL(s.out.n, strlen(golden_plain));
        CU_ASSERT_STRING_EQUAL(s.out.bytes, golden_plain);
        crypt_scene_done(&s);
}

static void every_flipped_bit_is_refused_by_name(void)
{
        struct crypt_scene s = crypt_scene_new();
        uint8_t envelope[64];
        size_t n = unhex(golden, envelope);

        buf_add_str(&s.out, "before");
        for (size_t bit = 0; bit < 8 * n; bit++) {
                envelope[bit / 8] ^= (uint8_t)(1u << bit % 8);
                CU_ASSERT_EQUAL(unseal(s.sealer, &s.key, &golden_place, envelope, n, &s.out, &s.err), -1);
                CU_ASSERT_EQUAL(s.err.code, ERR_BAD_DATA);
                CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "DATA_CORRUPT"));
                CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "job 36 task 4"));
                envelope[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t cut = 0; cut < n; cut++)
                CU_ASSERT_EQUAL(unseal(s.sealer, &s.key, &golden_place, envelope, cut, &s.out, NULL), -1);
        CU_ASSERT_STRING_EQUAL(s.out.bytes, "before");
        CU_ASSERT_EQUAL(unseal(s.sealer, &s.key, &golden_place, envelope, n, &s.out, &s.err), 0);
        crypt_scene_done(&s);
}

static void moved_envelope_is_refused(void)
{
        struct crypt_scene s = crypt_scene_new();
        uint8_t envelope[64];
        size_t n = unhex(golden, envelope);

        for (int field = 0; field < 8; field++) {
                struct seal_place moved = golden_place;

                moved.kind = field == 0 ? SEAL_FILE : moved.kind;
                moved.owner += field == 1;
                moved.job += field == 2;
                moved.index += field == 3;
                moved.attempt += field == 4;
                moved.part += field == 5;
                moved.seq += field == 6;
                moved.final ^= field == 7;
                CU_ASSERT_EQUAL(unseal(s.sealer, &s.key, &moved, envelope, n, &s.out, &s.err), -1);
                CU_ASSERT_EQUAL(s.out.n, 0);
        }
        crypt_scene_done(&s);
}

static void another_installation_cannot_open(void)
{
        struct crypt_scene s = crypt_scene_new();
        struct crypt_scene other = crypt_scene_with("000102030405060708090a0b0c0d0e10");
        uint8_t envelope[64];
        size_t n = unhex(golden, envelope);

        CU_ASSERT_EQUAL(unseal(other.sealer, &s.key, &golden_place, envelope, n, &s.out, &s.err), -1);
        crypt_scene_done(&other);
        crypt_scene_done(&s);
}

static void what_is_sealed_opens_again(void)
{
        static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 65536, 1048576 };
        struct crypt_scene s = crypt_scene_new();

        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
                CLEANUP_BUF struct buf plain = { 0 };
                CLEANUP_BUF struct buf envelope = { 0 };
                struct seal_place place = {
                        .kind = SEAL_RESULT, .owner = 1, .job = 2, .index = i, .attempt = 1
                };

                for (size_t k = 0; k < sizes[i]; k++)
                        buf_add_char(&plain, (char)(k * 7 + i));
                buf_add_str(&envelope, "x"); /* appended to what is there */
                CU_ASSERT_EQUAL(seal(s.sealer, &s.key, &place, plain.bytes, plain.n, &envelope, &s.err), 0);
                CU_ASSERT_EQUAL(envelope.n, 1 + plain.n + ENVELOPE_OVERHEAD);
                buf_clear(&s.out);
                CU_ASSERT_EQUAL(
                        unseal(s.sealer, &s.key, &place, envelope.bytes + 1, envelope.n - 1, &s.out, &s.err),
                        0);
                CU_ASSERT_EQUAL(s.out.n, plain.n);
                CU_ASSERT(plain.n == 0 || !memcmp(s.out.bytes, plain.bytes, plain.n));
        }
        crypt_scene_done(&s);
}

static int compare_nonces(const void *a, const void *b)
{
        return memcmp(a, b, GCM_NONCE_BYTES);
}

/* Seal `n` empty values and append their nonces. */
static void take_nonces(struct crypt_scene *s, size_t n, struct buf *into)
{
        static const struct seal_place place = { .kind = SEAL_TAG };

        for (size_t i = 0; i < n; i++) {
                buf_clear(&s->out);
                CU_ASSERT_EQUAL(seal(s->sealer, &s->key, &place, "", 0, &s->out, &s->err), 0);
                buf_add(into, s->out.bytes + 1, GCM_NONCE_BYTES);
        }
}

static void no_nonce_comes_twice_not_even_after_fork(void)
{
        enum { EACH = 5000 };
        struct crypt_scene s = crypt_scene_new();
        CLEANUP_BUF struct buf nonces = { 0 };
        CLEANUP_BUF struct buf child = { 0 };
        int ends[2];
        pid_t pid;
        size_t got = 0;
        ssize_t n;

        take_nonces(&s, 1, &nonces); /* a block is drawn and mostly unused when the child begins */
        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        pid = fork();
        if (pid == 0) {
                take_nonces(&s, EACH, &child);
                while (got < child.n && (n = write(ends[1], child.bytes + got, child.n - got)) > 0)
                        got += (size_t)n;
                _exit(0);
        }
        close(ends[1]);
        buf_reserve(&child, EACH * GCM_NONCE_BYTES);
        while ((n = read(ends[0], child.bytes + child.n, EACH * GCM_NONCE_BYTES - child.n)) > 0)
                child.n += (size_t)n;
        close(ends[0]);
        waitpid(pid, NULL, 0);
        CU_ASSERT_EQUAL(child.n, EACH * GCM_NONCE_BYTES);
        buf_add(&nonces, child.bytes, child.n);
        take_nonces(&s, EACH, &nonces);
        qsort(nonces.bytes, nonces.n / GCM_NONCE_BYTES, GCM_NONCE_BYTES, compare_nonces);
        for (size_t i = GCM_NONCE_BYTES; i < nonces.n; i += GCM_NONCE_BYTES)
                CU_ASSERT_NOT_EQUAL(compare_nonces(nonces.bytes + i, nonces.bytes + i - GCM_NONCE_BYTES), 0);
        crypt_scene_done(&s);
}

static void entries_are_found_by_number(void)
{
        CLEANUP_BUF struct buf chunk = { 0 };
        const char *text;
        size_t n;

        entry_add(&chunk, "a\0b", 3);
        entry_add(&chunk, "", 0);
        entry_add(&chunk, "last", 4);
        CU_ASSERT_EQUAL(chunk.n, 3 * 4 + 7);
        CU_ASSERT_EQUAL(entry_find(chunk.bytes, chunk.n, 0, &text, &n), 0);
        CU_ASSERT(n == 3 && !memcmp(text, "a\0b", 3));
        CU_ASSERT_EQUAL(entry_find(chunk.bytes, chunk.n, 1, &text, &n), 0);
        CU_ASSERT_EQUAL(n, 0);
        CU_ASSERT_EQUAL(entry_find(chunk.bytes, chunk.n, 2, &text, &n), 0);
        CU_ASSERT(n == 4 && !memcmp(text, "last", 4));
        CU_ASSERT_EQUAL(entry_find(chunk.bytes, chunk.n, 3, &text, &n), -1);
        CU_ASSERT_EQUAL(entry_find(chunk.bytes, chunk.n, UINT64_MAX, &text, &n), -1);
}

static void malformed_chunk_of_entries_is_refused(void)
{
        static const uint8_t beyond[] = { 0, 0, 0, 5, 'a', 'b', 'c', 'd' };
        static const uint8_t huge[] = { 255, 255, 255, 255, 'a' };
        const char *text;
        size_t n;

        CU_ASSERT_EQUAL(entry_find(beyond, sizeof(beyond), 0, &text, &n), -1);
        CU_ASSERT_EQUAL(entry_find(huge, sizeof(huge), 0, &text, &n), -1);
        CU_ASSERT_EQUAL(entry_find(huge, 3, 0, &text, &n), -1);
        CU_ASSERT_EQUAL(entry_find("", 0, 0, &text, &n), -1);
}

UNIT_MAIN("envelope", TEST(cipher_gives_the_answers_of_nist), TEST(golden_envelope_opens),
          TEST(every_flipped_bit_is_refused_by_name), TEST(moved_envelope_is_refused),
          TEST(another_installation_cannot_open), TEST(what_is_sealed_opens_again),
          TEST(no_nonce_comes_twice_not_even_after_fork), TEST(entries_are_found_by_number),
          TEST(malformed_chunk_of_entries_is_refused))
