/*
 * What the parts of the mediator share: ending.c stops it, connection.c has the source's life,
 * visibility.c what the server shows, feed.c the items' way and the loop.
 *
 * 1. Where there is no source, reconnect.at_us says when the next one begins.
 * 2. visconn is there from SOURCE_PREPARED to the source's end, live from SOURCE_LIVE on.
 * 3. There are at most two items: the window's, and, while has_closed, `closed`, which waits to be
 *    visible and for the out; nothing joins it any more.
 * 4. The window stays open while the catalog may yet add to the transactions in it: a transaction
 *    is told in one item.
 */
#ifndef PGNUDGE_FEED_STATE_H
#define PGNUDGE_FEED_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/service.h"
#include "batch/sequence.h"
#include "feed/config.h"
#include "feed/delivery.h"
#include "feed/intake.h"
#include "feed/metrics.h"
#include "feed/outcome.h"
#include "feed/questions.h"
#include "feed/reconnect.h"
#include "feed/relay.h"
#include "visible/visible.h"

struct feed {
    const struct feed_config *config;
    const struct log *log;
    struct service service;
    struct counters counters;
    struct metrics metrics;
    struct names *names;
    struct unseen unseen;
    struct window window;
    struct catalog catalog;
    struct intake intake;
    struct relay relay; /* in its place where items come from another pgnudge */
    struct verdict_rules rules;
    struct reconnect reconnect;
    struct source *source;
    bool live;
    bool ever_live; /* a stream was live, and, if wanted, the visibility connection had worked */
    struct visible visible;
    struct questions questions;
    struct delivery delivery;
    struct sequence sequence;
    int64_t hidden_until_us; /* how long a hidden table may hold the window back */
    int64_t failsafe_us;
    int64_t timeout_us;
    int64_t signals_us; /* when they were last let in */
    bool stopping;
    int64_t stop_us; /* when the stop stops waiting */
    struct feed_outcome outcome;
};

/* ---- ending.c ---- */

void ending_close_connections(struct feed *feed);

/* Begins to stop; the first one's outcome counts. */
void ending_stop(struct feed *feed, enum feed_status status, int signal, int64_t now_us);

/* The same, for an error, which is reported. */
void ending_fail(struct feed *feed, const struct error *error, enum feed_status status,
                 int64_t now_us);

/* ---- connection.c ---- */

/* The turn of the source; connects it when that is due. `ready`: poll reported something. */
void connection_step(struct feed *feed, bool ready, int64_t now_us);

/* It could not be made, or is lost: ends, or connects again later. */
void connection_lost(struct feed *feed, struct error *error, int64_t now_us);

/* Behind the line that a change may have made: who waits for that is in more of a hurry. */
void connection_acknowledge(struct feed *feed, int64_t now_us);

/* ---- visibility.c ---- */

/* The turns of the visibility connection and of the replicas. */
void visibility_step(struct feed *feed, bool ready, int64_t now_us);
void visibility_step_replicas(struct feed *feed, const struct pollfd fds[REPLICAS_MAX],
                              int64_t now_us);

#endif
