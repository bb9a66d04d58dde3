#include "base/backoff.h"

#include "check.h"

static void doubles_up_to_the_maximum(void)
{
    static const int64_t whole[] = {100, 200, 400, 800, 1000, 1000, 1000};
    struct backoff low = {.min_us = 100, .max_us = 1000};
    struct backoff high = low, middle = low;

    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        int64_t delay;

        CASE("failure %zu", i + 1);
        CHECK_INT(backoff_failed(&low, 0), whole[i] / 2);
        CHECK_INT(backoff_failed(&high, UINT32_MAX), whole[i]);
        delay = backoff_failed(&middle, UINT32_MAX / 2);
        CHECK(delay > whole[i] / 2 && delay < whole[i]);
    }
}

static void begins_anew_once_live(void)
{
    struct backoff backoff = {.min_us = 100, .max_us = 1000};

    for (int i = 0; i < 10; i++) {
        backoff_failed(&backoff, 0);
    }
    backoff_reset(&backoff);
    CHECK_INT(backoff_failed(&backoff, UINT32_MAX), 100);
    CHECK_INT(backoff_failed(&backoff, UINT32_MAX), 200);
}

/* Weeks without a server: the delay must neither wrap nor fall back. */
static void never_ends(void)
{
    struct backoff backoff = {.min_us = 1, .max_us = INT64_C(366) * 24 * 3600 * 1000000};
    int64_t delay = 0;

    for (int i = 0; i < 100000; i++) {
        int64_t next = backoff_failed(&backoff, UINT32_MAX);

        if (!CHECK(next >= delay && next <= backoff.max_us)) {
            break;
        }
        delay = next;
    }
    CHECK_INT(delay, backoff.max_us);
}

static void odd_bounds(void)
{
    struct backoff same = {.min_us = 5, .max_us = 5};
    struct backoff one = {.min_us = 1, .max_us = 1};

    CHECK_INT(backoff_failed(&same, 0), 3);
    CHECK_INT(backoff_failed(&same, UINT32_MAX), 5);
    CHECK_INT(backoff_failed(&one, 0), 1); /* never 0: that would be a busy loop */
    CHECK_INT(backoff_failed(&one, UINT32_MAX), 1);
}

static void jitter_spreads(void)
{
    struct backoff backoff = {.min_us = 1000, .max_us = 1000};
    uint64_t seed = 1;
    int64_t lowest = INT64_MAX, highest = 0;

    for (int i = 0; i < 10000; i++) {
        int64_t delay = backoff_failed(&backoff, check_random(&seed));

        lowest = delay < lowest ? delay : lowest;
        highest = delay > highest ? delay : highest;
    }
    CHECK(lowest >= 500 && lowest < 510);
    CHECK(highest <= 1000 && highest > 990);
}

static const struct check_test tests[] = {
    {"each failure doubles it, half of it jitter, up to the maximum", doubles_up_to_the_maximum},
    {"a live stream begins it anew", begins_anew_once_live},
    {"it goes on forever, at the maximum", never_ends},
    {"bounds that are alike, or tiny", odd_bounds},
    {"the jitter uses its whole range", jitter_spreads},
};

CHECK_MAIN(tests)
