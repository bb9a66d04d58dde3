#include "feed/window.h"

#include <stdlib.h>

#include "base/clock.h"
#include "feed/name.h"

void window_init(struct window *window, const struct window_limits *limits)
{
    *window = (struct window){.limits = *limits, .due_us = CLOCK_NEVER};
}

void window_connected(struct window *window, uint64_t consistent_lsn)
{
    window->newest_lsn = window->last_lsn = consistent_lsn;
    window->in_transaction = window->touched = false;
}

static void not_pending(struct window *window)
{
    for (size_t i = 0; i < window->item.len; i++) {
        window->item.events[i].name->pending = NAME_NOT_PENDING;
    }
}

/* Keeps what the item waits for. */
static void forget_events(struct window *window)
{
    not_pending(window);
    item_drop_events(&window->item);
}

static bool add_event(struct item *item, struct name *name, uint64_t count, int64_t wall_us)
{
    if (item->len == item->cap) {
        size_t cap = item->cap > 0 ? item->cap * 2 : 64;
        struct item_event *bigger = realloc(item->events, cap * sizeof(*bigger));

        if (bigger == NULL) {
            return false;
        }
        item->events = bigger;
        item->cap = cap;
    }
    name->pending = item->len;
    name->holds++;
    item->events[item->len++] = (struct item_event){name, wall_us, count};
    return true;
}

/* The transaction must be visible before the item is printed. False: out of memory. */
static bool join(struct window *window)
{
    if (window->touched || !window->in_transaction) {
        return true;
    }
    window->touched = true;
    return xids_add(&window->item.xids, window->xid);
}

/* The debounce rolls with each change, the cap stays. */
static void postpone(struct window *window, int64_t now_us)
{
    if (window->due_us == CLOCK_NEVER) {
        window->first_us = now_us;
    }
    window->due_us = clock_earlier(clock_after(now_us, window->limits.debounce_us),
                                   clock_after(window->first_us, window->limits.max_wait_us));
}

/* Adds changes whose transactions have joined. */
static bool add_changes(struct window *window, struct name *name, uint64_t count, int64_t now_us,
                        int64_t wall_us)
{
    struct item *item = &window->item;

    if (window->at_once) {
        return true; /* the resync stands for this change too */
    }
    postpone(window, now_us);
    if (item->resync == RESYNC_OVERFLOW) {
        return true;
    }
    if (name->pending != NAME_NOT_PENDING) {
        struct item_event *event = &item->events[name->pending];

        event->count += count;
        event->first_seen_us = clock_earlier(event->first_seen_us, wall_us); /* a late one */
        return true;
    }
    if (item->len >= window->limits.max_pending) {
        forget_events(window);
        item->resync = RESYNC_OVERFLOW;
        return true;
    }
    return add_event(item, name, count, wall_us);
}

bool window_change(struct window *window, struct name *name, uint64_t count, int64_t now_us,
                   int64_t wall_us)
{
    return join(window) && add_changes(window, name, count, now_us, wall_us);
}

bool window_late(struct window *window, struct name *name, uint64_t count, const struct xids *xids,
                 int64_t wall_us, int64_t now_us)
{
    window->item.lsn = window->last_lsn > window->item.lsn ? window->last_lsn : window->item.lsn;
    window->newest_lsn =
        window->last_lsn > window->newest_lsn ? window->last_lsn : window->newest_lsn;
    return join(window) && xids_add_set(&window->item.xids, xids) &&
           add_changes(window, name, count, now_us, wall_us);
}

void window_begin(struct window *window, uint32_t xid)
{
    window->in_transaction = true;
    window->xid = xid;
    window->touched = false;
}

void window_commit(struct window *window, uint64_t lsn)
{
    window->last_lsn = lsn > window->last_lsn ? lsn : window->last_lsn;
    if (window->touched) {
        window->item.lsn = lsn > window->item.lsn ? lsn : window->item.lsn;
        window->newest_lsn = lsn > window->newest_lsn ? lsn : window->newest_lsn;
    }
    window->in_transaction = window->touched = false;
}

void window_resync(struct window *window, enum resync reason, int64_t now_us)
{
    forget_events(window);
    if (window->item.resync == RESYNC_NONE) {
        window->item.resync = reason;
    }
    window->at_once = true;
    window->due_us = now_us;
}

bool window_resync_from(struct window *window, enum resync reason, int64_t now_us)
{
    window_resync(window, reason, now_us);
    return join(window);
}

bool window_resync_late(struct window *window, enum resync reason, const struct xids *xids,
                        int64_t now_us)
{
    window->newest_lsn =
        window->last_lsn > window->newest_lsn ? window->last_lsn : window->newest_lsn;
    window_resync(window, reason, now_us);
    return join(window) && xids_add_set(&window->item.xids, xids);
}

int64_t window_deadline(const struct window *window)
{
    return window->in_transaction ? CLOCK_NEVER : window->due_us;
}

void window_seal(struct window *window, struct item *sealed)
{
    struct item empty = *sealed;

    not_pending(window);
    *sealed = window->item;
    if (sealed->resync != RESYNC_NONE || sealed->lsn == 0) {
        sealed->lsn = window->newest_lsn;
    }
    window->item = empty; /* its memory serves again */
    window->at_once = false;
    window->due_us = CLOCK_NEVER;
}

void window_clear(struct window *window)
{
    forget_events(window);
    item_clear(&window->item);
    window->at_once = false;
    window->due_us = CLOCK_NEVER;
    window->touched = false;
}

void window_free(struct window *window)
{
    item_free(&window->item);
}
