#include "auth/password.h"
#include "base/clock.h"
#include "feed/state.h"

void ending_close_connections(struct feed *feed)
{
    visible_disconnect(&feed->visible);
    if (feed->source != NULL) {
        feed->counters.bytes += feed->source->ops->received(feed->source);
        feed->source->ops->free(feed->source);
    }
    feed->source = NULL;
    feed->live = false;
}

void ending_stop(struct feed *feed, enum feed_status status, int signal, int64_t now_us)
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
        ending_close_connections(feed);
    }
    feed->stop_us = clock_after(now_us, grace_us > out_grace_us ? grace_us : out_grace_us);
}

void ending_fail(struct feed *feed, const struct error *error, enum feed_status status,
                 int64_t now_us)
{
    log_report(feed->log, LOG_ERROR, error);
    ending_stop(feed, status, 0, now_us);
}
