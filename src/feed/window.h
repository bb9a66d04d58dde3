/*
 * The open window: changes coalesced to one event per payload, until it is
 * quiet for the debounce or the cap is reached, but never inside a transaction.
 *
 * A window is a batch, or a resync: that one stands for all changes in it.
 */
#ifndef PGNUDGE_FEED_WINDOW_H
#define PGNUDGE_FEED_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name;

enum resync {
    RESYNC_NONE,
    RESYNC_CONNECTED,
    RESYNC_RECONNECTED,
    RESYNC_OVERFLOW,
    RESYNC_FAILSAFE /* by the clock; or something came that could not be read */
};

struct window_event {
    struct name *name;
    int64_t first_seen_us; /* wall clock */
    uint64_t count;        /* changes merged */
};

struct window_limits {
    int64_t debounce_us; /* quiet that closes it */
    int64_t max_wait_us; /* from its first change */
    size_t max_pending;  /* distinct payloads; more are one resync */
};

struct window {
    struct window_limits limits;
    struct window_event *events; /* in the order of their first change */
    size_t len;
    size_t cap;
    enum resync resync;  /* if not NONE: it is printed in place of the events */
    bool at_once;        /* the resync was asked for: no debounce */
    bool in_transaction; /* between a BEGIN and its COMMIT */
    int64_t first_us;    /* monotonic clock: of the first change */
    int64_t due_us;      /* of its end, should nothing more come; CLOCK_NEVER while it is empty */
};

/* The contract's word for a reason. */
const char *resync_text(enum resync reason);

void window_init(struct window *window, const struct window_limits *limits);

/* One change of a watched table. False: out of memory. */
bool window_change(struct window *window, struct name *name, int64_t now_us, int64_t wall_us);

void window_begin(struct window *window);
void window_commit(struct window *window);

/* Makes it a resync that is due at once; one that waits already keeps its reason. */
void window_resync(struct window *window, enum resync reason, int64_t now_us);

/* When it closes: CLOCK_NEVER while it is empty or inside a transaction. */
int64_t window_deadline(const struct window *window);

/* It has been printed, or something else stands for it: empties it. */
void window_clear(struct window *window);

/*
 * The stream is gone. What it left incomplete can't be closed, and the
 * reconnect's resync stands for it; a window of whole transactions stays.
 */
void window_disconnected(struct window *window);

void window_free(struct window *window);

#endif
