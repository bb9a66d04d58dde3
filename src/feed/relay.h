/*
 * The sink of lines: what a publisher's lines say goes into the window, by the
 * rules that keep the promise behind a transport that may lose some.
 */
#ifndef PGNUDGE_FEED_RELAY_H
#define PGNUDGE_FEED_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "batch/window.h"
#include "bridge/follower.h"
#include "bridge/line.h"
#include "feed/counters.h"
#include "feed/delivery.h"
#include "source/line_sink.h"
#include "tables/names.h"

/*
 * 1. Before `started` no line has counted: the resync that the first one makes stands for all.
 * 2. While parts of an item are to come, the window is held open.
 */
struct relay {
    const struct log *log; /* borrowed, as are the next five */
    const struct verdict_rules *rules;
    struct names *names;
    struct window *window;
    struct counters *counters;
    const struct delivery *delivery;
    bool operations; /* are wanted */
    bool anybody;    /* who sends lines may be no pgnudge: one without a number doesn't end it */
    struct follower follower;
    bool started;
    int64_t interval_us; /* of the publisher's heartbeats; CLOCK_NEVER: it has told of none */
    int64_t heard_us;    /* when the last line came */
    bool silence_said;
    bool operations_said; /* that the publisher doesn't count them */
    bool unreadable_said;
    bool foreign;   /* who publishes now is of another role than the first one: whatever it says, it
                       doesn't end this */
    bool refused;   /* the publisher doesn't watch what is watched here */
    int64_t now_us; /* when what is being taken arrived; set before each turn of the source */
    int64_t wall_us;
};

/* The functions; their context is the struct relay. */
struct line_sink relay_sink(struct relay *relay);

/* A connection to the publisher is live, up to this position: makes the resync of it. */
void relay_start(struct relay *relay, uint64_t lsn);

/* The connection is gone. */
void relay_stop(struct relay *relay);

/* When a silence is to be reported; CLOCK_NEVER: not. */
int64_t relay_deadline(const struct relay *relay);
void relay_tick(struct relay *relay, int64_t now_us);

#endif
