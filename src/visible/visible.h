/*
 * Whether an item is visible: to a new snapshot on the server itself, as the
 * visibility connection reports it, and on each replica of --visible-on.
 */
#ifndef PGNUDGE_VISIBLE_VISIBLE_H
#define PGNUDGE_VISIBLE_VISIBLE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "batch/item.h"
#include "snapshot/inflight.h"
#include "snapshot/unseen.h"
#include "visible/barrier.h"
#include "visible/flush_horizon.h"
#include "visible/replica.h"
#include "visible/visconn.h"

struct visible {
    bool check;              /* false: nothing is waited for */
    struct unseen *unseen;   /* borrowed */
    struct visconn *visconn; /* owned; NULL: there is no connection */
    struct replica *replicas[REPLICAS_MAX];
    size_t replica_count;
    struct barrier barrier;       /* of the connection */
    struct flush_horizon horizon; /* likewise */
    bool physical;                /* the stream doesn't wait for what was open when it began */
    struct inflight inflight;     /* physical: these */
    struct snapshot running;      /* what the list of running transactions has brought so far */
    bool list_wanted;             /* one that begins from now on */
    bool list_asked;              /* one is under way */
};

/* Positions, each of the last change of its kind. */
struct visible_positions {
    uint64_t stream; /* that the stream has brought */
    uint64_t closed; /* in the closed item */
    uint64_t open;   /* in the open window; UINT64_MAX: a transaction is under way */
    uint64_t last;   /* committed, watched or not */
};

/* Whether the server shows all of the item, whose transactions have this mark in `unseen`. */
bool visible_here(const struct visible *visible, const struct item *item, unsigned mark);

/* Whether the server and all replicas do. */
bool visible_everywhere(const struct visible *visible, const struct item *item, unsigned mark);

/* The item waits: asks, in a hurry, wherever it isn't visible yet. */
void visible_hurry(struct visible *visible, const struct item *item, unsigned mark, int64_t now_us);

/* Ends the hurry at replicas that show the item; NULL: at all. */
void visible_rest(struct visible *visible, const struct item *item, int64_t now_us);

/*
 * Goes on with the visibility connection; `ready`: poll reported something. After VISCONN_SAW:
 * visible_take, then visconn_complete.
 */
enum visconn_event visible_step(struct visible *visible, bool ready, uint64_t position,
                                int64_t now_us, struct error *error);

/* False: out of memory. */
bool visible_take(struct visible *visible, const struct visible_positions *positions,
                  int64_t now_us);

/* Asks for a list of what runs, where the flush horizon is to move on. */
void visible_list_if_due(struct visible *visible, uint64_t position, int64_t interval_us,
                         int64_t now_us);

/* One for the visibility connection, one for each replica. */
void visible_pollfds(const struct visible *visible, struct pollfd fds[1 + REPLICAS_MAX]);

/* When visible_step or a replica's step must be called whatever poll reports. */
int64_t visible_deadline(const struct visible *visible);

/* The stream's connection is gone: so is this one's, and what is known of the server. */
void visible_disconnect(struct visible *visible);

void visible_free(struct visible *visible);

#endif
