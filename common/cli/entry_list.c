/* Entries: packing, and choosing the size of chunks.
 *
 * Every chunk but the last must hold the same number of entries and fit MSG_CHUNK_MAX. Which number does is known only
 * at the end of the input, so while entries pass by, the largest group is kept for each power of two; groups of 2k
 * entries are pairs of groups of k, so that this costs two additions an entry on average. */
#include "cli/entry_list.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "crypt/envelope.h"

#define LENGTH_BYTES 4 /* in front of each packed entry */
/* Whoever shows one entry opens its whole chunk, so chunks are much smaller than they might be; a few large entries do
 * not make them smaller still, since every chunk costs a message and a commit. */
#define CHUNK_USUAL_BYTES 65536

static void measure(struct entry_list *entries, uint64_t bytes)
{
        uint64_t sum = bytes;

        /* A group of 2^k is complete when the number of entries is a multiple of it: add it to the next size. */
        for (size_t k = 0; k < ENTRY_GROUP_SIZES; k++) {
                entries->group[k] += sum;
                entries->largest[k] = MAX(entries->largest[k], entries->group[k]);
                if (entries->n % (UINT64_C(1) << k))
                        return;
                sum = entries->group[k];
                entries->group[k] = 0;
        }
}

/* What the groups that are not complete yet hold together, at each size: they make the last chunk. */
static uint64_t largest_group(const struct entry_list *entries, size_t k)
{
        uint64_t open = 0;

        for (size_t i = 0; i <= k; i++)
                open += entries->group[i];
        return MAX(entries->largest[k], open);
}

uint64_t entry_list_per_chunk(const struct entry_list *entries)
{
        uint64_t average = entries->n ? spool_bytes(&entries->packed) / entries->n : 0;
        size_t k = ENTRY_GROUP_SIZES - 1;

        while (k > 0 && (largest_group(entries, k) > MSG_CHUNK_MAX || average << k > CHUNK_USUAL_BYTES))
                k--;
        return UINT64_C(1) << k;
}

static int check_value(const struct entry_list *entries, const char *value, struct err *err)
{
        if (!utf8_valid(value, strlen(value)))
                return err_set(err, ERR_BAD_DATA, "entry %llu is not valid UTF-8",
                               (unsigned long long)entries->n + 1);
        return 0;
}

int entry_list_add(struct entry_list *entries, const char *const *values, size_t n_values, struct err *err)
{
        CLEANUP_BUF struct buf text = { 0 };
        CLEANUP_BUF struct buf packed = { 0 };

        if (entries->n >= ENTRIES_MAX)
                return err_set(err, ERR_BAD_DATA, "more than %d entries; split them over several jobs",
                               ENTRIES_MAX);
        if (n_values == 0 || n_values > ENTRY_VALUES_MAX)
                return err_set(err, ERR_BAD_DATA, "an entry has 1 to %d values, this one %zu",
                               ENTRY_VALUES_MAX, n_values);
        if (entries->n && n_values != entries->n_values)
                return err_set(err, ERR_BAD_DATA, "entry %llu has %zu values, those before it %zu",
                               (unsigned long long)entries->n + 1, n_values, entries->n_values);
        for (size_t i = 0; i < n_values; i++) {
                if (check_value(entries, values[i], err) < 0)
                        return -1;
                if (i)
                        buf_add_char(&text, '\0');
                buf_add_str(&text, values[i]);
        }
        if (text.n > ENTRY_MAX)
                return err_set(err, ERR_BAD_DATA, "entry %llu is longer than %zu bytes",
                               (unsigned long long)entries->n + 1, ENTRY_MAX);
        entry_add(&packed, text.bytes, text.n);
        entries->n++;
        entries->n_values = n_values;
        measure(entries, packed.n);
        if (!entries->digest)
                entries->digest = digest_new();
        digest_add(entries->digest, packed.bytes, packed.n);
        return spool_add(&entries->packed, packed.bytes, packed.n, err);
}

int entry_list_read_chunk(struct entry_list *entries, uint64_t most, struct buf *chunk, struct err *err)
{
        size_t n = (size_t)MIN(MSG_CHUNK_MAX, spool_bytes(&entries->packed) - entries->next_byte);
        size_t start = chunk->n, used = 0;
        const uint8_t *bytes;

        buf_reserve(chunk, n);
        if (spool_read(&entries->packed, entries->next_byte, chunk->bytes + start, n, err) < 0)
                return -1;
        bytes = (const uint8_t *)chunk->bytes + start;
        for (uint64_t i = 0; i < most && entries->next_entry < entries->n; i++) {
                const uint8_t *p = bytes + used;

                used += LENGTH_BYTES + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
                entries->next_entry++;
                BUG_ON(used > n); /* entry_list_per_chunk chose it to fit */
        }
        chunk->n = start + used;
        entries->next_byte += used;
        return 0;
}

void entry_list_sha256(struct entry_list *entries, char ret_hex[DIGEST_HEX_BYTES + 1])
{
        BUG_ON(!entries->digest);
        digest_hex(entries->digest, ret_hex);
}

void entry_list_rewind(struct entry_list *entries)
{
        entries->next_entry = 0;
        entries->next_byte = 0;
}

void entry_list_done(struct entry_list *entries)
{
        spool_done(&entries->packed);
        digest_free(entries->digest);
        for (size_t i = 0; entries->columns && i < entries->n_values; i++)
                xfree(entries->columns[i]);
        xfree(entries->columns);
        *entries = (struct entry_list)ENTRY_LIST_EMPTY;
}

/* --- ::: ------------------------------------------------------------------------------------------------------- */
struct list { /* values between two separators */
        const char *const *values;
        size_t n;
        bool paired; /* :::+, with the list before */
};

static bool is_separator(const char *word)
{
        return strcmp(word, ":::") == 0 || strcmp(word, ":::+") == 0;
}

static int split_lists(const char *const *words, size_t n_words, struct list *lists, size_t *ret_n,
                       struct err *err)
{
        size_t n = 0;

        for (size_t i = 0; i < n_words; i++) {
                if (!is_separator(words[i])) {
                        lists[n - 1].n++;
                        continue;
                }
                if (n == ENTRY_VALUES_MAX)
                        return err_set(err, ERR_BAD_DATA, "more than %d lists", ENTRY_VALUES_MAX);
                lists[n++] = (struct list){ .values = words + i + 1, .paired = strlen(words[i]) == 4 };
        }
        if (lists[0].paired)
                return err_set(err, ERR_USAGE,
                               ":::+ pairs its values with those of the ::: before it; begin with :::");
        for (size_t i = 0; i < n; i++) {
                if (lists[i].n == 0)
                        return err_set(err, ERR_USAGE, "no values after %s",
                                       lists[i].paired ? ":::+" : ":::");
                if (lists[i].paired && lists[i].n != lists[i - 1].n)
                        return err_set(err, ERR_BAD_DATA,
                                       ":::+ has %zu values, the list that it pairs with %zu", lists[i].n,
                                       lists[i - 1].n);
        }
        *ret_n = n;
        return 0;
}

int entry_list_from_lists(struct entry_list *entries, const char *const *words, size_t n_words,
                          struct err *err)
{
        struct list lists[ENTRY_VALUES_MAX];
        size_t at[ENTRY_VALUES_MAX] = { 0 }, n = 0;
        const char *values[ENTRY_VALUES_MAX] = { NULL };
        uint64_t total = 1;

        BUG_ON(!n_words || !is_separator(words[0]));
        if (split_lists(words, n_words, lists, &n, err) < 0)
                return -1;
        for (size_t i = 0; i < n; i++)
                if (!lists[i].paired && (total *= lists[i].n) > ENTRIES_MAX)
                        return err_set(err, ERR_BAD_DATA, "the product of the lists has more than %d entries",
                                       ENTRIES_MAX);
        for (uint64_t k = 0; k < total; k++) {
                size_t last = n;

                for (size_t i = 0; i < n; i++)
                        values[i] = lists[i].values[at[i]];
                if (entry_list_add(entries, values, n, err) < 0)
                        return -1;
                /* Count up, the last list fastest; a list and those paired with it move together. */
                while (last > 0) {
                        size_t head = last - 1;
                        bool wrapped;

                        while (lists[head].paired)
                                head--;
                        wrapped = at[head] + 1 == lists[head].n;
                        for (size_t i = head; i < last; i++)
                                at[i] = wrapped ? 0 : at[i] + 1;
                        if (!wrapped)
                                break;
                        last = head;
                }
        }
        return 0;
}

/* --- lines ----------------------------------------------------------------------------------------------------- */
int entry_list_from_lines(struct entry_list *entries, FILE *file, struct err *err)
{
        CLEANUP_WITH(xfree) char *line = NULL;
        size_t cap = 0;
        ssize_t n;

        while ((n = getline(&line, &cap, file)) >= 0) {
                const char *value = line;

                if (n && line[n - 1] == '\n')
                        line[--n] = '\0';
                if (n && line[n - 1] == '\r')
                        line[--n] = '\0';
                if (strlen(line) != (size_t)n)
                        return err_set(err, ERR_BAD_DATA, "line %llu holds a NUL byte",
                                       (unsigned long long)entries->n + 1);
                if (entry_list_add(entries, &value, 1, err) < 0)
                        return -1;
        }
        return ferror(file) ? err_set(err, ERR_BAD_DATA, "cannot be read") : 0;
}
