/*
 * The resync at a connect must not be printed too early: a transaction that is
 * flushed but not visible when the stream goes live comes neither through the
 * stream nor in the reload. So what runs at that moment is listed, and the
 * resync waits until each has ended or come through the stream. After a while
 * it is printed anyway (transactions may run for hours), and once more when
 * the rest have ended unseen.
 */
#ifndef PGNUDGE_FEED_VIGIL_H
#define PGNUDGE_FEED_VIGIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "feed/gate.h"
#include "feed/xids.h"

#define VIGIL_HOLD_US (1 * CLOCK_S) /* how long it holds the resync back */

enum vigil_state {
    VIGIL_OFF,
    VIGIL_LISTING, /* the list has been asked for */
    VIGIL_HOLDING, /* the resync waits */
    VIGIL_LATE     /* it has been let go; some of the list are still there */
};

struct vigil {
    enum vigil_state state;
    struct xids xids;
    int64_t until_us; /* HOLDING */
    bool missed;      /* LATE: one has ended that didn't come through the stream */
};

/* The stream is live, and the list has been asked for. */
void vigil_start(struct vigil *vigil);

/* The list is there. False: out of memory. */
bool vigil_listed(struct vigil *vigil, const struct snapshot *running, int64_t now_us);

/* A transaction has come through the stream. */
void vigil_streamed(struct vigil *vigil, uint32_t xid);

/* A new sight. True: once more, a resync is due now. */
bool vigil_see(struct vigil *vigil, const struct sight *sight);

/* Whether the resync must still wait. */
bool vigil_holds(struct vigil *vigil, int64_t now_us);

/* When that ends by the clock; CLOCK_NEVER if it doesn't. */
int64_t vigil_deadline(const struct vigil *vigil);

/* The connection is gone: whatever comes next begins anew. */
void vigil_stop(struct vigil *vigil);

void vigil_free(struct vigil *vigil);

#endif
