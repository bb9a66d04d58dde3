#include "visible/replica.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/probe.h"
#include "server/serversql.h"
#include "visible/pace.h"
#include "wire/lsn.h"

/* One that has been promoted counts by what it has flushed. */
#define REPLICA_SQL                                                                                \
    "SELECT " SQL_SYSTEM_ID ", CASE WHEN pg_catalog.pg_is_in_recovery() THEN"                      \
    " coalesce(pg_catalog.pg_last_wal_replay_lsn(), '0/0')"                                        \
    " ELSE pg_catalog.pg_current_wal_flush_lsn() END::text,"                                       \
    " (SELECT greatest(c.timeline_id, r.min_recovery_end_timeline)"                                \
    " FROM pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() r)::text"

/* What is asked, in this order; as a walsender the timeline behind the position once more. */
enum replica_step {
    STEP_IDLE,
    STEP_TIMELINE,
    STEP_HISTORY, /* of a timeline that is new */
    STEP_POSITION,
    STEP_TIMELINE_AGAIN
};

/*
 * 1. `lsn` is 0 while the replica is away: then it shows nothing.
 * 2. `timeline` is that of `lsn`: as a walsender it is asked for before and after the position, and
 *    an answer in between two timelines is thrown away.
 * 3. `shown_lsn` on `shown` is the newest position that its readers may have read.
 */
struct replica {
    struct replica_setup setup;
    struct probe *probe;
    enum replica_step step;
    bool walsender; /* the connection is one; else the timeline is only known late */
    bool has_worked;
    bool away_reported;
    bool plain_reported;
    bool parted_reported;
    char expected[SYSTEM_ID_MAX];
    char system_id[SYSTEM_ID_MAX];
    struct timeline source; /* of the server that is watched */
    struct timeline timeline;
    uint32_t answered_timeline;
    uint64_t answered_lsn;
    uint64_t lsn;          /* what it shows; 0 while it is away */
    struct timeline shown; /* where it has shown `shown_lsn` */
    uint64_t shown_lsn;
    struct error refusal; /* why it isn't a walsender */
    struct pace pace;
};

struct replica *replica_new(const struct replica_setup *setup, int64_t now_us)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    struct probe_setup probe = {
        .info = setup->info,
        .replication = true,
        .response_timeout_us = setup->response_timeout_us,
        .backoff = {.min_us = setup->backoff_min_us, .max_us = setup->backoff_max_us},
    };

    if (replica == NULL) {
        return NULL;
    }
    replica->setup = *setup;
    replica->walsender = true;
    pace_init(&replica->pace, setup->interval_us, now_us);
    replica->probe = probe_new(&probe, now_us);
    if (replica->probe == NULL) {
        replica_free(replica);
        return NULL;
    }
    return replica;
}

void replica_expect(struct replica *replica, const char *system_id, const struct timeline *timeline)
{
    snprintf(replica->expected, sizeof(replica->expected), "%s", system_id);
    replica->source = *timeline;
}

/* ---- rows ---- */

/* IDENTIFY_SYSTEM: the system identifier, the timeline, … */
static bool on_timeline(void *context, struct query_row *row)
{
    struct replica *replica = context;
    struct slice id, timeline;
    uint64_t number;

    if (!query_row_next(row, &id) || !query_row_next(row, &timeline) ||
        !slice_number(timeline, &number) || number > UINT32_MAX) {
        return false;
    }
    replica->answered_timeline = (uint32_t)number;
    return true;
}

/* TIMELINE_HISTORY: the file's name, its content. */
static bool on_history(void *context, struct query_row *row)
{
    struct replica *replica = context;
    struct slice name, content;

    return query_row_next(row, &name) && query_row_next(row, &content) &&
           timeline_read(&replica->timeline, replica->answered_timeline, content);
}

static bool on_position(void *context, struct query_row *row)
{
    struct replica *replica = context;
    struct slice id, lsn, timeline;
    uint64_t number;

    if (!query_row_next(row, &id) || !query_row_next(row, &lsn) ||
        !query_row_next(row, &timeline) || !slice_number(timeline, &number) ||
        number > UINT32_MAX) {
        return false;
    }
    snprintf(replica->system_id, sizeof(replica->system_id), "%.*s", (int)id.len, id.data);
    if (!replica->walsender) {
        replica->answered_timeline = (uint32_t)number;
    }
    return lsn_read(lsn, &replica->answered_lsn);
}

/* ---- away ---- */

static void warn(const struct replica *replica, const struct error *error, const char *detail)
{
    struct error told = *error;

    error_prefix(&told, "--visible-on %s, port %s", conninfo_text(replica->setup.info, CONN_HOST),
                 conninfo_text(replica->setup.info, CONN_PORT));
    error_detail(&told, "%s", detail);
    log_report(replica->setup.log, LOG_WARNING, &told);
}

void replica_report_refused(struct replica *replica, const struct error *error)
{
    if (!replica->away_reported) {
        replica->away_reported = true;
        warn(replica, error, "Items wait until it answers.");
    }
}

/* What it showed may be gone with it (a failover): nothing counts until it answers again. */
static enum replica_event away(struct replica *replica, const struct error *error)
{
    replica->step = STEP_IDLE;
    replica->lsn = 0;
    pace_by(&replica->pace, 0); /* as soon as it is up again */
    if (!replica->has_worked && error->kind == ERROR_PERMANENT) {
        return REPLICA_REFUSED;
    }
    replica_report_refused(replica, error);
    replica->walsender = true; /* the next connection tries that first */
    probe_prefer_replication(replica->probe, true);
    return REPLICA_SEEN;
}

/* The server has an answer, but no walsender for us: an ordinary connection tells the position. */
static bool try_plain(struct replica *replica, const struct error *error, int64_t now_us)
{
    bool is_down = strncmp(error->sqlstate, "57", 2) == 0; /* or is starting up */

    if (!replica->walsender || error->sqlstate[0] == '\0' || is_down) {
        return false;
    }
    replica->walsender = false;
    replica->refusal = *error;
    probe_prefer_replication(replica->probe, false);
    probe_sleep(replica->probe);
    probe_wake(replica->probe, now_us);
    return true;
}

/* ---- answers ---- */

static bool is_another_cluster(struct replica *replica, struct error *error)
{
    if (strcmp(replica->system_id, replica->expected) == 0) {
        return false;
    }
    error_set(error, ERROR_PERMANENT,
              "\"%s\", port %s, belongs to another cluster than the server that is watched",
              conninfo_text(replica->setup.info, CONN_HOST),
              conninfo_text(replica->setup.info, CONN_PORT));
    error_detail(error, "Its system identifier is %s, not %s.", replica->system_id,
                 replica->expected);
    return true;
}

/* Without a walsender its history isn't known: on a newer timeline than ours nothing counts. */
static void guess_timeline(struct replica *replica)
{
    uint32_t id = replica->answered_timeline;

    replica->timeline = replica->source;
    for (size_t i = 0; i < replica->source.len && id != replica->source.id; i++) {
        if (replica->source.ancestors[i].id == id) {
            replica->timeline.id = id;
            replica->timeline.len = i;
            return;
        }
    }
    if (id != replica->source.id) {
        replica->timeline.id = 0;
    }
}

/* Whether what its readers have read is still there: in the history of what it shows now. */
static bool holds_what_was_shown(const struct replica *replica)
{
    return replica->shown_lsn == 0 ||
           (replica->answered_lsn >= replica->shown_lsn &&
            timeline_common(&replica->shown, &replica->timeline) >= replica->shown_lsn);
}

/* It was promoted beside the server: what that writes from there on never comes to it. */
static void warn_if_parted(struct replica *replica)
{
    uint64_t common = timeline_common(&replica->timeline, &replica->source);
    bool parted = common != UINT64_MAX && replica->timeline.id != 0 && replica->source.id != 0;
    struct error error;

    for (size_t i = 0; i < replica->source.len; i++) {
        parted = parted && replica->source.ancestors[i].id != replica->timeline.id;
    }
    if (parted && !replica->parted_reported) {
        error_set(&error, ERROR_TRANSIENT,
                  "it is on timeline %" PRIu32 ", which left the server's at " LSN_FORMAT,
                  replica->timeline.id, LSN_HALVES(common));
        warn(replica, &error,
             "Changes after that never reach it. Items wait until it follows "
             "the server again.");
    }
    replica->parted_reported = parted;
}

static enum replica_event take_shown(struct replica *replica, int64_t now_us)
{
    bool known = replica->timeline.id != 0;
    bool back = known && !holds_what_was_shown(replica);

    replica->step = STEP_IDLE;
    pace_answered(&replica->pace, now_us);
    if (replica->away_reported) {
        log_say(replica->setup.log, LOG_WARNING, "--visible-on %s, port %s: it is back",
                conninfo_text(replica->setup.info, CONN_HOST),
                conninfo_text(replica->setup.info, CONN_PORT));
    }
    if (!replica->walsender && !replica->plain_reported) {
        replica->plain_reported = true;
        warn(replica, &replica->refusal,
             "Its timeline is only available on a replication connection. After a failover, items "
             "wait until pg_control_recovery() shows the new one.");
    }
    warn_if_parted(replica);
    replica->has_worked = true;
    replica->away_reported = false;
    replica->lsn = replica->answered_lsn;
    if (known) {
        replica->shown_lsn = replica->lsn;
        replica->shown = replica->timeline;
    }
    return back ? REPLICA_BACK : REPLICA_SEEN;
}

/* ---- questions ---- */

static void ask(struct replica *replica, enum replica_step step, int64_t now_us)
{
    char command[40];

    replica->step = step;
    switch (step) {
    case STEP_IDLE:
        break;
    case STEP_TIMELINE:
    case STEP_TIMELINE_AGAIN:
        probe_ask(replica->probe, "IDENTIFY_SYSTEM", on_timeline, replica, now_us);
        break;
    case STEP_HISTORY:
        snprintf(command, sizeof(command), "TIMELINE_HISTORY %" PRIu32, replica->answered_timeline);
        replica->timeline.id = 0;
        probe_ask(replica->probe, command, on_history, replica, now_us);
        break;
    case STEP_POSITION:
        probe_ask(replica->probe, REPLICA_SQL, on_position, replica, now_us);
        break;
    }
}

/* Its timeline is known: on to its history, where that is new, or to the position. */
static void take_its_timeline(struct replica *replica, int64_t now_us)
{
    if (replica->answered_timeline == replica->timeline.id) {
        ask(replica, STEP_POSITION, now_us);
    } else if (replica->answered_timeline > 1) {
        ask(replica, STEP_HISTORY, now_us);
    } else {
        timeline_read(&replica->timeline, replica->answered_timeline, (struct slice){"", 0});
        ask(replica, STEP_POSITION, now_us);
    }
}

static enum replica_event take_answer(struct replica *replica, int64_t now_us, struct error *error)
{
    switch (replica->step) {
    case STEP_IDLE:
        break;
    case STEP_TIMELINE:
        take_its_timeline(replica, now_us);
        break;
    case STEP_HISTORY:
        ask(replica, STEP_POSITION, now_us);
        break;
    case STEP_POSITION:
        if (is_another_cluster(replica, error)) {
            probe_reject(replica->probe, now_us);
            return away(replica, error);
        }
        if (replica->walsender) {
            ask(replica, STEP_TIMELINE_AGAIN, now_us);
            break;
        }
        guess_timeline(replica);
        return take_shown(replica, now_us);
    case STEP_TIMELINE_AGAIN:
        if (replica->answered_timeline == replica->timeline.id) {
            return take_shown(replica, now_us);
        }
        take_its_timeline(replica, now_us); /* it has moved on meanwhile */
        break;
    }
    return REPLICA_NOTHING;
}

static bool may_ask(const struct replica *replica)
{
    return replica->expected[0] != '\0' && probe_ready(replica->probe) &&
           replica->step == STEP_IDLE;
}

enum replica_event replica_step(struct replica *replica, int64_t now_us, struct error *error)
{
    enum replica_event event = REPLICA_NOTHING;

    switch (probe_step(replica->probe, now_us, error)) {
    case PROBE_NOTHING:
    case PROBE_UP:
        break;
    case PROBE_ANSWERED:
        event = take_answer(replica, now_us, error);
        break;
    case PROBE_REFUSED:
        if (!try_plain(replica, error, now_us)) {
            probe_reject(replica->probe, now_us);
            event = away(replica, error);
        }
        replica->step = STEP_IDLE;
        break;
    case PROBE_DOWN:
        if (!try_plain(replica, error, now_us)) {
            event = away(replica, error);
        }
        break;
    }
    if (may_ask(replica) && pace_due(&replica->pace, now_us)) {
        pace_asked(&replica->pace);
        ask(replica, replica->walsender ? STEP_TIMELINE : STEP_POSITION, now_us);
    }
    return event;
}

bool replica_shows(const struct replica *replica, uint64_t lsn)
{
    return replica->lsn > 0 && replica->lsn >= lsn &&
           timeline_common(&replica->timeline, &replica->source) >= lsn;
}

void replica_hurry(struct replica *replica, int64_t now_us)
{
    pace_hurry(&replica->pace, now_us);
}

void replica_rest(struct replica *replica, int64_t now_us)
{
    pace_rest(&replica->pace, now_us);
}

struct pollfd replica_pollfd(const struct replica *replica)
{
    return probe_pollfd(replica->probe);
}

int64_t replica_deadline(const struct replica *replica)
{
    int64_t deadline = probe_deadline(replica->probe);

    if (may_ask(replica)) {
        deadline = clock_earlier(deadline, replica->pace.next_us);
    }
    return deadline;
}

void replica_free(struct replica *replica)
{
    if (replica != NULL) {
        probe_free(replica->probe);
        free(replica);
    }
}
