#include "feed/xids.h"

#include <stdlib.h>

bool xid_precedes(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* Room for one more. */
static bool grow(uint32_t **at, size_t len, size_t *cap)
{
    size_t more = *cap > 0 ? *cap * 2 : 4;
    uint32_t *bigger;

    if (len < *cap) {
        return true;
    }
    bigger = realloc(*at, more * sizeof(**at));
    if (bigger == NULL) {
        return false;
    }
    *at = bigger;
    *cap = more;
    return true;
}

void snapshot_clear(struct snapshot *snapshot)
{
    snapshot->len = 0;
}

bool snapshot_add(struct snapshot *snapshot, uint32_t running)
{
    if (!grow(&snapshot->running, snapshot->len, &snapshot->cap)) {
        return false;
    }
    snapshot->running[snapshot->len++] = running;
    return true;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void snapshot_sort(struct snapshot *snapshot)
{
    if (snapshot->len > 1) {
        qsort(snapshot->running, snapshot->len, sizeof(*snapshot->running), compare);
    }
}

bool snapshot_sees(const struct snapshot *snapshot, uint32_t xid)
{
    return xid_precedes(xid, snapshot->xmax) &&
           (snapshot->len == 0 || bsearch(&xid, snapshot->running, snapshot->len,
                                          sizeof(*snapshot->running), compare) == NULL);
}

void snapshot_free(struct snapshot *snapshot)
{
    free(snapshot->running);
    *snapshot = (struct snapshot){0};
}

static bool append(struct xids *xids, uint32_t xid)
{
    if (!grow(&xids->at, xids->len, &xids->cap)) {
        return false;
    }
    xids->at[xids->len++] = xid;
    return true;
}

void xids_add_all_to(struct xids *xids, uint32_t highest)
{
    if (!xids->too_many) {
        xids->too_many = true;
        xids->highest = highest;
    }
    xids->len = 0;
    if (xid_precedes(xids->highest, highest)) {
        xids->highest = highest;
    }
}

void xids_collapse(struct xids *xids)
{
    uint32_t highest;

    if (xids->len == 0) {
        return;
    }
    highest = xids->at[0];
    for (size_t i = 1; i < xids->len; i++) {
        highest = xid_precedes(highest, xids->at[i]) ? xids->at[i] : highest;
    }
    xids_add_all_to(xids, highest);
}

bool xids_add(struct xids *xids, uint32_t xid)
{
    if (xids->len >= XIDS_MAX) {
        xids_collapse(xids);
    }
    if (xids->too_many) {
        xids_add_all_to(xids, xid);
        return true;
    }
    return append(xids, xid);
}

bool xids_add_set(struct xids *xids, const struct xids *more)
{
    if (more->too_many) {
        xids_collapse(xids);
        xids_add_all_to(xids, more->highest);
        return true;
    }
    for (size_t i = 0; i < more->len; i++) {
        if (!xids_add(xids, more->at[i])) {
            return false;
        }
    }
    return true;
}

void xids_remove(struct xids *xids, uint32_t xid)
{
    for (size_t i = 0; i < xids->len; i++) {
        if (xids->at[i] == xid) {
            xids->at[i] = xids->at[--xids->len];
            return;
        }
    }
}

/* All up to the highest have ended but for those that run now. */
static bool narrow(struct xids *xids, const struct snapshot *snapshot)
{
    if (!xid_precedes(xids->highest, snapshot->xmax)) {
        return true;
    }
    for (size_t i = 0; i < snapshot->len; i++) {
        if (!xid_precedes(xids->highest, snapshot->running[i]) &&
            !append(xids, snapshot->running[i])) {
            xids->len = 0;
            return false;
        }
    }
    xids->too_many = false;
    return true;
}

bool xids_strike(struct xids *xids, const struct snapshot *snapshot)
{
    size_t kept = 0;

    if (xids->too_many) {
        return narrow(xids, snapshot);
    }
    for (size_t i = 0; i < xids->len; i++) {
        if (!snapshot_sees(snapshot, xids->at[i])) {
            xids->at[kept++] = xids->at[i];
        }
    }
    xids->len = kept;
    return true;
}

bool xids_empty(const struct xids *xids)
{
    return xids->len == 0 && !xids->too_many;
}

void xids_clear(struct xids *xids)
{
    xids->len = 0;
    xids->too_many = false;
}

void xids_free(struct xids *xids)
{
    free(xids->at);
    *xids = (struct xids){0};
}
