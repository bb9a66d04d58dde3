/*
 * One connection's life up to the live stream: log in, make it lasting, make a
 * temporary slot with a plugin that the server allows, or none for WAL as it is, start the
 * replication.
 */
#ifndef PGNUDGE_SOURCE_SESSION_H
#define PGNUDGE_SOURCE_SESSION_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/step.h"
#include "catalog/publications.h"
#include "catalog/pushdown.h"
#include "conninfo/conninfo.h"
#include "decode/plugins.h"
#include "pq/conn.h"
#include "repl/timeline.h"
#include "server/serversql.h"
#include "tables/pattern.h"

struct session_setup {
    const struct conninfo *info; /* all borrowed */
    const struct log *log;
    const struct pattern_set *tables;
    const struct pattern_set *exclude;
    bool first;                      /* the tables that the user named must be there */
    bool allow_missing;              /* they are only warned about */
    enum plugin plugin;              /* PLUGINS: each in turn until the server takes one */
    const char *const *publications; /* for pgoutput; borrowed */
    size_t publication_count;
    bool physical;       /* WAL as it is: no slot, no plugin */
    bool keys;           /* of rows are wanted */
    bool wants_timeline; /* its history is needed: a replica has to be compared with it */
    int64_t
        response_timeout_us; /* silence in a step that means a dead link; CLOCK_NEVER: none does */
};

/* What the server said on the way, as far as it has. */
struct session_facts {
    char identity[IDENTITY_MAX]; /* its answer to SQL_IDENTITY, "" until then */
    char system_id[SYSTEM_ID_MAX];
    int64_t wal_sender_timeout_us;       /* CLOCK_NEVER: none */
    char synchronous_standby_names[256]; /* cut if longer */
    bool in_recovery;
    uint32_t oldest_xid;      /* pg_current_snapshot()'s xmin */
    struct timeline timeline; /* if wanted */
    uint64_t consistent_lsn; /* the slot's consistent point; physical: up to where WAL is flushed */
    uint32_t database;       /* its OID */
    uint32_t segment_size;   /* of WAL, bytes */
};

struct session;

/* NULL: `error` says why. */
struct session *session_start(const struct session_setup *setup, int64_t now_us,
                              struct error *error);

/* Goes on as far as it can without waiting. STEP_DONE: the stream is live. */
enum step session_step(struct session *session, int64_t now_us, struct error *error);

struct pollfd session_pollfd(const struct session *session);

/* When session_step must be called whatever the socket does. */
int64_t session_deadline(const struct session *session);

/* Since when the server makes the slot; CLOCK_NEVER: it doesn't. */
int64_t session_slot_since(const struct session *session);

/* Whether the server is making the slot: closing now would leave it busy with that. */
bool session_makes_slot(const struct session *session);

/* Whether all facts but the slot's are there. */
bool session_is_prepared(const struct session *session);

/* After login, NULL before: the connection, which lives until session_free. */
struct conn *session_conn(struct session *session);

/* After login: the database's. Borrowed. */
struct encoding *session_encoding(const struct session *session);

/* Borrowed. */
const struct session_facts *session_facts(const struct session *session);

/* After STEP_DONE: what is filtered in the server, or NULL. Borrowed. */
const struct pushdown *session_filters(const struct session *session);

/* After STEP_DONE: what was read of the publications, or NULL. Borrowed. */
const struct publications *session_publications(const struct session *session);

/* After STEP_DONE, where there is one. */
enum plugin session_plugin(const struct session *session);

/* Closes the connection. NULL is fine. */
void session_free(struct session *session);

#endif
