/* When a window closes, what is in it, and what a resync does to it. Times are made up. */
#include "batch/window.h"

#include <stdlib.h>

#include "arrive.h"
#include "base/clock.h"
#include "batch/name.h"
#include "check.h"

static struct name name_a;
static struct name name_b;
static struct name name_c;
static struct name name_d;

static struct name *const a = &name_a, *const b = &name_b, *const c = &name_c, *const d = &name_d;

static struct unseen unseen;

static void open_window(struct window *window, int64_t debounce_us, int64_t max_wait_us)
{
    struct window_limits limits = {
        .debounce_us = debounce_us, .max_wait_us = max_wait_us, .max_pending = 3};

    unseen_init(&unseen, 4096);
    window_init(window, &limits, &unseen);
}

/* How many transactions have that mark. */
static size_t marked(unsigned mark)
{
    size_t bit = 0;

    while ((mark >> bit & 1) == 0) {
        bit++;
    }
    return unseen.count[bit];
}

static size_t place_of(const struct window *window, const struct name *name)
{
    return event_map_find(&window->map, name);
}

static void end_test(struct window *window)
{
    window_clear(window);
    CHECK_INT(marked(UNSEEN_OPEN), 0);
    window_free(window);
    unseen_free(&unseen);
    CHECK(a->refs == 0 && b->refs == 0 && c->refs == 0 && d->refs == 0);
}

/* A change at `now_us` of the monotonic clock, 1000 s later on the wall. */
static void change(struct window *window, struct name *name, int64_t now_us)
{
    CHECK(window_change(window, name, INSERT_AT(now_us, now_us + 1000 * CLOCK_S)));
}

/* Seals it: what the item was is in `window` no more. */
static void close_window(struct window *window)
{
    struct item closed = {0};

    window_close(window, &closed);
    item_clear(&closed);
    item_free(&closed);
}

static void empty(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    window_begin(&window, 700);
    CHECK(window_commit(&window, 0x100)); /* a transaction without changes for us */
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    CHECK_INT(window.item.len, 0);
    end_test(&window);
}

static void debounce_rolls(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    change(&window, a, 100);
    CHECK_INT(window_deadline(&window), 150);
    change(&window, b, 140);
    CHECK_INT(window_deadline(&window), 190);
    change(&window, a, 189);
    CHECK_INT(window_deadline(&window), 239);
    end_test(&window);
}

static void cap_stays(void)
{
    struct window window;

    open_window(&window, 50, 120);
    change(&window, a, 100);
    change(&window, a, 149);
    CHECK_INT(window_deadline(&window), 199);
    change(&window, a, 190);
    CHECK_INT(window_deadline(&window), 220);
    change(&window, a, 500); /* stdout was full: late, but no later */
    CHECK_INT(window_deadline(&window), 220);
    close_window(&window);
    change(&window, a, 600);
    CHECK_INT(window_deadline(&window), 650);
    end_test(&window);
}

static void debounce_of_zero(void)
{
    struct window window;

    open_window(&window, 0, 0);
    change(&window, a, 100);
    CHECK_INT(window_deadline(&window), 100);
    window_begin(&window, 700);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, b, 300);
    CHECK(window_commit(&window, 0x100));
    CHECK_INT(window_deadline(&window), 100);
    CHECK_INT(window.item.len, 2);
    end_test(&window);
}

static void never_inside_a_transaction(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    window_begin(&window, 700);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 100);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 5000); /* far beyond the cap */
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    CHECK(window_commit(&window, 0x100));
    CHECK_INT(window_deadline(&window), 1100);
    window_begin(&window, 700); /* the next one has begun before it could be printed */
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    CHECK(window_commit(&window, 0x100));
    CHECK_INT(window_deadline(&window), 1100);
    end_test(&window);
}

static void one_event_a_payload(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    change(&window, b, 100);
    change(&window, a, 110);
    change(&window, b, 120);
    change(&window, b, 130);
    CHECK_INT(window.item.len, 2);
    CHECK(window.item.events[0].name == b && window.item.events[1].name == a);
    CHECK_INT(window.item.events[0].tally.count, 3);
    CHECK_INT(window.item.events[1].tally.count, 1);
    CHECK_INT(window.item.events[0].tally.first_seen_us, 100 + 1000 * CLOCK_S);
    CHECK_INT(window.item.events[1].tally.first_seen_us, 110 + 1000 * CLOCK_S);
    CHECK_INT(place_of(&window, b), 0);
    CHECK_INT(place_of(&window, a), 1);
    close_window(&window);
    CHECK_INT(window.item.len, 0);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 200);
    CHECK_INT(window.item.events[0].tally.count, 1);
    CHECK_INT(window.item.events[0].tally.first_seen_us, 200 + 1000 * CLOCK_S);
    end_test(&window);
}

static void overflow(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    change(&window, a, 100);
    change(&window, b, 100);
    change(&window, c, 100);
    change(&window, a, 100);
    CHECK_INT(window.item.resync, RESYNC_NONE); /* as many as there may be */
    change(&window, d, 110);
    CHECK_INT(window.item.resync, RESYNC_OVERFLOW);
    CHECK_INT(window.item.len, 0);
    CHECK_INT(window_deadline(&window), 160);
    change(&window, a, 120); /* its debounce goes on */
    CHECK_INT(window.item.len, 0);
    CHECK_INT(window_deadline(&window), 170);
    change(&window, a, 2000);
    CHECK_INT(window_deadline(&window), 1100);
    close_window(&window);
    CHECK_INT(window.item.resync, RESYNC_NONE);
    change(&window, a, 3000);
    CHECK_INT(window.item.len, 1);
    end_test(&window);
}

static void resync_takes_all(void)
{
    static const enum resync reasons[] = {RESYNC_CONNECTED, RESYNC_RECONNECTED, RESYNC_FAILSAFE,
                                          RESYNC_REQUESTED};

    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        struct window window;

        CASE("%s", resync_text(reasons[i]));
        open_window(&window, 50, 1000);
        change(&window, a, 100);
        change(&window, b, 110);
        window_resync(&window, reasons[i], 120);
        CHECK_INT(window.item.resync, reasons[i]);
        CHECK_INT(window.item.len, 0);
        CHECK(place_of(&window, a) == EVENT_NONE && place_of(&window, b) == EVENT_NONE);
        CHECK_INT(window_deadline(&window), 120);
        change(&window, c, 130); /* it stands for this one too, and doesn't wait for it */
        CHECK_INT(window.item.len, 0);
        CHECK_INT(window_deadline(&window), 120);
        end_test(&window);
    }
}

static void first_reason_wins(void)
{
    static const enum resync reasons[] = {RESYNC_CONNECTED, RESYNC_RECONNECTED, RESYNC_OVERFLOW,
                                          RESYNC_FAILSAFE, RESYNC_REQUESTED};

    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        for (size_t j = 0; j < COUNT_OF(reasons); j++) {
            struct window window;

            CASE("%s, then %s", resync_text(reasons[i]), resync_text(reasons[j]));
            open_window(&window, 50, 1000);
            window_resync(&window, reasons[i], 100);
            window_resync(&window, reasons[j], 200);
            CHECK_INT(window.item.resync, reasons[i]);
            CHECK(window_deadline(&window) <= 200);
            end_test(&window);
        }
    }
}

/* Reconnected while an overflow waits: what comes on the new stream must not put it off. */
static void resync_over_an_overflow_is_due(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    change(&window, a, 100);
    change(&window, b, 100);
    change(&window, c, 100);
    change(&window, d, 100);
    CHECK_INT(window.item.resync, RESYNC_OVERFLOW);
    window_resync(&window, RESYNC_RECONNECTED, 120);
    CHECK_INT(window.item.resync, RESYNC_OVERFLOW);
    CHECK_INT(window_deadline(&window), 120);
    change(&window, a, 130);
    CHECK_INT(window_deadline(&window), 120);
    end_test(&window);
}

static void resync_waits_for_the_commit(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    window_begin(&window, 700);
    change(&window, a, 100);
    window_resync(&window, RESYNC_FAILSAFE, 110);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    CHECK(window_commit(&window, 0x100));
    CHECK_INT(window_deadline(&window), 110);
    end_test(&window);
}

/* The connection is lost: something else stands for what was in there. */
static void cleared(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    window_connected(&window, 0x10);
    window_begin(&window, 700);
    change(&window, a, 100);
    window_resync(&window, RESYNC_FAILSAFE, 110);
    window_clear(&window);
    CHECK_INT(window.item.len, 0);
    CHECK_INT(window.item.resync, RESYNC_NONE);
    CHECK(!unseen_any(&unseen, UNSEEN_OPEN));
    window_connected(&window, 0x20);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 200); /* the next stream's window */
    CHECK_INT(window_deadline(&window), 250);
    CHECK_INT(window.item.events[0].tally.count, 1);
    CHECK(!unseen_any(&unseen, UNSEEN_OPEN)); /* its transaction is over */
    end_test(&window);
}

/* Each transaction that has changes in this window, from its COMMIT on. */
static void waits_for_its_transactions(void)
{
    struct window window;
    struct item closed = {0};

    open_window(&window, 50, 1000);
    window_begin(&window, 700);
    CHECK(window_commit(&window, 0x100));
    CHECK_INT(marked(UNSEEN_STREAMED), 0); /* it has changed nothing */
    window_begin(&window, 701);
    change(&window, a, 100);
    change(&window, b, 100);
    CHECK(window_commit(&window, 0x200));
    CHECK_INT(marked(UNSEEN_OPEN), 1);
    window_begin(&window, 702);
    change(&window, a, 110);
    CHECK(window_commit(&window, 0x180)); /* they go back between transactions */
    CHECK_INT(marked(UNSEEN_OPEN), 2);
    CHECK_INT(window.item.lsn, 0x200);
    change(&window, c, 120); /* a message outside a transaction waits for none */
    window_begin(&window, 703);
    window_other(&window); /* nobody watches what this one has changed */
    CHECK(window_commit(&window, 0x280));
    CHECK_INT(marked(UNSEEN_OPEN), 2);
    CHECK_INT(marked(UNSEEN_STREAMED), 3);
    window_close(&window, &closed);
    CHECK_INT(marked(UNSEEN_CLOSED), 2);
    CHECK_INT(marked(UNSEEN_OPEN), 0);
    CHECK_INT(closed.lsn, 0x200);
    CHECK_INT(window.item.lsn, 0);
    window_begin(&window, 704);
    change(&window, a, 200);
    CHECK(window_commit(&window, 0x300));
    CHECK_INT(marked(UNSEEN_OPEN), 1);
    CHECK_INT(marked(UNSEEN_CLOSED), 2);
    CHECK_INT(window.item.lsn, 0x300);
    item_clear(&closed);
    item_free(&closed);
    end_test(&window);
}

/* A resync that stands for changes must not be printed before those can be seen. */
static void resync_waits_for_what_it_stands_for(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    window_begin(&window, 701);
    change(&window, a, 100);
    CHECK(window_commit(&window, 0x100));
    window_resync(&window, RESYNC_FAILSAFE, 110);
    window_begin(&window, 702);
    change(&window, a, 120);
    CHECK(window_commit(&window, 0x200));
    window_begin(&window, 703);
    window_resync_from(&window, RESYNC_REQUESTED, 120);
    CHECK(window_commit(&window, 0x210));
    CHECK_INT(marked(UNSEEN_OPEN), 3);
    close_window(&window);
    for (size_t i = 0; i < 4; i++) { /* likewise an overflow */
        window_begin(&window, 800 + (uint32_t)i);
        change(&window, (struct name *const[]){a, b, c, d}[i], 200);
        CHECK(window_commit(&window, 0x300 + i));
    }
    CHECK_INT(window.item.resync, RESYNC_OVERFLOW);
    CHECK_INT(marked(UNSEEN_OPEN), 4);
    window_begin(&window, 900);
    change(&window, a, 300);
    CHECK(window_commit(&window, 0x400));
    CHECK_INT(marked(UNSEEN_OPEN), 5);
    CHECK_INT(window.item.lsn, 0x400);
    end_test(&window);
}

/* A resync covers all up to now: the newest COMMIT of the connection, or where that began. */
static void lsn_of_a_resync(void)
{
    struct window window;
    struct item closed = {0};

    open_window(&window, 50, 1000);
    window_connected(&window, 0x1000);
    window_resync(&window, RESYNC_CONNECTED, 0);
    window_close(&window, &closed);
    CHECK_INT(closed.lsn, 0x1000);
    item_clear(&closed);
    window_begin(&window, 700); /* nothing of it is watched */
    CHECK(window_commit(&window, 0x1800));
    window_begin(&window, 701);
    change(&window, a, 100);
    CHECK(window_commit(&window, 0x2000));
    window_close(&window, &closed);
    CHECK_INT(closed.lsn, 0x2000);
    item_clear(&closed);
    window_resync(&window, RESYNC_FAILSAFE, 200);
    window_close(&window, &closed);
    CHECK_INT(closed.lsn, 0x2000);
    item_clear(&closed);
    window_connected(&window, 0x3000);
    window_resync(&window, RESYNC_RECONNECTED, 300);
    window_close(&window, &closed);
    CHECK_INT(closed.lsn, 0x3000);
    item_clear(&closed);
    item_free(&closed);
    end_test(&window);
}

/* What is closed is left alone by what comes then, and both hold their names. */
static void closed(void)
{
    struct window window;
    struct item first = {0};

    open_window(&window, 50, 1000);
    change(&window, a, 100);
    change(&window, b, 110);
    window_close(&window, &first);
    CHECK_INT(first.len, 2);
    CHECK(place_of(&window, a) == EVENT_NONE && place_of(&window, b) == EVENT_NONE);
    CHECK(a->refs == 1 && b->refs == 1);
    CHECK_INT(window.item.len, 0);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, b, 300);
    change(&window, b, 310);
    CHECK_INT(window_deadline(&window), 360);
    CHECK_INT(place_of(&window, b), 0);
    CHECK_INT(b->refs, 2);
    CHECK_INT(first.events[1].tally.count, 1);
    CHECK_INT(window.item.events[0].tally.count, 2);
    CHECK_INT(window.item.events[0].tally.first_seen_us, 300 + 1000 * CLOCK_S);
    item_clear(&first);
    CHECK(a->refs == 0 && b->refs == 1);
    window_close(&window, &first); /* the memory serves again */
    CHECK_INT(first.len, 1);
    window_resync(&window, RESYNC_FAILSAFE, 400);
    CHECK_INT(first.len, 1);
    CHECK_INT(b->refs, 1);
    item_clear(&first);
    item_free(&first);
    end_test(&window);
}

/* Any SQL user may ask for one at any time: one a debounce, the first at once. */
static void resyncs_keep_a_distance(void)
{
    struct window window;
    struct item closed = {0};

    open_window(&window, 50, 1000);
    window_resync_from(&window, RESYNC_REQUESTED, 1000);
    CHECK_INT(window_deadline(&window), 1000);
    window_close(&window, &closed);
    item_clear(&closed);
    window_resync_from(&window, RESYNC_REQUESTED, 1010);
    window_resync_from(&window, RESYNC_REQUESTED, 1020); /* joins it, and puts off nothing */
    CHECK_INT(window_deadline(&window), 1050);
    window_close(&window, &closed);
    item_clear(&closed);
    window_resync_from(&window, RESYNC_REQUESTED, 1150);
    CHECK_INT(window_deadline(&window), 1150);
    item_clear(&closed);
    item_free(&closed);
    end_test(&window);
}

/* A resync that was closed leaves nothing of itself to the next window. */
static void sealed_resync(void)
{
    struct window window;
    struct item resync = {0};

    open_window(&window, 50, 1000);
    window_resync(&window, RESYNC_CONNECTED, 100);
    window_close(&window, &resync);
    CHECK_INT(resync.resync, RESYNC_CONNECTED);
    CHECK_INT(window.item.resync, RESYNC_NONE);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 200);
    CHECK_INT(window_deadline(&window), 250);
    CHECK_INT(window.item.len, 1);
    item_clear(&resync);
    item_free(&resync);
    end_test(&window);
}

static void no_limits(void)
{
    struct window_limits limits = {
        .debounce_us = CLOCK_NEVER, .max_wait_us = CLOCK_NEVER, .max_pending = SIZE_MAX};
    struct window window;

    unseen_init(&unseen, 4096);
    window_init(&window, &limits, &unseen);
    change(&window, a, 100);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    end_test(&window);
}

/* More than the array's first size, so that it grows. */
static void many_payloads(void)
{
    enum { MANY = 8192 };
    struct window_limits limits = {.debounce_us = 50, .max_wait_us = 1000, .max_pending = MANY};
    struct name **many = calloc(MANY, sizeof(*many));
    struct window window;

    REQUIRE(many != NULL);
    unseen_init(&unseen, 4096);
    window_init(&window, &limits, &unseen);
    for (size_t i = 0; i < MANY; i++) {
        many[i] = malloc(sizeof(**many));
        REQUIRE(many[i] != NULL);
        *many[i] = (struct name){0};
        change(&window, many[i], 100);
    }
    for (size_t i = 0; i < MANY; i++) {
        change(&window, many[i], 100);
    }
    CHECK_INT(window.item.resync, RESYNC_NONE);
    CHECK_INT(window.item.len, MANY);
    for (size_t i = 0; i < window.item.len; i++) {
        if (!CHECK(window.item.events[i].name == many[i] &&
                   window.item.events[i].tally.count == 2)) {
            break;
        }
    }
    change(&window, a, 100);
    CHECK_INT(window.item.resync, RESYNC_OVERFLOW);
    end_test(&window);
    for (size_t i = 0; i < MANY; i++) {
        free(many[i]);
    }
    free(many);
}

/* Changes of a table that is being looked up, in a transaction of their own. */
static void unknown_change(struct window *window, struct tally *tally, uint32_t xid, int64_t now_us)
{
    window_begin(window, xid);
    window_tally(window, tally, INSERT_AT(0, now_us + 1000 * CLOCK_S));
    window_unknown(window, now_us);
    CHECK(window_commit(window, 0x100 + xid));
}

/* The one under way may be among them: its COMMIT's end counts, and it must be visible. */
static void late_ones_of_the_transaction_under_way(void)
{
    struct window_late late = {true, 700, UNSEEN_UNKNOWN};
    struct tally tally = {.count = 1, .first_seen_us = 1500, .arrival = 1};
    struct window window;

    open_window(&window, 50, 1000);
    window_connected(&window, 0x100);
    window_begin(&window, 700);
    CHECK(window_late(&window, a, &tally, &late, 20));
    CHECK(window_commit(&window, 0x200));
    CHECK_INT(window.item.lsn, 0x200);
    CHECK_INT(marked(UNSEEN_OPEN), 1);
    end_test(&window);
}

/* Changes that are named late joined the window when they came, not when they were named. */
static void late_ones_stand_in_order(void)
{
    struct window_late late = {true, 702, UNSEEN_UNKNOWN};
    struct tally before = {0}, between = {0};
    struct window window;
    struct item closed = {0};

    open_window(&window, 50, 1000);
    unknown_change(&window, &before, 700, 10);
    change(&window, a, 11);
    unknown_change(&window, &between, 701, 12);
    unknown_change(&window, &between, 702, 13);
    CHECK(window_late(&window, c, &between, &late, 20));
    CHECK(window_late(&window, b, &before, &late, 20));
    CHECK(window_late(&window, a, &before, &late, 20)); /* a payload with several tables */
    window_close(&window, &closed);
    REQUIRE(closed.len == 3);
    CHECK(closed.events[2].name == c);
    CHECK_INT(closed.events[2].tally.count, 2);
    CHECK_INT(closed.events[2].tally.first_seen_us, 12 + 1000 * CLOCK_S);
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(closed.events[i].tally.count, closed.events[i].name == a ? 2 : 1);
        CHECK_INT(closed.events[i].tally.first_seen_us, 10 + 1000 * CLOCK_S);
    }
    item_clear(&closed);
    item_free(&closed);
    end_test(&window);
}

/* Only its own transactions are waited for, as far as they are known apart. */
static void late_ones_wait(void)
{
    struct window_late late = {true, 701, UNSEEN_UNKNOWN};
    struct tally tally = {0}, later = {0};
    struct window window;

    open_window(&window, 50, 1000);
    window_begin(&window, 699);
    window_other(&window);
    CHECK(window_commit(&window, 0x99));
    unknown_change(&window, &tally, 700, 10);
    unknown_change(&window, &tally, 701, 10);
    unknown_change(&window, &later, 702, 10);
    CHECK_INT(marked(UNSEEN_OPEN), 0);
    CHECK(window_late(&window, a, &tally, &late, 20));
    CHECK_INT(marked(UNSEEN_OPEN), 2);
    window_all_known(&window); /* nobody watches the other one */
    CHECK_INT(marked(UNSEEN_UNKNOWN), 0);
    CHECK_INT(marked(UNSEEN_OPEN), 2);
    CHECK_INT(marked(UNSEEN_STREAMED), 4);
    end_test(&window);
}

/* The window runs since the change came; where nobody watches it there is none. */
static void unknown_ones_open_no_window(void)
{
    struct window_late late = {true, 700, UNSEEN_UNKNOWN};
    struct tally tally = {0};
    struct window window;

    open_window(&window, 50, 1000);
    CHECK(window_lookup_deadline(&window) == CLOCK_NEVER);
    unknown_change(&window, &tally, 700, 10);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    CHECK_INT(window_lookup_deadline(&window), 60);
    CHECK(window_late(&window, a, &tally, &late, 40));
    window_all_known(&window);
    CHECK_INT(window_deadline(&window), 60);
    close_window(&window);
    unknown_change(&window, &tally, 701, 100);
    window_all_known(&window);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    CHECK(window_lookup_deadline(&window) == CLOCK_NEVER);
    end_test(&window);
}

/* What it covers ends with the newest COMMIT, since that may be theirs. */
static void late_ones_have_an_lsn(void)
{
    struct window_late late = {true, 700, UNSEEN_STREAMED};
    struct tally tally = {.count = 2, .first_seen_us = 1500, .arrival = 1};
    struct window window;
    struct item closed = {0};

    open_window(&window, 50, 1000);
    window_connected(&window, 0x100);
    window_begin(&window, 700);
    window_other(&window);
    CHECK(window_commit(&window, 0x200)); /* … with changes that aren't named yet */
    CHECK(window_late(&window, b, &tally, &late, 20));
    CHECK_INT(window_deadline(&window), 70);
    CHECK_INT(window.item.lsn, 0x200);
    CHECK_INT(marked(UNSEEN_OPEN), 1);
    window_close(&window, &closed);
    window_resync_late(&window, RESYNC_FAILSAFE, &late, 30);
    CHECK_INT(window_deadline(&window), 30);
    CHECK_INT(marked(UNSEEN_OPEN), 1);
    item_clear(&closed);
    window_close(&window, &closed);
    CHECK_INT(closed.resync, RESYNC_FAILSAFE);
    CHECK_INT(closed.lsn, 0x200);
    item_clear(&closed);
    item_free(&closed);
    end_test(&window);
}

static void tallies(void)
{
    struct window window;
    struct tally first = {0}, second = {0}, sum = {0};

    open_window(&window, 50, 1000);
    window_tally(&window, &first, INSERT_AT(0, 100));
    window_tally(&window, &second, INSERT_AT(0, 90)); /* the wall clock went back */
    window_tally(&window, &first, INSERT_AT(0, 110));
    tally_add(&sum, &second);
    tally_add(&sum, &first);
    CHECK_INT(sum.count, 3);
    CHECK_INT(sum.first_seen_us, 100);
    tally_add(&sum, &(struct tally){0});
    CHECK_INT(sum.count, 3);
    CHECK_INT(sum.first_seen_us, 100);
    end_test(&window);
}

/* More than the map has room for at first, and again after it has been cleared. */
static void many_names(void)
{
    static char memory[1000][64]; /* only addresses count */
    const struct name *names[1000];
    struct event_map map = {0};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        names[i] = (const struct name *)(const void *)memory[i];
    }
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            CHECK(event_map_find(&map, names[i]) == EVENT_NONE);
            CHECK(event_map_add(&map, names[i], i + (size_t)pass));
        }
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            CHECK_INT(event_map_find(&map, names[i]), i + (size_t)pass);
        }
        event_map_clear(&map);
    }
    map.generation = UINT32_MAX;
    CHECK(event_map_add(&map, names[1], 1));
    event_map_clear(&map);
    CHECK(event_map_find(&map, names[0]) == EVENT_NONE);
    CHECK(event_map_find(&map, names[1]) == EVENT_NONE);
    event_map_free(&map);
}

static const struct check_test tests[] = {
    {"the map of a thousand names", many_names},
    {"an empty window is never due", empty},
    {"each change puts the end off by the debounce", debounce_rolls},
    {"but not beyond the cap, which counts from the first change", cap_stays},
    {"a debounce of 0 makes it due at once", debounce_of_zero},
    {"it never closes inside a transaction", never_inside_a_transaction},
    {"one event a payload, counted, in order of first arrival", one_event_a_payload},
    {"more payloads than the limit are an overflow", overflow},
    {"a resync stands for all that waited and is due at once", resync_takes_all},
    {"of several resyncs the first reason stays", first_reason_wins},
    {"a resync over an overflow is due at once, whatever comes", resync_over_an_overflow_is_due},
    {"a resync inside a transaction waits for its end", resync_waits_for_the_commit},
    {"a cleared window has nothing left of the connection before", cleared},
    {"it lists the transactions that have changes in it, and the newest COMMIT",
     waits_for_its_transactions},
    {"a resync waits for the transactions that it stands for", resync_waits_for_what_it_stands_for},
    {"a resync's lsn is the connection's newest COMMIT or its begin", lsn_of_a_resync},
    {"what is closed stays as it was", closed},
    {"a closed resync leaves nothing behind", sealed_resync},
    {"resyncs keep the debounce's distance", resyncs_keep_a_distance},
    {"without limits it is never due", no_limits},
    {"8192 payloads", many_payloads},
    {"late ones keep the time and the place of their first change", late_ones_stand_in_order},
    {"late ones wait for their own transactions", late_ones_wait},
    {"what is being looked up opens no window", unknown_ones_open_no_window},
    {"tallies add up, the first change first", tallies},
    {"late ones of the transaction under way wait for its end",
     late_ones_of_the_transaction_under_way},
    {"late ones reach as far as the newest COMMIT", late_ones_have_an_lsn},
};

CHECK_MAIN(tests)
