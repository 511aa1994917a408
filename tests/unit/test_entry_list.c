/* Entries of a job (cli/entry_list.h): packing, and chunks that all fit. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/entry_list.h"
#include "crypt/envelope.h"
#include "unit.h"

static void add(struct entry_list *list, size_t bytes)
{
        char *text = xmalloc(bytes + 1);
        const char *value = text;
        struct err err = { 0 };

        memset(text, 'x', bytes);
        text[bytes] = '\0';
        CU_ASSERT_EQUAL_FATAL(entry_list_add(list, &value, 1, &err), 0);
        xfree(text);
}

/* Reads all chunks back; every one fits, all but the last are full, no entry is lost. */
static void check_chunks(struct entry_list *list)
{
        uint64_t per_chunk = entry_list_per_chunk(list), seen = 0;
        struct err err = { 0 };

        while (seen < list->n) {
                CLEANUP_BUF struct buf chunk = { 0 };
                uint64_t want = MIN(per_chunk, list->n - seen);
                const char *text;
                size_t n;

                CU_ASSERT_EQUAL_FATAL(entry_list_read_chunk(list, per_chunk, &chunk, &err), 0);
                CU_ASSERT_FATAL(chunk.n <= MSG_CHUNK_MAX);
                CU_ASSERT_EQUAL(entry_find(chunk.bytes, chunk.n, want - 1, &text, &n), 0);
                CU_ASSERT_EQUAL(entry_find(chunk.bytes, chunk.n, want, &text, &n), -1);
                seen += want;
        }
}

static void small_entries_make_chunks_of_many(void)
{
        struct entry_list list = ENTRY_LIST_EMPTY;

        for (int i = 0; i < 70000; i++)
                add(&list, 5);
        CU_ASSERT_EQUAL(entry_list_per_chunk(&list), 4096);
        check_chunks(&list);
        entry_list_done(&list);
}

static void one_large_group_makes_all_chunks_smaller(void)
{
        struct entry_list list = ENTRY_LIST_EMPTY;

        for (int i = 0; i < 100; i++)
                add(&list, i >= 40 && i < 56 ? ENTRY_MAX : 10);
        CU_ASSERT_EQUAL(entry_list_per_chunk(&list), 2); /* 20 KiB on average, 64 KiB a chunk */
        check_chunks(&list);
        entry_list_done(&list);
        for (int i = 0; i < 10000; i++)
                add(&list, i >= 40 && i < 56 ? ENTRY_MAX : 10);
        /* 8 × (131072 + 4) is over what a message holds, 4 are not */
        CU_ASSERT_EQUAL(entry_list_per_chunk(&list), 4);
        check_chunks(&list);
        entry_list_done(&list);
}

static void the_open_group_at_the_end_counts_too(void)
{
        struct entry_list list = ENTRY_LIST_EMPTY;

        for (int i = 0; i < 8192; i++)
                add(&list, 1);
        for (int i = 0; i < 13; i++)
                add(&list, ENTRY_MAX);
        CU_ASSERT_EQUAL(entry_list_per_chunk(&list), 4);
        check_chunks(&list);
        entry_list_done(&list);
}

static void what_exceeds_memory_goes_through_a_file(void)
{
        struct entry_list list = ENTRY_LIST_EMPTY;

        srand(7);
        while (spool_bytes(&list.packed) < 3 * SPOOL_MEMORY_BYTES)
                add(&list, (size_t)(rand() % 2000));
        CU_ASSERT(list.packed.fd >= 0);
        check_chunks(&list);
        entry_list_rewind(&list);
        check_chunks(&list);
        entry_list_done(&list);
}

static void what_cannot_be_an_argument_is_refused(void)
{
        struct entry_list list = ENTRY_LIST_EMPTY;
        const char *good[] = { "a", "b" }, *bad[] = { "\xc3" };
        char *huge = xmalloc(ENTRY_MAX + 2);
        struct err err = { 0 };

        memset(huge, 'x', ENTRY_MAX + 1);
        huge[ENTRY_MAX + 1] = '\0';
        CU_ASSERT_EQUAL(entry_list_add(&list, bad, 1, &err), -1);
        CU_ASSERT_EQUAL(err.code, ERR_BAD_DATA);
        CU_ASSERT_EQUAL(entry_list_add(&list, (const char *[]){ huge }, 1, &err), -1);
        CU_ASSERT_EQUAL(entry_list_add(&list, good, 2, &err), 0);
        CU_ASSERT_EQUAL(entry_list_add(&list, good, 1, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.text, "entry 2 has 1 values, those before it 2");
        CU_ASSERT_EQUAL(list.n, 1);
        xfree(huge);
        entry_list_done(&list);
}

UNIT_MAIN("entry_list", TEST(small_entries_make_chunks_of_many),
          TEST(one_large_group_makes_all_chunks_smaller), TEST(the_open_group_at_the_end_counts_too),
          TEST(what_exceeds_memory_goes_through_a_file), TEST(what_cannot_be_an_argument_is_refused))
