/*
 * The mediator: it owns the parts, is the only one who knows them all, and
 * decides what follows from what they report.
 *
 * 1. Where there is no source, reconnect.at_us says when the next one begins.
 * 2. visconn is there from SOURCE_PREPARED to the source's end, live from SOURCE_LIVE on.
 * 3. There are at most two items: the window's, and, while has_closed, `closed`, which waits to be
 *    visible and for the out; nothing joins it any more.
 * 4. The window stays open while the catalog may yet add to the transactions in it: a transaction
 *    is told in one item.
 */
#include "feed/feed.h"

#include "auth/password.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/service.h"
#include "base/signals.h"
#include "batch/sequence.h"
#include "feed/delivery.h"
#include "feed/intake.h"
#include "feed/metrics.h"
#include "feed/questions.h"
#include "feed/reconnect.h"
#include "feed/relay.h"
#include "out/exec_out.h"
#include "out/line_out.h"
#include "out/notify_out.h"
#include "source/listen_source.h"
#include "source/logical.h"
#include "source/stdin_source.h"
#include "visible/visible.h"

#define HIDDEN_HOLD_US (1 * CLOCK_S) /* for a table that the catalog doesn't show yet */

struct feed {
    const struct feed_config *config;
    const struct log *log;
    struct service service;
    struct counters counters;
    struct metrics metrics;
    struct names *names;
    struct unseen unseen;
    struct window window;
    struct catalog catalog;
    struct intake intake;
    struct relay relay; /* in its place where items come from another pgnudge */
    struct verdict_rules rules;
    struct reconnect reconnect;
    struct source *source;
    bool live;
    bool ever_live; /* a stream was live, and, if wanted, the visibility connection had worked */
    struct visible visible;
    struct questions questions;
    struct delivery delivery;
    struct sequence sequence;
    int64_t hidden_until_us; /* how long a hidden table may hold the window back */
    int64_t failsafe_us;
    int64_t timeout_us;
    int64_t signals_us; /* when they were last let in */
    bool stopping;
    int64_t stop_us; /* when the stop stops waiting */
    struct feed_outcome outcome;
};

/* ---- the end ---- */

static void close_connections(struct feed *feed)
{
    visible_disconnect(&feed->visible);
    if (feed->source != NULL) {
        feed->counters.bytes += feed->source->ops->received(feed->source);
        feed->source->ops->free(feed->source);
    }
    feed->source = NULL;
    feed->live = false;
}

/* Begins to stop; the first one's outcome counts. */
static void stop(struct feed *feed, enum feed_status status, int signal, int64_t now_us)
{
    struct out *out = feed->delivery.out;
    int64_t grace_us, out_grace_us;

    if (feed->stopping) {
        return;
    }
    feed->stopping = true;
    service_stopping(&feed->service);
    service_status(&feed->service, "stopping");
    delivery_drop(&feed->delivery);
    password_stop(feed->config->password);
    feed->outcome = (struct feed_outcome){status, signal};
    out_grace_us = out->ops->stop(out);
    grace_us = feed->source != NULL ? feed->source->ops->stop(feed->source) : 0;
    if (grace_us == 0) {
        close_connections(feed);
    }
    feed->stop_us = clock_after(now_us, grace_us > out_grace_us ? grace_us : out_grace_us);
}

static void fail(struct feed *feed, const struct error *error, enum feed_status status,
                 int64_t now_us)
{
    log_report(feed->log, LOG_ERROR, error);
    stop(feed, status, 0, now_us);
}

static bool is_over(const struct feed *feed, int64_t now_us)
{
    return feed->stopping &&
           ((feed->source == NULL && !feed->delivery.out->ops->busy(feed->delivery.out)) ||
            now_us >= feed->stop_us);
}

/* ---- items ---- */

/* Whether the catalog may yet add to the transactions in the window. */
static bool is_incomplete(const struct feed *feed, int64_t now_us)
{
    return catalog_is_pending(&feed->catalog) ||
           (catalog_is_hidden(&feed->catalog) && now_us < feed->hidden_until_us);
}

static bool may_close(const struct feed *feed, int64_t now_us)
{
    return !feed->stopping && !barrier_holds(&feed->visible.barrier) &&
           !is_incomplete(feed, now_us);
}

/* Too much is not visible yet to be told apart: a resync behind a barrier stands for it. */
static void overflowed(struct feed *feed, int64_t now_us)
{
    delivery_drop(&feed->delivery);
    unseen_reset(&feed->unseen);
    window_resync(&feed->window, RESYNC_OVERFLOW, now_us);
    catalog_drop(&feed->catalog);
    if (feed->config->visibility_check) {
        barrier_start(&feed->visible.barrier, RESYNC_OVERFLOW);
    }
}

/* A busy stream may never pause between two transactions. */
static void committed(void *context)
{
    struct feed *feed = context;
    int64_t now_us = feed->intake.now_us;

    if (feed->unseen.overflowed) {
        overflowed(feed, now_us);
    }
    if (!feed->delivery.has_closed && now_us >= window_deadline(&feed->window)) {
        delivery_advance(&feed->delivery, may_close(feed, now_us), now_us);
    }
}

static void step_out(struct feed *feed, short revents, int64_t now_us)
{
    const struct delivery *delivery = &feed->delivery;
    struct error error;

    switch (delivery_step(&feed->delivery, revents, may_close(feed, now_us), now_us, &error)) {
    case OUT_NOTHING:
        break;
    case OUT_DONE:
        service_ready(&feed->service);
        if (feed->config->count > 0 && delivery->items >= feed->config->count) {
            stop(feed, FEED_STOPPED, 0, now_us);
        }
        break;
    case OUT_GONE:
        log_say(feed->log, LOG_INFO, "the reader of standard output has closed it");
        stop(feed, FEED_STOPPED, 0, now_us);
        break;
    case OUT_FAILED: /* it is in the window again */
    case OUT_MISSED:
        break;
    case OUT_SPARE:
        service_ready(&feed->service);
        service_status(&feed->service, "waiting for another publisher's end");
        break;
    case OUT_RESTART:
        delivery_restart(&feed->delivery, feed->live, now_us);
        break;
    case OUT_BROKEN:
        fail(feed, &error, error.kind == ERROR_PERMANENT ? FEED_REFUSED : FEED_ERROR, now_us);
        break;
    }
}

static bool out_is_wanted(const struct feed *feed, int64_t now_us)
{
    return delivery_due(&feed->delivery, may_close(feed, now_us), now_us);
}

/* When an item is due by the clock alone. */
static int64_t items_due(const struct feed *feed, int64_t now_us)
{
    const struct delivery *delivery = &feed->delivery;

    if (feed->stopping || delivery->has_closed || barrier_holds(&feed->visible.barrier) ||
        catalog_is_pending(&feed->catalog) || out_is_wanted(feed, now_us)) {
        return CLOCK_NEVER; /* something else says when */
    }
    return is_incomplete(feed, now_us) ? feed->hidden_until_us : window_deadline(&feed->window);
}

/* ---- the source ---- */

/* The connection could not be made, or is lost: ends, or connects again later. */
static void lost(struct feed *feed, struct error *error, int64_t now_us)
{
    delivery_keep_visible(&feed->delivery);
    unseen_reset(&feed->unseen);
    catalog_stop(&feed->catalog);
    intake_stop(&feed->intake);
    relay_stop(&feed->relay);
    close_connections(feed);
    if (error->kind == ERROR_PERMANENT && (!feed->ever_live || feed->relay.refused)) {
        fail(feed, error, FEED_REFUSED, now_us);
    } else if (error->kind == ERROR_FATAL || !feed->config->reconnect) {
        fail(feed, error, FEED_ERROR, now_us);
    } else {
        service_status(&feed->service, "not connected: %s", error->message);
        reconnect_failed(&feed->reconnect, error, feed->log, now_us);
    }
}

/* NULL: `error` says why. */
static struct source *new_source(struct feed *feed, int64_t now_us, struct error *error)
{
    struct sink sink = intake_sink(&feed->intake);
    struct line_sink lines = relay_sink(&feed->relay);
    struct logical_setup setup = config_source(feed->config, !feed->ever_live, &sink);
    struct listen_setup listen;
    struct source *source;

    if (!config_is_relay(feed->config)) {
        return logical_new(&setup, now_us, error);
    }
    listen = config_listen(feed->config, &lines);
    source =
        feed->config->from_stdin ? stdin_source_new(&lines) : listen_source_new(&listen, now_us);
    if (source == NULL) {
        error_memory(error);
    }
    return source;
}

static void connect_source(struct feed *feed, int64_t now_us)
{
    struct error error;

    feed->reconnect.at_us = CLOCK_NEVER;
    if (!feed->ever_live) {
        service_status(&feed->service, "connecting");
    }
    feed->source = new_source(feed, now_us, &error);
    if (feed->source == NULL) {
        lost(feed, &error, now_us);
    }
}

/* Beside the creation of the slot: the source has logged in and knows who the server is. */
static void prepared(struct feed *feed, int64_t now_us)
{
    const struct source_facts *facts = &feed->source->facts;
    struct visconn_setup setup = config_visconn(feed->config, facts);
    struct error error;

    service_status(&feed->service, "waiting for the replication slot");
    catalog_start(&feed->catalog, facts->encoding, facts->oldest_xid, now_us);
    if (feed->catalog.definitions.wanted) {
        catalog_expect(&feed->catalog, &feed->config->tables);
    }
    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        replica_expect(feed->visible.replicas[i], facts->system_id, &facts->timeline);
    }
    feed->visible.visconn = visconn_new(&setup, now_us);
    if (feed->visible.visconn == NULL) {
        error_memory(&error);
        lost(feed, &error, now_us);
        return;
    }
    questions_start(&feed->questions, feed->visible.visconn);
}

/* What stands for all changes up to now. */
static void begin_stream(struct feed *feed, int64_t now_us)
{
    const struct source_facts *facts = &feed->source->facts;

    window_connected(&feed->window, facts->consistent_lsn);
    window_resync(&feed->window,
                  feed->delivery.resync_printed ? RESYNC_RECONNECTED : RESYNC_CONNECTED, now_us);
    catalog_filter(&feed->catalog, facts->filters);
    questions_live(&feed->questions, facts, now_us);
    if (feed->config->visibility_check) {
        barrier_start(&feed->visible.barrier, RESYNC_RECONNECTED);
        visconn_hurry(feed->visible.visconn, now_us);
    }
}

static void go_live(struct feed *feed, int64_t now_us)
{
    const struct source_facts *facts = &feed->source->facts;

    feed->live = true;
    feed->counters.connects++;
    metrics_hurry(&feed->metrics, now_us);
    feed->ever_live |= !feed->config->visibility_check || visconn_has_worked(feed->visible.visconn);
    reconnect_worked(&feed->reconnect, feed->log, now_us);
    service_status(&feed->service, "%s %s",
                   config_is_relay(feed->config) ? "reading" : "streaming from", facts->place);
    feed->failsafe_us = clock_after(now_us, feed->config->failsafe_us);
    if (!config_is_relay(feed->config)) {
        begin_stream(feed, now_us);
    } else if (!feed->config->from_stdin) { /* there, the first line begins it */
        relay_start(&feed->relay, facts->consistent_lsn);
    }
}

static void step_source(struct feed *feed, bool ready, int64_t now_us)
{
    enum source_event event = SOURCE_BUSY;
    struct error error;

    if (feed->source == NULL && !feed->stopping && now_us >= feed->reconnect.at_us) {
        connect_source(feed, now_us);
    }
    feed->intake.now_us = now_us;
    feed->intake.wall_us = clock_wall_us();
    feed->relay.now_us = now_us;
    feed->relay.wall_us = feed->intake.wall_us;
    while (feed->source != NULL && event != SOURCE_NOTHING) {
        event = feed->source->ops->step(feed->source, ready, now_us, &error);
        ready = false;
        switch (event) {
        case SOURCE_NOTHING:
        case SOURCE_BUSY:
            break;
        case SOURCE_PREPARED:
            prepared(feed, now_us);
            break;
        case SOURCE_LIVE:
            go_live(feed, now_us);
            break;
        case SOURCE_LOST:
            lost(feed, &error, now_us);
            break;
        case SOURCE_CLOSED:
            close_connections(feed);
            break;
        }
    }
}

/* Behind the line that a change may have made: who waits for that is in more of a hurry. */
static void acknowledge(struct feed *feed, int64_t now_us)
{
    struct error error;

    if (feed->live && !feed->source->ops->acknowledge(feed->source, feed->visible.horizon.settled,
                                                      now_us, &error)) {
        lost(feed, &error, now_us);
    }
}

/* ---- visibility ---- */

/* A standby that is promoted begins a new timeline, of which replicas' positions are to be judged. */
static bool has_no_new_timeline(const struct feed *feed, struct error *error)
{
    if (feed->visible.replica_count == 0 ||
        visconn_visibility(feed->visible.visconn)->in_recovery ||
        !feed->source->facts.in_recovery) {
        return true;
    }
    return error_set(error, ERROR_TRANSIENT,
                     "the server has been promoted: reconnecting to read its new timeline");
}

/* What the server shows now has an effect on each of the parts. */
static bool take_visibility(struct feed *feed, int64_t now_us, struct error *error)
{
    const struct snapshot *snapshot = &visconn_visibility(feed->visible.visconn)->snapshot;
    const struct window *window = &feed->window;
    struct visible_positions positions = {
        .stream = feed->source->ops->position(feed->source),
        .closed = feed->delivery.closed.lsn,
        .open = window->in_transaction ? UINT64_MAX : window->item.lsn,
        .last = window->last_lsn,
    };

    if (!has_no_new_timeline(feed, error)) {
        return false;
    }
    if (!visible_take(&feed->visible, &positions, now_us) ||
        !past_saw(&feed->catalog.past, snapshot, now_us)) {
        return error_memory(error);
    }
    if (feed->live) {
        visible_list_if_due(&feed->visible, positions.stream,
                            feed->source->facts.status_interval_us, now_us);
    }
    return visconn_complete(feed->visible.visconn, now_us, error);
}

/* False: `error` ends the connection. */
static bool visconn_reported(struct feed *feed, enum visconn_event event, int64_t now_us,
                             struct error *error)
{
    switch (event) {
    case VISCONN_NOTHING:
        break;
    case VISCONN_SAW:
        return take_visibility(feed, now_us, error);
    case VISCONN_FAILED:
        /* Its first connect ends as the stream's does; later it is made again in the background. */
        if (!visconn_has_worked(feed->visible.visconn) &&
            (error->kind != ERROR_TRANSIENT || !feed->config->reconnect)) {
            return false;
        }
        visconn_report_down(feed->visible.visconn, error);
        break;
    }
    return true;
}

static void step_visconn(struct feed *feed, bool ready, int64_t now_us)
{
    struct visconn *visconn = feed->visible.visconn;
    enum visconn_event event;
    struct error error;

    if (visconn == NULL || feed->stopping) {
        return;
    }
    questions_ask(&feed->questions, &feed->source->facts, feed->live, now_us);
    event = visible_step(&feed->visible, ready, feed->source->ops->position(feed->source), now_us,
                         &error);
    if (!visconn_reported(feed, event, now_us, &error)) {
        lost(feed, &error, now_us);
        return;
    }
    feed->source->alive_us = visconn_alive_us(visconn);
    feed->ever_live |= feed->live && visconn_has_worked(visconn);
}

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
        if (feed->delivery.resync_printed) {
            replica_report_refused(replica, &error);
            break;
        }
        error_prefix(&error, "--visible-on");
        fail(feed, &error, FEED_REFUSED, now_us);
        break;
    }
}

static void step_replicas(struct feed *feed, const struct pollfd fds[REPLICAS_MAX], int64_t now_us)
{
    for (size_t i = 0; i < feed->visible.replica_count && !feed->stopping; i++) {
        struct replica *replica = feed->visible.replicas[i];

        if (fds[i].revents != 0 || now_us >= replica_deadline(replica)) {
            step_replica(feed, replica, now_us);
        }
    }
}

/* ---- seen from outside ---- */

static struct counters counters_now(const struct feed *feed, int64_t now_us)
{
    struct counters counters = feed->counters;

    counters.live = feed->live && !feed->stopping;
    counters.bytes += feed->source != NULL ? feed->source->ops->received(feed->source) : 0;
    counters.waiting_us = delivery_waiting_us(&feed->delivery, now_us);
    counters.memory = os_resident_bytes();
    return counters;
}

static void step_counters(struct feed *feed, int64_t now_us)
{
    bool asked = signals_take_report();
    struct counters counters;

    if (!asked && now_us < feed->metrics.due_us) {
        return;
    }
    counters = counters_now(feed, now_us);
    if (asked) {
        counters_say(&counters, feed->log);
    }
    metrics_step(&feed->metrics, &counters, now_us);
}

/* ---- the loop ---- */

enum {
    POLL_ITEMS,
    POLL_PASSWORD,
    POLL_SOURCE,
    POLL_VISCONN = POLL_SOURCE + SOURCE_FDS,
    POLL_REPLICAS,
    POLL_COUNT = POLL_REPLICAS + REPLICAS_MAX
};

/* Tells the parts what they must know before they say what they wait for. */
static void plan(struct feed *feed, int64_t now_us)
{
    if (window_waits(&feed->window)) {
        feed->hidden_until_us = clock_after(now_us, HIDDEN_HOLD_US);
    }
    feed->delivery.heartbeat.live = feed->live && !feed->stopping;
    delivery_plan(&feed->delivery, now_us);
    if (feed->source != NULL) {
        feed->source->unhurried =
            feed->window.in_transaction || window_lookup_deadline(&feed->window) != CLOCK_NEVER;
    }
}

/* The table of deadlines. */
static int64_t next_deadline(const struct feed *feed, int64_t now_us)
{
    const struct source *source = feed->source;
    struct out *out = feed->delivery.out;
    int64_t deadline = clock_earlier(out->ops->deadline(out, out_is_wanted(feed, now_us), now_us),
                                     items_due(feed, now_us));
    uint64_t position = source != NULL ? source->ops->position(source) : 0;

    deadline = clock_earlier(deadline, barrier_deadline(&feed->visible.barrier, position));
    deadline = clock_earlier(deadline, source != NULL ? source->ops->deadline(source)
                                                      : feed->reconnect.at_us);
    deadline = clock_earlier(deadline, service_deadline(&feed->service));
    deadline = clock_earlier(deadline, feed->metrics.due_us);
    if (feed->stopping) {
        return clock_earlier(deadline, feed->stop_us);
    }
    deadline = clock_earlier(deadline, visible_deadline(&feed->visible));
    if (feed->visible.visconn != NULL) {
        deadline =
            clock_earlier(deadline, questions_due(&feed->questions, &source->facts, feed->live));
    }
    if (feed->live) {
        deadline = clock_earlier(deadline, feed->failsafe_us);
    }
    deadline = clock_earlier(deadline, relay_deadline(&feed->relay));
    if (!out_is_wanted(feed, now_us)) {
        deadline = clock_earlier(deadline, heartbeat_at(&feed->delivery.heartbeat));
    }
    return clock_earlier(deadline, feed->timeout_us);
}

/*
 * Waits for the first thing to do; revents are all 0 where that is a deadline. Returns whether
 * something is ready.
 */
static bool wait_for_events(struct feed *feed, struct pollfd fds[POLL_COUNT],
                            const sigset_t *waiting)
{
    struct out *out = feed->delivery.out;
    int64_t now_us = clock_now_us();
    int64_t deadline_us = next_deadline(feed, now_us);
    int64_t timeout_us = deadline_us > now_us ? deadline_us - now_us : 0;

    for (int i = 0; i < POLL_COUNT; i++) {
        fds[i] = (struct pollfd){.fd = -1};
    }
    fds[POLL_ITEMS] = out->ops->pollfd(out, out_is_wanted(feed, now_us));
    fds[POLL_PASSWORD] = password_pollfd(feed->config->password);
    if (feed->source != NULL) {
        feed->source->ops->pollfds(feed->source, fds + POLL_SOURCE);
    }
    visible_pollfds(&feed->visible, fds + POLL_VISCONN);
    return os_poll(fds, POLL_COUNT, deadline_us == CLOCK_NEVER ? CLOCK_NEVER : timeout_us,
                   waiting) > 0;
}

static void step_timers(struct feed *feed, int64_t now_us)
{
    uint64_t position = feed->source != NULL ? feed->source->ops->position(feed->source) : 0;

    if (feed->stopping) {
        return;
    }
    barrier_tick(&feed->visible.barrier, now_us);
    if (barrier_take_due(&feed->visible.barrier, position, now_us)) {
        window_resync(&feed->window, feed->visible.barrier.reason, now_us);
    }
    relay_tick(&feed->relay, now_us);
    if (now_us >= feed->timeout_us) {
        stop(feed, FEED_TIMEOUT, 0, now_us);
    } else if (feed->live && now_us >= feed->failsafe_us) {
        window_resync(&feed->window, RESYNC_FAILSAFE, now_us);
        feed->failsafe_us = clock_after(now_us, feed->config->failsafe_us);
    }
}

static void step_signals(struct feed *feed, bool ready, const sigset_t *waiting, int64_t now_us)
{
    int number;

    if (ready) {
        signals_let_in(waiting, &feed->signals_us, now_us);
    }
    number = signals_take();

    if (number == 0) {
        return;
    }
    if (feed->stopping) {
        feed->stop_us = now_us; /* asked twice: no more grace */
    }
    stop(feed, FEED_STOPPED, number == SIGTERM ? 0 : number, now_us);
}

static void run(struct feed *feed, const sigset_t *waiting)
{
    struct pollfd fds[POLL_COUNT];
    int64_t now_us = clock_now_us();
    bool ready;

    feed->timeout_us = clock_after(now_us, feed->config->timeout_us);
    feed->reconnect.at_us = now_us;
    while (!is_over(feed, now_us)) {
        plan(feed, now_us);
        ready = wait_for_events(feed, fds, waiting);
        now_us = clock_now_us();
        step_signals(feed, ready, waiting, now_us);
        password_step(feed->config->password);
        step_source(feed, fds[POLL_SOURCE].revents != 0, now_us);
        step_visconn(feed, fds[POLL_VISCONN].revents != 0, now_us);
        step_replicas(feed, fds + POLL_REPLICAS, now_us);
        step_timers(feed, now_us);
        step_out(feed, fds[POLL_ITEMS].revents, now_us);
        acknowledge(feed, now_us);
        service_watch(&feed->service, now_us);
        step_counters(feed, now_us);
    }
    metrics_hurry(&feed->metrics, now_us);
    step_counters(feed, now_us);
}

/* ---- the parts ---- */

/* False: out of memory. */
static bool start_replicas(struct feed *feed)
{
    const struct feed_config *config = feed->config;

    for (size_t i = 0; i < config->visible_on_count; i++) {
        struct replica_setup setup = config_replica(config, i);

        feed->visible.replicas[i] = replica_new(&setup, clock_now_us());
        if (feed->visible.replicas[i] == NULL) {
            return false;
        }
        feed->visible.replica_count++;
    }
    return true;
}

/* What doesn't change from connection to connection. False: out of memory. */
static bool start_parts(struct feed *feed)
{
    const struct feed_config *config = feed->config;

    feed->rules = config_rules(config);
    unseen_init(&feed->unseen, UNSEEN_MAX);
    window_init(&feed->window, &config->window, &feed->unseen);
    feed->names = names_new(&feed->rules);
    feed->catalog =
        (struct catalog){.names = feed->names,
                         .window = &feed->window,
                         .unseen = &feed->unseen,
                         .definitions = {.log = feed->log, .wanted = config->window.max_keys > 0}};
    feed->intake = (struct intake){.names = feed->names,
                                   .catalog = &feed->catalog,
                                   .window = &feed->window,
                                   .barrier = &feed->visible.barrier,
                                   .counters = &feed->counters,
                                   .committed = committed,
                                   .context = feed};
    feed->relay = (struct relay){.log = feed->log,
                                 .rules = &feed->rules,
                                 .names = feed->names,
                                 .window = &feed->window,
                                 .counters = &feed->counters,
                                 .delivery = &feed->delivery,
                                 .operations = config->style.operations,
                                 .anybody = config->listen != NULL,
                                 .interval_us = CLOCK_NEVER};
    feed->visible = (struct visible){.check = config->visibility_check, .unseen = &feed->unseen};
    feed->questions = (struct questions){.log = feed->log,
                                         .catalog = &feed->catalog,
                                         .keycheck = {.delivery = &feed->delivery},
                                         .liveness_us = config->liveness_us,
                                         .interval_us = config->status_interval_us,
                                         .visibility_check = config->visibility_check};
    feed->delivery = (struct delivery){.log = feed->log,
                                       .window = &feed->window,
                                       .visible = &feed->visible,
                                       .numbered = config->sequence,
                                       .relayed = config_is_relay(config),
                                       .heartbeat = {.interval_us = config->heartbeat_us},
                                       .counters = &feed->counters};
    return start_replicas(feed) && feed->names != NULL;
}

static void free_parts(struct feed *feed)
{
    close_connections(feed);
    intake_stop(&feed->intake);
    visible_free(&feed->visible);
    delivery_free(&feed->delivery);
    window_free(&feed->window);
    unseen_free(&feed->unseen);
    catalog_free(&feed->catalog);
    names_free(feed->names);
}

/* Where items go. NULL: `result` and `error` say why. */
static struct out *new_out(struct feed *feed, const struct item_style *style,
                           enum output_result *result, struct error *error)
{
    const struct feed_config *config = feed->config;
    struct exec_setup exec = {config->exec, config->exec_fail, *style, &config->log};
    struct notify_setup notify = config_notify(config, &feed->sequence);
    struct out *out;

    if (config->notify == NULL && config->exec == NULL) {
        return line_out_new(style, result, error);
    }
    out = config->notify != NULL ? notify_out_new(&notify, clock_now_us()) : exec_out_new(&exec);
    *result = out != NULL ? OUTPUT_OK : OUTPUT_FAILED;
    if (out == NULL) {
        error_memory(error);
    }
    return out;
}

static bool open_out(struct feed *feed, enum output_result *result, struct error *error)
{
    const struct feed_config *config = feed->config;
    struct item_style style = config->style;

    *result = OUTPUT_FAILED;
    feed->sequence =
        (struct sequence){.interval_us = config->heartbeat_us, .scope = config->scope.data};
    if (config->sequence && !sequence_start(&feed->sequence)) {
        return error_set(error, ERROR_FATAL, "no source of randomness for a session's name");
    }
    style.sequence = config->sequence ? &feed->sequence : NULL;
    feed->delivery.out = new_out(feed, &style, result, error);
    return feed->delivery.out != NULL;
}

struct feed_outcome feed_run(const struct feed_config *config, const sigset_t *waiting)
{
    struct feed feed = {
        .config = config,
        .log = &config->log,
        .reconnect = {.backoff = {.min_us = config->backoff_min_us,
                                  .max_us = config->backoff_max_us}},
        .failsafe_us = CLOCK_NEVER,
        .metrics = {.log = &config->log, .due_us = CLOCK_NEVER},
    };
    bool have_memory = start_parts(&feed);
    enum output_result result;
    struct error error;

    error_clear(&error);
    service_open(&feed.service);
    if (open_out(&feed, &result, &error) && !have_memory) {
        error_memory(&error);
        result = OUTPUT_FAILED;
    }
    if (result == OUTPUT_OK && !metrics_open(&feed.metrics, config->metrics, &feed.counters,
                                             config->status_interval_us, &error)) {
        result = OUTPUT_FAILED; /* nobody would see it later */
    }
    if (result == OUTPUT_OK) {
        run(&feed, waiting);
    } else if (result == OUTPUT_FAILED) {
        log_report(feed.log, LOG_ERROR, &error);
        feed.outcome.status = FEED_ERROR;
    }
    free_parts(&feed);
    service_close(&feed.service);
    return feed.outcome;
}
