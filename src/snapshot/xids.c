#include "snapshot/xids.h"

#include <stdlib.h>
#include <string.h>

bool xid_read(struct slice text, uint32_t *xid)
{
    uint64_t wide;
    bool ok = slice_number(text, &wide);

    *xid = (uint32_t)wide;
    return ok;
}

/* Appends one. */
static bool append(uint32_t **at, size_t *len, size_t *cap, uint32_t xid)
{
    if (*len == *cap) {
        size_t more = *cap > 0 ? *cap * 2 : 4;
        uint32_t *bigger = *len < XIDS_MAX ? realloc(*at, more * sizeof(**at)) : NULL;

        if (bigger == NULL) {
            return false;
        }
        *at = bigger;
        *cap = more;
    }
    (*at)[(*len)++] = xid;
    return true;
}

/* ---- snapshots ---- */

/* Gives back what is large for `len`. */
static void shrink(struct snapshot *snapshot, size_t len)
{
    if (snapshot->cap > XIDS_KEPT && snapshot->cap / 4 > len) {
        free(snapshot->running);
        snapshot->running = NULL;
        snapshot->len = snapshot->cap = 0;
    }
}

void snapshot_clear(struct snapshot *snapshot)
{
    shrink(snapshot, 0);
    snapshot->len = 0;
}

bool snapshot_add(struct snapshot *snapshot, uint32_t running)
{
    return append(&snapshot->running, &snapshot->len, &snapshot->cap, running);
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

bool snapshot_copy(struct snapshot *to, const struct snapshot *from)
{
    shrink(to, from->len);
    if (to->cap < from->len) {
        uint32_t *bigger = realloc(to->running, from->len * sizeof(*bigger));

        if (bigger == NULL) {
            return false;
        }
        to->running = bigger;
        to->cap = from->len;
    }
    if (from->len > 0) {
        memcpy(to->running, from->running, from->len * sizeof(*to->running));
    }
    to->len = from->len;
    to->xmax = from->xmax;
    return true;
}

size_t snapshot_find(const struct snapshot *snapshot, uint32_t xid)
{
    const uint32_t *found = snapshot->len == 0 ? NULL
                                               : bsearch(&xid, snapshot->running, snapshot->len,
                                                         sizeof(*snapshot->running), compare);

    return found == NULL ? snapshot->len : (size_t)(found - snapshot->running);
}

bool snapshot_sees(const struct snapshot *snapshot, uint32_t xid)
{
    return xid_precedes(xid, snapshot->xmax) && snapshot_find(snapshot, xid) == snapshot->len;
}

uint32_t snapshot_oldest(const struct snapshot *snapshot)
{
    uint32_t oldest = snapshot->xmax;

    for (size_t i = 0; i < snapshot->len; i++) {
        oldest = xid_precedes(snapshot->running[i], oldest) ? snapshot->running[i] : oldest;
    }
    return oldest;
}

void snapshot_free(struct snapshot *snapshot)
{
    free(snapshot->running);
    *snapshot = (struct snapshot){0};
}

/* ---- sets ---- */

bool xids_add(struct xids *xids, uint32_t xid)
{
    return append(&xids->at, &xids->len, &xids->cap, xid);
}

bool xids_remove(struct xids *xids, uint32_t xid)
{
    for (size_t i = 0; i < xids->len; i++) {
        if (xids->at[i] == xid) {
            xids->at[i] = xids->at[--xids->len];
            return true;
        }
    }
    return false;
}

void xids_drop_visible(struct xids *xids, const struct snapshot *snapshot)
{
    size_t kept = 0;

    for (size_t i = 0; i < xids->len; i++) {
        if (!snapshot_sees(snapshot, xids->at[i])) {
            xids->at[kept++] = xids->at[i];
        }
    }
    xids->len = kept;
}

bool xids_empty(const struct xids *xids)
{
    return xids->len == 0;
}

void xids_clear(struct xids *xids)
{
    xids->len = 0;
}

void xids_free(struct xids *xids)
{
    free(xids->at);
    *xids = (struct xids){0};
}
