/*
 * The open window: changes coalesced to one event per payload, until it is
 * quiet for the debounce or the cap is reached, but never inside a transaction.
 * Then it is sealed: its item waits to be printed, and nothing joins it.
 */
#ifndef PGNUDGE_FEED_WINDOW_H
#define PGNUDGE_FEED_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed/item.h"

struct window_limits {
    int64_t debounce_us; /* quiet that closes it */
    int64_t max_wait_us; /* from its first change */
    size_t max_pending;  /* distinct payloads; more are one resync */
};

struct window {
    struct window_limits limits;
    struct item item;
    bool at_once;        /* its resync was asked for: no debounce */
    bool in_transaction; /* between a BEGIN and its COMMIT */
    uint32_t xid;        /* … of that one */
    bool touched;        /* … which has changes in this window */
    uint64_t newest_lsn; /* of this connection: the slot's consistent point, or a later COMMIT */
    uint64_t last_lsn;   /* the end of the newest COMMIT, watched or not */
    int64_t first_us;    /* monotonic clock: of the first change */
    int64_t due_us;      /* its end, should nothing more come; CLOCK_NEVER while it is empty */
};

void window_init(struct window *window, const struct window_limits *limits);

/* A new stream begins at the slot's consistent point. */
void window_connected(struct window *window, uint64_t consistent_lsn);

/* `count` changes of a watched table. False: out of memory. */
bool window_change(struct window *window, struct name *name, uint64_t count, int64_t now_us,
                   int64_t wall_us);

/*
 * Changes that are named late (see names.h): of the transactions `xids`, and
 * perhaps of the one under way. False: out of memory.
 */
bool window_late(struct window *window, struct name *name, uint64_t count, const struct xids *xids,
                 int64_t wall_us, int64_t now_us);

/* A resync in place of changes that can't be named; as above. */
bool window_resync_late(struct window *window, enum resync reason, const struct xids *xids,
                        int64_t now_us);

void window_begin(struct window *window, uint32_t xid);
void window_commit(struct window *window, uint64_t lsn);

/* Makes it a resync that is due at once; one that waits already keeps its reason. */
void window_resync(struct window *window, enum resync reason, int64_t now_us);

/* The same, asked for by the transaction under way. False: out of memory. */
bool window_resync_from(struct window *window, enum resync reason, int64_t now_us);

/* When it closes: CLOCK_NEVER while it is empty or inside a transaction. */
int64_t window_deadline(const struct window *window);

/* Moves what is in the window to `sealed`, which must be empty, and begins a new one. */
void window_seal(struct window *window, struct item *sealed);

/* Empties it: something else stands for what was in it. */
void window_clear(struct window *window);

void window_free(struct window *window);

#endif
