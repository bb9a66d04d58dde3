#include "feed/delivery.h"

#include "base/clock.h"

#define ASK_LEAD_US (10 * CLOCK_MS) /* before a window closes: time for the answer */

bool delivery_is_visible_here(const struct delivery *delivery)
{
    return visible_here(delivery->visible, &delivery->closed, UNSEEN_CLOSED);
}

/* Whether the closed item may be handed on. */
static bool is_ready(const struct delivery *delivery)
{
    return delivery->keys_hold &&
           visible_everywhere(delivery->visible, &delivery->closed, UNSEEN_CLOSED);
}

static bool item_due(const struct delivery *delivery, bool may_close, int64_t now_us)
{
    return delivery->has_closed ? !delivery->is_with_out && is_ready(delivery)
                                : may_close && now_us >= window_deadline(delivery->window);
}

bool delivery_due(const struct delivery *delivery, bool may_close, int64_t now_us)
{
    return item_due(delivery, may_close, now_us) || now_us >= heartbeat_at(&delivery->heartbeat);
}

static void close_window(struct delivery *delivery, int64_t now_us)
{
    delivery->closed_since_us = delivery->window->open.first_us;
    window_close(delivery->window, &delivery->closed);
    delivery->has_closed = true;
    delivery->keys_hold = delivery->relayed || delivery->closed.definition_len == 0;
    delivery->closings++;
    delivery->window_asked = false;
    visible_hurry(delivery->visible, &delivery->closed, UNSEEN_CLOSED, now_us);
}

static void forget(struct delivery *delivery)
{
    item_clear(&delivery->closed);
    unseen_move(delivery->visible->unseen, UNSEEN_CLOSED, 0);
    delivery->has_closed = delivery->is_with_out = false;
}

void delivery_drop(struct delivery *delivery)
{
    if (!delivery->is_with_out) {
        forget(delivery);
    }
}

static bool counts(const struct item *item)
{
    return item->resync != RESYNC_CONNECTED;
}

static void hand_on(struct delivery *delivery, int64_t now_us)
{
    struct item *item = &delivery->closed;

    delivery->is_with_out = true;
    heartbeat_item(&delivery->heartbeat, item, now_us);
    item->lsn = delivery->numbered ? delivery->heartbeat.lsn : item->lsn;
    delivery->out->ops->begin(delivery->out, item);
    delivery->items += counts(item) ? 1 : 0;
    if (item->resync != RESYNC_NONE) {
        delivery->resync_printed = true;
        log_say(delivery->log, LOG_INFO, "resync: %s", resync_text(item->resync));
    }
}

/* The item goes back to the window. False: out of memory. */
static bool take_back(struct delivery *delivery, int64_t now_us)
{
    bool ok = window_put_back(delivery->window, &delivery->closed, now_us);

    delivery->window->open.first_us = delivery->closed_since_us;
    delivery->items -= counts(&delivery->closed) ? 1 : 0;
    delivery->resync_printed &= delivery->closed.resync != RESYNC_CONNECTED;
    forget(delivery);
    return ok;
}

void delivery_advance(struct delivery *delivery, bool may_close, int64_t now_us)
{
    struct item item;

    if (!delivery_due(delivery, may_close, now_us) ||
        !delivery->out->ops->can_take(delivery->out)) {
        return;
    }
    if (item_due(delivery, may_close, now_us) && !delivery->has_closed) {
        close_window(delivery, now_us);
    }
    if (delivery->has_closed && is_ready(delivery)) {
        hand_on(delivery, now_us);
    } else if (now_us >= heartbeat_at(&delivery->heartbeat)) {
        item = heartbeat_begin(&delivery->heartbeat, now_us);
        delivery->out->ops->begin(delivery->out, &item);
    }
}

/* What had begun is out. */
static enum out_event done(struct delivery *delivery)
{
    if (delivery->heartbeat.is_with_out) {
        delivery->heartbeat.is_with_out = false;
        return OUT_NOTHING;
    }
    if (delivery->closed.resync != RESYNC_NONE) {
        delivery->counters->resyncs++;
    } else {
        delivery->counters->batches++;
    }
    forget(delivery);
    return OUT_DONE;
}

/* It is not. False: out of memory. */
static bool failed(struct delivery *delivery, int64_t now_us)
{
    if (delivery->heartbeat.is_with_out) {
        delivery->heartbeat.is_with_out = false; /* the next one has another number */
        return true;
    }
    return take_back(delivery, now_us);
}

static enum out_event step(struct delivery *delivery, short revents, int64_t now_us,
                           struct error *error)
{
    enum out_event event = delivery->out->ops->step(delivery->out, revents, now_us, error);

    if (event == OUT_DONE) {
        return done(delivery);
    }
    if ((event == OUT_FAILED || event == OUT_MISSED) && !failed(delivery, now_us)) {
        error_memory(error);
        return OUT_BROKEN;
    }
    if (event == OUT_MISSED) {
        window_resync(delivery->window, RESYNC_MISSED, now_us);
    }
    return event;
}

void delivery_restart(struct delivery *delivery, bool live, int64_t now_us)
{
    struct window *window = delivery->window;

    heartbeat_restart(&delivery->heartbeat);
    if (!live) { /* the connect's resync stands for all */
        delivery_drop(delivery);
        window_clear(window);
        return;
    }
    if (delivery->has_closed) {
        unseen_move(delivery->visible->unseen, UNSEEN_CLOSED, UNSEEN_OPEN);
        forget(delivery);
    }
    window_resync(window, delivery->resync_printed ? RESYNC_MISSED : RESYNC_CONNECTED, now_us);
}

enum out_event delivery_step(struct delivery *delivery, short revents, bool may_close,
                             int64_t now_us, struct error *error)
{
    enum out_event event = step(delivery, revents, now_us, error);

    if (event != OUT_NOTHING) {
        return event;
    }
    delivery_advance(delivery, may_close, now_us);
    return delivery->out->ops->busy(delivery->out) ? step(delivery, 0, now_us, error) : OUT_NOTHING;
}

void delivery_keep_visible(struct delivery *delivery)
{
    struct window *window = delivery->window;

    if (delivery->has_closed && !delivery->is_with_out &&
        !visible_here(delivery->visible, &delivery->closed, UNSEEN_CLOSED)) {
        delivery_drop(delivery);
    }
    if (delivery->has_closed && !delivery->keys_hold) { /* nobody is there to ask */
        item_drop_keys(&delivery->closed);
        delivery->keys_hold = true;
    }
    item_drop_keys(&window->item);
    if (window->in_transaction ||
        !visible_here(delivery->visible, &window->item, UNSEEN_OPEN | UNSEEN_UNKNOWN)) {
        window_clear(window);
    }
    window->in_transaction = false;
}

int64_t delivery_waiting_us(const struct delivery *delivery, int64_t now_us)
{
    const struct window *window = delivery->window;
    int64_t since_us = delivery->has_closed                 ? delivery->closed_since_us
                       : window->open.due_us != CLOCK_NEVER ? window->open.first_us
                                                            : now_us;

    return now_us > since_us ? now_us - since_us : 0;
}

/* While the window has changes: a quiet server has answered before it closes. */
static void plan_window(struct delivery *delivery, struct visconn *visconn, int64_t now_us)
{
    int64_t due_us = delivery->window->open.due_us;

    if (!delivery->window_asked) {
        delivery->window_asked = true;
        visconn_ask_by(visconn, now_us);
    }
    if (due_us != CLOCK_NEVER && due_us > now_us) {
        visconn_ask_by(visconn, due_us - ASK_LEAD_US > now_us ? due_us - ASK_LEAD_US : due_us);
    }
}

void delivery_plan(struct delivery *delivery, int64_t now_us)
{
    struct visible *visible = delivery->visible;
    const struct item *item = delivery->has_closed ? &delivery->closed : NULL;
    int64_t barrier_us = barrier_ask_at(&visible->barrier);

    visible_rest(visible, item, now_us);
    if (visible->visconn == NULL || !visible->check) {
        return;
    }
    if (!barrier_holds(&visible->barrier) &&
        (item == NULL || visible_here(visible, item, UNSEEN_CLOSED))) {
        visconn_rest(visible->visconn, now_us);
    }
    if (barrier_us != CLOCK_NEVER) {
        visconn_ask_by(visible->visconn, barrier_us);
    }
    if (unseen_is_large(visible->unseen)) {
        visconn_ask_by(visible->visconn, now_us);
    }
    if (window_waits(delivery->window)) {
        plan_window(delivery, visible->visconn, now_us);
    }
}

void delivery_free(struct delivery *delivery)
{
    if (delivery->out != NULL) {
        delivery->out->ops->free(delivery->out);
    }
    item_free(&delivery->closed);
}
