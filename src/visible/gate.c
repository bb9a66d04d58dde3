#include "visible/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/probe.h"
#include "server/serversql.h"
#include "visible/pace.h"
#include "wire/lsn.h"

/* SIGHT_COLUMNS; one row for each running xid, or one with NULL. */
#define SIGHT_SQL                                                                                  \
    "SELECT pg_catalog.pg_is_in_recovery()::text,"                                                 \
    " CASE WHEN pg_catalog.pg_is_in_recovery()"                                                    \
    " THEN coalesce(pg_catalog.pg_last_wal_replay_lsn(), '0/0')"                                   \
    " ELSE pg_catalog.pg_current_wal_insert_lsn() END::text,"                                      \
    " pg_catalog.pg_snapshot_xmax(s.now)::text, x::text"                                           \
    " FROM (SELECT pg_catalog.pg_current_snapshot() AS now) s"                                     \
    " LEFT JOIN LATERAL pg_catalog.pg_snapshot_xip(s.now) x ON true"

/*
 * Whoever has an xid holds a lock on it until its end can be seen: also one
 * that has committed and waits for a standby. Subtransactions have younger ones,
 * which snapshots don't list.
 */
#define RUNNING_SQL                                                                                \
    "SELECT DISTINCT ON (virtualtransaction) transactionid::text FROM pg_catalog.pg_locks"         \
    " WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted"                     \
    " ORDER BY virtualtransaction, age(transactionid) DESC"

enum question { ASK_NOTHING, ASK_IDENTITY, ASK_SIGHT, ASK_RUNNING, ASK_OTHER };

struct gate {
    struct gate_setup setup;
    struct probe *probe;
    enum question asking;
    char identity[IDENTITY_MAX];
    bool identified; /* since the probe came up */
    bool has_worked;
    bool told_down;
    bool list_wanted;
    bool other_wanted;
    struct buffer other_sql;
    query_row_fn *other_row;
    void *other_context;
    struct pace pace;        /* of sights */
    struct sight sight;      /* complete */
    struct sight coming;     /* its rows are still being taken */
    struct snapshot running; /* the list's */
    uint64_t listed_at;      /* the stream's position when it was asked for */
};

struct gate *gate_new(const struct gate_setup *setup, int64_t now_us)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    struct probe_setup probe = {
        .info = setup->info,
        .only = setup->address,
        .patience_us = setup->patience_us,
        .backoff = {.min_us = setup->backoff_min_us, .max_us = setup->backoff_max_us},
    };

    if (gate == NULL) {
        return NULL;
    }
    gate->setup = *setup;
    pace_init(&gate->pace, setup->interval_us, now_us);
    gate->probe = probe_new(&probe, now_us);
    if (gate->probe == NULL) {
        gate_free(gate);
        return NULL;
    }
    if (!setup->sights) {
        probe_sleep(gate->probe);
    }
    return gate;
}

/* ---- rows ---- */

static bool take_identity(void *context, struct query_row *row)
{
    struct gate *gate = context;
    struct slice value;

    if (!query_row_next(row, &value)) {
        return false;
    }
    snprintf(gate->identity, sizeof(gate->identity), "%.*s", (int)value.len, value.data);
    return true;
}

/* An xid, of 32 or 64 bits; the low 32 count. */
static bool read_xid(struct slice text, uint32_t *xid)
{
    uint64_t wide;
    bool ok = slice_number(text, &wide);

    *xid = (uint32_t)wide;
    return ok;
}

static bool take_sight(void *context, struct query_row *row)
{
    struct sight *sight = &((struct gate *)context)->coming;
    struct slice recovery, lsn, xmax, running;
    uint32_t xid;

    if (!query_row_next(row, &recovery) || !query_row_next(row, &lsn) ||
        !query_row_next(row, &xmax) || !query_row_next(row, &running) ||
        !lsn_read(lsn, &sight->lsn) || !read_xid(xmax, &sight->snapshot.xmax)) {
        return false;
    }
    sight->in_recovery = slice_equal(recovery, slice_of("true"));
    return running.data == NULL || (read_xid(running, &xid) && snapshot_add(&sight->snapshot, xid));
}

/* The answer to a question that isn't the gate's own, behind a sight's. */
static bool take_other(void *context, struct query_row *row)
{
    struct gate *gate = context;

    return row->columns == SIGHT_COLUMNS ? take_sight(gate, row)
                                         : gate->other_row(gate->other_context, row);
}

static bool take_running(void *context, struct query_row *row)
{
    struct gate *gate = context;
    struct slice value;
    uint32_t xid;

    return query_row_next(row, &value) && read_xid(value, &xid) &&
           snapshot_add(&gate->running, xid);
}

/* ---- questions ---- */

static void begin_sight(struct gate *gate, uint64_t position)
{
    pace_asked(&gate->pace);
    gate->coming.asked_at = position;
    snapshot_clear(&gate->coming.snapshot);
}

static void ask(struct gate *gate, enum question question, uint64_t position, int64_t now_us)
{
    gate->asking = question;
    switch (question) {
    case ASK_NOTHING:
        break;
    case ASK_IDENTITY:
        probe_ask(gate->probe, "SELECT " SQL_IDENTITY, take_identity, gate, now_us);
        break;
    case ASK_SIGHT:
        begin_sight(gate, position);
        probe_ask(gate->probe, SIGHT_SQL, take_sight, gate, now_us);
        break;
    case ASK_RUNNING:
        gate->list_wanted = false;
        gate->listed_at = position;
        snapshot_clear(&gate->running);
        probe_ask(gate->probe, RUNNING_SQL, take_running, gate, now_us);
        break;
    case ASK_OTHER:
        gate->other_wanted = false;
        begin_sight(gate, position);
        probe_ask(gate->probe, gate->other_sql.data, take_other, gate, now_us);
        break;
    }
}

static void ask_what_is_due(struct gate *gate, uint64_t position, int64_t now_us)
{
    if (!probe_ready(gate->probe) || gate->asking != ASK_NOTHING) {
        return;
    }
    if (!gate->identified) {
        ask(gate, ASK_IDENTITY, position, now_us);
    } else if (gate->list_wanted) {
        ask(gate, ASK_RUNNING, position, now_us);
    } else if (gate->other_wanted) {
        ask(gate, ASK_OTHER, position, now_us);
    } else if (gate->setup.sights && pace_due(&gate->pace, now_us)) {
        ask(gate, ASK_SIGHT, position, now_us);
    } else if (!gate->setup.sights) {
        probe_sleep(gate->probe);
        gate->identified = false;
    }
}

static enum gate_event down(struct gate *gate, struct error *error)
{
    gate->list_wanted |= gate->asking == ASK_RUNNING;
    gate->asking = ASK_NOTHING;
    gate->other_wanted = false;
    gate->identified = false;
    pace_by(&gate->pace, 0); /* as soon as it is up again */
    error_prefix(error, "the second connection, which tells what can be seen, %s",
                 gate->has_worked ? "is lost" : "can't be made");
    return GATE_FAILED;
}

static void end_sight(struct gate *gate, int64_t now_us)
{
    struct sight older = gate->sight;

    gate->sight = gate->coming;
    gate->sight.known = true;
    gate->coming = older; /* its memory serves again */
    snapshot_sort(&gate->sight.snapshot);
    pace_answered(&gate->pace, now_us);
}

static enum gate_event take_answer(struct gate *gate, int64_t now_us, struct error *error)
{
    enum question answered = gate->asking;

    gate->asking = ASK_NOTHING;
    switch (answered) {
    case ASK_IDENTITY:
        if (strcmp(gate->identity, gate->setup.identity) != 0) {
            error_set(error, ERROR_TRANSIENT, "it reached another server than the stream");
            error_hint(error, "Is a load balancer in between?");
            probe_reject(gate->probe, now_us);
            return down(gate, error);
        }
        gate->identified = gate->has_worked = true;
        gate->told_down = false;
        break;
    case ASK_SIGHT:
        end_sight(gate, now_us);
        return GATE_SAW;
    case ASK_RUNNING:
        snapshot_sort(&gate->running);
        return GATE_LISTED;
    case ASK_OTHER:
        end_sight(gate, now_us);
        return GATE_ANSWERED;
    case ASK_NOTHING:
        break;
    }
    return GATE_NOTHING;
}

enum gate_event gate_step(struct gate *gate, uint64_t position, int64_t now_us, struct error *error)
{
    enum gate_event event = GATE_NOTHING;

    switch (probe_step(gate->probe, now_us, error)) {
    case PROBE_NOTHING:
    case PROBE_UP:
        break;
    case PROBE_ANSWERED:
        event = take_answer(gate, now_us, error);
        break;
    case PROBE_REFUSED:
        if (gate->asking == ASK_OTHER) {
            gate->asking = ASK_NOTHING;
            event = GATE_REFUSED;
            break;
        }
        /* Ours are none that a server of 13 or later refuses for long. */
        probe_reject(gate->probe, now_us);
        event = down(gate, error);
        break;
    case PROBE_DOWN:
        event = down(gate, error);
        break;
    }
    ask_what_is_due(gate, position, now_us);
    return event;
}

bool gate_has_worked(const struct gate *gate)
{
    return gate->has_worked;
}

void gate_tell_down(struct gate *gate, const struct error *error)
{
    struct error told = *error;

    if (gate->told_down) {
        return;
    }
    gate->told_down = true;
    if (told.detail[0] == '\0') {
        error_detail(&told, "Items wait until it is back.");
    }
    log_report(gate->setup.log, LOG_WARNING, &told);
}

void gate_hurry(struct gate *gate, int64_t now_us)
{
    pace_hurry(&gate->pace, now_us);
}

void gate_rest(struct gate *gate, int64_t now_us)
{
    pace_rest(&gate->pace, now_us);
}

void gate_ask_by(struct gate *gate, int64_t at_us)
{
    pace_by(&gate->pace, at_us);
}

void gate_list(struct gate *gate)
{
    gate->list_wanted = true;
}

bool gate_is_listing(const struct gate *gate)
{
    return gate->list_wanted || gate->asking == ASK_RUNNING;
}

bool gate_ask(struct gate *gate, const char *sql, query_row_fn *on_row, void *context,
              int64_t now_us)
{
    buffer_clear(&gate->other_sql);
    buffer_text(&gate->other_sql, SIGHT_SQL "; ");
    buffer_text(&gate->other_sql, sql);
    buffer_byte(&gate->other_sql, '\0');
    gate->other_row = on_row;
    gate->other_context = context;
    gate->other_wanted = !gate->other_sql.failed;
    probe_wake(gate->probe, now_us);
    return gate->other_wanted;
}

const struct sight *gate_sight(const struct gate *gate)
{
    return &gate->sight;
}

const struct snapshot *gate_running(const struct gate *gate)
{
    return &gate->running;
}

uint64_t gate_listed_at(const struct gate *gate)
{
    return gate->listed_at;
}

struct pollfd gate_pollfd(const struct gate *gate)
{
    return probe_pollfd(gate->probe);
}

int64_t gate_deadline(const struct gate *gate)
{
    int64_t deadline = probe_deadline(gate->probe);

    if (!probe_ready(gate->probe) || gate->asking != ASK_NOTHING) {
        return deadline;
    }
    if (!gate->identified || gate->list_wanted || gate->other_wanted || !gate->setup.sights) {
        return 0;
    }
    return clock_earlier(deadline, gate->pace.next_us);
}

void gate_free(struct gate *gate)
{
    if (gate != NULL) {
        probe_free(gate->probe);
        snapshot_free(&gate->sight.snapshot);
        snapshot_free(&gate->coming.snapshot);
        snapshot_free(&gate->running);
        buffer_free(&gate->other_sql);
        free(gate);
    }
}
