/*
 * The product: connect, stream, coalesce, print; when the connection is lost,
 * back off and start anew. One thread, one os_poll.
 */
#ifndef PGNUDGE_FEED_FEED_H
#define PGNUDGE_FEED_FEED_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "batch/window.h"
#include "conninfo/conninfo.h"
#include "decode/plugins.h"
#include "tables/names.h"
#include "tables/pattern.h"
#include "visible/replica.h"

/* The contract's exit statuses. */
enum feed_status {
    FEED_STOPPED = 0,
    FEED_ERROR = 1,
    FEED_USAGE = 2,
    FEED_REFUSED = 3,
    FEED_TIMEOUT = 124
};

struct feed_config {
    struct conninfo info;
    struct password *password; /* owned; NULL: nobody is asked for one */
    struct log log;
    struct pattern_set tables; /* empty: all */
    struct pattern_set exclude;
    enum plugin plugin; /* PLUGINS: auto, each in turn until the server takes one */
    struct window_limits window;
    int64_t failsafe_us; /* CLOCK_NEVER: off; so with all below where they can be off */
    int64_t status_interval_us;
    bool status_interval_given;
    int64_t liveness_us;
    bool liveness_given;
    int64_t backoff_min_us;
    int64_t backoff_max_us;
    bool reconnect;
    enum partitions partitions;
    struct conninfo visible_on[REPLICAS_MAX]; /* what else must show a change */
    size_t visible_on_count;
    int64_t slot_timeout_us; /* CLOCK_NEVER: off */
    bool allow_missing;
    bool visibility_check; /* print nothing before it can be seen */
    uint64_t count;        /* 0: no limit */
    int64_t timeout_us;
};

struct feed_outcome {
    enum feed_status status;
    int signal; /* to die by, or 0 */
};

/*
 * Runs until something ends it; all messages about that have been logged.
 * `config` is borrowed; `waiting` is signals_install's mask.
 */
struct feed_outcome feed_run(const struct feed_config *config, const sigset_t *waiting);

#endif
