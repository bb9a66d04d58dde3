/* How long to wait before the next connect: exponential, with jitter, forever. */
#ifndef PGNUDGE_BASE_BACKOFF_H
#define PGNUDGE_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t min_us;
    int64_t max_us;
    unsigned failures; /* in a row */
};

/*
 * Counts a failure and returns the delay after it: between half and the whole
 * of min × 2^(failures - 1), at most max. `random` is any 32 random bits.
 */
int64_t backoff_failed(struct backoff *backoff, uint32_t random);

/* The stream is live. */
void backoff_reset(struct backoff *backoff);

#endif
