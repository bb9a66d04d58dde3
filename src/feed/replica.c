#include "feed/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "feed/pace.h"
#include "feed/probe.h"
#include "feed/serversql.h"
#include "repl/lsn.h"

/* One that has been promoted counts by what it has flushed. */
#define REPLICA_SQL                                                                                \
    "SELECT " SQL_SYSTEM_ID ", CASE WHEN pg_catalog.pg_is_in_recovery() THEN"                      \
    " coalesce(pg_catalog.pg_last_wal_replay_lsn(), '0/0')"                                        \
    " ELSE pg_catalog.pg_current_wal_flush_lsn() END::text"

struct replica {
    struct replica_setup setup;
    struct probe *probe;
    bool asking;
    bool has_worked;
    bool told_away;
    char expected[SYSTEM_ID_MAX];
    char system_id[SYSTEM_ID_MAX];
    uint64_t answered_lsn;
    uint64_t lsn; /* what it shows; 0 while it is away */
    struct pace pace;
};

struct replica *replica_new(const struct replica_setup *setup, int64_t now_us)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    struct probe_setup probe = {
        .info = setup->info,
        .patience_us = setup->patience_us,
        .backoff = {.min_us = setup->backoff_min_us, .max_us = setup->backoff_max_us},
    };

    if (replica == NULL) {
        return NULL;
    }
    replica->setup = *setup;
    pace_init(&replica->pace, setup->interval_us, now_us);
    replica->probe = probe_new(&probe, now_us);
    if (replica->probe == NULL) {
        replica_free(replica);
        return NULL;
    }
    return replica;
}

void replica_expect(struct replica *replica, const char *system_id)
{
    snprintf(replica->expected, sizeof(replica->expected), "%s", system_id);
}

static bool take_row(void *context, struct query_row *row)
{
    struct replica *replica = context;
    struct slice id, lsn;

    if (!query_row_next(row, &id) || !query_row_next(row, &lsn)) {
        return false;
    }
    snprintf(replica->system_id, sizeof(replica->system_id), "%.*s", (int)id.len, id.data);
    return lsn_read(lsn, &replica->answered_lsn);
}

/* What it showed may be gone with it (a failover): nothing counts until it answers again. */
static enum replica_event away(struct replica *replica, const struct error *error)
{
    replica->asking = false;
    replica->lsn = 0;
    pace_by(&replica->pace, 0); /* as soon as it is up again */
    if (!replica->has_worked && error->kind == ERROR_PERMANENT) {
        return REPLICA_REFUSED;
    }
    if (!replica->told_away) {
        struct error told = *error;

        replica->told_away = true;
        error_prefix(&told, "--visible-on %s, port %s",
                     conninfo_text(replica->setup.info, CONN_HOST),
                     conninfo_text(replica->setup.info, CONN_PORT));
        if (told.detail[0] == '\0') {
            error_detail(&told, "Items wait until it can be asked.");
        }
        log_report(replica->setup.log, LOG_WARNING, &told);
    }
    return REPLICA_SEEN;
}

static enum replica_event take_answer(struct replica *replica, int64_t now_us, struct error *error)
{
    replica->asking = false;
    pace_answered(&replica->pace, now_us);
    if (strcmp(replica->system_id, replica->expected) != 0) {
        error_set(error, ERROR_PERMANENT,
                  "\"%s\", port %s, belongs to another cluster than the server that is watched",
                  conninfo_text(replica->setup.info, CONN_HOST),
                  conninfo_text(replica->setup.info, CONN_PORT));
        error_detail(error, "Its system identifier is %s, not %s.", replica->system_id,
                     replica->expected);
        probe_reject(replica->probe, now_us);
        return away(replica, error);
    }
    if (replica->told_away) {
        log_say(replica->setup.log, LOG_INFO, "--visible-on %s, port %s: it is back",
                conninfo_text(replica->setup.info, CONN_HOST),
                conninfo_text(replica->setup.info, CONN_PORT));
    }
    replica->has_worked = true;
    replica->told_away = false;
    replica->lsn = replica->answered_lsn;
    return REPLICA_SEEN;
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
        probe_reject(replica->probe, now_us);
        event = away(replica, error);
        break;
    case PROBE_DOWN:
        event = away(replica, error);
        break;
    }
    if (replica->expected[0] != '\0' && probe_ready(replica->probe) && !replica->asking &&
        pace_due(&replica->pace, now_us)) {
        replica->asking = true;
        pace_asked(&replica->pace);
        probe_ask(replica->probe, REPLICA_SQL, take_row, replica, now_us);
    }
    return event;
}

bool replica_shows(const struct replica *replica, uint64_t lsn)
{
    return replica->lsn > 0 && replica->lsn >= lsn;
}

void replica_hurry(struct replica *replica, int64_t now_us)
{
    pace_hurry(&replica->pace, now_us);
}

void replica_rest(struct replica *replica, int64_t now_us)
{
    pace_rest(&replica->pace, now_us);
}

int replica_fd(const struct replica *replica)
{
    return probe_fd(replica->probe);
}

short replica_events(const struct replica *replica)
{
    return probe_events(replica->probe);
}

int64_t replica_deadline(const struct replica *replica)
{
    int64_t deadline = probe_deadline(replica->probe);

    if (replica->expected[0] != '\0' && probe_ready(replica->probe) && !replica->asking) {
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
