/* The entries of a job: one value, or several, for each task, from `:::` lists or from a file. Packed as
 * crypt/envelope.h says, spooled, and cut into chunks of equally many entries. */
#ifndef CLI_ENTRY_LIST_H
#define CLI_ENTRY_LIST_H

#include <stdio.h>

#include "cli/spool.h"
#include "crypt/digest.h"
#include "proto/msg.h"

#define ENTRIES_MAX 10000000 /* tasks of one job, INTERFACE */
#define ENTRY_MAX ((size_t)131072) /* bytes of an entry: one argument of a program cannot be longer */
#define ENTRY_VALUES_MAX 256

#define ENTRY_GROUP_SIZES 13 /* 1, 2, 4 … 4096 entries a chunk */
struct entry_list {
        struct spool packed;
        uint64_t n;
        size_t n_values; /* of each entry */
        char **columns; /* names of the values; NULL: none */
        /* For each group size: bytes of the group that is being filled, and of the largest one so far. */
        uint64_t group[ENTRY_GROUP_SIZES], largest[ENTRY_GROUP_SIZES];
        struct digest *digest; /* of the packed entries; NULL while there are none */
        /* for reading */
        uint64_t next_entry, next_byte;
};
#define ENTRY_LIST_EMPTY                                                                                     \
        {                                                                                                    \
                .packed = SPOOL_EMPTY                                                                        \
        }

/* One entry of n_values values. BAD_DATA: no UTF-8, NUL inside, too long, too many. */
int entry_list_add(struct entry_list *entries, const char *const *values, size_t n_values,
                   struct err *err) MUST_CHECK;
/* Names of the values, before the first entry. BAD_DATA: two alike, or not usable. */
int entry_list_columns(struct entry_list *entries, const char *const *names, size_t n,
                       struct err *err) MUST_CHECK;
/* SHA-256 of all chunks together, in hex; once, when all entries are there. */
void entry_list_sha256(struct entry_list *entries, char ret_hex[DIGEST_HEX_BYTES + 1]);
/* How many entries each chunk holds, a power of two: every chunk fits MSG_CHUNK_MAX, and the usual one is small. */
uint64_t entry_list_per_chunk(const struct entry_list *entries);
/* Append the next `most` entries (fewer at the end) as one chunk. After entry_list_rewind: from the first. */
int entry_list_read_chunk(struct entry_list *entries, uint64_t most, struct buf *chunk,
                          struct err *err) MUST_CHECK;
void entry_list_rewind(struct entry_list *entries);
void entry_list_done(struct entry_list *entries);

/* `a b ::: c d :::+ e f`: words after the first `:::`, with the separators. ::: multiplies, :::+ pairs its values with
 * those of the list before. The first list varies slowest. */
int entry_list_from_lists(struct entry_list *entries, const char *const *words, size_t n_words,
                          struct err *err) MUST_CHECK;
/* One entry a line, LF or CR LF; the last line may lack its end; empty lines are entries too. */
int entry_list_from_lines(struct entry_list *entries, FILE *file, struct err *err) MUST_CHECK;
/* RFC 4180 with a header line, whose names become the columns. */
int entry_list_from_csv(struct entry_list *entries, FILE *file, struct err *err) MUST_CHECK;
/* One JSON value a line: an object (its members are the columns, the same in every line), an array of values, or a
 * single value. Strings give their text, everything else its JSON text. Or one array instead of lines, an entry an element:
 * one of several lines, or of objects alone. */
int entry_list_from_json(struct entry_list *entries, FILE *file, struct err *err) MUST_CHECK;

#endif
