/* Who holds tasks of a job: the part of a job that keep.h looks after. */
#ifndef CORE_KEEPS_H
#define CORE_KEEPS_H

#include "core/spans.h"

struct keep {
        char *by, *reason; /* who, and what he said; NULL: nothing */
        int64_t at_us; /* wall */
};

struct keeps {
        uint64_t n_held; /* tasks in job.parked that are held one by one: counted as held */
        struct spans
                coming; /* out or in limbo, asked back: held as well if they come back without having run */
        struct keep *list; /* numbers from 1 */
        size_t n, cap;
        uint32_t whole; /* the number of who holds the whole job; 0: nobody said */
        bool changed; /* since the description was written */
};

#endif
