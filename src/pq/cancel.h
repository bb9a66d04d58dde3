/*
 * CancelRequest ("Message Flow", Canceling Requests in Progress): a connection
 * of its own, to the same address and encrypted like the first.
 */
#ifndef PGNUDGE_PQ_CANCEL_H
#define PGNUDGE_PQ_CANCEL_H

#include <poll.h>

#include "base/error.h"
#include "base/step.h"
#include "conninfo/conninfo.h"
#include "pq/conn.h"

struct cancel;

/* Begins to cancel what `conn` is doing; `conn` and `info` must outlive it. NULL: see `error`. */
struct cancel *cancel_start(struct conn *conn, const struct conninfo *info, struct error *error);

/* STEP_DONE: the server has taken the request (and closed, which is its answer). */
enum step cancel_step(struct cancel *cancel, struct error *error);

struct pollfd cancel_pollfd(const struct cancel *cancel);

/* NULL is fine. */
void cancel_free(struct cancel *cancel);

#endif
