/* Is a job's description sound? What the decoder's ranges cannot say. */
#ifndef CORE_SPEC_H
#define CORE_SPEC_H

#include "base/err.h"
#include "proto/msg.h"

#define SECRET_NAME_MAX 64
/* May an environment variable of a job be called so? */
bool spec_env_name(const char *name, size_t n);
/* The first input with the content of this one; itself if there is none before it. */
size_t spec_first_alike(const struct rec_job_spec *spec, size_t at);

int spec_check(const struct rec_job_spec *spec, struct err *err) MUST_CHECK;

/* Chunks that make the job whole: entry chunks, then inputs cut at MSG_CHUNK_MAX (an empty input has none, nor
 * has one whose content an earlier one has). */
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
