/*
 * A second, ordinary connection for questions: made, settled and, when it
 * fails, mended in the background. One question at a time.
 */
#ifndef PGNUDGE_SERVER_PROBE_H
#define PGNUDGE_SERVER_PROBE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/error.h"
#include "conninfo/conninfo.h"
#include "net/address.h"
#include "pq/conn.h"
#include "pq/query.h"

struct probe;

struct probe_setup {
    const struct conninfo *info;          /* borrowed */
    const struct address *only;           /* borrowed; NULL: any address of the host */
    bool replication;                     /* as a walsender, which takes replication commands too */
    const struct conn_listener *listener; /* borrowed; or NULL */
    int64_t response_timeout_us;          /* silence after a question that means a dead link */
    struct backoff backoff;
};

enum probe_event {
    PROBE_NOTHING,
    PROBE_UP,       /* connected: ready for the first question */
    PROBE_ANSWERED, /* the last question's rows have all been handed out */
    PROBE_REFUSED,  /* the server refused it, the connection lives; see the error */
    PROBE_DOWN      /* the connection failed or is lost, and will be tried again; see the error */
};

/* Begins to connect. NULL: out of memory. */
struct probe *probe_new(const struct probe_setup *setup, int64_t now_us);

/* Goes on as far as it can without waiting. */
enum probe_event probe_step(struct probe *probe, int64_t now_us, struct error *error);

/* Closes it until it is woken: nothing is asked for the time being. */
void probe_sleep(struct probe *probe);
void probe_wake(struct probe *probe, int64_t now_us);

/* Whether the next connection is a walsender's. */
void probe_prefer_replication(struct probe *probe, bool replication);

/* Whether it takes a question. */
bool probe_ready(const struct probe *probe);

/* Asks. probe_step gives the event. */
void probe_ask(struct probe *probe, const char *sql, query_row_fn *on_row, void *context,
               int64_t now_us);

/* It is of no use (the wrong server): closes it and begins anew, later. */
void probe_reject(struct probe *probe, int64_t now_us);

/* The server, for people; "" before a login. Borrowed until the next step. */
const char *probe_place(const struct probe *probe);

/* None while it waits to try again. */
struct pollfd probe_pollfd(const struct probe *probe);
int64_t probe_deadline(const struct probe *probe);

/* NULL is fine. */
void probe_free(struct probe *probe);

#endif
