#include "source/read_batching.h"

#include "base/clock.h"

#define LONGEST_US    (10 * CLOCK_MS)
#define UNTOLD_US     (CLOCK_MS / 4) /* a Unix socket holds some 200 messages */
#define SHORTEST_US   (CLOCK_MS / 2)
#define MEASURE_US    (2 * CLOCK_MS) /* at least: 500 messages a second are worth a pause */
#define DEBOUNCE_PART 4              /* a pause is at most one part of the debounce */
#define WORTH_BYTES   512            /* in the longest pause: some five messages */

void read_batching_init(struct read_batching *batching, int64_t debounce_us, bool told)
{
    int64_t longest_us = clock_earlier(debounce_us / DEBOUNCE_PART, LONGEST_US);

    if (longest_us < CLOCK_MS) {
        longest_us = CLOCK_MS;
    }
    *batching = (struct read_batching){.longest_us = told ? longest_us : UNTOLD_US};
}

/* Whether as much as came in `elapsed_us` makes the longest pause worth its while. */
static bool is_busy(const struct read_batching *batching, int64_t elapsed_us)
{
    return (int64_t)batching->bytes * batching->longest_us >= WORTH_BYTES * elapsed_us;
}

void read_batching_took(struct read_batching *batching, size_t bytes, int64_t now_us)
{
    int64_t elapsed_us = now_us - batching->since_us;

    batching->bytes += bytes;
    if (elapsed_us >= MEASURE_US) {
        int64_t longer_us = batching->pause_us > 0 ? batching->pause_us * 2 : SHORTEST_US;

        batching->pause_us =
            is_busy(batching, elapsed_us) ? clock_earlier(longer_us, batching->longest_us) : 0;
        batching->since_us = now_us;
        batching->bytes = 0;
    }
    batching->next_us = now_us + batching->pause_us;
}
