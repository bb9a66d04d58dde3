/*
 * One connection's life up to the live stream: log in, make it lasting, make a
 * temporary slot with a plugin that the server allows, start the replication.
 */
#ifndef PGNUDGE_FEED_SESSION_H
#define PGNUDGE_FEED_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "decode/decoder.h"
#include "feed/pattern.h"
#include "pq/conn.h"
#include "pq/conninfo.h"
#include "pq/step.h"

struct session_setup {
    const struct conninfo *info; /* all borrowed */
    const struct log *log;
    const struct pattern_set *tables;
    const struct pattern_set *exclude;
    enum plugin plugins[2]; /* to be tried, in this order */
    size_t plugin_count;
    int64_t patience_us; /* silence in a step that means a dead link; CLOCK_NEVER: none does */
};

struct session;

/* NULL: `error` says why. */
struct session *session_start(const struct session_setup *setup, int64_t now_us,
                              struct error *error);

/* Goes on as far as it can without waiting. STEP_DONE: the stream is live. */
enum step session_step(struct session *session, int64_t now_us, struct error *error);

int session_fd(const struct session *session);
short session_events(const struct session *session);

/* When session_step must be called whatever the socket does. */
int64_t session_deadline(const struct session *session);

/* Whether the server is making the slot: closing now would leave it busy with that. */
bool session_makes_slot(const struct session *session);

/* After login, NULL before: the connection, which lives until session_free. */
struct conn *session_conn(struct session *session);

/* After STEP_DONE. */
enum plugin session_plugin(const struct session *session);
int64_t session_wal_sender_timeout_us(const struct session *session); /* CLOCK_NEVER: none */

/* Closes the connection. NULL is fine. */
void session_free(struct session *session);

#endif
