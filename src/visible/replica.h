/*
 * A server that readers read from, besides the one that is watched: an item
 * must not be printed before this one has replayed it (--visible-on).
 *
 * After a failover a replica that was ahead of the new primary has positions
 * that mean nothing: they count only up to where its timeline and that of the
 * server that is watched have the same WAL. A replica tells its timeline to a
 * walsender's client alone; pg_control_recovery() lags behind.
 *
 * 1. `lsn` was replayed on `timeline`, which was the same before and after it was read.
 * 2. lsn is 0 while the replica is away.
 */
#ifndef PGNUDGE_VISIBLE_REPLICA_H
#define PGNUDGE_VISIBLE_REPLICA_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/error.h"
#include "base/log.h"
#include "conninfo/conninfo.h"
#include "repl/timeline.h"

struct replica;

struct replica_setup {
    const struct conninfo *info; /* borrowed, as is the next */
    const struct log *log;
    int64_t response_timeout_us; /* silence that means a dead link */
    int64_t interval_us;         /* asked at least this often */
    int64_t backoff_min_us;
    int64_t backoff_max_us;
};

enum replica_event {
    REPLICA_NOTHING,
    REPLICA_SEEN, /* replica_shows may have changed */
    REPLICA_BACK, /* an answer; what was visible before may not be any more: its readers should reload */
    REPLICA_REFUSED /* for good, and it has never worked: see the error */
};

/* NULL: out of memory. */
struct replica *replica_new(const struct replica_setup *setup, int64_t now_us);

/*
 * The system identifier of the server that is watched, "" while it isn't known, and its timeline,
 * copied.
 */
void replica_expect(struct replica *replica, const char *system_id,
                    const struct timeline *timeline);

/* Warns that it refuses us: for once that is no reason to stop. */
void replica_report_refused(struct replica *replica, const struct error *error);

/* Goes on as far as it can without waiting. */
enum replica_event replica_step(struct replica *replica, int64_t now_us, struct error *error);

/* Whether what was committed up to `lsn` can be seen there. */
bool replica_shows(const struct replica *replica, uint64_t lsn);

/* Something waits for it: asks now, then ever less often, until replica_rest. */
void replica_hurry(struct replica *replica, int64_t now_us);
void replica_rest(struct replica *replica, int64_t now_us);

struct pollfd replica_pollfd(const struct replica *replica);
int64_t replica_deadline(const struct replica *replica);

/* NULL is fine. */
void replica_free(struct replica *replica);

#endif
