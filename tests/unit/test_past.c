/* Which row versions were there before a transaction. */
#include "snapshot/past.h"

#include "base/clock.h"
#include "check.h"

#define NONE ((struct past_moment){5000, 0})

static void saw(struct past *past, uint32_t xmax, uint32_t running, int64_t now_us)
{
    struct snapshot snapshot = {.xmax = xmax};

    if (running != 0) {
        CHECK(snapshot_add(&snapshot, running));
    }
    CHECK(past_saw(past, &snapshot, now_us));
    snapshot_free(&snapshot);
}

static void before_the_slot(void)
{
    struct past past = {0};

    past_connected(&past, 1000);
    CHECK(past_holds(&past, 999, NONE, 6000));
    CHECK(!past_holds(&past, 1000, NONE, 6000));
    CHECK(past_holds(&past, 2, NONE, 6000));    /* frozen */
    CHECK(past_holds(&past, 6000, NONE, 6000)); /* ahead of xmax, so from before a wraparound */
    CHECK(past_holds(&past, 7000, NONE, 6000));
    CHECK_INT(past_floor(&past, NONE), 1000);
    past_free(&past);
}

static void in_a_snapshot(void)
{
    struct past past = {0};
    struct past_moment moment = {3000, 0};

    past_connected(&past, 1000);
    saw(&past, 3000, 2000, 10 * CLOCK_S);
    CHECK(past_holds(&past, 2500, moment, 6000) && past_schema_holds(&past, 2500, moment, 6000));
    CHECK(!past_holds(&past, 2000, moment, 6000)); /* it ran then */
    CHECK(!past_holds(&past, 3000, moment, 6000));
    moment.xid = 2999; /* it may have begun before that snapshot */
    CHECK(!past_holds(&past, 2500, moment, 6000));
    CHECK_INT(past_floor(&past, moment), 1000);
    moment.xid = 3001;
    CHECK_INT(past_floor(&past, moment), 2000);
    past_free(&past);
}

/* The newest two are kept, some seconds apart. */
static void snapshots_are_renewed(void)
{
    struct past past = {0};
    struct past_moment moment = {3500, 0};

    past_connected(&past, 1000);
    saw(&past, 3000, 0, 10 * CLOCK_S);
    saw(&past, 3100, 0, 11 * CLOCK_S); /* too soon */
    CHECK(!past_holds(&past, 3050, moment, 6000));
    saw(&past, 3200, 0, 20 * CLOCK_S);
    CHECK(past_holds(&past, 3050, moment, 6000));
    saw(&past, 4000, 0, 30 * CLOCK_S);
    CHECK(past_holds(&past, 3050, moment, 6000));
    saw(&past, 5000, 0, 40 * CLOCK_S);
    CHECK(!past_holds(&past, 3050, moment, 6000));
    past_connected(&past, 4500);
    CHECK(!past_holds(&past, 4999, (struct past_moment){9000, 0}, 9999));
    past_free(&past);
}

/* A schema is renamed without a lock, so for that the order of COMMITs says nothing. */
static void in_the_stream(void)
{
    struct past past = {0};

    past_connected(&past, 1000);
    CHECK(past_streamed(&past, 2001) && past_streamed(&past, 2003) && past_streamed(&past, 2002));
    CHECK(past_holds(&past, 2001, (struct past_moment){2002, 2}, 6000));
    CHECK(past_holds(&past, 2003, (struct past_moment){2002, 2}, 6000));
    CHECK(!past_holds(&past, 2002, (struct past_moment){2002, 2}, 6000)); /* its own */
    CHECK(!past_holds(&past, 2003, (struct past_moment){2001, 1}, 6000));
    CHECK(!past_schema_holds(&past, 2001, (struct past_moment){2002, 2}, 6000));
    for (uint32_t i = 0; i < PAST_COMMITS; i++) {
        CHECK(past_streamed(&past, 10000 + i));
    }
    CHECK(!past_holds(&past, 2001, (struct past_moment){90000, PAST_COMMITS + 3}, 99999));
    CHECK(past_holds(&past, 10000, (struct past_moment){90000, PAST_COMMITS + 3}, 99999));
    past_free(&past);
}

static const struct check_test tests[] = {
    {"what had ended before the slot was created, and what is frozen", before_the_slot},
    {"what a snapshot sees that doesn't see the transaction", in_a_snapshot},
    {"snapshots are renewed, and end with the connection", snapshots_are_renewed},
    {"what came through the stream before it", in_the_stream},
};

CHECK_MAIN(tests)
