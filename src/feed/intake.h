/* The sink: what a source brings goes through names and catalog into the window. */
#ifndef PGNUDGE_FEED_INTAKE_H
#define PGNUDGE_FEED_INTAKE_H

#include <stdint.h>

#include "batch/window.h"
#include "catalog/catalog.h"
#include "feed/counters.h"
#include "snapshot/inflight.h"
#include "source/sink.h"
#include "tables/names.h"
#include "visible/barrier.h"

struct intake {
    struct names *names; /* borrowed, as are the next five */
    struct catalog *catalog;
    struct window *window;
    struct barrier *barrier;
    struct inflight *inflight; /* NULL: transactions that were open at the start don't matter */
    struct counters *counters;
    int64_t now_us;  /* when what is being taken arrived; set before each turn of the source */
    int64_t wall_us; /* the same moment by the wall clock */

    /* Whose keys are to come, of one row; held. NULL: none are. */
    struct {
        struct name *name;
        struct definition *definition;
    } row;

    /* Changes that aren't known: a resync stands for them, at most one a second. */
    struct {
        bool due;
        enum resync reason;
        uint32_t highest; /* xid */
        int64_t next_us;  /* not before */
    } unknown;

    /* A COMMIT has been taken; or NULL. */
    void (*committed)(void *context);
    void *context;
};

/* The sink's functions; its context is the struct intake. */
struct sink intake_sink(struct intake *intake);

/* Makes the resync that is due. */
void intake_tick(struct intake *intake, int64_t now_us);

/* When intake_tick must be called. */
int64_t intake_deadline(const struct intake *intake);

/* The stream is over. */
void intake_stop(struct intake *intake);

#endif
