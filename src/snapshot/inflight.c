#include "snapshot/inflight.h"

#include <stdlib.h>
#include <string.h>

bool inflight_add(struct inflight *inflight, uint32_t xid, uint32_t oid)
{
    if (inflight->len >= INFLIGHT_MAX) { /* one pair for each xid from here on */
        struct inflight_pair *last = &inflight->at[inflight->len - 1];

        if (last->xid == xid) {
            last->oid = 0;
            return true;
        }
        oid = 0;
    }
    if (inflight->len == inflight->cap) {
        size_t cap = inflight->cap > 0 ? inflight->cap * 2 : 64;
        struct inflight_pair *bigger = realloc(inflight->at, cap * sizeof(*bigger));

        if (bigger == NULL) {
            return false;
        }
        inflight->at = bigger;
        inflight->cap = cap;
    }
    inflight->at[inflight->len++] = (struct inflight_pair){xid, oid};
    return true;
}

static int by_xid(const void *a, const void *b)
{
    const struct inflight_pair *left = a, *right = b;

    return (left->xid > right->xid) - (left->xid < right->xid);
}

void inflight_sort(struct inflight *inflight)
{
    if (inflight->len > 1) {
        qsort(inflight->at, inflight->len, sizeof(*inflight->at), by_xid);
    }
}

/* The first pair that isn't below it. */
static size_t lower_bound(const struct inflight *inflight, uint32_t xid)
{
    size_t low = 0, high = inflight->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (inflight->at[middle].xid < xid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct inflight_pair *inflight_find(const struct inflight *inflight, uint32_t xid,
                                          size_t *count)
{
    size_t first = lower_bound(inflight, xid), last = first;

    while (last < inflight->len && inflight->at[last].xid == xid) {
        last++;
    }
    *count = last - first;
    return *count > 0 ? &inflight->at[first] : NULL;
}

void inflight_drop(struct inflight *inflight, uint32_t xid)
{
    size_t count;
    const struct inflight_pair *pairs = inflight_find(inflight, xid, &count);
    size_t first = pairs != NULL ? (size_t)(pairs - inflight->at) : 0;

    if (pairs != NULL) {
        memmove(&inflight->at[first], &inflight->at[first + count],
                (inflight->len - first - count) * sizeof(*inflight->at));
        inflight->len -= count;
    }
}

void inflight_clear(struct inflight *inflight)
{
    free(inflight->at);
    *inflight = (struct inflight){0};
}
