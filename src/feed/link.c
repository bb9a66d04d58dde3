#include <openssl/rand.h>

#include "base/clock.h"
#include "feed/state.h"
#include "server/syncnames.h"

#define CANCEL_GRACE_US (2 * CLOCK_S) /* for the server to give up making the slot */
#define READS_MAX       16            /* of the stream in one turn */
#define LOUD_FAILURES   5U            /* in a row; then at each doubling */

#define ACK_DELAY_US (1 * CLOCK_MS) /* see ack_delay */

void link_close(struct link *link)
{
    cancel_free(link->cancel);
    visconn_free(link->visconn);
    stream_free(link->stream);
    session_free(link->session);
    flush_horizon_free(&link->horizon);
    link->cancel = NULL;
    link->visconn = NULL;
    link->stream = NULL;
    link->session = NULL;
    link->low_water = false;
    link->state = LINK_CLOSED;
}

uint64_t link_position(const struct link *link)
{
    return link->stream != NULL ? stream_position(link->stream) : 0;
}

/* While the server makes the slot it doesn't read: closing would leave the slot until it is done. */
static bool start_cancel(struct feed *feed)
{
    struct conn *conn = session_conn(feed->link.session);
    struct error error;

    if (conn_cancel_key(conn)->len == 0) {
        return false;
    }
    feed->link.cancel = cancel_start(conn, &feed->config->info, &error);
    return feed->link.cancel != NULL;
}

int64_t link_stop(struct feed *feed)
{
    struct link *link = &feed->link;

    if (link->state == LINK_CONNECTING && session_makes_slot(link->session) && start_cancel(feed)) {
        link->state = LINK_CANCELLING;
    }
    if (link->state == LINK_CANCELLING) { /* also where --slot-timeout has begun it */
        return CANCEL_GRACE_US;
    }
    link_close(link);
    return 0;
}

/* ---- failures ---- */

static bool is_loud(unsigned failures)
{
    while (failures > LOUD_FAILURES && failures % 2 == 0) {
        failures /= 2;
    }
    return failures == LOUD_FAILURES;
}

static void retry_later(struct feed *feed, struct error *error, int64_t now_us)
{
    struct link *link = &feed->link;
    enum log_level level = LOG_INFO;
    uint32_t random = 0;
    int64_t delay_us;

    RAND_bytes((unsigned char *)&random, sizeof(random)); /* without it there is no jitter */
    delay_us = backoff_failed(&link->backoff, random);
    if (link->backoff.failures == 1) {
        level = LOG_WARNING;
    } else if (is_loud(link->backoff.failures)) {
        level = LOG_ERROR;
        error_prefix(error, "%u attempts in a row failed, still trying", link->backoff.failures);
    }
    log_report(feed->log, level, error);
    log_say(feed->log, LOG_INFO, "connecting again in %.2f s", (double)delay_us / (double)CLOCK_S);
    link->retry_us = clock_after(now_us, delay_us);
    link->state = LINK_WAITING;
}

void link_failed(struct feed *feed, struct error *error, int64_t now_us)
{
    printer_disconnected(feed);
    catalog_stop(&feed->catalog);
    feed->link.asker = ASKER_NONE;
    link_close(&feed->link);
    if (error->kind == ERROR_FATAL) {
        feed_fail(feed, error, now_us);
    } else if (error->kind == ERROR_PERMANENT && !feed->link.ever_live) {
        log_report(feed->log, LOG_ERROR, error);
        feed_stop(feed, FEED_REFUSED, 0, now_us);
    } else if (!feed->config->reconnect) {
        feed_fail(feed, error, now_us);
    } else {
        retry_later(feed, error, now_us);
    }
}

static void stream_ended(struct feed *feed, struct error *error, int64_t now_us)
{
    if (error->kind != ERROR_FATAL) {
        error_prefix(error, "the stream from %s has ended",
                     conn_address(session_conn(feed->link.session))->text);
    }
    link_failed(feed, error, now_us);
}

static void slot_given_up(struct feed *feed, int64_t now_us)
{
    struct error error;

    error_set(&error, ERROR_TRANSIENT, "no replication slot within %.3g s (--slot-timeout)",
              (double)feed->config->slot_timeout_us / (double)CLOCK_S);
    link_failed(feed, &error, now_us);
}

/* ---- connecting ---- */

static void start_connecting(struct feed *feed, int64_t now_us)
{
    const struct feed_config *config = feed->config;
    struct session_setup setup = {
        .info = &config->info,
        .log = feed->log,
        .tables = &config->tables,
        .exclude = &config->exclude,
        .catalog = &feed->catalog,
        .first = !feed->link.ever_live,
        .allow_missing = config->allow_missing,
        .plugin = config->plugin,
        .wants_timeline = config->visible_on_count > 0,
        .response_timeout_us = config->liveness_us,
    };
    struct error error;

    feed->link.state = LINK_CONNECTING;
    feed->link.blockers_reported = false;
    feed->link.alive_us = now_us;
    feed->link.session = session_start(&setup, now_us, &error);
    if (feed->link.session == NULL) {
        link_failed(feed, &error, now_us);
    }
}

/* Often enough for the server, and to notice its silence in time. */
static int64_t status_interval(const struct feed *feed)
{
    int64_t server_us = session_facts(feed->link.session)->wal_sender_timeout_us;
    int64_t most_us = clock_earlier(server_us, feed->config->liveness_us);
    int64_t interval_us = feed->config->status_interval_us;

    if (most_us == CLOCK_NEVER || interval_us <= most_us / 3) {
        return interval_us;
    }
    if (feed->config->status_interval_given && !feed->printer.resync_printed) {
        log_say(feed->log, LOG_WARNING, "status interval lowered to %.3f s, a third of the %s",
                (double)(most_us / 3) / (double)CLOCK_S,
                most_us == server_us ? "server's wal_sender_timeout" : "liveness timeout");
    }
    return most_us / 3;
}

/* Beside the making of the slot: the session has logged in and knows who the server is. */
static void start_gate(struct feed *feed, int64_t now_us)
{
    struct link *link = &feed->link;
    struct visconn_setup setup = {
        .info = &feed->config->info,
        .log = feed->log,
        .visibility_check = feed->config->visibility_check,
        .identity = session_facts(link->session)->identity,
        .response_timeout_us = feed->config->liveness_us,
        .backoff_min_us = feed->config->backoff_min_us,
        .backoff_max_us = feed->config->backoff_max_us,
    };
    struct error error;

    if (link->visconn != NULL || !session_is_prepared(link->session)) {
        return;
    }
    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        replica_expect(feed->replicas[i], session_facts(link->session)->system_id,
                       &session_facts(link->session)->timeline);
    }
    setup.address = conn_address(session_conn(link->session));
    link->status_interval_us = setup.interval_us = status_interval(feed);
    link->visconn = visconn_new(&setup, now_us);
    if (link->visconn == NULL) {
        error_memory(&error);
        link_failed(feed, &error, now_us);
    }
}

/* Without the visibility connection the flush positions are told, so a COMMIT may wait for them. */
static bool may_be_synchronous(const struct feed *feed)
{
    return !feed->config->visibility_check &&
           syncnames_match(session_facts(feed->link.session)->synchronous_standby_names,
                           conninfo_text(&feed->config->info, CONN_APPLICATION_NAME));
}

static void warn_if_synchronous(const struct feed *feed)
{
    if (!feed->link.ever_live && may_be_synchronous(feed)) {
        log_say(feed->log, LOG_WARNING,
                "the server may count pgnudge as a synchronous standby "
                "(synchronous_standby_names = %s)",
                session_facts(feed->link.session)->synchronous_standby_names);
        log_hint(feed->log, LOG_WARNING, "Leave out --no-gate, or name the real standbys there.");
    }
}

/*
 * Nobody waits for a position that isn't asked for. Where a line follows its COMMIT at once,
 * telling the server then would keep the CPU from the line's reader: a quarter of the time from
 * COMMIT to line. Elsewhere later would only be one more turn.
 */
static int64_t ack_delay(const struct feed *feed)
{
    bool line_follows = feed->config->window.debounce_us < ACK_DELAY_US;

    return line_follows && !may_be_synchronous(feed) ? ACK_DELAY_US : 0;
}

static bool take_stream(struct feed *feed, int64_t now_us, struct error *error);

static void go_live(struct feed *feed, int64_t now_us)
{
    struct link *link = &feed->link;
    struct stream_setup setup = {
        .conn = session_conn(link->session),
        .status_interval_us = link->status_interval_us,
        .liveness_us = feed->config->liveness_us,
        .ack_delay_us = ack_delay(feed),
        .never_synchronous = feed->config->visibility_check,
    };
    struct error error;

    link->stream = stream_new(&setup, now_us);
    if (link->stream == NULL) {
        error_memory(&error);
        link_failed(feed, &error, now_us);
        return;
    }
    warn_if_synchronous(feed);
    link->state = LINK_LIVE;
    link->ever_live |= !feed->config->visibility_check || visconn_has_worked(link->visconn);
    backoff_reset(&link->backoff);
    feed->failsafe_us = clock_after(now_us, feed->config->failsafe_us);
    intake_start(&feed->intake, session_plugin(link->session));
    window_connected(&feed->window, session_facts(link->session)->consistent_lsn);
    window_resync(&feed->window,
                  feed->printer.resync_printed ? RESYNC_RECONNECTED : RESYNC_CONNECTED, now_us);
    catalog_filter(&feed->catalog, session_filters(link->session));
    if (feed->config->visibility_check) {
        barrier_start(&feed->barrier, RESYNC_RECONNECTED);
        visconn_hurry(link->visconn, now_us);
    }
    link->low_water_works = conn_low_water(setup.conn, 1);
    read_batching_init(&link->batching, feed->config->window.debounce_us, link->low_water_works);
    if (!take_stream(feed, now_us, &error)) { /* what came together with the last answer */
        stream_ended(feed, &error, now_us);
    }
}

int64_t link_silent_until(const struct feed *feed)
{
    const struct link *link = &feed->link;
    int64_t since_us;

    if (link->state != LINK_CONNECTING || !session_makes_slot(link->session)) {
        return CLOCK_NEVER;
    }
    since_us = session_slot_since(link->session);
    return clock_after(since_us > link->alive_us ? since_us : link->alive_us,
                       feed->config->liveness_us);
}

/* A walsender that makes the slot says nothing, dead or alive: the visibility connection's connection tells. */
static void give_up_silent(struct feed *feed, int64_t now_us)
{
    struct error error;

    if (now_us < link_silent_until(feed)) {
        return;
    }
    error_set(&error, ERROR_TRANSIENT,
              "no answer from %s for %.3g s while it creates the replication slot",
              conn_address(session_conn(feed->link.session))->text,
              (double)feed->config->liveness_us / (double)CLOCK_S);
    error_detail(&error, "The visibility connection is silent, or could not be made.");
    link_failed(feed, &error, now_us);
}

/* --slot-timeout: frees the slot, then tries anew. */
static void give_up_slot(struct feed *feed, int64_t now_us)
{
    struct link *link = &feed->link;

    if (link->state == LINK_CONNECTING &&
        now_us >= clock_after(session_slot_since(link->session), feed->config->slot_timeout_us)) {
        if (start_cancel(feed)) {
            link->state = LINK_CANCELLING;
            link->cancel_until_us = clock_after(now_us, feed->config->liveness_us);
        } else {
            slot_given_up(feed, now_us);
        }
    }
}

static void step_connecting(struct feed *feed, int64_t now_us)
{
    struct error error;

    switch (session_step(feed->link.session, now_us, &error)) {
    case STEP_WAIT:
        start_gate(feed, now_us);
        give_up_slot(feed, now_us);
        give_up_silent(feed, now_us);
        break;
    case STEP_DONE:
        start_gate(feed, now_us);
        if (feed->link.state ==
            LINK_CONNECTING) { /* no memory for the visibility connection has ended it */
            go_live(feed, now_us);
        }
        break;
    case STEP_FAILED:
        link_failed(feed, &error, now_us);
        break;
    }
}

/* ---- streaming ---- */

/* Moves what has been received into the window. */
static bool take_stream(struct feed *feed, int64_t now_us, struct error *error)
{
    struct stream_message message;
    enum stream_event event;
    bool ok = true;

    error_clear(error);
    feed->intake.wall_us = clock_wall_us();
    while (ok && (event = stream_next(feed->link.stream, &message, error)) != STREAM_NOTHING) {
        switch (event) {
        case STREAM_BEGIN:
        case STREAM_MORE:
            ok = intake_take(&feed->intake, &message, event == STREAM_BEGIN, now_us, error);
            if (feed->unseen.overflowed) {
                printer_overflowed(feed, now_us);
            }
            printer_at_commit(feed, now_us);
            break;
        case STREAM_NOTICE:
            ok = intake_notice(&feed->intake, &message, now_us, error);
            break;
        case STREAM_NOTHING:
        case STREAM_FAILED:
            ok = false;
            break;
        }
    }
    return ok;
}

/* Whether the stream is busy and its changes need not be told at once. */
static bool is_batching(const struct feed *feed)
{
    const struct window *window = &feed->window;

    return feed->link.batching.pause_us > 0 &&
           (window_lookup_deadline(window) != CLOCK_NEVER || window->in_transaction);
}

/* When the stream must be read, or answered, whatever poll reports. */
static int64_t live_deadline(const struct feed *feed)
{
    const struct link *link = &feed->link;
    int64_t deadline_us = stream_deadline(link->stream);

    if (conn_pending(session_conn(link->session))) {
        return 0;
    }
    return is_batching(feed) ? clock_earlier(deadline_us, link->batching.next_us) : deadline_us;
}

/* Reads until nothing is left, but not forever: a server that never pauses must not keep us. */
static bool read_stream(struct feed *feed, int64_t now_us, struct error *error)
{
    struct conn *conn = session_conn(feed->link.session);
    uint64_t before = conn_received(conn);
    int reads = 0;

    do {
        if (!stream_receive(feed->link.stream, now_us, error) ||
            !take_stream(feed, now_us, error)) {
            return false;
        }
    } while (conn_pending(conn) && ++reads < READS_MAX);
    read_batching_took(&feed->link.batching, (size_t)(conn_received(conn) - before), now_us);
    return true;
}

static void step_live(struct feed *feed, bool ready, int64_t now_us)
{
    struct error error;

    /* At a deadline too: silence is only what a read confirms (we may have been stopped). */
    if ((ready || now_us >= live_deadline(feed)) && !read_stream(feed, now_us, &error)) {
        stream_ended(feed, &error, now_us);
    }
}

void link_answer(struct feed *feed, int64_t now_us)
{
    struct error error;

    if (feed->link.state == LINK_LIVE && !stream_answer(feed->link.stream, now_us, &error)) {
        stream_ended(feed, &error, now_us);
    }
}

struct pollfd link_pollfd(struct feed *feed)
{
    struct link *link = &feed->link;
    struct pollfd entry = {.fd = -1};
    bool batching = link->state == LINK_LIVE && is_batching(feed);

    if (link->session == NULL) {
        return entry;
    }
    entry = session_pollfd(link->session);
    if (batching && !link->low_water_works) {
        entry.events &= (short)~POLLIN;
    } else if (batching != link->low_water) {
        link->low_water = batching;
        conn_low_water(session_conn(link->session), batching ? READ_BATCH_BYTES : 1);
    }
    return entry;
}

/* Over when the server says that it has given up: then the slot is gone. */
static void step_cancelling(struct feed *feed, int64_t now_us)
{
    struct link *link = &feed->link;
    struct error error;

    if (link->cancel != NULL && cancel_step(link->cancel, &error) != STEP_WAIT) {
        cancel_free(link->cancel);
        link->cancel = NULL;
    }
    if (!session_makes_slot(link->session) ||
        session_step(link->session, now_us, &error) != STEP_WAIT ||
        (!feed->stopping && now_us >= link->cancel_until_us)) {
        if (feed->stopping) {
            link_close(link);
        } else {
            slot_given_up(feed, now_us);
        }
    }
}

void link_step(struct feed *feed, bool ready, int64_t now_us)
{
    switch (feed->link.state) {
    case LINK_WAITING:
        if (now_us >= feed->link.retry_us) {
            start_connecting(feed, now_us);
        }
        break;
    case LINK_CONNECTING:
        step_connecting(feed, now_us);
        break;
    case LINK_LIVE:
        step_live(feed, ready, now_us);
        break;
    case LINK_CANCELLING:
        step_cancelling(feed, now_us);
        break;
    case LINK_CLOSED:
        break;
    }
}

int64_t link_deadline(const struct feed *feed)
{
    const struct link *link = &feed->link;

    switch (link->state) {
    case LINK_WAITING:
        return link->retry_us;
    case LINK_CONNECTING:
        return clock_earlier(
            clock_earlier(session_deadline(link->session), link_silent_until(feed)),
            clock_after(session_slot_since(link->session), feed->config->slot_timeout_us));
    case LINK_LIVE:
        return live_deadline(feed);
    case LINK_CANCELLING:
        return feed->stopping ? CLOCK_NEVER : link->cancel_until_us;
    case LINK_CLOSED:
        break;
    }
    return CLOCK_NEVER;
}
