/*
 * Heartbeats: items that come after a time without another one, so that a
 * reader can tell a quiet database from a lost line or a dead publisher. Only
 * while the stream is live, and behind the session's first resync.
 */
#ifndef PGNUDGE_FEED_HEARTBEAT_H
#define PGNUDGE_FEED_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/item.h"

struct heartbeat {
    int64_t interval_us; /* CLOCK_NEVER: there are none */
    bool live;           /* the stream is, set by the owner */
    bool armed;          /* the session's first resync has begun */
    bool is_with_out;    /* one has been handed on, and isn't out yet */
    int64_t last_us;     /* when the last item was begun */
    uint64_t lsn;        /* the newest one of an item, from the last resync on */
};

/* When one is due. CLOCK_NEVER: not. */
int64_t heartbeat_at(const struct heartbeat *heartbeat);

/* An item begins: `item` is the newest. */
void heartbeat_item(struct heartbeat *heartbeat, const struct item *item, int64_t now_us);

/* Readers know nothing yet: a new session. */
void heartbeat_restart(struct heartbeat *heartbeat);

/* Takes the one that is due, as an item to begin. */
struct item heartbeat_begin(struct heartbeat *heartbeat, int64_t now_us);

#endif
