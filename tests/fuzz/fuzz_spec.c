/* A job's description by itself, as it lies in the database. */
#include <string.h>

#include "base/xalloc.h"
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP_WITH(job_spec_free) struct job_spec_box *box = job_spec_decode(data, size, NULL);
        CLEANUP_WITH(job_spec_free) struct job_spec_box *copy = NULL;
        CLEANUP_BUF struct buf once = { 0 };
        CLEANUP_BUF struct buf twice = { 0 };

        if (!box)
                return 0;
        job_spec_encode(&box->spec, &once);
        if (once.n > MSG_HEADER_MAX)
                return 0;
        copy = job_spec_dup(&box->spec);
        job_spec_encode(&copy->spec, &twice);
        BUG_ON(once.n != twice.n || memcmp(once.bytes, twice.bytes, once.n) != 0);
        return 0;
}
