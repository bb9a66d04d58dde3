/* What a feed has done so far, for who looks from outside: a line on SIGUSR1, or a file of metrics. */
#ifndef PGNUDGE_FEED_COUNTERS_H
#define PGNUDGE_FEED_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

struct counters {
    uint64_t batches; /* items that are out */
    uint64_t resyncs;
    uint64_t changes;  /* rows that the stream has told, watched or not */
    uint64_t bytes;    /* received on replication connections */
    uint64_t connects; /* streams that went live */

    /* As it is now. */
    bool live;
    uint64_t commit_lsn;    /* the end of the last COMMIT, 0 for none yet */
    int64_t commit_wall_us; /* its arrival, wall clock */
    int64_t waiting_us;     /* the age of the oldest change that waits; 0: none does */
    uint64_t memory;        /* resident bytes; 0: unknown */
};

/* One line, whatever the log's level: it was asked for. */
void counters_say(const struct counters *counters, const struct log *log);

/*
 * Writes them to the file `path` in Prometheus' text format 0.0.4, by way of PATH.tmp, so that a
 * reader finds all of them or the ones before. False: `error`, and the file is as it was.
 */
bool counters_write(const struct counters *counters, const char *path, struct error *error);

#endif
