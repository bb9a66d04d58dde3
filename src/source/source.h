/*
 * Where changes come from: one connection's life, from the login on. Whoever
 * owns it decides what follows a loss; a source retries nothing.
 *
 * It gives SOURCE_PREPARED, SOURCE_LIVE, and then SOURCE_LOST, or, after a stop,
 * SOURCE_CLOSED, each once and in this order, though LOST may come at any time.
 */
#ifndef PGNUDGE_SOURCE_SOURCE_H
#define PGNUDGE_SOURCE_SOURCE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/encoding.h"
#include "base/error.h"
#include "catalog/publications.h"
#include "catalog/pushdown.h"
#include "net/address.h"
#include "repl/timeline.h"
#include "server/serversql.h"

#define SOURCE_FDS 2

enum source_event {
    SOURCE_NOTHING, /* nothing is left to do now */
    SOURCE_BUSY,    /* it has worked; call again */
    SOURCE_PREPARED,
    SOURCE_LIVE,
    SOURCE_LOST, /* the error says why */
    SOURCE_CLOSED
};

/* What is known of the server. */
struct source_facts {
    /* From PREPARED on. */
    const struct address *address; /* borrowed */
    const char *place;             /* the same for people, or what else it reads from; borrowed */
    char identity[IDENTITY_MAX];   /* its answer to SQL_IDENTITY */
    char system_id[SYSTEM_ID_MAX];
    struct timeline timeline; /* if wanted */
    bool in_recovery;
    uint32_t oldest_xid;        /* pg_current_snapshot()'s xmin */
    struct encoding *encoding;  /* the database's, borrowed */
    int64_t status_interval_us; /* how often the server must hear of us */

    /* While the server creates the slot, which may take long; else CLOCK_NEVER, and 0. */
    int64_t slot_since_us;
    int64_t silent_us; /* when its silence means that it is dead: see `alive_us` */
    uint32_t pid;      /* of the walsender */

    /* From LIVE on. */
    uint64_t consistent_lsn;                 /* where the stream begins */
    const struct pushdown *filters;          /* what is filtered in the server; NULL: nothing */
    const struct publications *publications; /* as they were read; NULL: none are used */
};

struct source;

struct source_ops {
    /* Goes on; `ready`: poll reported something. */
    enum source_event (*step)(struct source *source, bool ready, int64_t now_us,
                              struct error *error);

    void (*pollfds)(struct source *source, struct pollfd entries[SOURCE_FDS]);

    /* When `step` or `acknowledge` must be called whatever poll reports. */
    int64_t (*deadline)(const struct source *source);

    /*
     * Tells the server what it is owed, at the end of each turn. `visible_lsn`: all commits up to
     * it are visible. False: the connection is lost.
     */
    bool (*acknowledge)(struct source *source, uint64_t visible_lsn, int64_t now_us,
                        struct error *error);

    /* What it has brought; 0 before it is live. */
    uint64_t (*position)(const struct source *source);

    /* The bytes that its replication connection has received. */
    uint64_t (*received)(const struct source *source);

    /*
     * Begins to end: `step` gives CLOSED when nothing of it is left on the server. Returns how long
     * that may take, in microseconds.
     */
    int64_t (*stop)(struct source *source);

    void (*free)(struct source *source);
};

/* The first member of each kind of source. */
struct source {
    const struct source_ops *ops;
    struct source_facts facts;

    /* Set by its owner: when the server last gave a sign of life on another connection. */
    int64_t alive_us;

    /* Set by its owner: a window is open, or a transaction under way, so that no change must be
     * taken at once. */
    bool unhurried;
};

#endif
