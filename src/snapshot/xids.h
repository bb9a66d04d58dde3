/*
 * Transaction IDs, and what a snapshot says of them ("System Information
 * Functions", pg_snapshot): an xid is visible when it lies below the snapshot's
 * xmax and isn't listed as running. xids wrap: they are compared circularly, as
 * the server does.
 */
#ifndef PGNUDGE_SNAPSHOT_XIDS_H
#define PGNUDGE_SNAPSHOT_XIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/text.h"

/* What pg_current_snapshot() says, at one moment. */
struct snapshot {
    uint32_t xmax;
    uint32_t *running; /* below xmax; sorted as plain numbers once complete */
    size_t len;
    size_t cap;
};

/* A set of xids, at most XIDS_MAX; all zero is an empty one. */
struct xids {
    uint32_t *at;
    size_t len;
    size_t cap;
};

/* Reads an xid, of 32 or 64 bits; the low 32 count. False: it is none. */
bool xid_read(struct slice text, uint32_t *xid);

/* In the circle of xids (PostgreSQL's TransactionIdPrecedes). */
static inline bool xid_precedes(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

void snapshot_clear(struct snapshot *snapshot);

/* False: out of memory, or more than XIDS_MAX. */
bool snapshot_add(struct snapshot *snapshot, uint32_t running);
void snapshot_sort(struct snapshot *snapshot);

/* Both are sorted. False: out of memory, and `to` is as it was. */
bool snapshot_copy(struct snapshot *to, const struct snapshot *from);

/* The index of a running xid; `len` where it isn't one. */
size_t snapshot_find(const struct snapshot *snapshot, uint32_t xid);
bool snapshot_sees(const struct snapshot *snapshot, uint32_t xid);

/* The oldest that runs; xmax where none does. All below it have ended. */
uint32_t snapshot_oldest(const struct snapshot *snapshot);
void snapshot_free(struct snapshot *snapshot);

/* Adds one that is not in there. False: out of memory, or more than XIDS_MAX. */
bool xids_add(struct xids *xids, uint32_t xid);

/* Whether it was in there. */
bool xids_remove(struct xids *xids, uint32_t xid);

/* Removes what the snapshot sees. */
void xids_drop_visible(struct xids *xids, const struct snapshot *snapshot);

bool xids_empty(const struct xids *xids);
void xids_clear(struct xids *xids);
void xids_free(struct xids *xids);

#endif
