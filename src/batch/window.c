#include "batch/window.h"

#include <stdlib.h>

#include "base/clock.h"
#include "batch/name.h"

#define STOPPED ((struct window_timer){.due_us = CLOCK_NEVER})

void window_init(struct window *window, const struct window_limits *limits, struct unseen *unseen)
{
    *window =
        (struct window){.limits = *limits, .unseen = unseen, .open = STOPPED, .unknown = STOPPED};
}

void window_connected(struct window *window, uint64_t consistent_lsn)
{
    window->newest_lsn = window->last_lsn = consistent_lsn;
    window->in_transaction = false;
    window->marks = 0;
}

/* ---- tallies ---- */

void window_tally(struct window *window, struct tally *tally, uint64_t count, int64_t wall_us)
{
    window->arrivals++;
    if (tally->count == 0) {
        tally->first_seen_us = wall_us;
        tally->arrival = window->arrivals;
    }
    tally->count += count;
}

void tally_add(struct tally *tally, const struct tally *more)
{
    if (tally->count == 0 || (more->count > 0 && more->arrival < tally->arrival)) {
        tally->first_seen_us = more->first_seen_us;
        tally->arrival = more->arrival;
    }
    tally->count += more->count;
}

/* ---- events ---- */

/* Keeps what the item waits for. */
static void forget_events(struct window *window)
{
    event_map_clear(&window->map);
    item_drop_events(&window->item);
    window->unordered = false;
}

static bool add_event(struct window *window, struct name *name, const struct tally *tally)
{
    struct item *item = &window->item;

    if (item->len == item->cap) {
        size_t cap = item->cap > 0 ? item->cap * 2 : 64;
        struct item_event *bigger = realloc(item->events, cap * sizeof(*bigger));

        if (bigger == NULL) {
            return false;
        }
        item->events = bigger;
        item->cap = cap;
    }
    if (!event_map_add(&window->map, name, item->len)) {
        return false;
    }
    name->refs++;
    item->events[item->len++] =
        (struct item_event){name, tally->first_seen_us, tally->arrival, tally->count};
    return true;
}

/* The debounce rolls with each change, the cap stays. */
static void postpone(const struct window *window, struct window_timer *timer, int64_t now_us)
{
    if (timer->due_us == CLOCK_NEVER) {
        timer->first_us = now_us;
    }
    timer->due_us = clock_earlier(clock_after(now_us, window->limits.debounce_us),
                                  clock_after(timer->first_us, window->limits.max_wait_us));
}

/* Adds changes whose transactions have joined. */
static bool add_changes(struct window *window, struct name *name, const struct tally *tally)
{
    struct item *item = &window->item;
    size_t place;

    if (window->at_once || item->resync == RESYNC_OVERFLOW) {
        return true; /* the resync stands for these changes too */
    }
    place = event_map_find(&window->map, name);
    if (place != EVENT_NONE) {
        struct item_event *event = &item->events[place];

        event->count += tally->count;
        if (tally->arrival < event->arrival) { /* late ones */
            event->arrival = tally->arrival;
            event->first_seen_us = tally->first_seen_us;
            window->unordered = true;
        }
        return true;
    }
    if (item->len >= window->limits.max_pending) {
        forget_events(window);
        item->resync = RESYNC_OVERFLOW;
        return true;
    }
    window->unordered |= item->len > 0 && tally->arrival < item->events[item->len - 1].arrival;
    return add_event(window, name, tally);
}

bool window_change(struct window *window, struct name *name, uint64_t count, int64_t now_us,
                   int64_t wall_us)
{
    struct tally tally = {count, wall_us, ++window->arrivals};

    window->marks |= UNSEEN_OPEN;
    if (!window->at_once) {
        postpone(window, &window->open, now_us);
    }
    return add_changes(window, name, &tally);
}

void window_unknown(struct window *window, int64_t now_us)
{
    window->marks |= UNSEEN_UNKNOWN;
    postpone(window, &window->unknown, now_us);
}

void window_other(struct window *window)
{
    window->marks |= UNSEEN_STREAMED;
}

void window_all_known(struct window *window)
{
    unseen_move(window->unseen, UNSEEN_UNKNOWN, 0);
    window->unknown = STOPPED;
    window->marks &= ~(unsigned)UNSEEN_UNKNOWN;
}

/* What is late belongs to COMMITs up to now. */
static void join_late(struct window *window, const struct window_late *late)
{
    if (late->any) {
        unseen_mark_to(window->unseen, late->highest, late->from, UNSEEN_OPEN);
        window->marks |= window->in_transaction ? (unsigned)UNSEEN_OPEN : 0;
    }
    window->newest_lsn =
        window->last_lsn > window->newest_lsn ? window->last_lsn : window->newest_lsn;
}

bool window_late(struct window *window, struct name *name, const struct tally *tally,
                 const struct window_late *late, int64_t now_us)
{
    join_late(window, late);
    window->item.lsn = window->last_lsn > window->item.lsn ? window->last_lsn : window->item.lsn;
    if (window->open.due_us == CLOCK_NEVER) {
        if (window->unknown.due_us != CLOCK_NEVER) {
            window->open = window->unknown; /* it has waited since it came */
        } else {
            postpone(window, &window->open, now_us);
        }
    }
    return add_changes(window, name, tally);
}

void window_begin(struct window *window, uint32_t xid)
{
    window->in_transaction = true;
    window->xid = xid;
    window->marks = 0;
}

bool window_commit(struct window *window, uint64_t lsn)
{
    unsigned marks = window->marks;
    bool ok;

    window->last_lsn = lsn > window->last_lsn ? lsn : window->last_lsn;
    if ((marks & UNSEEN_OPEN) != 0) {
        window->item.lsn = lsn > window->item.lsn ? lsn : window->item.lsn;
        window->newest_lsn = lsn > window->newest_lsn ? lsn : window->newest_lsn;
    }
    ok = marks == 0 || !window->in_transaction ||
         unseen_add(window->unseen, window->xid, marks | UNSEEN_STREAMED);
    window->in_transaction = false;
    window->marks = 0;
    return ok;
}

void window_resync(struct window *window, enum resync reason, int64_t now_us)
{
    int64_t due_us = now_us > window->next_resync_us ? now_us : window->next_resync_us;

    forget_events(window);
    if (window->item.resync == RESYNC_NONE) {
        window->item.resync = reason;
    }
    if (!window->at_once) {
        window->at_once = true;
        window->open = (struct window_timer){due_us, due_us};
        window->next_resync_us = clock_after(due_us, window->limits.debounce_us);
    }
}

void window_resync_from(struct window *window, enum resync reason, int64_t now_us)
{
    window_resync(window, reason, now_us);
    window->marks |= UNSEEN_OPEN;
}

void window_resync_late(struct window *window, enum resync reason, const struct window_late *late,
                        int64_t now_us)
{
    join_late(window, late);
    window_resync(window, reason, now_us);
}

bool window_waits(const struct window *window)
{
    return unseen_any(window->unseen, UNSEEN_OPEN) || (window->marks & UNSEEN_OPEN) != 0;
}

int64_t window_deadline(const struct window *window)
{
    return window->in_transaction ? CLOCK_NEVER : window->open.due_us;
}

int64_t window_lookup_deadline(const struct window *window)
{
    return window->open.due_us != CLOCK_NEVER ? window->open.due_us : window->unknown.due_us;
}

static int by_arrival(const void *a, const void *b)
{
    uint64_t x = ((const struct item_event *)a)->arrival;
    uint64_t y = ((const struct item_event *)b)->arrival;

    return (x > y) - (x < y);
}

void window_close(struct window *window, struct item *closed)
{
    struct item empty = *closed;

    event_map_clear(&window->map);
    if (window->unordered) {
        qsort(window->item.events, window->item.len, sizeof(*window->item.events), by_arrival);
    }
    *closed = window->item;
    if (closed->resync != RESYNC_NONE || closed->lsn == 0) {
        closed->lsn = window->newest_lsn;
    }
    unseen_move(window->unseen, UNSEEN_OPEN, UNSEEN_CLOSED);
    window->item = empty; /* its memory serves again */
    window->at_once = window->unordered = false;
    window->open = STOPPED;
}

bool window_put_back(struct window *window, const struct item *closed, int64_t now_us)
{
    struct item *item = &window->item;

    item->lsn = closed->lsn > item->lsn ? closed->lsn : item->lsn;
    if (closed->resync != RESYNC_NONE) {
        item->resync = RESYNC_NONE; /* the first one's reason */
        window_resync(window, closed->resync, now_us);
        return true;
    }
    window->open = (struct window_timer){now_us, now_us};
    for (size_t i = 0; i < closed->len; i++) {
        const struct item_event *event = &closed->events[i];
        struct tally tally = {event->count, event->first_seen_us, event->arrival};

        if (!add_changes(window, event->name, &tally)) {
            return false;
        }
    }
    return true;
}

void window_clear(struct window *window)
{
    forget_events(window);
    item_clear(&window->item);
    unseen_move(window->unseen, UNSEEN_OPEN | UNSEEN_UNKNOWN, 0);
    window->at_once = false;
    window->open = window->unknown = STOPPED;
    window->marks = 0;
}

void window_free(struct window *window)
{
    event_map_free(&window->map);
    item_free(&window->item);
}
