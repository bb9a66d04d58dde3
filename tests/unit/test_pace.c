/* When to ask next. Times are made up. */
#include "visible/pace.h"

#include "base/clock.h"
#include "check.h"

#define INTERVAL (10 * CLOCK_S)

static void at_rest(void)
{
    struct pace pace;

    pace_init(&pace, INTERVAL, 1000);
    CHECK(!pace_due(&pace, 999));
    CHECK(pace_due(&pace, 1000)); /* the first is due at once */
    pace_asked(&pace);
    CHECK(!pace_due(&pace, 1000 + 2 * INTERVAL)); /* one question at a time */
    pace_answered(&pace, 5000);
    CHECK(!pace_due(&pace, 4999 + INTERVAL));
    CHECK(pace_due(&pace, 5000 + INTERVAL));
    pace_rest(&pace, 9000); /* it rests already */
    CHECK_INT(pace.next_us, 5000 + INTERVAL);
}

/* Asks, and has the answer at once. Returns the time until the next question. */
static int64_t ask(struct pace *pace, int64_t *now_us)
{
    CHECK(pace_due(pace, *now_us));
    pace_asked(pace);
    pace_answered(pace, *now_us);
    *now_us = pace->next_us;
    return *now_us;
}

static void hurry_wears_off(void)
{
    static const int64_t delays_us[] = {250,  500,   1000,  2000,  4000,
                                        8000, 16000, 32000, 64000, 128000};
    struct pace pace;
    int64_t now_us = 0, before;

    pace_init(&pace, INTERVAL, 0);
    ask(&pace, &now_us);
    now_us = 7;
    pace_hurry(&pace, now_us);
    for (size_t i = 0; i < COUNT_OF(delays_us); i++) {
        before = now_us;
        CHECK_INT(ask(&pace, &now_us) - before, delays_us[i]);
    }
    for (int i = 0; i < 20; i++) { /* then it stays: neither slower nor faster than that */
        int64_t delay;

        before = now_us;
        delay = ask(&pace, &now_us) - before;
        CHECK(delay >= 250 * CLOCK_MS && delay <= 320 * CLOCK_MS);
    }
    pace_rest(&pace, now_us);
    CHECK_INT(pace.next_us, now_us + INTERVAL);
    pace_hurry(&pace, now_us); /* anew */
    before = now_us;
    CHECK_INT(ask(&pace, &now_us) - before, 250);
}

static void asked_for_meanwhile(void)
{
    struct pace pace;

    pace_init(&pace, INTERVAL, 0);
    pace_asked(&pace);
    pace_by(&pace, 300);
    pace_answered(&pace, 100);
    CHECK_INT(pace.next_us, 300);
    pace_asked(&pace);
    pace_hurry(&pace, 400);
    pace_answered(&pace, 410);
    CHECK_INT(pace.next_us, 400); /* the answer was to an older question */
}

static void by_a_time(void)
{
    struct pace pace;

    pace_init(&pace, INTERVAL, 0);
    pace_asked(&pace);
    pace_answered(&pace, 0);
    pace_by(&pace, 2 * INTERVAL);
    CHECK_INT(pace.next_us, INTERVAL);
    pace_by(&pace, 50);
    CHECK_INT(pace.next_us, 50);
    pace_by(&pace, 60);
    CHECK_INT(pace.next_us, 50);
}

static void without_an_interval(void)
{
    struct pace pace;

    pace_init(&pace, CLOCK_NEVER, 0);
    pace_asked(&pace);
    pace_answered(&pace, 10);
    CHECK(!pace_due(&pace, CLOCK_NEVER - 1));
    pace_by(&pace, 20);
    CHECK(pace_due(&pace, 20));
}

static const struct check_test tests[] = {
    {"at rest it asks once an interval", at_rest},
    {"a hurry begins with a quarter of a millisecond and wears off to a quarter of a second",
     hurry_wears_off},
    {"what is asked for while a question is under way comes behind it", asked_for_meanwhile},
    {"the earliest time counts", by_a_time},
    {"without an interval it asks when it is told to", without_an_interval},
};

CHECK_MAIN(tests)
