/* How long tasks waited from their submission until they were granted, lately: a histogram that forgets. */
#ifndef CORE_PACE_H
#define CORE_PACE_H

#include <stdint.h>

#define PACE_BUCKETS 160 /* four an octave, from a millisecond to 34 years */

struct pace { /* zeroed: nothing is known */
        uint64_t n[PACE_BUCKETS];
        uint64_t total;
        int64_t halved_us; /* mono; what is older counts half, a quarter, … */
};

void pace_add(struct pace *pace, int64_t mono_us, int64_t waited_us, uint64_t n);
/* Milliseconds that `percent` of them waited at most, to a fifth; 0: nothing is known. */
uint64_t pace_ms(const struct pace *pace, unsigned percent);

#endif
