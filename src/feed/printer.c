#include "base/clock.h"
#include "feed/state.h"

#define HIDDEN_HOLD_US (1 * CLOCK_S) /* for a table that the catalog doesn't show yet */
#define VISCONN_LEAD_US                                                                            \
    (10 * CLOCK_MS) /* before a window closes: time for the visibility connection's answer */

/* Whether the catalog may yet add to the transactions in the window: they come in one item. */
static bool is_incomplete(const struct feed *feed, int64_t now_us)
{
    return catalog_is_pending(&feed->catalog) ||
           (catalog_is_hidden(&feed->catalog) && now_us < feed->printer.hidden_until_us);
}

/* Whether the open window is to be closed. */
static bool window_due(const struct feed *feed, int64_t now_us)
{
    return !feed->stopping && !feed->printer.has_closed && !barrier_holds(&feed->barrier) &&
           !is_incomplete(feed, now_us) && now_us >= window_deadline(&feed->window);
}

/* Whether a new snapshot on the server sees all of the item, whose transactions have this mark. */
static bool is_visible_here(const struct feed *feed, const struct item *item, unsigned mark)
{
    bool all_seen = !unseen_any(&feed->unseen, mark);

    const struct visibility *visibility;

    if (!feed->config->visibility_check) {
        return true;
    }
    if (feed->link.visconn == NULL) { /* not connected: only what has been seen counts */
        return all_seen;
    }
    visibility = visconn_visibility(feed->link.visconn);
    return visibility->known && (visibility->in_recovery ? visibility->lsn >= item->lsn : all_seen);
}

/* Whether the closed item is visible, on all replicas too. */
static bool is_visible(const struct feed *feed)
{
    const struct item *item = &feed->printer.closed;

    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        if (!replica_shows(feed->replicas[i], item->lsn)) {
            return false;
        }
    }
    return is_visible_here(feed, item, UNSEEN_CLOSED);
}

static bool wants_out(const struct feed *feed, int64_t now_us)
{
    const struct printer *printer = &feed->printer;

    if (output_busy(&printer->output)) {
        return true;
    }
    if (printer->has_closed) {
        return !feed->stopping && is_visible(feed);
    }
    return window_due(feed, now_us);
}

static void close_window(struct feed *feed, int64_t now_us)
{
    window_close(&feed->window, &feed->printer.closed);
    feed->printer.has_closed = true;
    feed->printer.window_asked = false;
    if (feed->config->visibility_check && feed->link.visconn != NULL &&
        !is_visible_here(feed, &feed->printer.closed, UNSEEN_CLOSED)) {
        visconn_hurry(feed->link.visconn, now_us);
    }
    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        if (!replica_shows(feed->replicas[i], feed->printer.closed.lsn)) {
            replica_hurry(feed->replicas[i], now_us);
        }
    }
}

/* The item has been printed, or something else stands for it. */
static void drop_closed(struct feed *feed)
{
    item_clear(&feed->printer.closed);
    unseen_move(&feed->unseen, UNSEEN_CLOSED, 0);
    feed->printer.has_closed = false;
}

/* Renders the closed item: from here on it is the output's. */
static void begin_line(struct feed *feed)
{
    struct printer *printer = &feed->printer;

    item_line(output_line(&printer->output), &printer->closed);
    if (printer->closed.resync != RESYNC_CONNECTED) {
        printer->items++;
    }
    if (printer->closed.resync != RESYNC_NONE) {
        printer->resync_printed = true;
        log_say(feed->log, LOG_INFO, "resync: %s", resync_text(printer->closed.resync));
    }
    drop_closed(feed);
}

/* Moves on what can be moved while stdout can take a line. */
static void advance(struct feed *feed, int64_t now_us)
{
    if (output_busy(&feed->printer.output) || feed->stopping) {
        return;
    }
    if (window_due(feed, now_us)) {
        close_window(feed, now_us);
    }
    if (feed->printer.has_closed && is_visible(feed)) {
        begin_line(feed);
    }
}

/* What poll says of stdout right now. */
static short look(const struct output *output)
{
    struct pollfd out = {.fd = output->fd, .events = output_events(output)};

    return poll(&out, 1, 0) == 1 ? out.revents : (short)0;
}

/* A busy stream may never pause between two transactions. */
void printer_at_commit(struct feed *feed, int64_t now_us)
{
    const struct output *output = &feed->printer.output;

    if (window_due(feed, now_us) && !output_busy(output) && (look(output) & POLLOUT) != 0) {
        advance(feed, now_us);
    }
}

bool printer_see(struct feed *feed, const struct visibility *visibility)
{
    const struct window *open = &feed->window;

    if (!visibility->in_recovery) {
        return unseen_see(&feed->unseen, &visibility->snapshot);
    }
    if (visibility->lsn >= feed->printer.closed.lsn) {
        unseen_move(&feed->unseen, UNSEEN_CLOSED, 0);
    }
    if (!open->in_transaction && visibility->lsn >= open->item.lsn) {
        unseen_move(&feed->unseen, UNSEEN_OPEN, 0);
    }
    if (visibility->lsn >= open->last_lsn) {
        unseen_reset(&feed->unseen);
    }
    return true;
}

void printer_disconnected(struct feed *feed)
{
    struct printer *printer = &feed->printer;

    if (printer->has_closed && !is_visible_here(feed, &printer->closed, UNSEEN_CLOSED)) {
        drop_closed(feed);
    }
    if (feed->window.in_transaction ||
        !is_visible_here(feed, &feed->window.item, UNSEEN_OPEN | UNSEEN_UNKNOWN)) {
        window_clear(&feed->window);
    }
    feed->window.in_transaction = false;
    unseen_reset(&feed->unseen);
    barrier_stop(&feed->barrier);
}

void printer_overflowed(struct feed *feed, int64_t now_us)
{
    if (feed->printer.has_closed) {
        drop_closed(feed);
    }
    unseen_reset(&feed->unseen);
    window_resync(&feed->window, RESYNC_OVERFLOW, now_us);
    catalog_drop(&feed->catalog);
    if (feed->config->visibility_check) {
        barrier_start(&feed->barrier, RESYNC_OVERFLOW);
    }
}

void printer_ask(struct feed *feed, int64_t now_us)
{
    struct visconn *visconn = feed->link.visconn;
    int64_t due_us = feed->window.open.due_us;
    bool closed_waits =
        feed->printer.has_closed && !is_visible_here(feed, &feed->printer.closed, UNSEEN_CLOSED);
    bool open_waits =
        unseen_any(&feed->unseen, UNSEEN_OPEN) || (feed->window.marks & UNSEEN_OPEN) != 0;

    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        if (!feed->printer.has_closed ||
            replica_shows(feed->replicas[i], feed->printer.closed.lsn)) {
            replica_rest(feed->replicas[i], now_us);
        }
    }
    if (open_waits) {
        feed->printer.hidden_until_us = clock_after(now_us, HIDDEN_HOLD_US);
    }
    if (visconn == NULL || !feed->config->visibility_check) {
        return;
    }
    if (!closed_waits && !barrier_holds(&feed->barrier)) {
        visconn_rest(visconn, now_us);
    }
    if (barrier_ask_at(&feed->barrier) != CLOCK_NEVER) {
        visconn_ask_by(visconn, barrier_ask_at(&feed->barrier));
    }
    if (unseen_is_large(&feed->unseen)) {
        visconn_ask_by(visconn, now_us);
    }
    if (open_waits && !feed->printer.window_asked) {
        feed->printer.window_asked = true;
        visconn_ask_by(visconn, now_us); /* a quiet server has answered before the window closes */
    }
    if (open_waits && due_us != CLOCK_NEVER && due_us > now_us) {
        int64_t lead_us = due_us - VISCONN_LEAD_US;

        visconn_ask_by(visconn, lead_us > now_us ? lead_us : due_us);
    }
}

static void written(struct feed *feed, enum output_result result, const struct error *error,
                    int64_t now_us)
{
    struct printer *printer = &feed->printer;

    switch (result) {
    case OUTPUT_OK:
        if (!output_busy(&printer->output) && feed->config->count > 0 &&
            printer->items >= feed->config->count) {
            feed_stop(feed, FEED_STOPPED, 0, now_us);
        }
        break;
    case OUTPUT_GONE:
        log_say(feed->log, LOG_INFO, "the reader of standard output has gone");
        output_line(&printer->output);
        feed_stop(feed, FEED_STOPPED, 0, now_us);
        break;
    case OUTPUT_FAILED:
        output_line(&printer->output);
        feed_fail(feed, error, now_us);
        break;
    }
}

void printer_step(struct feed *feed, short revents, int64_t now_us)
{
    struct output *output = &feed->printer.output;
    struct error error;
    enum output_result result;

    if ((revents & POLLOUT) == 0 && wants_out(feed, now_us)) { /* since the wait */
        revents = (short)(revents | look(output));
    }
    result = output_check(output, revents);
    if (result == OUTPUT_OK && ((revents & POLLOUT) != 0 || output->held_up)) {
        advance(feed, now_us);
        if (output_busy(output)) {
            result = output_write(output, &error);
        }
    }
    written(feed, result, &error, now_us);
}

struct pollfd printer_pollfd(const struct feed *feed, int64_t now_us)
{
    const struct output *output = &feed->printer.output;
    bool wanted = wants_out(feed, now_us);

    if (!wanted && output->kind == OUTPUT_FILE) { /* a file has no reader to lose */
        return (struct pollfd){.fd = -1};
    }
    return (struct pollfd){.fd = output->fd, .events = wanted ? output_events(output) : (short)0};
}

int64_t printer_deadline(const struct feed *feed, int64_t now_us)
{
    int64_t deadline = clock_earlier(output_deadline(&feed->printer.output, now_us),
                                     barrier_deadline(&feed->barrier, link_position(&feed->link)));

    if (feed->stopping || feed->printer.has_closed || window_due(feed, now_us)) {
        return deadline; /* POLLOUT or the visibility connection say when */
    }
    if (is_incomplete(feed, now_us)) {
        return catalog_is_pending(&feed->catalog)
                   ? deadline /* the catalog says when */
                   : clock_earlier(deadline, feed->printer.hidden_until_us);
    }
    if (barrier_holds(&feed->barrier)) {
        return deadline;
    }
    return clock_earlier(deadline, window_deadline(&feed->window));
}
