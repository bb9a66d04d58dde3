/*
 * A source of lines: a channel that another pgnudge publishes on with NOTIFY.
 * It is live once it listens and somebody publishes. Only the publisher's
 * notifications count: see channel.h.
 */
#ifndef PGNUDGE_SOURCE_LISTEN_SOURCE_H
#define PGNUDGE_SOURCE_LISTEN_SOURCE_H

#include <stdbool.h>

#include "base/log.h"
#include "conninfo/conninfo.h"
#include "source/line_sink.h"
#include "source/source.h"

struct listen_setup {
    const struct conninfo *info; /* borrowed, as are the next two */
    const struct log *log;
    const char *channel;
    struct line_sink sink;
    int64_t interval_us;         /* how often the server is asked for the publisher, at least */
    int64_t response_timeout_us; /* silence of the server that means a dead link */
};

/* NULL: out of memory. */
struct source *listen_source_new(const struct listen_setup *setup, int64_t now_us);

#endif
