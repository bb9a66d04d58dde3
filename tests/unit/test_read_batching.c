/* How a stream is read. Times are made up. */
#include "source/read_batching.h"

#include "base/clock.h"
#include "check.h"

#define DEBOUNCE (50 * CLOCK_MS)
#define BUSY     ((size_t)100) /* bytes each 5 us: 20 MB/s */

/* Reads as a feed does whose stream brings `bytes` each 5 us, for `us`. Returns how often. */
static int flood(struct read_batching *batching, int64_t *now_us, size_t bytes, int64_t us)
{
    int64_t end_us = *now_us + us;
    int reads = 0;

    while (*now_us < end_us) {
        int64_t wait_us = batching->pause_us > 0 ? batching->pause_us : 5;

        *now_us += wait_us;
        read_batching_took(batching, bytes * (size_t)(wait_us / 5), *now_us);
        CHECK_INT(batching->next_us, *now_us + batching->pause_us);
        reads++;
    }
    return reads;
}

static void a_quiet_stream_is_read_as_it_comes(void)
{
    struct read_batching batching;
    int64_t now_us = 5 * CLOCK_S;

    read_batching_init(&batching, DEBOUNCE, true);
    for (int i = 0; i < 100; i++) {
        now_us += 20 * CLOCK_MS; /* a small transaction, in three pieces */
        for (int piece = 0; piece < 3; piece++) {
            read_batching_took(&batching, 150, now_us += 10);
            CHECK_INT(batching.pause_us, 0);
        }
    }
}

static void a_busy_one_in_gulps(void)
{
    struct read_batching batching;
    int64_t now_us = 5 * CLOCK_S;
    int first, later;

    read_batching_init(&batching, DEBOUNCE, true);
    read_batching_took(&batching, 100, now_us); /* the first change, after a silence */
    CHECK_INT(batching.pause_us, 0);
    first = flood(&batching, &now_us, BUSY, 4 * CLOCK_MS);
    CHECK(first > 100 && first < 500); /* one by one until it is known to be busy */
    flood(&batching, &now_us, BUSY, 30 * CLOCK_MS);
    CHECK_INT(batching.pause_us, 10 * CLOCK_MS);
    later = flood(&batching, &now_us, BUSY, CLOCK_S);
    CHECK_INT(later, 100);
}

/* A transaction each 1.1 ms: the shortest pauses may bring nothing. */
static void a_steady_one_too(void)
{
    struct read_batching batching;
    int64_t now_us = 5 * CLOCK_S, end_us = now_us + CLOCK_S, came_us = now_us;
    int reads = 0;

    read_batching_init(&batching, DEBOUNCE, true);
    while (now_us < end_us) {
        size_t bytes = 0;

        now_us += batching.pause_us > 0 ? batching.pause_us : 1100;
        for (; came_us + 1100 <= now_us; came_us += 1100) {
            bytes += 250;
        }
        read_batching_took(&batching, bytes, now_us);
        reads++;
    }
    CHECK(reads < 150);
}

static void the_end_of_a_flood_is_noticed_at_once(void)
{
    struct read_batching batching;
    int64_t now_us = 5 * CLOCK_S;

    read_batching_init(&batching, DEBOUNCE, true);
    flood(&batching, &now_us, BUSY, CLOCK_S);
    CHECK(batching.pause_us > 0);
    read_batching_took(&batching, 100,
                       now_us + batching.pause_us); /* hardly anything came in that pause */
    CHECK_INT(batching.pause_us, 0);

    flood(&batching, &now_us, BUSY, CLOCK_S);
    read_batching_took(&batching, 20000, now_us + 10 * CLOCK_S); /* the next one after a silence */
    CHECK_INT(batching.pause_us, 0);
}

static void pauses_are_short_beside_the_debounce(void)
{
    static const struct {
        int64_t debounce_us;
        bool told;
        int64_t longest_us;
    } cases[] = {
        {CLOCK_S, true, 10 * CLOCK_MS},
        {20 * CLOCK_MS, true, 5 * CLOCK_MS},
        {CLOCK_MS, true, CLOCK_MS},
        {0, true, CLOCK_MS},
        {CLOCK_S, false, 250}, /* a Unix socket */
        {0, false, 250},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct read_batching batching;
        int64_t now_us = 5 * CLOCK_S;

        read_batching_init(&batching, cases[i].debounce_us, cases[i].told);
        flood(&batching, &now_us, BUSY, CLOCK_S);
        CHECK_INT(batching.pause_us, cases[i].longest_us);
    }
}

static const struct check_test tests[] = {
    {"a quiet stream is read as it comes", a_quiet_stream_is_read_as_it_comes},
    {"a busy one in gulps", a_busy_one_in_gulps},
    {"a steady one too", a_steady_one_too},
    {"the end of a flood is noticed at once", the_end_of_a_flood_is_noticed_at_once},
    {"pauses are short beside the debounce", pauses_are_short_beside_the_debounce},
};

CHECK_MAIN(tests)
