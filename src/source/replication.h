/*
 * A source that is a replication stream: a temporary logical slot, and what its output plugin
 * writes; or, session.physical, WAL as it is.
 */
#ifndef PGNUDGE_SOURCE_REPLICATION_H
#define PGNUDGE_SOURCE_REPLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "source/session.h"
#include "source/sink.h"
#include "source/source.h"

struct replication_setup {
    struct session_setup session;
    struct sink sink;
    int64_t status_interval_us; /* as the user wants it */
    bool status_interval_given; /* lowering it is worth a warning */
    int64_t liveness_us;        /* silence that means a dead link; CLOCK_NEVER: none does */
    int64_t slot_timeout_us;    /* how long the server may create the slot; CLOCK_NEVER: forever */
    int64_t debounce_us;
    bool visibility_check; /* somebody else tells what is visible: flushes are told only then */
};

/* Begins to connect. NULL: `error` says why. */
struct source *replication_new(const struct replication_setup *setup, int64_t now_us,
                               struct error *error);

#endif
