/* What the user wants of a feed, and what each part of it has to know of that. */
#ifndef PGNUDGE_FEED_CONFIG_H
#define PGNUDGE_FEED_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "batch/item.h"
#include "batch/window.h"
#include "conninfo/conninfo.h"
#include "decode/plugins.h"
#include "out/exec_out.h"
#include "out/notify_out.h"
#include "source/listen_source.h"
#include "source/replication.h"
#include "tables/names.h"
#include "tables/pattern.h"
#include "visible/replica.h"
#include "visible/visconn.h"

struct password;

struct feed_config {
    struct conninfo info;
    struct password *password; /* owned; NULL: nobody is asked for one */
    struct log log;
    struct pattern_set tables; /* empty: all */
    struct pattern_set exclude;
    enum plugin plugin; /* PLUGINS: auto, each in turn until the server takes one */
    const char *publications[PUBLICATIONS_MAX]; /* for pgoutput, which is `plugin` then; borrowed */
    size_t publication_count;
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
    bool physical;           /* WAL as it is, without a slot */
    bool ddl;                /* physical: a resync where a watched table's definition changes */
    bool allow_missing;
    bool visibility_check; /* print nothing before it can be seen */
    struct item_style style;
    const char *exec; /* borrowed; NULL: items are lines on standard output */
    enum exec_fail exec_fail;
    const char *metrics; /* a file, borrowed; NULL: none */
    uint64_t count;      /* 0: no limit */
    bool sequence;       /* lines of JSON have a session and a number */
    int64_t heartbeat_us;
    struct buffer scope;       /* what numbered resyncs say of the tables; NUL-terminated */
    const char *notify;        /* a channel: items go there, not to standard output; or NULL */
    struct conninfo notify_to; /* where it is, if has_notify_to; else where the stream is */
    bool has_notify_to;
    const char *listen; /* a channel: items come from there, not from replication; or NULL */
    bool from_stdin;    /* they come from standard input */
    int64_t timeout_us;
};

/* Whether items come from another pgnudge. */
bool config_is_relay(const struct feed_config *config);

/* By which names changes are reported. */
struct verdict_rules config_rules(const struct feed_config *config);

/* All that is returned borrows from `config`. `first`: no stream has been live yet. */
struct replication_setup config_source(const struct feed_config *config, bool first,
                                       const struct sink *sink);

/* `facts` are those of the source, and are borrowed too. */
struct visconn_setup config_visconn(const struct feed_config *config,
                                    const struct source_facts *facts);

/* `sequence` is copied. */
struct notify_setup config_notify(const struct feed_config *config,
                                  const struct sequence *sequence);

struct listen_setup config_listen(const struct feed_config *config, const struct line_sink *sink);

/* For --visible-on number `i`. */
struct replica_setup config_replica(const struct feed_config *config, size_t i);

#endif
