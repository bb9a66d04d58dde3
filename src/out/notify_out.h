/*
 * Items go to a channel, by NOTIFY, on a connection of their own: one
 * transaction for each. One pgnudge at a time publishes on a channel, the
 * holder of its lock; others wait for that. Each time the lock is obtained a
 * new session begins.
 */
#ifndef PGNUDGE_OUT_NOTIFY_OUT_H
#define PGNUDGE_OUT_NOTIFY_OUT_H

#include <stdint.h>

#include "base/log.h"
#include "batch/item.h"
#include "batch/sequence.h"
#include "conninfo/conninfo.h"
#include "out/out.h"

struct notify_setup {
    const struct conninfo *info; /* borrowed, as are the next two */
    const struct log *log;
    const char *channel;
    struct item_style style;
    struct sequence sequence;    /* its interval and scope */
    int64_t response_timeout_us; /* silence of the server that means a dead link */
    int64_t backoff_min_us;
    int64_t backoff_max_us;
};

/* NULL: out of memory. */
struct out *notify_out_new(const struct notify_setup *setup, int64_t now_us);

#endif
