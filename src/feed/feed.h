/*
 * The product: connect, stream, coalesce, print; when the connection is lost,
 * back off and start anew. One thread, one os_poll.
 */
#ifndef PGNUDGE_FEED_FEED_H
#define PGNUDGE_FEED_FEED_H

#include <signal.h>

#include "feed/config.h"
#include "feed/outcome.h"

/*
 * Runs until something ends it; all messages about that have been logged.
 * `config` is borrowed; `waiting` is signals_install's mask.
 */
struct feed_outcome feed_run(const struct feed_config *config, const sigset_t *waiting);

#endif
