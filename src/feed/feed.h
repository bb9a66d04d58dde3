/*
 * The product: connect, stream, coalesce, print; when the connection is lost,
 * back off and start anew. One thread, one os_poll.
 */
#ifndef PGNUDGE_FEED_FEED_H
#define PGNUDGE_FEED_FEED_H

#include <signal.h>

#include "feed/config.h"

/* The contract's exit statuses. */
enum feed_status {
    FEED_STOPPED = 0,
    FEED_ERROR = 1,
    FEED_USAGE = 2,
    FEED_REFUSED = 3,
    FEED_TIMEOUT = 124
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
