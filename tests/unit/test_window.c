/* When a window closes, what is in it, and what a resync does to it. Times are made up. */
#include "feed/window.h"

#include <stdlib.h>

#include "base/clock.h"
#include "check.h"
#include "feed/names.h"

static struct name name_a = {.watched = true, .pending = NAME_NOT_PENDING};
static struct name name_b = {.watched = true, .pending = NAME_NOT_PENDING};
static struct name name_c = {.watched = true, .pending = NAME_NOT_PENDING};
static struct name name_d = {.watched = true, .pending = NAME_NOT_PENDING};

static struct name *const a = &name_a, *const b = &name_b, *const c = &name_c, *const d = &name_d;

static void open_window(struct window *window, int64_t debounce_us, int64_t max_wait_us)
{
    struct window_limits limits = {debounce_us, max_wait_us, 3};

    window_init(window, &limits);
}

static void close_window(struct window *window)
{
    window_clear(window);
    window_free(window);
    CHECK(a->pending == NAME_NOT_PENDING && b->pending == NAME_NOT_PENDING);
    CHECK(c->pending == NAME_NOT_PENDING && d->pending == NAME_NOT_PENDING);
}

/* A change at `now_us` of the monotonic clock, 1000 s later on the wall. */
static void change(struct window *window, struct name *name, int64_t now_us)
{
    CHECK(window_change(window, name, now_us, now_us + 1000 * CLOCK_S));
}

static void empty(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    window_begin(&window);
    window_commit(&window); /* a transaction without changes for us */
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    CHECK_INT(window.len, 0);
    close_window(&window);
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
    close_window(&window);
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
    window_clear(&window);
    change(&window, a, 600);
    CHECK_INT(window_deadline(&window), 650);
    close_window(&window);
}

static void debounce_of_zero(void)
{
    struct window window;

    open_window(&window, 0, 0);
    change(&window, a, 100);
    CHECK_INT(window_deadline(&window), 100);
    window_begin(&window);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, b, 300);
    window_commit(&window);
    CHECK_INT(window_deadline(&window), 100);
    CHECK_INT(window.len, 2);
    close_window(&window);
}

static void never_inside_a_transaction(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    window_begin(&window);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 100);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 5000); /* far beyond the cap */
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    window_commit(&window);
    CHECK_INT(window_deadline(&window), 1100);
    window_begin(&window); /* the next one has begun before it could be printed */
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    window_commit(&window);
    CHECK_INT(window_deadline(&window), 1100);
    close_window(&window);
}

static void one_event_a_payload(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    change(&window, b, 100);
    change(&window, a, 110);
    change(&window, b, 120);
    change(&window, b, 130);
    CHECK_INT(window.len, 2);
    CHECK(window.events[0].name == b && window.events[1].name == a);
    CHECK_INT(window.events[0].count, 3);
    CHECK_INT(window.events[1].count, 1);
    CHECK_INT(window.events[0].first_seen_us, 100 + 1000 * CLOCK_S);
    CHECK_INT(window.events[1].first_seen_us, 110 + 1000 * CLOCK_S);
    CHECK_INT(b->pending, 0);
    CHECK_INT(a->pending, 1);
    window_clear(&window);
    CHECK_INT(window.len, 0);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 200);
    CHECK_INT(window.events[0].count, 1);
    CHECK_INT(window.events[0].first_seen_us, 200 + 1000 * CLOCK_S);
    close_window(&window);
}

static void overflow(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    change(&window, a, 100);
    change(&window, b, 100);
    change(&window, c, 100);
    change(&window, a, 100);
    CHECK_INT(window.resync, RESYNC_NONE); /* as many as there may be */
    change(&window, d, 110);
    CHECK_INT(window.resync, RESYNC_OVERFLOW);
    CHECK_INT(window.len, 0);
    CHECK_INT(window_deadline(&window), 160);
    change(&window, a, 120); /* its debounce goes on */
    CHECK_INT(window.len, 0);
    CHECK_INT(window_deadline(&window), 170);
    change(&window, a, 2000);
    CHECK_INT(window_deadline(&window), 1100);
    window_clear(&window);
    CHECK_INT(window.resync, RESYNC_NONE);
    change(&window, a, 3000);
    CHECK_INT(window.len, 1);
    close_window(&window);
}

static void resync_takes_all(void)
{
    static const enum resync reasons[] = {RESYNC_CONNECTED, RESYNC_RECONNECTED, RESYNC_FAILSAFE};

    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        struct window window;

        CASE("%s", resync_text(reasons[i]));
        open_window(&window, 50, 1000);
        change(&window, a, 100);
        change(&window, b, 110);
        window_resync(&window, reasons[i], 120);
        CHECK_INT(window.resync, reasons[i]);
        CHECK_INT(window.len, 0);
        CHECK(a->pending == NAME_NOT_PENDING && b->pending == NAME_NOT_PENDING);
        CHECK_INT(window_deadline(&window), 120);
        change(&window, c, 130); /* it stands for this one too, and doesn't wait for it */
        CHECK_INT(window.len, 0);
        CHECK_INT(window_deadline(&window), 120);
        close_window(&window);
    }
}

static void first_reason_wins(void)
{
    static const enum resync reasons[] = {RESYNC_CONNECTED, RESYNC_RECONNECTED, RESYNC_OVERFLOW,
                                          RESYNC_FAILSAFE};

    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        for (size_t j = 0; j < COUNT_OF(reasons); j++) {
            struct window window;

            CASE("%s, then %s", resync_text(reasons[i]), resync_text(reasons[j]));
            open_window(&window, 50, 1000);
            window_resync(&window, reasons[i], 100);
            window_resync(&window, reasons[j], 200);
            CHECK_INT(window.resync, reasons[i]);
            CHECK(window_deadline(&window) <= 200);
            close_window(&window);
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
    CHECK_INT(window.resync, RESYNC_OVERFLOW);
    window_resync(&window, RESYNC_RECONNECTED, 120);
    CHECK_INT(window.resync, RESYNC_OVERFLOW);
    CHECK_INT(window_deadline(&window), 120);
    change(&window, a, 130);
    CHECK_INT(window_deadline(&window), 120);
    close_window(&window);
}

static void resync_waits_for_the_commit(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    window_begin(&window);
    change(&window, a, 100);
    window_resync(&window, RESYNC_FAILSAFE, 110);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    window_commit(&window);
    CHECK_INT(window_deadline(&window), 110);
    close_window(&window);
}

static void disconnected_inside_a_transaction(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    change(&window, a, 100);
    window_begin(&window);
    change(&window, b, 110);
    window_disconnected(&window);
    CHECK_INT(window.len, 0);
    CHECK(!window.in_transaction);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    change(&window, a, 200); /* the next stream's window */
    CHECK_INT(window_deadline(&window), 250);
    CHECK_INT(window.events[0].count, 1);
    close_window(&window);
}

static void disconnected_outside_a_transaction(void)
{
    struct window window;

    open_window(&window, 50, 1000);
    window_begin(&window);
    change(&window, a, 100);
    window_commit(&window);
    window_disconnected(&window);
    CHECK_INT(window.len, 1);
    CHECK_INT(window_deadline(&window), 150);
    close_window(&window);
}

static void no_limits(void)
{
    struct window_limits limits = {CLOCK_NEVER, CLOCK_NEVER, SIZE_MAX};
    struct window window;

    window_init(&window, &limits);
    change(&window, a, 100);
    CHECK(window_deadline(&window) == CLOCK_NEVER);
    close_window(&window);
}

/* More than the array's first size, so that it grows. */
static void many_payloads(void)
{
    enum { MANY = 8192 };
    struct window_limits limits = {50, 1000, MANY};
    struct name **many = calloc(MANY, sizeof(*many));
    struct window window;

    REQUIRE(many != NULL);
    window_init(&window, &limits);
    for (size_t i = 0; i < MANY; i++) {
        many[i] = malloc(sizeof(**many));
        REQUIRE(many[i] != NULL);
        *many[i] = (struct name){.watched = true, .pending = NAME_NOT_PENDING};
        change(&window, many[i], 100);
    }
    for (size_t i = 0; i < MANY; i++) {
        change(&window, many[i], 100);
    }
    CHECK_INT(window.resync, RESYNC_NONE);
    CHECK_INT(window.len, MANY);
    for (size_t i = 0; i < window.len; i++) {
        if (!CHECK(window.events[i].name == many[i] && window.events[i].count == 2)) {
            break;
        }
    }
    change(&window, a, 100);
    CHECK_INT(window.resync, RESYNC_OVERFLOW);
    close_window(&window);
    for (size_t i = 0; i < MANY; i++) {
        free(many[i]);
    }
    free(many);
}

static const struct check_test tests[] = {
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
    {"a connection lost inside a transaction drops the window", disconnected_inside_a_transaction},
    {"one lost between transactions leaves it", disconnected_outside_a_transaction},
    {"without limits it is never due", no_limits},
    {"8192 payloads", many_payloads},
};

CHECK_MAIN(tests)
