/*
 * The visibility connection: asks the server, on a second connection, what a new snapshot sees,
 * so that nothing is printed before its changes can be seen.
 *
 * A walsender sends a commit once it is flushed; others see it only after it
 * has left the list of running transactions, for which it may have to wait for
 * a synchronous standby.
 */
#ifndef PGNUDGE_VISIBLE_VISCONN_H
#define PGNUDGE_VISIBLE_VISCONN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "batch/item.h"
#include "conninfo/conninfo.h"
#include "net/address.h"
#include "pq/query.h"
#include "snapshot/visibility.h"

struct visconn;

#define VISIBILITY_COLUMNS 4
#define QUESTIONS_MAX      8 /* that wait, or are under way */

struct visconn_setup {
    const struct conninfo *info;   /* all borrowed */
    const struct address *address; /* the stream's own */
    const char *identity;          /* the stream's answer to SQL_IDENTITY */
    const struct log *log;
    const char *prepare;         /* SQL to be run once a connection, for later questions; or NULL */
    bool visibility_check;       /* false: only questions, connected for each alone */
    int64_t response_timeout_us; /* silence that means a dead link */
    int64_t interval_us;         /* asks at least this often */
    int64_t backoff_min_us;
    int64_t backoff_max_us;
};

enum visconn_event {
    VISCONN_NOTHING,
    VISCONN_SAW,   /* visconn_visibility is new; then visconn_complete */
    VISCONN_FAILED /* it could not be reached so far, for this error; it goes on trying */
};

enum answer {
    ANSWER_COMPLETE, /* all rows have been handed out */
    ANSWER_REFUSED,  /* by the server, for this error */
    ANSWER_LOST      /* the connection is gone */
};

/* What is asked beside the visibility. A question is asked together with it: what that sees, the
 * catalog shows too. */
struct question {
    const char *sql;      /* copied; its rows don't have VISIBILITY_COLUMNS columns */
    query_row_fn *on_row; /* `context` is its first argument, as is the next one's */
    void *context;
    bool vital; /* a refusal means that this connection can't serve: it is lost */

    /* Called once. False: `error` ends the stream's connection; only COMPLETE may say so. */
    bool (*on_answer)(void *context, enum answer answer, int64_t now_us, struct error *error);
};

/* NULL: out of memory. */
struct visconn *visconn_new(const struct visconn_setup *setup, int64_t now_us);

/* Goes on as far as it can without waiting; `position` is what the stream has received so far. */
enum visconn_event visconn_step(struct visconn *visconn, uint64_t position, int64_t now_us,
                                struct error *error);

/* Whether it has worked since visconn_new: then its failures are mended in the background. */
bool visconn_has_worked(const struct visconn *visconn);

/* Warns that it is being mended: once, until it is up again. `error`: VISCONN_FAILED's. */
void visconn_report_down(struct visconn *visconn, const struct error *error);

/* Asks for a new visibility now, then ever less often, until visconn_rest. */
void visconn_hurry(struct visconn *visconn, int64_t now_us);
void visconn_rest(struct visconn *visconn, int64_t now_us);

/* Asks for a new visibility at `at_us`, if not before. */
void visconn_ask_by(struct visconn *visconn, int64_t at_us);

/* Asks it behind those that wait. False: QUESTIONS_MAX do, or no memory; then it is forgotten. */
bool visconn_ask(struct visconn *visconn, const struct question *question, int64_t now_us);

/* After VISCONN_SAW: calls on_answer of the question that was asked with it, if one was. */
bool visconn_complete(struct visconn *visconn, int64_t now_us, struct error *error);

/* When the server last gave a sign of life there; 0: never. */
int64_t visconn_alive_us(const struct visconn *visconn);

const struct visibility *visconn_visibility(const struct visconn *visconn);
struct pollfd visconn_pollfd(const struct visconn *visconn);
int64_t visconn_deadline(const struct visconn *visconn);

/* NULL is fine. */
void visconn_free(struct visconn *visconn);

#endif
