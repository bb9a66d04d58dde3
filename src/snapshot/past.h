/*
 * A name is not the relation: between a change and the moment when its name is
 * looked up, the table can have been renamed and its name given to another. What
 * tells is the version of the relation's row in pg_type: RENAME, SET SCHEMA and
 * OWNER TO write a new one, TRUNCATE, GRANT on the table and other ALTERs don't.
 *
 * A version that was committed before the change's transaction, and is not its
 * own, tells that the name meant this relation: the transaction holds a lock on
 * what it changed until its end, so nobody else can have taken the name away from
 * that, and given it to another, before. What came before it shows in three ways:
 * in the order of the stream's COMMITs, in snapshots that don't see the
 * transaction yet, and in what had ended before the slot was created.
 *
 * A schema is renamed without a lock on what is in it, so of its version only
 * snapshots tell from before the transaction began.
 */
#ifndef PGNUDGE_SNAPSHOT_PAST_H
#define PGNUDGE_SNAPSHOT_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot/xids.h"

#define PAST_SNAPSHOTS 2
#define PAST_COMMITS   16384 /* a power of two */

struct past {
    uint32_t *streamed; /* the xids of the stream's last COMMITs, of number n at n % PAST_COMMITS */
    uint64_t commits;   /* how many there have been; n counts from 1 */
    uint32_t ground;    /* all below it had ended before the slot was created */
    bool has_ground;
    struct snapshot recent[PAST_SNAPSHOTS]; /* the newest first */
    size_t len;
    int64_t next_us; /* when to take the next one */
};

/* A new connection; `oldest`: pg_current_snapshot()'s xmin before the slot is created. */
void past_connected(struct past *past, uint32_t oldest);

/* A new snapshot, sorted. False: out of memory. */
bool past_saw(struct past *past, const struct snapshot *snapshot, int64_t now_us);

/* A COMMIT has come through the stream. False: out of memory. */
bool past_streamed(struct past *past, uint32_t xid);

/* Some transactions: the oldest xid, and the number of COMMITs before the first of them came. */
struct past_moment {
    uint32_t xid;
    uint64_t commits;
};

/*
 * Whether the row version of a relation by the transaction `version`, visible now (`xmax` is the
 * present snapshot's), was committed before all of these, and isn't theirs.
 */
bool past_holds(const struct past *past, uint32_t version, struct past_moment moment,
                uint32_t xmax);

/* The same of a schema's. */
bool past_schema_holds(const struct past *past, uint32_t version, struct past_moment moment,
                       uint32_t xmax);

/* A version by a transaction older than the result holds in any case. */
uint32_t past_floor(const struct past *past, struct past_moment moment);

void past_free(struct past *past);

#endif
