/*
 * The transactions that were open when a stream of WAL began, and the relations that each had
 * locked for writing by then: it may have changed them before the stream's start. Its COMMIT stands
 * for these changes too.
 */
#ifndef PGNUDGE_SNAPSHOT_INFLIGHT_H
#define PGNUDGE_SNAPSHOT_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INFLIGHT_MAX ((size_t)262144) /* pairs: 2 MB; of what is beyond, no relation is known */

struct inflight_pair {
    uint32_t xid;
    uint32_t oid; /* 0: it has locked none, or they aren't known */
};

/* All zero: none. Sorted by xid once complete. */
struct inflight {
    struct inflight_pair *at;
    size_t len;
    size_t cap;
};

/* False: out of memory. */
bool inflight_add(struct inflight *inflight, uint32_t xid, uint32_t oid);
void inflight_sort(struct inflight *inflight);

/* The pairs of a transaction, `*count` of them; NULL: it isn't one of these. */
const struct inflight_pair *inflight_find(const struct inflight *inflight, uint32_t xid,
                                          size_t *count);

/* It has ended. */
void inflight_drop(struct inflight *inflight, uint32_t xid);

void inflight_clear(struct inflight *inflight);

#endif
