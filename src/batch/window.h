/*
 * The open window: changes coalesced to one event per payload, until it is
 * quiet for the debounce or the cap is reached, but never inside a transaction.
 * Then it is closed: its item waits to be printed, and nothing joins it.
 *
 * 1. `open` runs while there is an event or a resync; `unknown` while the window has changes of
 *    tables that are still being looked up.
 * 2. A transaction in the window whose COMMIT has come is marked UNSEEN_OPEN in `unseen`, or
 *    UNSEEN_UNKNOWN where it is not known yet whether it belongs there, or is visible.
 * 3. `map` has the place of each event in item.events, by its name.
 */
#ifndef PGNUDGE_BATCH_WINDOW_H
#define PGNUDGE_BATCH_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch/eventmap.h"
#include "batch/item.h"
#include "batch/keyset.h"
#include "snapshot/unseen.h"

struct window_limits {
    int64_t debounce_us; /* quiet that closes it */
    int64_t max_wait_us; /* from its first change */
    size_t max_pending;  /* distinct payloads; more are one resync */
    size_t max_keys;     /* of one event; 0: none are wanted */
};

/* Changes of one table that have just come. */
struct arriving {
    enum operation operation;
    uint64_t count;
    bool keyed; /* window_keys or window_whole follows before the COMMIT */
    int64_t now_us;
    int64_t wall_us;
};

/* From the first change to the end of the quiet behind the last one; monotonic clock. */
struct window_timer {
    int64_t first_us;
    int64_t due_us; /* CLOCK_NEVER: it doesn't run */
};

struct window {
    struct window_limits limits;
    struct unseen *unseen; /* borrowed */
    struct item item;
    struct event_map map;
    struct keyset_pool keys; /* those of `item`, and of the closed one */
    uint64_t serial;         /* of the item */
    uint64_t arrivals;       /* changes so far */
    bool at_once;            /* its resync was asked for: no debounce, but for the next line */
    int64_t next_resync_us;  /* not before: any SQL user may ask for one */
    bool unordered;          /* an event was added late */
    bool in_transaction;     /* between a BEGIN and its COMMIT */
    uint32_t xid;            /* of the transaction under way */
    unsigned marks;          /* that `unseen` gets at its COMMIT */
    uint64_t newest_lsn; /* of this connection: the slot's consistent point, or a later COMMIT */
    uint64_t last_lsn;   /* the end of the newest COMMIT, watched or not */
    struct window_timer open;
    struct window_timer unknown;
};

/* `unseen` is borrowed. */
void window_init(struct window *window, const struct window_limits *limits, struct unseen *unseen);

/* A new stream begins at the slot's consistent point. */
void window_connected(struct window *window, uint64_t consistent_lsn);

/* Counts changes, watched or not. */
void window_tally(struct window *window, struct tally *tally, const struct arriving *arriving);

/* Adds one tally to another. */
void tally_add(struct tally *tally, const struct tally *more);

/* Changes of a watched table. False: out of memory. */
bool window_change(struct window *window, struct name *name, const struct arriving *arriving);

/*
 * Changes that a publisher has merged; window_keys follows, unless the tally is whole. False: out
 * of memory.
 */
bool window_event(struct window *window, struct name *name, const struct tally *tally,
                  int64_t now_us);

/* More of what belongs together is to come from a publisher, or no more. */
void window_hold(struct window *window, bool more);

/* Whether keys of a change of this name would be taken. */
bool window_wants_keys(const struct window *window, const struct name *name);

/*
 * The keys of rows of a change: valid UTF-8, by this definition. Where they can't be taken the event
 * means the whole table.
 */
void window_keys(struct window *window, struct name *name, struct definition *definition,
                 const struct row_keys *keys);

/* The keys of a change aren't known: its event means the whole table. */
void window_whole(struct window *window, const struct name *name);

/* A change of a table that is being looked up: `window_late` follows, if it is watched. */
void window_unknown(struct window *window, int64_t now_us);

/* Any other change: the transaction under way may turn out to matter. */
void window_other(struct window *window);

/* None is being looked up any more. */
void window_all_known(struct window *window);

/* Transactions up to this one belong to something late. */
struct window_late {
    bool any;         /* false: none, it was no transaction's */
    uint32_t highest; /* xid */
    unsigned from;    /* the marks of those meant */
};

/* Changes that are named late. False: out of memory. */
bool window_late(struct window *window, struct name *name, const struct tally *tally,
                 const struct window_late *late, int64_t now_us);

/* A resync in place of changes that can't be named. */
void window_resync_late(struct window *window, enum resync reason, const struct window_late *late,
                        int64_t now_us);

void window_begin(struct window *window, uint32_t xid);

/* False: out of memory. Too much is not visible yet: unseen->overflowed. */
bool window_commit(struct window *window, uint64_t lsn);

/* Makes it a resync that is due at once; one that waits already keeps its reason. */
void window_resync(struct window *window, enum resync reason, int64_t now_us);

/* The same, asked for by the transaction under way. */
void window_resync_from(struct window *window, enum resync reason, int64_t now_us);

/* Whether it has changes that may not be visible yet. */
bool window_waits(const struct window *window);

/* When it closes: CLOCK_NEVER while it is empty or inside a transaction. */
int64_t window_deadline(const struct window *window);

/* The same, also where all that it has is still being looked up: when that should be over. */
int64_t window_lookup_deadline(const struct window *window);

/* Moves what is in the window to `closed`, which must be empty, and begins a new one. */
void window_close(struct window *window, struct item *closed);

/*
 * Puts an item back that was closed, and is visible: it is due at once, merged with what has come
 * since. False: out of memory.
 */
bool window_put_back(struct window *window, const struct item *closed, int64_t now_us);

/* Empties it: something else stands for what was in it. */
void window_clear(struct window *window);

void window_free(struct window *window);

#endif
