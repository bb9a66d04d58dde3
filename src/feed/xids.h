/*
 * Transactions whose commits have come through the stream but may not be
 * visible yet: a walsender sends a commit once it is flushed, and others see it
 * only after that, perhaps much later (a synchronous standby).
 *
 * An xid is visible when it lies below a snapshot's xmax and the snapshot
 * doesn't list it as running ("System Information Functions", pg_snapshot).
 * xids wrap: they are compared circularly, as the server does.
 */
#ifndef PGNUDGE_FEED_XIDS_H
#define PGNUDGE_FEED_XIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"

/* What pg_current_snapshot() says, at one moment. */
struct snapshot {
    uint32_t xmax;
    uint32_t *running; /* below xmax; sorted as plain numbers once complete */
    size_t len;
    size_t cap;
};

/* A set of xids; all zero is an empty one. */
struct xids {
    uint32_t *at;
    size_t len;
    size_t cap;
    bool too_many; /* at is empty, `highest` stands for all that were in it */
    uint32_t highest;
};

bool xid_precedes(uint32_t a, uint32_t b);

void snapshot_clear(struct snapshot *snapshot);
bool snapshot_add(struct snapshot *snapshot, uint32_t running); /* false: out of memory */
void snapshot_sort(struct snapshot *snapshot);
bool snapshot_sees(const struct snapshot *snapshot, uint32_t xid);
void snapshot_free(struct snapshot *snapshot);

/* Adds one that is not in there. False: out of memory. */
bool xids_add(struct xids *xids, uint32_t xid);

/* Adds everything up to and with `highest`. */
void xids_add_all_to(struct xids *xids, uint32_t highest);

/* Keeps only the highest, which then stands for all. */
void xids_collapse(struct xids *xids);

/* Adds another set. False: out of memory. */
bool xids_add_set(struct xids *xids, const struct xids *more);

void xids_remove(struct xids *xids, uint32_t xid);

/*
 * Strikes off what the snapshot sees. Of too many, what runs in the first
 * snapshot above the highest is kept in their place. False: out of memory.
 */
bool xids_strike(struct xids *xids, const struct snapshot *snapshot);

bool xids_empty(const struct xids *xids);
void xids_clear(struct xids *xids);
void xids_free(struct xids *xids);

#endif
