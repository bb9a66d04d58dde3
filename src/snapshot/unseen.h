/*
 * The transactions that have come through the stream and that a new snapshot on
 * the server may not see yet. A walsender sends a COMMIT once it is flushed;
 * others see it only after that, perhaps much later (a synchronous standby).
 *
 * The set is exact, and small by nature: each member is a backend inside its
 * COMMIT, or has come since the last snapshot. What that snapshot lists as
 * running is held beside the list, what lies at or above its xmax in an array of
 * a byte for each xid. Transactions that run but have not come through the
 * stream are never in it: nothing waits for them.
 *
 * 1. A member is not seen by `last`, the last snapshot.
 * 2. listed[i] has the marks of last.running[i]; marks has those from `base` on.
 * 3. Once there has been a snapshot, base is its xmax.
 * 4. After an overflow nothing is a member, and nothing becomes one, until unseen_reset.
 */
#ifndef PGNUDGE_SNAPSHOT_UNSEEN_H
#define PGNUDGE_SNAPSHOT_UNSEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/xids.h"

/* What waits for a member, as bits. */
enum {
    UNSEEN_STREAMED = 1, /* all have it */
    UNSEEN_UNKNOWN = 2,  /* it changed a table that is still being looked up */
    UNSEEN_OPEN = 4,     /* it has changes in the open window */
    UNSEEN_CLOSED = 8    /* it has changes in the closed item */
};

#define UNSEEN_MARKS 4 /* how many bits that are */

struct unseen {
    size_t max;           /* bytes of `marks`, at most; a power of two */
    struct snapshot last; /* sorted */
    bool has_last;
    unsigned char *listed;
    uint32_t base;
    unsigned char *marks; /* of base + i at (base + i) % cap */
    size_t cap;           /* a power of two, or 0 */
    size_t span;          /* marks in use */
    size_t count[UNSEEN_MARKS];
    bool overflowed;
};

/* `max` bytes at most for what lies above the last snapshot: a power of two. */
void unseen_init(struct unseen *unseen, size_t max);

/*
 * Its COMMIT has come through the stream: a member, unless the last snapshot sees it. Too far above
 * that snapshot: overflowed. False: out of memory.
 */
bool unseen_add(struct unseen *unseen, uint32_t xid, unsigned marks);

/* Takes a newer snapshot, sorted, and drops what it sees. False: out of memory. */
bool unseen_see(struct unseen *unseen, const struct snapshot *snapshot);

/*
 * The same on a standby, where all up to `replayed` is visible. What is marked closed, open, or
 * anything at all has come up to these positions; UINT64_MAX: more is on its way.
 */
void unseen_replayed(struct unseen *unseen, uint64_t replayed, uint64_t closed_lsn,
                     uint64_t open_lsn, uint64_t last_lsn);

/* Those with a mark of `from` lose these and get `to`. */
void unseen_move(struct unseen *unseen, unsigned from, unsigned to);

/* Those with a mark of `from` that don't lie above `highest` get `to` too. */
void unseen_mark_to(struct unseen *unseen, uint32_t highest, unsigned from, unsigned to);

/* Whether any has the mark (one bit). */
bool unseen_any(const struct unseen *unseen, unsigned mark);

/* Whether one is a member that doesn't lie above `highest`. */
bool unseen_any_to(const struct unseen *unseen, uint32_t highest);

/* None lies above it. */
uint32_t unseen_highest(const struct unseen *unseen);

/* Whether a snapshot should be asked for before it overflows. */
bool unseen_is_large(const struct unseen *unseen);

/* Forgets all members, and the snapshot too. */
void unseen_reset(struct unseen *unseen);

void unseen_free(struct unseen *unseen);

#endif
