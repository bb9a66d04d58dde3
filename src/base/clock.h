/* Time: monotonic microseconds for deadlines, wall clock for what people read. */
#ifndef PGNUDGE_BASE_CLOCK_H
#define PGNUDGE_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_MS    INT64_C(1000)    /* microseconds in a millisecond */
#define CLOCK_S     INT64_C(1000000) /* microseconds in a second */
#define CLOCK_NEVER INT64_MAX        /* a deadline that does not come */

/* Microseconds of the monotonic clock; only differences mean something. */
int64_t clock_now_us(void);

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);

/* The deadline `delay_us` after `now_us`; CLOCK_NEVER stays CLOCK_NEVER. */
static inline int64_t clock_after(int64_t now_us, int64_t delay_us)
{
    return delay_us > CLOCK_NEVER - now_us ? CLOCK_NEVER : now_us + delay_us;
}

/* The earlier of two deadlines. */
static inline int64_t clock_earlier(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

#endif
