#include "base/backoff.h"

int64_t backoff_failed(struct backoff *backoff, uint32_t random)
{
    int64_t delay = backoff->min_us;

    for (unsigned i = 0; i < backoff->failures && delay < backoff->max_us; i++) {
        delay = delay > backoff->max_us / 2 ? backoff->max_us : delay * 2;
    }
    backoff->failures++;
    delay = delay < backoff->max_us ? delay : backoff->max_us;
    /* NOLINTNEXTLINE(bugprone-integer-division): half of it, in whole microseconds */
    return delay - delay / 2 + (int64_t)((double)(delay / 2) * (double)random / UINT32_MAX);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
