/*
 * The mediator: it owns the parts, is the only one who knows them all, and
 * decides what follows from what they report.
 */
#include "feed/feed.h"

#include "auth/password.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/signals.h"
#include "feed/state.h"
#include "out/exec_out.h"
#include "out/line_out.h"
#include "out/notify_out.h"

#define HIDDEN_HOLD_US (1 * CLOCK_S) /* for a table that the catalog doesn't show yet */

/* ---- the end ---- */

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
        barrier_start(&feed->visible.barrier, RESYNC_OVERFLOW, BARRIER_HOLD_US);
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
            ending_stop(feed, FEED_STOPPED, 0, now_us);
        }
        break;
    case OUT_GONE:
        log_say(feed->log, LOG_INFO, "the reader of standard output has closed it");
        ending_stop(feed, FEED_STOPPED, 0, now_us);
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
        ending_fail(feed, &error, error.kind == ERROR_PERMANENT ? FEED_REFUSED : FEED_ERROR,
                    now_us);
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
    feed->delivery.heartbeat.live =
        feed->live && !feed->stopping && !feed->relay.silence_said; /* a silence is passed on */
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
    deadline = clock_earlier(deadline, intake_deadline(&feed->intake));
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
    intake_tick(&feed->intake, now_us);
    if (now_us >= feed->timeout_us) {
        ending_stop(feed, FEED_TIMEOUT, 0, now_us);
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
    ending_stop(feed, FEED_STOPPED, number == SIGTERM ? 0 : number, now_us);
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
        connection_step(feed, fds[POLL_SOURCE].revents != 0, now_us);
        visibility_step(feed, fds[POLL_VISCONN].revents != 0, now_us);
        visibility_step_replicas(feed, fds + POLL_REPLICAS, now_us);
        step_timers(feed, now_us);
        step_out(feed, fds[POLL_ITEMS].revents, now_us);
        connection_acknowledge(feed, now_us);
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
                         .by_file = config->physical,
                         .ddl = {.wanted = config->ddl, .rules = &feed->rules},
                         .definitions = {.log = feed->log, .wanted = config->window.max_keys > 0}};
    feed->intake = (struct intake){.names = feed->names,
                                   .catalog = &feed->catalog,
                                   .window = &feed->window,
                                   .barrier = &feed->visible.barrier,
                                   .inflight = &feed->visible.inflight,
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
    feed->visible = (struct visible){
        .check = config->visibility_check, .physical = config->physical, .unseen = &feed->unseen};
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
    ending_close_connections(feed);
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
