/*
 * The gate: asks the server, on a second connection, what a new snapshot sees,
 * so that nothing is printed before its changes can be seen.
 *
 * A walsender sends a commit once it is flushed; others see it only after it
 * has left the list of running transactions, for which it may have to wait for
 * a synchronous standby.
 */
#ifndef PGNUDGE_VISIBLE_GATE_H
#define PGNUDGE_VISIBLE_GATE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "batch/item.h"
#include "conninfo/conninfo.h"
#include "net/address.h"
#include "pq/query.h"
#include "snapshot/sight.h"

struct gate;

#define SIGHT_COLUMNS 4

struct gate_setup {
    const struct conninfo *info;   /* all borrowed */
    const struct address *address; /* the stream's own */
    const char *identity;          /* the stream's answer to SQL_IDENTITY */
    const struct log *log;
    bool sights;         /* false: only gate_ask's questions, connected for each alone */
    int64_t patience_us; /* silence that means a dead link */
    int64_t interval_us; /* asks at least this often */
    int64_t backoff_min_us;
    int64_t backoff_max_us;
};

enum gate_event {
    GATE_NOTHING,
    GATE_SAW,      /* gate_sight is new */
    GATE_LISTED,   /* gate_running is there */
    GATE_ANSWERED, /* gate_ask's question is, and gate_sight is from right before it */
    GATE_REFUSED,  /* gate_ask's question was refused, for this error */
    GATE_FAILED    /* it could not be reached so far, for this error; it goes on trying */
};

/* NULL: out of memory. */
struct gate *gate_new(const struct gate_setup *setup, int64_t now_us);

/* Goes on as far as it can without waiting; `position` is what the stream has received so far. */
enum gate_event gate_step(struct gate *gate, uint64_t position, int64_t now_us,
                          struct error *error);

/* Whether it has worked since gate_new: then its failures are mended in the background. */
bool gate_has_worked(const struct gate *gate);

/* Warns that it is being mended: once, until it is up again. `error`: GATE_FAILED's. */
void gate_tell_down(struct gate *gate, const struct error *error);

/* Asks for a new sight now, then ever less often, until gate_rest. */
void gate_hurry(struct gate *gate, int64_t now_us);
void gate_rest(struct gate *gate, int64_t now_us);

/* Asks for a new sight at `at_us`, if not before. */
void gate_ask_by(struct gate *gate, int64_t at_us);

/* Asks, once, for what runs now. */
void gate_list(struct gate *gate);

/* Whether that has been asked for and not answered. */
bool gate_is_listing(const struct gate *gate);

/*
 * Asks something else, once, together with a sight. One at a time; `sql` is
 * copied, and its rows don't have SIGHT_COLUMNS columns. GATE_FAILED forgets it.
 * False: out of memory.
 */
bool gate_ask(struct gate *gate, const char *sql, query_row_fn *on_row, void *context,
              int64_t now_us);

const struct sight *gate_sight(const struct gate *gate);
const struct snapshot *gate_running(const struct gate *gate);

/* The stream's position when that list was asked for. */
uint64_t gate_listed_at(const struct gate *gate);

struct pollfd gate_pollfd(const struct gate *gate);
int64_t gate_deadline(const struct gate *gate);

/* NULL is fine. */
void gate_free(struct gate *gate);

#endif
