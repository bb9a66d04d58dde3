/*
 * What the feed's parts share: feed.c has the loop and the end, link.c the
 * stream's connection, second.c the others, printer.c the items on their way out.
 */
#ifndef PGNUDGE_FEED_STATE_H
#define PGNUDGE_FEED_STATE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/error.h"
#include "batch/item.h"
#include "batch/window.h"
#include "catalog/catalog.h"
#include "feed/feed.h"
#include "out/output.h"
#include "pq/cancel.h"
#include "repl/stream.h"
#include "snapshot/unseen.h"
#include "source/intake.h"
#include "source/read_batching.h"
#include "source/session.h"
#include "tables/names.h"
#include "visible/barrier.h"
#include "visible/flush_horizon.h"
#include "visible/visconn.h"

enum link_state { LINK_WAITING, LINK_CONNECTING, LINK_LIVE, LINK_CANCELLING, LINK_CLOSED };

enum asker { ASKER_NONE, ASKER_CATALOG, ASKER_BLOCKERS, ASKER_LIFE };

/* The connections to the server. */
struct link {
    enum link_state state;
    struct session *session; /* CONNECTING, LIVE, CANCELLING */
    struct stream *stream;   /* LIVE */
    struct cancel *cancel;   /* CANCELLING, until the server has taken it */
    struct visconn *visconn; /* from the login on, if wanted */
    struct flush_horizon horizon;
    struct read_batching batching; /* LIVE */
    bool low_water_works;          /* … poll can tell when READ_BATCH_BYTES wait */
    bool low_water;                /* … and does */
    int64_t status_interval_us;    /* CONNECTING, LIVE */
    struct backoff backoff;
    enum asker asker; /* of the visibility connection's question that isn't its own */
    int64_t
        alive_us; /* when the server last gave a sign of life on the visibility connection's connection */
    int64_t cancel_until_us; /* CANCELLING: when to give that up */
    bool blockers_reported;  /* who keeps the slot from being made has been asked for */
    int64_t retry_us;        /* WAITING: when it ends */
    bool ever_live;          /* … and, if wanted, the visibility connection has worked */
};

/* Items from the window to stdout. */
struct printer {
    struct output output;
    struct item closed; /* waits for visibility and for stdout */
    bool has_closed;
    bool resync_printed;     /* … so that the next is `reconnected` */
    bool window_asked;       /* the visibility connection has been asked about the open window */
    int64_t hidden_until_us; /* how long a hidden table may hold the window back */
    uint64_t items;          /* that count for --count */
};

struct feed {
    const struct feed_config *config;
    const struct log *log;
    struct names *names;
    struct catalog catalog;
    struct unseen unseen;
    struct window window;
    struct barrier barrier;
    struct intake intake;
    struct link link;
    struct replica *replicas[REPLICAS_MAX];
    struct printer printer;
    int64_t failsafe_us;
    int64_t timeout_us;
    bool stopping;
    int64_t stop_us; /* when the stop stops waiting */
    struct feed_outcome outcome;
};

/* ---- feed.c ---- */

/* Begins to stop; the first one's outcome counts. */
void feed_stop(struct feed *feed, enum feed_status status, int signal, int64_t now_us);

/* Says the error and stops with FEED_ERROR. */
void feed_fail(struct feed *feed, const struct error *error, int64_t now_us);

/* ---- link.c ---- */

/* Goes on with the stream's connection; `ready`: poll reported something. */
void link_step(struct feed *feed, bool ready, int64_t now_us);

/* Tells the server what it is owed. Behind the line that a change may have made: who waits for
 * that is in more of a hurry. */
void link_answer(struct feed *feed, int64_t now_us);

/* The poll entry for the stream. */
struct pollfd link_pollfd(struct feed *feed);

int64_t link_deadline(const struct feed *feed);

/* Closes all at once, or, where the server makes the slot, has it cancelled first: LINK_CLOSED
 * says when it is over. Returns how long that may take, in microseconds. */
int64_t link_stop(struct feed *feed);

void link_close(struct link *link);

/* What the stream has brought; 0 where there is none. */
uint64_t link_position(const struct link *link);

/* While the server makes the slot: when its silence on the visibility connection's connection means that it is dead;
 * else CLOCK_NEVER. */
int64_t link_silent_until(const struct feed *feed);

/* The connection could not be made, or is lost: ends, or tries again later. */
void link_failed(struct feed *feed, struct error *error, int64_t now_us);

/* ---- second.c ---- */

/* Goes on with the second connection: visibility_check, and what the catalog or the log wants to know;
 * `ready`: poll reported something. */
void second_step(struct feed *feed, bool ready, int64_t now_us);

/* Goes on with the replicas; ready[i]: poll reported something. */
void second_step_replicas(struct feed *feed, const bool ready[REPLICAS_MAX], int64_t now_us);

/* When second_step must be called whatever poll reports. */
int64_t second_deadline(const struct feed *feed);

/* ---- printer.c ---- */

/* At a COMMIT: closes a window that is due, if stdout can take a line. */
void printer_at_commit(struct feed *feed, int64_t now_us);

/* What can be seen has changed. False: out of memory. */
bool printer_see(struct feed *feed, const struct visibility *visibility);

/* The connection is gone: keeps only what is known to be visible. */
void printer_disconnected(struct feed *feed);

/* Too much is not visible yet to be told apart: a resync behind a barrier stands for it. */
void printer_overflowed(struct feed *feed, int64_t now_us);

/* Tells the visibility connection when an answer will be wanted. */
void printer_ask(struct feed *feed, int64_t now_us);

/* Writes what is due, with what poll said about stdout. */
void printer_step(struct feed *feed, short revents, int64_t now_us);

/* The poll entry for stdout. */
struct pollfd printer_pollfd(const struct feed *feed, int64_t now_us);

int64_t printer_deadline(const struct feed *feed, int64_t now_us);

#endif
