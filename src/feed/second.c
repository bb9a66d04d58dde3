#include "base/clock.h"
#include "feed/state.h"

#define BLOCKERS_AFTER_US (1 * CLOCK_S) /* of waiting for the slot */

/* The transactions that the walsender of this process ID waits for. */
#define BLOCKERS_SQL                                                                               \
    "SELECT w.transactionid::text, coalesce(h.pid::text, ''), coalesce(a.usename::text, ''),"      \
    " coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::bigint::text, "    \
    "''),"                                                                                         \
    " coalesce(p.gid, '')"                                                                         \
    " FROM pg_catalog.pg_locks w LEFT JOIN pg_catalog.pg_locks h"                                  \
    " ON h.locktype = 'transactionid' AND h.transactionid = w.transactionid AND h.granted"         \
    " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = h.pid"                                    \
    " LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = w.transactionid"                 \
    " WHERE w.pid = %u AND w.locktype = 'transactionid' AND NOT w.granted"

/* ---- visibility_check ---- */

static bool take_visibility(struct feed *feed, int64_t now_us)
{
    const struct visibility *visibility = visconn_visibility(feed->link.visconn);
    struct link *link = &feed->link;

    if (!printer_see(feed, visibility) || !flush_horizon_see(&link->horizon, visibility) ||
        !barrier_see(&feed->barrier, visibility, now_us) ||
        !past_saw(&feed->catalog.past, &visibility->snapshot, now_us)) {
        return false;
    }
    if (link->stream != NULL) {
        stream_settled(link->stream, link->horizon.settled);
        if (flush_horizon_wants_list(&link->horizon, stream_position(link->stream),
                                     link->status_interval_us, now_us)) {
            visconn_list(link->visconn);
        }
    }
    return true;
}

/* One that is under way already would be too old. */
static bool wants_list(const struct feed *feed)
{
    return feed->barrier.state == BARRIER_WANTING && !visconn_is_listing(feed->link.visconn);
}

static bool take_list(struct feed *feed, int64_t now_us)
{
    const struct snapshot *running = visconn_running(feed->link.visconn);

    return barrier_listed(&feed->barrier, running, now_us) &&
           flush_horizon_listed(&feed->link.horizon, running,
                                visconn_listed_at(feed->link.visconn));
}

/* Asks what the catalog wants to know, with a visibility: what that sees, the catalog shows too. */
static void ask_for_catalog(struct feed *feed, int64_t now_us)
{
    struct link *link = &feed->link;
    struct buffer sql = {0};

    if (link->state != LINK_LIVE || link->asker != ASKER_NONE ||
        now_us < catalog_deadline(&feed->catalog)) {
        return;
    }
    catalog_question(&feed->catalog, &sql, now_us);
    buffer_byte(&sql, '\0');
    if (!sql.failed && visconn_ask(link->visconn, sql.data, catalog_row, &feed->catalog, now_us)) {
        link->asker = ASKER_CATALOG;
    } else { /* no memory now: again, later */
        catalog_not_answered(&feed->catalog, now_us);
    }
    buffer_free(&sql);
}

/* One transaction that keeps the slot from being made. */
static bool take_blocker(void *context, struct query_row *row)
{
    const struct feed *feed = context;
    struct slice xid, pid, user, seconds, gid;

    if (!query_row_next(row, &xid) || !query_row_next(row, &pid) || !query_row_next(row, &user) ||
        !query_row_next(row, &seconds) || !query_row_next(row, &gid)) {
        return false;
    }
    if (gid.len > 0) {
        log_say(feed->log, LOG_WARNING,
                "the replication slot waits for the prepared transaction %.*s, \"%.*s\"",
                (int)xid.len, xid.data, (int)gid.len, gid.data);
        log_hint(feed->log, LOG_WARNING, "COMMIT PREPARED or ROLLBACK PREPARED ends it.");
        return true;
    }
    log_say(
        feed->log, LOG_WARNING,
        "the replication slot waits for transaction %.*s of process %.*s, user \"%.*s\"%s%.*s%s",
        (int)xid.len, xid.data, (int)pid.len, pid.data, (int)user.len, user.data,
        seconds.len > 0 ? ", open for " : "", (int)seconds.len, seconds.data,
        seconds.len > 0 ? " s" : "");
    return true;
}

/* The slot takes its time: who is it that the walsender waits for? */
static void ask_for_blockers(struct feed *feed, int64_t now_us)
{
    struct link *link = &feed->link;
    struct buffer sql = {0};

    if (link->state != LINK_CONNECTING || link->blockers_reported || link->asker != ASKER_NONE ||
        now_us < clock_after(session_slot_since(link->session), BLOCKERS_AFTER_US)) {
        return;
    }
    buffer_format(&sql, BLOCKERS_SQL, conn_cancel_key(session_conn(link->session))->pid);
    buffer_byte(&sql, '\0');
    if (!sql.failed && visconn_ask(link->visconn, sql.data, take_blocker, feed, now_us)) {
        link->asker = ASKER_BLOCKERS;
        link->blockers_reported = true;
    }
    buffer_free(&sql);
}

static bool take_nothing(void *context, struct query_row *row)
{
    (void)context;
    (void)row;
    return true;
}

/* Without the visibility check the connection is there for the moment of a question: one that tells
 * whether the server is alive, while it makes the slot. */
static int64_t life_due(const struct feed *feed)
{
    const struct link *link = &feed->link;
    int64_t silent_us = link_silent_until(feed);

    return feed->config->visibility_check || link->asker != ASKER_NONE || silent_us == CLOCK_NEVER
               ? CLOCK_NEVER
               : silent_us - feed->config->liveness_us / 2;
}

static void ask_for_life(struct feed *feed, int64_t now_us)
{
    if (now_us >= life_due(feed) &&
        visconn_ask(feed->link.visconn, "SELECT 1", take_nothing, NULL, now_us)) {
        feed->link.asker = ASKER_LIFE;
    }
}

/* False: `error` ends the connection. */
static bool take_catalog(struct feed *feed, int64_t now_us, struct error *error)
{
    feed->link.asker = ASKER_NONE;
    switch (catalog_answered(&feed->catalog, visconn_visibility(feed->link.visconn), now_us)) {
    case CATALOG_FINE:
        return true;
    case CATALOG_REFILTER:
        return error_set(error, ERROR_TRANSIENT,
                         "a table that was filtered in the server has been replaced");
    case CATALOG_FAILED:
        break;
    }
    return error_memory(error);
}

/* The question that wasn't the visibility connection's own got no answer. */
static void not_answered(struct feed *feed, int64_t now_us)
{
    if (feed->link.asker == ASKER_CATALOG) {
        catalog_not_answered(&feed->catalog, now_us);
    }
    feed->link.asker = ASKER_NONE;
}

/* A standby that is promoted begins a new timeline, of which replicas' positions are to be judged. */
static bool has_no_new_timeline(const struct feed *feed, struct error *error)
{
    const struct link *link = &feed->link;

    if (feed->config->visible_on_count == 0 || visconn_visibility(link->visconn)->in_recovery ||
        !session_facts(link->session)->in_recovery) {
        return true;
    }
    return error_set(error, ERROR_TRANSIENT,
                     "the server has been promoted; its new timeline is read at a new connection");
}

/* Takes one event of the visibility connection. False: `error` ends the connection. */
static bool take_gate(struct feed *feed, int64_t now_us, struct error *error)
{
    struct link *link = &feed->link;

    enum visconn_event event = visconn_step(link->visconn, link_position(link), now_us, error);

    if (event != VISCONN_NOTHING && (event != VISCONN_FAILED || error->sqlstate[0] != '\0')) {
        link->alive_us = now_us; /* a refusal, too, is an answer */
    }
    switch (event) {
    case VISCONN_NOTHING:
        break;
    case VISCONN_SAW:
        return has_no_new_timeline(feed, error) &&
               (take_visibility(feed, now_us) || error_memory(error));
    case VISCONN_LISTED:
        return take_list(feed, now_us) || error_memory(error);
    case VISCONN_ANSWERED:
        if (!has_no_new_timeline(feed, error)) {
            return false;
        }
        if (!take_visibility(feed, now_us)) {
            return error_memory(error);
        }
        if (link->asker == ASKER_CATALOG) {
            return take_catalog(feed, now_us, error);
        }
        link->asker = ASKER_NONE;
        break;
    case VISCONN_REFUSED:
        log_report(feed->log, LOG_WARNING, error);
        not_answered(feed, now_us);
        break;
    case VISCONN_FAILED:
        not_answered(feed, now_us);
        /* Its first connect ends as the stream's does; later it is mended in the background. */
        if (!visconn_has_worked(link->visconn) &&
            (error->kind != ERROR_TRANSIENT || !feed->config->reconnect)) {
            return false;
        }
        visconn_report_down(link->visconn, error);
        break;
    }
    return true;
}

void second_step(struct feed *feed, bool ready, int64_t now_us)
{
    struct link *link = &feed->link;
    struct error error;

    if (link->visconn == NULL || feed->stopping) {
        return;
    }
    if (wants_list(feed)) {
        visconn_list(link->visconn);
        barrier_asked(&feed->barrier);
    }
    ask_for_blockers(feed, now_us);
    ask_for_life(feed, now_us);
    ask_for_catalog(feed, now_us);
    if (!ready && now_us < visconn_deadline(link->visconn)) {
        return;
    }
    if (!take_gate(feed, now_us, &error)) {
        link_failed(feed, &error, now_us);
        return;
    }
    link->ever_live |= link->state == LINK_LIVE && visconn_has_worked(link->visconn);
}

int64_t second_deadline(const struct feed *feed)
{
    const struct link *link = &feed->link;
    int64_t deadline;

    if (link->visconn == NULL) {
        return CLOCK_NEVER;
    }
    deadline = wants_list(feed) ? 0 : visconn_deadline(link->visconn);
    if (link->state == LINK_CONNECTING && !link->blockers_reported) {
        deadline = clock_earlier(deadline,
                                 clock_after(session_slot_since(link->session), BLOCKERS_AFTER_US));
    }
    deadline = clock_earlier(deadline, life_due(feed));
    if (link->state == LINK_LIVE && link->asker == ASKER_NONE) {
        deadline = clock_earlier(deadline, catalog_deadline(&feed->catalog));
    }
    return deadline;
}

/* ---- replicas ---- */

static void step_replica(struct feed *feed, struct replica *replica, int64_t now_us)
{
    struct error error;

    switch (replica_step(replica, now_us, &error)) {
    case REPLICA_NOTHING:
    case REPLICA_SEEN:
        break;
    case REPLICA_BACK: /* what its readers have read is in nobody's history any more */
        window_resync(&feed->window, RESYNC_FAILSAFE, now_us);
        break;
    case REPLICA_REFUSED:
        if (feed->printer.resync_printed) {
            replica_report_refused(replica, &error);
            break;
        }
        error_prefix(&error, "--visible-on");
        log_report(feed->log, LOG_ERROR, &error);
        feed_stop(feed, FEED_REFUSED, 0, now_us);
        break;
    }
}

void second_step_replicas(struct feed *feed, const bool ready[REPLICAS_MAX], int64_t now_us)
{
    for (size_t i = 0; i < feed->config->visible_on_count && !feed->stopping; i++) {
        struct replica *replica = feed->replicas[i];

        if (ready[i] || now_us >= replica_deadline(replica)) {
            step_replica(feed, replica, now_us);
        }
    }
}
