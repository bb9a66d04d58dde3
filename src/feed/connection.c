#include "base/clock.h"
#include "feed/state.h"
#include "source/listen_source.h"
#include "source/replication.h"
#include "source/stdin_source.h"

void connection_lost(struct feed *feed, struct error *error, int64_t now_us)
{
    delivery_keep_visible(&feed->delivery);
    unseen_reset(&feed->unseen);
    catalog_stop(&feed->catalog);
    intake_stop(&feed->intake);
    relay_stop(&feed->relay);
    ending_close_connections(feed);
    if (error->kind == ERROR_PERMANENT && (!feed->ever_live || feed->relay.refused)) {
        ending_fail(feed, error, FEED_REFUSED, now_us);
    } else if (error->kind == ERROR_FATAL || !feed->config->reconnect) {
        ending_fail(feed, error, FEED_ERROR, now_us);
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
    struct replication_setup setup = config_source(feed->config, !feed->ever_live, &sink);
    struct listen_setup listen;
    struct source *source;

    if (!config_is_relay(feed->config)) {
        return replication_new(&setup, now_us, error);
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
        connection_lost(feed, &error, now_us);
    }
}

/* Beside the creation of the slot: the source has logged in and knows who the server is. */
static void prepared(struct feed *feed, int64_t now_us)
{
    const struct source_facts *facts = &feed->source->facts;
    struct visconn_setup setup = config_visconn(feed->config, facts);
    struct error error;

    service_status(&feed->service, feed->config->physical ? "starting the stream"
                                                          : "waiting for the replication slot");
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
        connection_lost(feed, &error, now_us);
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
        barrier_start(&feed->visible.barrier, RESYNC_RECONNECTED,
                      feed->config->physical ? 0 : BARRIER_HOLD_US);
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

void connection_step(struct feed *feed, bool ready, int64_t now_us)
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
            connection_lost(feed, &error, now_us);
            break;
        case SOURCE_CLOSED:
            ending_close_connections(feed);
            break;
        }
    }
}

void connection_acknowledge(struct feed *feed, int64_t now_us)
{
    struct error error;

    if (feed->live && !feed->source->ops->acknowledge(feed->source, feed->visible.horizon.settled,
                                                      now_us, &error)) {
        connection_lost(feed, &error, now_us);
    }
}
