/* How long the resync at a connect waits, and whether there is another. Times are made up. */
#include "feed/vigil.h"

#include "check.h"

#define START    (5 * CLOCK_S)
#define TOO_LATE (START + VIGIL_HOLD_US)

static bool listed(struct vigil *vigil, const uint32_t *xids, size_t count, int64_t now_us)
{
    struct snapshot running = {0};
    bool ok = true;

    for (size_t i = 0; i < count; i++) {
        ok = ok && snapshot_add(&running, xids[i]);
    }
    ok = ok && vigil_listed(vigil, &running, now_us);
    snapshot_free(&running);
    return CHECK(ok);
}

/* A vigil at START with these on its list. */
#define LISTED(vigil, ...)                                                                         \
    (vigil_start(vigil), listed((vigil), (const uint32_t[]){__VA_ARGS__},                          \
                                sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), START))

/* A sight in which `running` runs, or nothing if it is 0; xmax is 1000. */
static bool see(struct vigil *vigil, uint32_t running)
{
    struct sight sight = {.known = true, .snapshot = {.xmax = 1000}};
    bool due;

    if (running != 0) {
        CHECK(snapshot_add(&sight.snapshot, running));
    }
    due = vigil_see(vigil, &sight);
    snapshot_free(&sight.snapshot);
    return due;
}

static void off(void)
{
    struct vigil vigil = {0};

    CHECK(!vigil_holds(&vigil, START));
    CHECK(vigil_deadline(&vigil) == CLOCK_NEVER);
    CHECK(!see(&vigil, 0));
    vigil_streamed(&vigil, 100);
    CHECK_INT(vigil.state, VIGIL_OFF);
    vigil_free(&vigil);
}

static void holds_until_listed(void)
{
    struct vigil vigil = {0};

    vigil_start(&vigil);
    CHECK(vigil_holds(&vigil, START));
    CHECK(!see(&vigil, 0)); /* of before the list: says nothing about it */
    CHECK(vigil_holds(&vigil, START + 3600 * CLOCK_S));
    CHECK(vigil_deadline(&vigil) == CLOCK_NEVER);
    CHECK(listed(&vigil, NULL, 0, START + 3600 * CLOCK_S));
    CHECK(!vigil_holds(&vigil, START + 3600 * CLOCK_S));
    CHECK_INT(vigil.state, VIGIL_OFF);
    vigil_free(&vigil);
}

static void until_all_have_ended(void)
{
    struct vigil vigil = {0};

    LISTED(&vigil, 100, 101);
    CHECK(vigil_holds(&vigil, START));
    CHECK_INT(vigil_deadline(&vigil), TOO_LATE);
    CHECK(!see(&vigil, 101));
    CHECK(vigil_holds(&vigil, START + 10));
    CHECK(!see(&vigil, 0)); /* in time: the one resync stands for it */
    CHECK(!vigil_holds(&vigil, START + 20));
    CHECK_INT(vigil.state, VIGIL_OFF);
    CHECK(vigil_deadline(&vigil) == CLOCK_NEVER);
    CHECK(!see(&vigil, 0));
    vigil_free(&vigil);
}

/* xmax isn't past it yet: it has not been seen to end, listed or not. */
static void above_xmax(void)
{
    struct vigil vigil = {0};

    LISTED(&vigil, 1000);
    CHECK(!see(&vigil, 0));
    CHECK(vigil_holds(&vigil, START));
    LISTED(&vigil, 999);
    CHECK(!see(&vigil, 0));
    CHECK(!vigil_holds(&vigil, START));
    vigil_free(&vigil);
}

static void or_come_through_the_stream(void)
{
    struct vigil vigil = {0};

    LISTED(&vigil, 100, 101, 102);
    vigil_streamed(&vigil, 101);
    vigil_streamed(&vigil, 500);
    CHECK(vigil_holds(&vigil, START));
    vigil_streamed(&vigil, 100);
    CHECK(vigil_holds(&vigil, START));
    vigil_streamed(&vigil, 102);
    CHECK(!vigil_holds(&vigil, START));
    CHECK_INT(vigil.state, VIGIL_OFF);
    vigil_free(&vigil);
}

static void a_second_at_most(void)
{
    struct vigil vigil = {0};

    LISTED(&vigil, 100);
    CHECK(vigil_holds(&vigil, TOO_LATE - 1));
    CHECK(!vigil_holds(&vigil, TOO_LATE));
    CHECK_INT(vigil.state, VIGIL_LATE);
    CHECK(vigil_deadline(&vigil) == CLOCK_NEVER);
    CHECK(!vigil_holds(&vigil, TOO_LATE + 3600 * CLOCK_S));
    vigil_free(&vigil);
}

static void once_more(void)
{
    struct vigil vigil = {0};

    LISTED(&vigil, 100, 101);
    CHECK(!vigil_holds(&vigil, TOO_LATE));
    CHECK(!see(&vigil, 101)); /* not for each */
    CHECK(!see(&vigil, 101));
    CHECK(see(&vigil, 0));
    CHECK_INT(vigil.state, VIGIL_OFF);
    CHECK(!see(&vigil, 0)); /* and not again */
    vigil_free(&vigil);
}

static void once_more_though_the_last_was_streamed(void)
{
    struct vigil vigil = {0};
    bool due;

    LISTED(&vigil, 100, 101);
    CHECK(!vigil_holds(&vigil, TOO_LATE));
    due = see(&vigil, 101); /* 100 ended unseen */
    vigil_streamed(&vigil, 101);
    due = see(&vigil, 0) || due;
    CHECK(due);
    CHECK_INT(vigil.state, VIGIL_OFF);
    vigil_free(&vigil);
}

static void none_if_all_were_streamed(void)
{
    struct vigil vigil = {0};

    LISTED(&vigil, 100, 101);
    CHECK(!see(&vigil, 101)); /* ended in time */
    CHECK(!vigil_holds(&vigil, TOO_LATE));
    CHECK(!see(&vigil, 101));
    vigil_streamed(&vigil, 101);
    CHECK(!see(&vigil, 0));
    CHECK_INT(vigil.state, VIGIL_OFF);
    vigil_free(&vigil);
}

/* What is replayed on a standby is visible there. */
static void in_recovery(void)
{
    struct sight sight = {.known = true, .in_recovery = true, .replay_lsn = 1};
    struct vigil vigil = {0};

    LISTED(&vigil, 100);
    CHECK(!vigil_see(&vigil, &sight));
    CHECK(!vigil_holds(&vigil, START));
    CHECK_INT(vigil.state, VIGIL_OFF);
    vigil_free(&vigil);
}

static void begins_anew(void)
{
    struct vigil vigil = {0};

    LISTED(&vigil, 100);
    vigil_stop(&vigil);
    CHECK(!vigil_holds(&vigil, START));
    CHECK(!see(&vigil, 0));
    LISTED(&vigil, 101);
    CHECK(!see(&vigil, 100)); /* of the connection before */
    CHECK(!vigil_holds(&vigil, START));
    LISTED(&vigil, 100, 101);
    CHECK(!vigil_holds(&vigil, TOO_LATE));
    CHECK(!see(&vigil, 101)); /* one was missed, but */
    vigil_start(&vigil);      /* the reconnect's resync stands for it */
    CHECK(vigil_holds(&vigil, START));
    CHECK(listed(&vigil, (const uint32_t[]){102}, 1, START));
    CHECK(!vigil_holds(&vigil, TOO_LATE));
    vigil_streamed(&vigil, 102);
    CHECK(!see(&vigil, 0));
    CHECK_INT(vigil.state, VIGIL_OFF);
    vigil_free(&vigil);
}

static const struct check_test tests[] = {
    {"without one nothing is held", off},
    {"it holds until the list is there, and an empty list ends it", holds_until_listed},
    {"it holds until all on the list have ended", until_all_have_ended},
    {"what lies above xmax has not", above_xmax},
    {"… or have come through the stream", or_come_through_the_stream},
    {"but a second at most", a_second_at_most},
    {"those that then end unseen ask for one more resync, together", once_more},
    {"… also when the last of the list came through the stream",
     once_more_though_the_last_was_streamed},
    {"what came through the stream asks for none", none_if_all_were_streamed},
    {"in recovery there is nothing to wait for", in_recovery},
    {"a new connection begins anew", begins_anew},
};

CHECK_MAIN(tests)
