#include "base/clock.h"
#include "feed/state.h"

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

void visibility_step(struct feed *feed, bool ready, int64_t now_us)
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
        connection_lost(feed, &error, now_us);
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
        ending_fail(feed, &error, FEED_REFUSED, now_us);
        break;
    }
}

void visibility_step_replicas(struct feed *feed, const struct pollfd fds[REPLICAS_MAX],
                              int64_t now_us)
{
    for (size_t i = 0; i < feed->visible.replica_count && !feed->stopping; i++) {
        struct replica *replica = feed->visible.replicas[i];

        if (fds[i].revents != 0 || now_us >= replica_deadline(replica)) {
            step_replica(feed, replica, now_us);
        }
    }
}
