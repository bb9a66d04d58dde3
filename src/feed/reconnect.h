/* When to connect again, and how loudly to say why: each failure in a row waits longer. */
#ifndef PGNUDGE_FEED_RECONNECT_H
#define PGNUDGE_FEED_RECONNECT_H

#include <stdint.h>

#include "base/backoff.h"
#include "base/error.h"
#include "base/log.h"

struct reconnect {
    struct backoff backoff;
    int64_t at_us;    /* CLOCK_NEVER: there is a connection */
    int64_t since_us; /* the first failure in a row */
};

/* A failure: says it, and sets the time of the next attempt. */
void reconnect_failed(struct reconnect *reconnect, struct error *error, const struct log *log,
                      int64_t now_us);

/* It has worked, which is said where a failure has been: the next one is the first. */
void reconnect_worked(struct reconnect *reconnect, const struct log *log, int64_t now_us);

#endif
