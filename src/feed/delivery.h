/*
 * The items' way out: the window is closed when it is due, its item waits until
 * it is visible and the out can take it, and is handed on.
 */
#ifndef PGNUDGE_FEED_DELIVERY_H
#define PGNUDGE_FEED_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "batch/item.h"
#include "batch/window.h"
#include "feed/counters.h"
#include "feed/heartbeat.h"
#include "out/out.h"
#include "visible/visible.h"

/*
 * 1. While has_closed, `closed` waits or is on its way; nothing joins it any more, and no other
 *    window closes.
 * 2. The xids that it waits for are those marked UNSEEN_CLOSED.
 * 3. While !keys_hold, it isn't known yet whether what the keys of `closed` rest on still holds.
 * 4. While is_with_out, the out has it: it is visible, and nothing else may stand for it.
 */
struct delivery {
    const struct log *log; /* borrowed, as are the next three */
    struct window *window;
    struct visible *visible;
    struct counters *counters;
    struct out *out; /* owned */
    struct heartbeat heartbeat;
    bool numbered; /* items are: each one's lsn stands for those before it, which may get lost */
    bool relayed;  /* what keys rest on has been compared by the publisher */
    struct item closed;
    bool has_closed;
    bool is_with_out;
    bool keys_hold;
    uint64_t closings;       /* windows closed so far: the number of `closed` */
    int64_t closed_since_us; /* the first change of `closed` */
    bool window_asked;       /* the visibility has been asked for since the window opened */
    bool resync_printed;     /* so the next resync after a connect is `reconnected` */
    uint64_t items;          /* that count for --count */
};

/* Whether something is to be done once the out can take an item. `may_close`: the window. */
bool delivery_due(const struct delivery *delivery, bool may_close, int64_t now_us);

/* Closes a window that is due, and hands on what is visible, if the out can take it. */
void delivery_advance(struct delivery *delivery, bool may_close, int64_t now_us);

/* The turn of the out, with what poll reported. */
enum out_event delivery_step(struct delivery *delivery, short revents, bool may_close,
                             int64_t now_us, struct error *error);

/* Whether the server shows all of the closed item. */
bool delivery_is_visible_here(const struct delivery *delivery);

/* Readers of the out know nothing yet: a resync stands for all up to now, once it is `live`. */
void delivery_restart(struct delivery *delivery, bool live, int64_t now_us);

/* Something else stands for what waits. */
void delivery_drop(struct delivery *delivery);

/* The connection is gone: keeps only what is known to be visible, in the window too. */
void delivery_keep_visible(struct delivery *delivery);

/* The age of the oldest change that waits, in microseconds; 0: none does. */
int64_t delivery_waiting_us(const struct delivery *delivery, int64_t now_us);

/* Says when the visibility will be wanted. */
void delivery_plan(struct delivery *delivery, int64_t now_us);

void delivery_free(struct delivery *delivery);

#endif
