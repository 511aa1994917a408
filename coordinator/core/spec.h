/* Is a job's description sound? What the decoder's ranges cannot say. */
#ifndef CORE_SPEC_H
#define CORE_SPEC_H

#include "base/err.h"
#include "proto/msg.h"

int spec_check(const struct rec_job_spec *spec, struct err *err) MUST_CHECK;

/* Chunks that make the job whole: entry chunks, then inputs cut at MSG_CHUNK_MAX (an empty input has none). */
uint64_t spec_chunks(const struct rec_job_spec *spec);
/* Where chunk `no` belongs: part 0 is entries, 1… are inputs. For an input, its exact size. */
struct chunk_place {
        uint32_t part, seq;
        size_t bytes; /* of an input's chunk */
};
struct chunk_place spec_chunk(const struct rec_job_spec *spec, uint64_t no);
/* Is this what chunk `no` may hold? */
int spec_check_chunk(const struct rec_job_spec *spec, uint64_t no, const void *bytes, size_t n_bytes,
                     struct err *err) MUST_CHECK;

#endif
