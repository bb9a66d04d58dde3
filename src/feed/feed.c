#include "feed/feed.h"

#include <openssl/rand.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/signals.h"
#include "feed/backoff.h"
#include "feed/intake.h"
#include "feed/item.h"
#include "feed/output.h"
#include "feed/session.h"
#include "pq/cancel.h"
#include "pq/servererror.h"
#include "repl/stream.h"

#define LINE_GRACE_US   (1 * CLOCK_S) /* for a line that has begun, when stopping */
#define CANCEL_GRACE_US (2 * CLOCK_S) /* for the server to give up making the slot */
#define LOUD_FAILURES   5U            /* in a row; then at each doubling */

enum link { LINK_WAITING, LINK_CONNECTING, LINK_LIVE, LINK_CANCELLING, LINK_CLOSED };

struct feed {
    const struct feed_config *config;
    const struct log *log;
    struct output output;
    struct names *names;
    struct window window;
    struct intake intake;
    struct backoff backoff;

    enum link link;
    struct session *session; /* CONNECTING, LIVE, CANCELLING */
    struct stream *stream;   /* LIVE */
    struct cancel *cancel;   /* CANCELLING, until the server has taken it */
    int64_t retry_us;        /* WAITING: when it ends */
    bool ever_live;

    bool resync_printed; /* … so that the next is `reconnected` */
    uint64_t items;      /* that count for --count */
    int64_t failsafe_us;
    int64_t timeout_us;

    bool stopping;
    int64_t stop_us; /* when the stop stops waiting */
    struct feed_outcome outcome;
};

/* ---- the end ---- */

static void close_link(struct feed *feed)
{
    cancel_free(feed->cancel);
    stream_free(feed->stream);
    session_free(feed->session);
    feed->cancel = NULL;
    feed->stream = NULL;
    feed->session = NULL;
}

/* While the server makes the slot it doesn't read: closing would leave the slot until it is done. */
static bool start_cancel(struct feed *feed)
{
    struct error error;

    if (conn_cancel_key(session_conn(feed->session))->len == 0) {
        return false;
    }
    feed->cancel = cancel_start(session_conn(feed->session), &feed->config->info, &error);
    return feed->cancel != NULL;
}

static void stop(struct feed *feed, enum feed_status status, int signal, int64_t now_us)
{
    int64_t grace_us = LINE_GRACE_US;

    if (feed->stopping) {
        return;
    }
    feed->stopping = true;
    feed->outcome = (struct feed_outcome){status, signal};
    if (feed->link == LINK_CONNECTING && session_makes_slot(feed->session) && start_cancel(feed)) {
        feed->link = LINK_CANCELLING;
        grace_us = CANCEL_GRACE_US;
    } else {
        close_link(feed);
        feed->link = LINK_CLOSED;
    }
    feed->stop_us = clock_after(now_us, grace_us);
}

static bool is_over(const struct feed *feed, int64_t now_us)
{
    return feed->stopping &&
           ((feed->link == LINK_CLOSED && !output_busy(&feed->output)) || now_us >= feed->stop_us);
}

static void fail(struct feed *feed, const struct error *error, int64_t now_us)
{
    log_report(feed->log, LOG_ERROR, error);
    stop(feed, FEED_ERROR, 0, now_us);
}

/* ---- items ---- */

static bool item_due(const struct feed *feed, int64_t now_us)
{
    return !feed->stopping && now_us >= window_deadline(&feed->window);
}

/* Renders the window: from here on it is the output's. */
static void begin_item(struct feed *feed)
{
    bool is_first_connected = feed->window.resync == RESYNC_CONNECTED;

    item_line(output_line(&feed->output), &feed->window);
    if (feed->window.resync != RESYNC_NONE) {
        feed->resync_printed = true;
        log_say(feed->log, LOG_INFO, "resync: %s", resync_text(feed->window.resync));
    }
    if (!is_first_connected) {
        feed->items++;
    }
    window_clear(&feed->window);
}

/* ---- the connection ---- */

static bool is_loud(unsigned failures)
{
    while (failures > LOUD_FAILURES && failures % 2 == 0) {
        failures /= 2;
    }
    return failures == LOUD_FAILURES;
}

static void retry_later(struct feed *feed, struct error *error, int64_t now_us)
{
    enum log_level level = LOG_INFO;
    uint32_t random = 0;
    int64_t delay_us;

    RAND_bytes((unsigned char *)&random, sizeof(random)); /* without it there is no jitter */
    delay_us = backoff_failed(&feed->backoff, random);
    if (feed->backoff.failures == 1) {
        level = LOG_WARNING;
    } else if (is_loud(feed->backoff.failures)) {
        level = LOG_ERROR;
        error_prefix(error, "%u attempts in a row failed, still trying", feed->backoff.failures);
    }
    log_report(feed->log, level, error);
    log_say(feed->log, LOG_INFO, "connecting again in %.2f s", (double)delay_us / (double)CLOCK_S);
    feed->retry_us = clock_after(now_us, delay_us);
    feed->link = LINK_WAITING;
}

/* The connection could not be made, or is lost. */
static void link_failed(struct feed *feed, struct error *error, int64_t now_us)
{
    close_link(feed);
    feed->link = LINK_CLOSED;
    window_disconnected(&feed->window);
    if (error->kind == ERROR_FATAL) {
        fail(feed, error, now_us);
    } else if (error->kind == ERROR_PERMANENT && !feed->ever_live) {
        log_report(feed->log, LOG_ERROR, error);
        stop(feed, FEED_REFUSED, 0, now_us);
    } else if (!feed->config->reconnect) {
        fail(feed, error, now_us);
    } else {
        retry_later(feed, error, now_us);
    }
}

static void start_connecting(struct feed *feed, int64_t now_us)
{
    const struct feed_config *config = feed->config;
    struct session_setup setup = {
        .info = &config->info,
        .log = feed->log,
        .tables = &config->tables,
        .exclude = &config->exclude,
        .plugins = {config->plugins[0], config->plugins[1]},
        .plugin_count = config->plugin_count,
        .patience_us = config->liveness_us,
    };
    struct error error;

    feed->link = LINK_CONNECTING;
    feed->session = session_start(&setup, now_us, &error);
    if (feed->session == NULL) {
        link_failed(feed, &error, now_us);
    }
}

/* Often enough for the server, and to notice its silence in time. */
static int64_t status_interval(const struct feed *feed)
{
    int64_t server_us = session_wal_sender_timeout_us(feed->session);
    int64_t most_us = clock_earlier(server_us, feed->config->liveness_us);
    int64_t interval_us = feed->config->status_interval_us;

    if (most_us == CLOCK_NEVER || interval_us <= most_us / 3) {
        return interval_us;
    }
    if (feed->config->status_interval_given && !feed->ever_live) {
        log_say(feed->log, LOG_WARNING, "status interval lowered to %.3f s, a third of the %s",
                (double)(most_us / 3) / (double)CLOCK_S,
                most_us == server_us ? "server's wal_sender_timeout" : "liveness timeout");
    }
    return most_us / 3;
}

/*
 * A busy stream may never pause between two transactions: a window that is due
 * is closed where a COMMIT ends it, if stdout can take a line now.
 */
static void close_at_commit(struct feed *feed, int64_t now_us)
{
    struct pollfd out = {.fd = feed->output.fd, .events = output_events(&feed->output)};

    if (item_due(feed, now_us) && !output_busy(&feed->output) && poll(&out, 1, 0) == 1 &&
        (out.revents & POLLOUT) != 0) {
        begin_item(feed);
    }
}

/* Moves what has been received into the window, and answers the server. */
static void take_stream(struct feed *feed, int64_t now_us)
{
    struct stream_message message;
    enum stream_event event;
    struct error error;
    bool ok = true;

    error_clear(&error);
    while (ok && (event = stream_next(feed->stream, &message, &error)) != STREAM_NOTHING) {
        switch (event) {
        case STREAM_BEGIN:
        case STREAM_MORE:
            ok = intake_take(&feed->intake, message.payload, event == STREAM_BEGIN, message.more,
                             now_us, &error);
            close_at_commit(feed, now_us);
            break;
        case STREAM_NOTICE:
            if (log_wants(feed->log, LOG_DEBUG)) {
                struct error notice;

                server_error_read(message.payload, &notice);
                log_report(feed->log, LOG_DEBUG, &notice);
            }
            break;
        case STREAM_NOTHING:
        case STREAM_FAILED:
            ok = false;
            break;
        }
    }
    if (!ok || !stream_answer(feed->stream, now_us, &error)) {
        link_failed(feed, &error, now_us);
    }
}

static void go_live(struct feed *feed, int64_t now_us)
{
    struct stream_setup setup = {
        .conn = session_conn(feed->session),
        .status_interval_us = status_interval(feed),
        .liveness_us = feed->config->liveness_us,
    };
    struct error error;

    feed->stream = stream_new(&setup, now_us);
    if (feed->stream == NULL) {
        error_memory(&error);
        link_failed(feed, &error, now_us);
        return;
    }
    feed->link = LINK_LIVE;
    feed->ever_live = true;
    backoff_reset(&feed->backoff);
    feed->failsafe_us = clock_after(now_us, feed->config->failsafe_us);
    intake_start(&feed->intake, session_plugin(feed->session));
    window_resync(&feed->window, feed->resync_printed ? RESYNC_RECONNECTED : RESYNC_CONNECTED,
                  now_us);
    take_stream(feed, now_us); /* what came together with the last answer */
}

static void step_connecting(struct feed *feed, int64_t now_us)
{
    struct error error;

    switch (session_step(feed->session, now_us, &error)) {
    case STEP_WAIT:
        break;
    case STEP_DONE:
        go_live(feed, now_us);
        break;
    case STEP_FAILED:
        link_failed(feed, &error, now_us);
        break;
    }
}

static void step_live(struct feed *feed, bool ready, int64_t now_us)
{
    struct error error;

    /* At a deadline too: silence is only what a read confirms (we may have been stopped). */
    if (!ready && !conn_pending(session_conn(feed->session)) &&
        now_us < stream_deadline(feed->stream)) {
        return;
    }
    if (stream_receive(feed->stream, now_us, &error)) {
        take_stream(feed, now_us);
    } else {
        link_failed(feed, &error, now_us);
    }
}

/* Over when the server says that it has given up: then the slot is gone. */
static void step_cancelling(struct feed *feed, int64_t now_us)
{
    struct error error;

    if (feed->cancel != NULL && cancel_step(feed->cancel, &error) != STEP_WAIT) {
        cancel_free(feed->cancel);
        feed->cancel = NULL;
    }
    if (!session_makes_slot(feed->session) ||
        session_step(feed->session, now_us, &error) != STEP_WAIT) {
        close_link(feed);
        feed->link = LINK_CLOSED;
    }
}

static void step_link(struct feed *feed, bool ready, int64_t now_us)
{
    switch (feed->link) {
    case LINK_WAITING:
        if (now_us >= feed->retry_us) {
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

static int64_t link_deadline(const struct feed *feed)
{
    switch (feed->link) {
    case LINK_WAITING:
        return feed->retry_us;
    case LINK_CONNECTING:
        return session_deadline(feed->session);
    case LINK_LIVE:
        return conn_pending(session_conn(feed->session)) ? 0 : stream_deadline(feed->stream);
    case LINK_CANCELLING:
    case LINK_CLOSED:
        break;
    }
    return CLOCK_NEVER;
}

/* ---- the output ---- */

static void output_done(struct feed *feed, enum output_result result, const struct error *error,
                        int64_t now_us)
{
    switch (result) {
    case OUTPUT_OK:
        if (!output_busy(&feed->output) && feed->config->count > 0 &&
            feed->items >= feed->config->count) {
            stop(feed, FEED_STOPPED, 0, now_us);
        }
        break;
    case OUTPUT_GONE:
        log_say(feed->log, LOG_INFO, "the reader of standard output has gone");
        output_line(&feed->output);
        stop(feed, FEED_STOPPED, 0, now_us);
        break;
    case OUTPUT_FAILED:
        output_line(&feed->output);
        fail(feed, error, now_us);
        break;
    }
}

static void step_output(struct feed *feed, short revents, int64_t now_us)
{
    struct error error;
    enum output_result result = output_check(&feed->output, revents);

    if (result == OUTPUT_OK && ((revents & POLLOUT) != 0 || feed->output.held_up)) {
        if (!output_busy(&feed->output) && item_due(feed, now_us)) {
            begin_item(feed);
        }
        if (output_busy(&feed->output)) {
            result = output_write(&feed->output, &error);
        }
    }
    output_done(feed, result, &error, now_us);
}

/* ---- the loop ---- */

/* The table of deadlines. */
static int64_t next_deadline(const struct feed *feed, int64_t now_us)
{
    int64_t deadline = clock_earlier(link_deadline(feed), output_deadline(&feed->output, now_us));

    if (feed->stopping) {
        return clock_earlier(deadline, feed->stop_us);
    }
    deadline = clock_earlier(deadline, feed->timeout_us);
    if (feed->link == LINK_LIVE) {
        deadline = clock_earlier(deadline, feed->failsafe_us);
    }
    if (!item_due(feed, now_us)) { /* else POLLOUT says when */
        deadline = clock_earlier(deadline, window_deadline(&feed->window));
    }
    return deadline;
}

enum { POLL_OUTPUT, POLL_LINK, POLL_CANCEL, POLL_COUNT };

/* Waits for the first thing to do; revents are all 0 where there is only a deadline. */
static void wait_for_events(const struct feed *feed, struct pollfd fds[POLL_COUNT],
                            const sigset_t *waiting)
{
    int64_t now_us = clock_now_us();
    int64_t deadline_us = next_deadline(feed, now_us);
    int64_t timeout_us = deadline_us > now_us ? deadline_us - now_us : 0;
    bool wants_out = output_busy(&feed->output) || item_due(feed, now_us);

    for (int i = 0; i < POLL_COUNT; i++) {
        fds[i] = (struct pollfd){.fd = -1};
    }
    if (wants_out || feed->output.kind != OUTPUT_FILE) { /* a file has no reader to lose */
        fds[POLL_OUTPUT] = (struct pollfd){.fd = feed->output.fd};
        fds[POLL_OUTPUT].events = wants_out ? output_events(&feed->output) : (short)0;
    }
    if (feed->session != NULL) {
        fds[POLL_LINK] = (struct pollfd){.fd = session_fd(feed->session),
                                         .events = session_events(feed->session)};
    }
    if (feed->cancel != NULL) {
        fds[POLL_CANCEL] =
            (struct pollfd){.fd = cancel_fd(feed->cancel), .events = cancel_events(feed->cancel)};
    }
    os_poll(fds, POLL_COUNT, deadline_us == CLOCK_NEVER ? CLOCK_NEVER : timeout_us, waiting);
}

static void step_timers(struct feed *feed, int64_t now_us)
{
    if (feed->stopping) {
        return;
    }
    if (now_us >= feed->timeout_us) {
        stop(feed, FEED_TIMEOUT, 0, now_us);
    } else if (feed->link == LINK_LIVE && now_us >= feed->failsafe_us) {
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
    stop(feed, FEED_STOPPED, number == SIGTERM ? 0 : number, now_us);
}

static void run(struct feed *feed, const sigset_t *waiting)
{
    struct pollfd fds[POLL_COUNT];
    int64_t now_us = clock_now_us();

    feed->timeout_us = clock_after(now_us, feed->config->timeout_us);
    feed->link = LINK_WAITING; /* for no time */
    feed->retry_us = now_us;
    while (!is_over(feed, now_us)) {
        wait_for_events(feed, fds, waiting);
        now_us = clock_now_us();
        step_signals(feed, now_us);
        step_link(feed, fds[POLL_LINK].revents != 0, now_us);
        step_timers(feed, now_us);
        step_output(feed, fds[POLL_OUTPUT].revents, now_us);
    }
}

struct feed_outcome feed_run(const struct feed_config *config, const sigset_t *waiting)
{
    struct feed feed = {
        .config = config,
        .log = &config->log,
        .backoff = {.min_us = config->backoff_min_us, .max_us = config->backoff_max_us},
        .failsafe_us = CLOCK_NEVER,
    };
    struct error error;
    enum output_result result;

    error_clear(&error);
    window_init(&feed.window, &config->window);
    feed.names = names_new(&config->tables, &config->exclude);
    feed.intake = (struct intake){.log = feed.log, .names = feed.names, .window = &feed.window};
    result = output_open(&feed.output, &error);
    if (result == OUTPUT_OK && feed.names == NULL) {
        error_memory(&error);
        result = OUTPUT_FAILED;
    }
    if (result == OUTPUT_OK) {
        run(&feed, waiting);
    } else if (result == OUTPUT_FAILED) {
        log_report(feed.log, LOG_ERROR, &error);
        feed.outcome.status = FEED_ERROR;
    }
    close_link(&feed);
    output_close(&feed.output);
    names_free(feed.names);
    window_free(&feed.window);
    return feed.outcome;
}
