/*
 * The channel of a bridge, NOTIFY's and LISTEN's, in SQL. Whoever publishes
 * there holds an advisory lock: the lock's holder tells a reader whose
 * notifications count, for any role may send some.
 */
#ifndef PGNUDGE_BRIDGE_CHANNEL_H
#define PGNUDGE_BRIDGE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "bridge/parts.h"
#include "pq/query.h"

#define CHANNEL_MAX 63 /* bytes of its name: NAMEDATALEN - 1 */

/* False: it can't be a channel's; `error` says why. */
bool channel_check(const char *option, const char *channel, struct error *error);

/*
 * Settings for a publisher's connection: a notifying commit waits for other applications' no longer
 * than a second, and the lock of a host that is gone is free after half a minute.
 */
extern const char channel_settings_sql[];

/* How full the server's queue of notifications may be before a publisher spares it, and leaves it
 * alone: 1 is full. */
#define CHANNEL_CROWDED 0.10
#define CHANNEL_FULL    0.50

/* What a publisher asks for. */
struct channel_lock {
    bool in_recovery;
    bool ours;       /* we have it */
    double usage;    /* of the server's queue of notifications: 1 is full */
    uint32_t holder; /* its process; 0: nobody has it */
    bool same_role;  /* the holder's role is ours */
    char role[64];   /* the holder's, cut if it is longer */
};

/* Appends the question for the lock, which takes it if it is free. */
void channel_lock_sql(struct buffer *sql, const char *channel);
/* The same, without taking it. */
void channel_look_sql(struct buffer *sql, const char *channel);
query_row_fn channel_lock_row; /* of both; `context` is a struct channel_lock */

/* Appends the question for the queue's usage. */
void channel_usage_sql(struct buffer *sql);

/* Appends the notifications of all parts, and the question for the usage. */
void channel_notify_sql(struct buffer *sql, const char *channel, const struct parts *parts);
query_row_fn channel_usage_row; /* of both; `context` is a double */

/* Appends LISTEN. */
void channel_listen_sql(struct buffer *sql, const char *channel);

/* What a reader asks for. */
struct channel_holder {
    uint32_t pid;  /* 0: nobody publishes */
    char role[64]; /* the publisher's */
    uint64_t lsn;  /* the end of the WAL so far, as replicas count it */
};

/* Appends the question for it. */
void channel_holder_sql(struct buffer *sql, const char *channel);
query_row_fn channel_holder_row; /* `context` is a struct channel_holder */

#endif
