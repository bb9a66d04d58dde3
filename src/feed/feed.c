#include "feed/feed.h"

#include "auth/password.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/signals.h"
#include "feed/state.h"

#define LINE_GRACE_US (1 * CLOCK_S) /* for a line that has begun, when stopping */

/* ---- the end ---- */

void feed_stop(struct feed *feed, enum feed_status status, int signal, int64_t now_us)
{
    int64_t grace_us;

    if (feed->stopping) {
        return;
    }
    feed->stopping = true;
    password_stop(feed->config->password);
    feed->outcome = (struct feed_outcome){status, signal};
    grace_us = link_stop(feed);
    feed->stop_us = clock_after(now_us, grace_us > LINE_GRACE_US ? grace_us : LINE_GRACE_US);
}

void feed_fail(struct feed *feed, const struct error *error, int64_t now_us)
{
    log_report(feed->log, LOG_ERROR, error);
    feed_stop(feed, FEED_ERROR, 0, now_us);
}

static bool is_over(const struct feed *feed, int64_t now_us)
{
    return feed->stopping &&
           ((feed->link.state == LINK_CLOSED && !output_busy(&feed->printer.output)) ||
            now_us >= feed->stop_us);
}

/* ---- the loop ---- */

enum { POLL_OUTPUT, POLL_PASSWORD, POLL_STREAM, POLL_GATE, POLL_CANCEL, POLL_REPLICAS };

#define POLL_COUNT (POLL_REPLICAS + REPLICAS_MAX)

/* The table of deadlines. */
static int64_t next_deadline(const struct feed *feed, int64_t now_us)
{
    int64_t deadline = clock_earlier(link_deadline(feed), printer_deadline(feed, now_us));

    deadline = clock_earlier(deadline, second_deadline(feed));
    if (feed->stopping) {
        return clock_earlier(deadline, feed->stop_us);
    }
    if (feed->link.state == LINK_LIVE) {
        deadline = clock_earlier(deadline, feed->failsafe_us);
    }
    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        deadline = clock_earlier(deadline, replica_deadline(feed->replicas[i]));
    }
    return clock_earlier(deadline, feed->timeout_us);
}

/* Waits for the first thing to do; revents are all 0 where that is a deadline. */
static void wait_for_events(struct feed *feed, struct pollfd fds[POLL_COUNT],
                            const sigset_t *waiting)
{
    const struct link *link = &feed->link;
    int64_t now_us = clock_now_us();
    int64_t deadline_us = next_deadline(feed, now_us);
    int64_t timeout_us = deadline_us > now_us ? deadline_us - now_us : 0;

    for (int i = 0; i < POLL_COUNT; i++) {
        fds[i] = (struct pollfd){.fd = -1};
    }
    fds[POLL_OUTPUT] = printer_pollfd(feed, now_us);
    fds[POLL_PASSWORD] = password_pollfd(feed->config->password);
    fds[POLL_STREAM] = link_pollfd(feed);
    if (link->visconn != NULL) {
        fds[POLL_GATE] = visconn_pollfd(link->visconn);
    }
    if (link->cancel != NULL) {
        fds[POLL_CANCEL] = cancel_pollfd(link->cancel);
    }
    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        fds[POLL_REPLICAS + i] = replica_pollfd(feed->replicas[i]);
    }
    os_poll(fds, POLL_COUNT, deadline_us == CLOCK_NEVER ? CLOCK_NEVER : timeout_us, waiting);
}

static void step_timers(struct feed *feed, int64_t now_us)
{
    if (feed->stopping) {
        return;
    }
    barrier_tick(&feed->barrier, now_us);
    if (barrier_take_due(&feed->barrier, link_position(&feed->link), now_us)) {
        window_resync(&feed->window, feed->barrier.reason, now_us);
    }
    if (now_us >= feed->timeout_us) {
        feed_stop(feed, FEED_TIMEOUT, 0, now_us);
    } else if (feed->link.state == LINK_LIVE && now_us >= feed->failsafe_us) {
        window_resync(&feed->window, RESYNC_FAILSAFE, now_us);
        feed->failsafe_us = clock_after(now_us, feed->config->failsafe_us);
    }
}

static void step_signals(struct feed *feed, int64_t now_us)
{
    int number = signals_take();

    if (number == 0) {
        return;
    }
    if (feed->stopping) {
        feed->stop_us = now_us; /* asked twice: no more grace */
    }
    feed_stop(feed, FEED_STOPPED, number == SIGTERM ? 0 : number, now_us);
}

static void step_replicas(struct feed *feed, const struct pollfd fds[POLL_COUNT], int64_t now_us)
{
    bool ready[REPLICAS_MAX];

    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        ready[i] = fds[POLL_REPLICAS + i].revents != 0;
    }
    second_step_replicas(feed, ready, now_us);
}

static void run(struct feed *feed, const sigset_t *waiting)
{
    struct pollfd fds[POLL_COUNT];
    int64_t now_us = clock_now_us();

    feed->timeout_us = clock_after(now_us, feed->config->timeout_us);
    feed->link.state = LINK_WAITING; /* for no time */
    feed->link.retry_us = now_us;
    while (!is_over(feed, now_us)) {
        printer_ask(feed, now_us);
        wait_for_events(feed, fds, waiting);
        now_us = clock_now_us();
        step_signals(feed, now_us);
        password_step(feed->config->password);
        link_step(feed, fds[POLL_STREAM].revents != 0, now_us);
        second_step(feed, fds[POLL_GATE].revents != 0, now_us);
        step_replicas(feed, fds, now_us);
        step_timers(feed, now_us);
        printer_step(feed, fds[POLL_OUTPUT].revents, now_us);
        link_answer(feed, now_us);
    }
}

/* False: out of memory. */
static bool start_replicas(struct feed *feed)
{
    const struct feed_config *config = feed->config;

    for (size_t i = 0; i < config->visible_on_count; i++) {
        struct replica_setup setup = {
            .info = &config->visible_on[i],
            .log = feed->log,
            .response_timeout_us = config->liveness_us,
            .interval_us = config->status_interval_us,
            .backoff_min_us = config->backoff_min_us,
            .backoff_max_us = config->backoff_max_us,
        };

        feed->replicas[i] = replica_new(&setup, clock_now_us());
        if (feed->replicas[i] == NULL) {
            return false;
        }
    }
    return true;
}

struct feed_outcome feed_run(const struct feed_config *config, const sigset_t *waiting)
{
    struct feed feed = {
        .config = config,
        .log = &config->log,
        .link = {.state = LINK_CLOSED,
                 .backoff = {.min_us = config->backoff_min_us, .max_us = config->backoff_max_us}},
        .failsafe_us = CLOCK_NEVER,
    };
    struct error error;
    enum output_result result;
    bool have_memory;

    error_clear(&error);
    unseen_init(&feed.unseen, UNSEEN_MAX);
    window_init(&feed.window, &config->window, &feed.unseen);
    feed.names =
        names_new(&(struct verdict_rules){&config->tables, &config->exclude, config->partitions});
    feed.catalog =
        (struct catalog){.names = feed.names, .window = &feed.window, .unseen = &feed.unseen};
    feed.intake = (struct intake){
        .log = feed.log,
        .names = feed.names,
        .catalog = &feed.catalog,
        .window = &feed.window,
        .barrier = &feed.barrier,
    };
    have_memory = start_replicas(&feed) && feed.names != NULL;
    result = output_open(&feed.printer.output, &error);
    if (result == OUTPUT_OK && !have_memory) {
        error_memory(&error);
        result = OUTPUT_FAILED;
    }
    if (result == OUTPUT_OK) {
        run(&feed, waiting);
    } else if (result == OUTPUT_FAILED) {
        log_report(feed.log, LOG_ERROR, &error);
        feed.outcome.status = FEED_ERROR;
    }
    link_close(&feed.link);
    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        replica_free(feed.replicas[i]);
    }
    output_close(&feed.printer.output);
    item_free(&feed.printer.closed);
    window_free(&feed.window);
    barrier_free(&feed.barrier);
    unseen_free(&feed.unseen);
    catalog_free(&feed.catalog);
    names_free(feed.names);
    return feed.outcome;
}
