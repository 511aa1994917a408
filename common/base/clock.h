/* The two clocks. Wall time is for records, monotonic time decides leases and deadlines. Both in microseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void); /* since 1970, UTC */
int64_t clock_mono_us(void); /* since boot; does not step */

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)

#endif
