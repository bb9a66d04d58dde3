#include "base/clock.h"
#include "feed/state.h"

#define UNSEEN_HOLD_US (1 * CLOCK_S)   /* for a table that the catalog doesn't show yet */
#define GATE_LEAD_US   (10 * CLOCK_MS) /* before a window closes: time for the gate's answer */

/* Whether the catalog may yet add to the transactions in the window: they come in one item. */
static bool is_incomplete(const struct feed *feed, int64_t now_us)
{
    return names_have_unknown(feed->names) ||
           (names_have_unseen(feed->names) && now_us < feed->printer.unseen_until_us);
}

/* Whether the open window is to be sealed. */
static bool window_due(const struct feed *feed, int64_t now_us)
{
    return !feed->stopping && !feed->printer.has_sealed && feed->vigil.state != VIGIL_LISTING &&
           feed->vigil.state != VIGIL_HOLDING && !is_incomplete(feed, now_us) &&
           now_us >= window_deadline(&feed->window);
}

/* Whether a new snapshot on the server sees all of the item. */
static bool is_visible_here(const struct feed *feed, const struct item *item)
{
    const struct sight *sight;

    if (!feed->config->gate) {
        return true;
    }
    if (feed->link.gate == NULL) { /* not connected: only what has been seen counts */
        return xids_empty(&item->xids);
    }
    sight = gate_sight(feed->link.gate);
    return sight->known &&
           (sight->in_recovery ? sight->replay_lsn >= item->lsn : xids_empty(&item->xids));
}

/* … and on all replicas. */
static bool is_visible(const struct feed *feed, const struct item *item)
{
    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        if (!replica_shows(feed->replicas[i], item->lsn)) {
            return false;
        }
    }
    return is_visible_here(feed, item);
}

static bool wants_out(const struct feed *feed, int64_t now_us)
{
    const struct printer *printer = &feed->printer;

    if (output_busy(&printer->output)) {
        return true;
    }
    if (printer->has_sealed) {
        return !feed->stopping && is_visible(feed, &printer->sealed);
    }
    return window_due(feed, now_us);
}

static void seal(struct feed *feed, int64_t now_us)
{
    window_seal(&feed->window, &feed->printer.sealed);
    feed->printer.has_sealed = true;
    feed->printer.window_asked = false;
    if (feed->config->gate && feed->link.gate != NULL &&
        !is_visible_here(feed, &feed->printer.sealed)) {
        gate_hurry(feed->link.gate, now_us);
    }
    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        if (!replica_shows(feed->replicas[i], feed->printer.sealed.lsn)) {
            replica_hurry(feed->replicas[i], now_us);
        }
    }
}

/* Renders the sealed item: from here on it is the output's. */
static void begin_line(struct feed *feed)
{
    struct printer *printer = &feed->printer;

    item_line(output_line(&printer->output), &printer->sealed);
    if (printer->sealed.resync != RESYNC_CONNECTED) {
        printer->items++;
    }
    if (printer->sealed.resync != RESYNC_NONE) {
        printer->resync_printed = true;
        log_say(feed->log, LOG_INFO, "resync: %s", resync_text(printer->sealed.resync));
    }
    item_clear(&printer->sealed);
    printer->has_sealed = false;
}

/* Moves on what can be moved while stdout can take a line. */
static void advance(struct feed *feed, int64_t now_us)
{
    if (output_busy(&feed->printer.output) || feed->stopping) {
        return;
    }
    if (window_due(feed, now_us)) {
        seal(feed, now_us);
    }
    if (feed->printer.has_sealed && is_visible(feed, &feed->printer.sealed)) {
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

bool printer_see(struct feed *feed, const struct sight *sight)
{
    struct item *open = &feed->window.item, *sealed = &feed->printer.sealed;

    if (!sight->in_recovery) {
        return xids_strike(&open->xids, &sight->snapshot) &&
               xids_strike(&sealed->xids, &sight->snapshot);
    }
    if (sight->replay_lsn >= sealed->lsn) {
        xids_clear(&sealed->xids);
    }
    if (!feed->window.in_transaction && sight->replay_lsn >= open->lsn) {
        xids_clear(&open->xids);
    }
    return true;
}

void printer_disconnected(struct feed *feed)
{
    struct printer *printer = &feed->printer;

    if (printer->has_sealed && !is_visible_here(feed, &printer->sealed)) {
        item_clear(&printer->sealed);
        printer->has_sealed = false;
    }
    if (feed->window.in_transaction || !is_visible_here(feed, &feed->window.item)) {
        window_clear(&feed->window);
    }
    feed->window.in_transaction = false;
    vigil_stop(&feed->vigil);
}

void printer_ask(struct feed *feed, int64_t now_us)
{
    struct gate *gate = feed->link.gate;
    bool sealed_waits = feed->printer.has_sealed && !is_visible_here(feed, &feed->printer.sealed);
    bool open_waits = !xids_empty(&feed->window.item.xids);

    for (size_t i = 0; i < feed->config->visible_on_count; i++) {
        if (!feed->printer.has_sealed ||
            replica_shows(feed->replicas[i], feed->printer.sealed.lsn)) {
            replica_rest(feed->replicas[i], now_us);
        }
    }
    if (open_waits) {
        feed->printer.unseen_until_us = clock_after(now_us, UNSEEN_HOLD_US);
    }
    if (gate == NULL || !feed->config->gate) {
        return;
    }
    if (!sealed_waits && feed->vigil.state == VIGIL_OFF) {
        gate_rest(gate, now_us);
    }
    if (open_waits && !feed->printer.window_asked) {
        feed->printer.window_asked = true;
        gate_ask_by(gate, now_us); /* a quiet server has answered before the window closes */
    }
    if (open_waits && feed->window.due_us != CLOCK_NEVER && feed->window.due_us > now_us) {
        int64_t lead_us = feed->window.due_us - GATE_LEAD_US;

        gate_ask_by(gate, lead_us > now_us ? lead_us : feed->window.due_us);
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
    int64_t deadline =
        clock_earlier(output_deadline(&feed->printer.output, now_us), vigil_deadline(&feed->vigil));

    if (feed->stopping || feed->printer.has_sealed || window_due(feed, now_us)) {
        return deadline; /* POLLOUT or the gate say when */
    }
    if (is_incomplete(feed, now_us)) {
        return names_have_unknown(feed->names)
                   ? deadline /* the catalog says when */
                   : clock_earlier(deadline, feed->printer.unseen_until_us);
    }
    if (feed->vigil.state == VIGIL_LISTING || feed->vigil.state == VIGIL_HOLDING) {
        return deadline;
    }
    return clock_earlier(deadline, window_deadline(&feed->window));
}
