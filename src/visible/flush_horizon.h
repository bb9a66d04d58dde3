/*
 * Up to where every commit of the server is visible, so that none waits for a
 * standby there. Found in rounds: what holds an xid once the stream has brought
 * a position is listed; when all of it has ended, the position is settled.
 */
#ifndef PGNUDGE_VISIBLE_FLUSH_HORIZON_H
#define PGNUDGE_VISIBLE_FLUSH_HORIZON_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot/visibility.h"
#include "snapshot/xids.h"

struct flush_horizon {
    struct xids running; /* what may have committed before `lsn` and wait */
    uint64_t lsn;        /* of this round */
    uint64_t settled;
    int64_t next_us; /* no new round before that */
};

/*
 * Whether the next round may begin: the last one is over, and `position` is
 * new. It begins with a list, to be asked for now; `interval_us` later the next.
 */
bool flush_horizon_wants_list(struct flush_horizon *horizon, uint64_t position, int64_t interval_us,
                              int64_t now_us);

/* The list is there; it was asked for when the stream had brought `position`. False: no memory. */
bool flush_horizon_listed(struct flush_horizon *horizon, const struct snapshot *running,
                          uint64_t position);

/* Takes a new visibility. False: out of memory. */
bool flush_horizon_see(struct flush_horizon *horizon, const struct visibility *visibility);

void flush_horizon_free(struct flush_horizon *horizon);

#endif
