/*
 * The resync at a connect must not be printed too early: a transaction that is
 * flushed but not visible when the stream goes live comes neither through the
 * stream nor in the reload. So what runs at that moment is listed, and the
 * resync waits until each has ended or come through the stream. After a while
 * it is printed anyway (transactions may run for hours), and again, at most once
 * a second, when one has ended without coming through. An overflow of what is
 * known about visibility (see unseen.h) is handled in the same way.
 *
 * 1. `running` and `ended` share no xid, and none that has come through since the list.
 * 2. `ended` is used in LATE only; whether one of it still comes through is known once the
 *    stream has passed `ended_lsn`.
 */
#ifndef PGNUDGE_VISIBLE_BARRIER_H
#define PGNUDGE_VISIBLE_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "batch/item.h"
#include "snapshot/visibility.h"
#include "snapshot/xids.h"

#define BARRIER_HOLD_US  (1 * CLOCK_S) /* how long it holds the resync back */
#define BARRIER_EVERY_US (1 * CLOCK_S) /* between two questions, and two resyncs, in LATE */

enum barrier_state {
    BARRIER_OFF,
    BARRIER_WANTING, /* the list is still to be asked for */
    BARRIER_LISTING, /* the list has been asked for */
    BARRIER_HOLDING, /* the resync waits */
    BARRIER_LATE     /* it has been let go; some of the list have not come through */
};

struct barrier {
    enum barrier_state state;
    enum resync reason; /* of the resyncs in LATE */
    struct xids running;
    struct xids ended;
    uint64_t ended_lsn;
    int64_t hold_us;
    int64_t until_us; /* HOLDING */
    int64_t next_us;  /* LATE: no resync before that */
    int64_t ask_us;   /* LATE: when to look again what has ended */
};

/*
 * What runs is to be listed. `reason`: of the resyncs that follow the first; `hold_us`: how long
 * that may wait for those to end.
 */
void barrier_start(struct barrier *barrier, enum resync reason, int64_t hold_us);

/* The list has been asked for. */
void barrier_asked(struct barrier *barrier);

/* The list is there. False: out of memory. */
bool barrier_listed(struct barrier *barrier, const struct snapshot *running, int64_t now_us);

/* A transaction has come through the stream. */
void barrier_streamed(struct barrier *barrier, uint32_t xid);

/* A new visibility. False: out of memory. */
bool barrier_see(struct barrier *barrier, const struct visibility *visibility, int64_t now_us);

/* Whether the resync must still wait. */
bool barrier_holds(const struct barrier *barrier);

/* Lets the resync go when its time is over. */
void barrier_tick(struct barrier *barrier, int64_t now_us);

/*
 * Whether one more resync is due, now that the stream has brought everything up to `position`;
 * it has then been taken.
 */
bool barrier_take_due(struct barrier *barrier, uint64_t position, int64_t now_us);

/* When barrier_tick or barrier_take_due must be called whatever else happens; CLOCK_NEVER: not. */
int64_t barrier_deadline(const struct barrier *barrier, uint64_t position);

/* When the visibility connection should be asked again; CLOCK_NEVER: it need not. */
int64_t barrier_ask_at(const struct barrier *barrier);

/* The connection is gone: whatever comes next begins anew. */
void barrier_stop(struct barrier *barrier);

void barrier_free(struct barrier *barrier);

#endif
