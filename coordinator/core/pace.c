/* A bucket's number is four times the binary logarithm of the milliseconds, rounded down. */
#include "core/pace.h"

#include "base/clock.h"

#define HALF_LIFE_US (60 * US_PER_S)

static unsigned bucket_of(uint64_t ms)
{
        unsigned octave = 0;
        unsigned quarter;

        if (ms == 0)
                return 0;
        while (ms >> octave > 1)
                octave++;
        quarter = octave >= 2 ? (unsigned)(ms >> (octave - 2)) & 3 : (unsigned)(ms << (2 - octave)) & 3;
        return 1 + octave * 4 + quarter;
}

/* The least milliseconds that are beyond the bucket. */
static uint64_t end_of(unsigned bucket)
{
        unsigned octave = bucket > 0 ? (bucket - 1) / 4 : 0;
        uint64_t quarters = 4 + (bucket > 0 ? (bucket - 1) % 4 : 0) + 1;

        if (bucket == 0)
                return 1;
        return octave >= 2 ? quarters << (octave - 2) : (quarters << octave) / 4 + 1;
}

static void forget(struct pace *pace, int64_t mono_us)
{
        pace->halved_us = mono_us;
        pace->total = 0;
        for (unsigned i = 0; i < PACE_BUCKETS; i++) {
                pace->n[i] /= 2;
                pace->total += pace->n[i];
        }
}

void pace_add(struct pace *pace, int64_t mono_us, int64_t waited_us, uint64_t n)
{
        unsigned bucket = bucket_of((uint64_t)(waited_us > 0 ? waited_us : 0) / (uint64_t)US_PER_MS);

        if (mono_us - pace->halved_us >= HALF_LIFE_US)
                forget(pace, mono_us);
        pace->n[bucket < PACE_BUCKETS ? bucket : PACE_BUCKETS - 1] += n;
        pace->total += n;
}

uint64_t pace_ms(const struct pace *pace, unsigned percent)
{
        uint64_t seen = 0;

        if (pace->total == 0)
                return 0;
        for (unsigned i = 0; i < PACE_BUCKETS; i++) {
                seen += pace->n[i];
                if (seen * 100 >= pace->total * percent)
                        return end_of(i);
        }
        return end_of(PACE_BUCKETS - 1);
}
