/* How long the resync at a connect waits, and whether there are more. Times are made up. */
#include "visible/barrier.h"

#include "check.h"

#define START    (5 * CLOCK_S)
#define TOO_LATE (START + BARRIER_HOLD_US)
#define PAGE     0x2000
#define END      (PAGE + 24) /* of WAL at each sight: behind a page's header */

static bool listed(struct barrier *barrier, const uint32_t *xids, size_t count, int64_t now_us)
{
    struct snapshot running = {0};
    bool ok = true;

    for (size_t i = 0; i < count; i++) {
        ok = ok && snapshot_add(&running, xids[i]);
    }
    ok = ok && barrier_listed(barrier, &running, now_us);
    snapshot_free(&running);
    return CHECK(ok);
}

/* A barrier at START with these on its list. */
#define LISTED(barrier, ...)                                                                       \
    (barrier_start(barrier, RESYNC_RECONNECTED, BARRIER_HOLD_US), barrier_asked(barrier),          \
     listed((barrier), (const uint32_t[]){__VA_ARGS__},                                            \
            sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), START))

/* The same, and its time is over. */
#define LATE(barrier, ...) (LISTED(barrier, __VA_ARGS__), barrier_tick((barrier), TOO_LATE))

/* A sight in which these run; xmax is 1000. */
static void see(struct barrier *barrier, const uint32_t *running, size_t count, int64_t now_us)
{
    struct visibility visibility = {.known = true, .lsn = END, .snapshot = {.xmax = 1000}};

    for (size_t i = 0; i < count; i++) {
        CHECK(snapshot_add(&visibility.snapshot, running[i]));
    }
    snapshot_sort(&visibility.snapshot);
    CHECK(barrier_see(barrier, &visibility, now_us));
    snapshot_free(&visibility.snapshot);
}

#define SEE(barrier, now_us, ...)                                                                  \
    see((barrier), (const uint32_t[]){__VA_ARGS__},                                                \
        sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (now_us))
#define SEE_NONE(barrier, now_us) see((barrier), NULL, 0, (now_us))

static void off(void)
{
    struct barrier barrier = {0};

    CHECK(!barrier_holds(&barrier));
    CHECK(barrier_deadline(&barrier, END) == CLOCK_NEVER);
    SEE_NONE(&barrier, START);
    barrier_streamed(&barrier, 100);
    CHECK(!barrier_take_due(&barrier, END, START));
    CHECK_INT(barrier.state, BARRIER_OFF);
    barrier_free(&barrier);
}

static void holds_until_listed(void)
{
    struct barrier barrier = {0};

    barrier_start(&barrier, RESYNC_RECONNECTED, BARRIER_HOLD_US);
    CHECK(barrier_holds(&barrier));
    CHECK(listed(&barrier, NULL, 0, START)); /* somebody else's, from before */
    CHECK(barrier_holds(&barrier));
    barrier_asked(&barrier);
    SEE_NONE(&barrier, START); /* of before the list: says nothing about it */
    barrier_tick(&barrier, START + 3600 * CLOCK_S);
    CHECK(barrier_holds(&barrier));
    CHECK(barrier_deadline(&barrier, END) == CLOCK_NEVER);
    CHECK(listed(&barrier, NULL, 0, START));
    CHECK_INT(barrier.state, BARRIER_OFF);
    barrier_free(&barrier);
}

static void until_all_have_ended(void)
{
    struct barrier barrier = {0};

    LISTED(&barrier, 100, 101);
    CHECK_INT(barrier_deadline(&barrier, END), TOO_LATE);
    SEE(&barrier, START, 101);
    CHECK(barrier_holds(&barrier));
    SEE_NONE(&barrier, START); /* in time: the one resync stands for it */
    CHECK_INT(barrier.state, BARRIER_OFF);
    CHECK(!barrier_take_due(&barrier, END, START));
    barrier_free(&barrier);
}

/* xmax isn't past it yet: it has not been seen to end, listed or not. */
static void above_xmax(void)
{
    struct barrier barrier = {0};

    LISTED(&barrier, 1000);
    SEE_NONE(&barrier, START);
    CHECK(barrier_holds(&barrier));
    LISTED(&barrier, 999);
    SEE_NONE(&barrier, START);
    CHECK(!barrier_holds(&barrier));
    barrier_free(&barrier);
}

static void or_come_through_the_stream(void)
{
    struct barrier barrier = {0};

    LISTED(&barrier, 100, 101, 102);
    barrier_streamed(&barrier, 101);
    barrier_streamed(&barrier, 500);
    barrier_streamed(&barrier, 100);
    CHECK(barrier_holds(&barrier));
    barrier_streamed(&barrier, 102);
    CHECK_INT(barrier.state, BARRIER_OFF);
    barrier_free(&barrier);
}

static void a_second_at_most(void)
{
    struct barrier barrier = {0};

    LISTED(&barrier, 100);
    barrier_tick(&barrier, TOO_LATE - 1);
    CHECK(barrier_holds(&barrier));
    barrier_tick(&barrier, TOO_LATE);
    CHECK(!barrier_holds(&barrier));
    CHECK_INT(barrier.state, BARRIER_LATE);
    CHECK(barrier_deadline(&barrier, END) == CLOCK_NEVER);
    barrier_free(&barrier);
}

/* As soon as one has ended, while others are still open; at most once a second. */
static void for_each_that_ends_unseen(void)
{
    struct barrier barrier = {0};
    int64_t now_us = TOO_LATE;

    LATE(&barrier, 100, 101, 102);
    SEE(&barrier, now_us, 100, 101, 102);
    CHECK(!barrier_take_due(&barrier, END, now_us));
    SEE(&barrier, now_us, 100, 102);
    CHECK_INT(barrier_deadline(&barrier, END), now_us);
    CHECK(barrier_take_due(&barrier, END, now_us));
    CHECK(!barrier_take_due(&barrier, END, now_us + 10 * CLOCK_S));
    CHECK_INT(barrier.reason, RESYNC_RECONNECTED);
    SEE(&barrier, now_us, 102);
    CHECK(!barrier_take_due(&barrier, END, now_us + BARRIER_EVERY_US - 1));
    CHECK_INT(barrier_deadline(&barrier, END), now_us + BARRIER_EVERY_US);
    CHECK(barrier_take_due(&barrier, END, now_us + BARRIER_EVERY_US));
    CHECK_INT(barrier.state, BARRIER_LATE);
    SEE_NONE(&barrier, now_us);
    CHECK(barrier_take_due(&barrier, END, now_us + 2 * BARRIER_EVERY_US));
    CHECK_INT(barrier.state, BARRIER_OFF);
    barrier_free(&barrier);
}

/* A sight can run ahead of the stream: it may still come through. */
static void once_the_stream_is_past(void)
{
    struct barrier barrier = {0};

    LATE(&barrier, 100, 101);
    SEE_NONE(&barrier, TOO_LATE);
    CHECK(!barrier_take_due(&barrier, END - 0x100, TOO_LATE));
    CHECK(barrier_deadline(&barrier, END - 0x100) == CLOCK_NEVER);
    barrier_streamed(&barrier, 100);
    CHECK_INT(barrier.state, BARRIER_LATE);
    barrier_streamed(&barrier, 101);
    CHECK_INT(barrier.state, BARRIER_OFF);
    CHECK(!barrier_take_due(&barrier, END, TOO_LATE));
    LATE(&barrier, 100);
    SEE_NONE(&barrier, TOO_LATE);
    CHECK(!barrier_take_due(&barrier, PAGE - 8, TOO_LATE));
    CHECK(barrier_take_due(&barrier, PAGE, TOO_LATE));
    barrier_free(&barrier);
}

static void none_if_all_were_streamed(void)
{
    struct barrier barrier = {0};

    LISTED(&barrier, 100, 101);
    SEE(&barrier, START, 101); /* ended in time */
    barrier_tick(&barrier, TOO_LATE);
    SEE(&barrier, TOO_LATE, 101);
    barrier_streamed(&barrier, 101);
    SEE_NONE(&barrier, TOO_LATE);
    CHECK(!barrier_take_due(&barrier, END, TOO_LATE));
    CHECK_INT(barrier.state, BARRIER_OFF);
    barrier_free(&barrier);
}

/* While one stays open it is asked about once a second. */
static void asks_once_a_second(void)
{
    struct barrier barrier = {0};

    LISTED(&barrier, 100);
    CHECK(barrier_ask_at(&barrier) == CLOCK_NEVER);
    barrier_tick(&barrier, TOO_LATE);
    CHECK_INT(barrier_ask_at(&barrier), TOO_LATE + BARRIER_EVERY_US);
    SEE(&barrier, TOO_LATE + 10, 100);
    CHECK_INT(barrier_ask_at(&barrier), TOO_LATE + 10 + BARRIER_EVERY_US);
    SEE_NONE(&barrier, TOO_LATE + 20);
    CHECK(barrier_ask_at(&barrier) == CLOCK_NEVER);
    barrier_free(&barrier);
}

/* What is replayed on a standby is visible there. */
static void in_recovery(void)
{
    struct visibility visibility = {.known = true, .in_recovery = true, .lsn = 1};
    struct barrier barrier = {0};

    LISTED(&barrier, 100);
    CHECK(barrier_see(&barrier, &visibility, START));
    CHECK_INT(barrier.state, BARRIER_OFF);
    barrier_free(&barrier);
}

static void begins_anew(void)
{
    struct barrier barrier = {0};

    LISTED(&barrier, 100);
    barrier_stop(&barrier);
    CHECK(!barrier_holds(&barrier));
    LATE(&barrier, 100, 101);
    SEE(&barrier, TOO_LATE, 101);                              /* one was missed, but */
    barrier_start(&barrier, RESYNC_OVERFLOW, BARRIER_HOLD_US); /* another resync stands for it */
    CHECK(barrier_holds(&barrier));
    CHECK(!barrier_take_due(&barrier, END, TOO_LATE));
    barrier_asked(&barrier);
    CHECK(listed(&barrier, (const uint32_t[]){102}, 1, START));
    barrier_tick(&barrier, TOO_LATE);
    SEE_NONE(&barrier, TOO_LATE);
    CHECK(barrier_take_due(&barrier, END, TOO_LATE));
    CHECK_INT(barrier.reason, RESYNC_OVERFLOW);
    barrier_free(&barrier);
}

static const struct check_test tests[] = {
    {"without one nothing is held", off},
    {"it holds until the list is there, and an empty list ends it", holds_until_listed},
    {"it holds until all on the list have ended", until_all_have_ended},
    {"what lies above xmax has not", above_xmax},
    {"… or have come through the stream", or_come_through_the_stream},
    {"but a second at most", a_second_at_most},
    {"those that then end unseen ask for one more, at most once a second",
     for_each_that_ends_unseen},
    {"… once the stream is past them", once_the_stream_is_past},
    {"what came through the stream asks for none", none_if_all_were_streamed},
    {"what stays open is asked about once a second", asks_once_a_second},
    {"in recovery there is nothing to wait for", in_recovery},
    {"it begins anew with a connection, and an overflow", begins_anew},
};

CHECK_MAIN(tests)
