/* The file of --metrics: written anew at each interval. */
#ifndef PGNUDGE_FEED_METRICS_H
#define PGNUDGE_FEED_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "feed/counters.h"

struct metrics {
    const struct log *log; /* borrowed, as is the path */
    const char *path;      /* NULL: there is none */
    int64_t interval_us;
    int64_t due_us; /* when it is written again; CLOCK_NEVER: not */
    bool failed;    /* which has been said */
};

/* Writes it for the first time, if there is a path. False: that failed. */
bool metrics_open(struct metrics *metrics, const char *path, const struct counters *counters,
                  int64_t interval_us, struct error *error);

/* Writes it if it is due. A failure is said once, until it can be written again. */
void metrics_step(struct metrics *metrics, const struct counters *counters, int64_t now_us);

/* It is due now. */
void metrics_hurry(struct metrics *metrics, int64_t now_us);

#endif
