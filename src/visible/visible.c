#include "visible/visible.h"

#include "base/clock.h"

/*
 * Whoever has an xid holds a lock on it until its end can be seen: also one
 * that has committed and waits for a standby. Subtransactions have younger ones,
 * which snapshots don't list.
 */
#define RUNNING_SQL                                                                                \
    "SELECT DISTINCT ON (virtualtransaction) transactionid::text FROM pg_catalog.pg_locks"         \
    " WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted"                     \
    " ORDER BY virtualtransaction, age(transactionid) DESC"

/*
 * The same of this database, with what each has locked for writing: a row for each relation. One
 * scan, so that none ends between two. One that has locked nothing here, but in another database,
 * is there. (CREATE DATABASE locks in others, and changes no table here.)
 */
#define INFLIGHT_SQL                                                                               \
    "WITH l AS MATERIALIZED (SELECT locktype, database, relation, transactionid,"                  \
    " virtualtransaction, mode FROM pg_catalog.pg_locks WHERE granted), x AS (SELECT DISTINCT ON"  \
    " (virtualtransaction) virtualtransaction, transactionid FROM l"                               \
    " WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock'"                                 \
    " ORDER BY virtualtransaction, age(transactionid) DESC),"                                      \
    " here AS (SELECT oid FROM pg_catalog.pg_database"                                             \
    " WHERE datname = pg_catalog.current_database())"                                              \
    " SELECT x.transactionid::text, l.relation::text FROM x LEFT JOIN l"                           \
    " ON l.virtualtransaction = x.virtualtransaction AND l.locktype = 'relation'"                  \
    " AND l.relation >= 16384 AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')"               \
    " AND l.database = (SELECT oid FROM here) WHERE l.relation IS NOT NULL"                        \
    " OR x.virtualtransaction NOT IN (SELECT virtualtransaction FROM l"                            \
    " WHERE database <> 0 AND database <> (SELECT oid FROM here)) ORDER BY 1"

bool visible_here(const struct visible *visible, const struct item *item, unsigned mark)
{
    bool all_seen = !unseen_any(visible->unseen, mark);
    const struct visibility *now;

    if (!visible->check) {
        return true;
    }
    if (visible->visconn == NULL) { /* only what has been seen counts */
        return all_seen;
    }
    now = visconn_visibility(visible->visconn);
    return now->known && (now->in_recovery ? now->lsn >= item->lsn : all_seen);
}

bool visible_everywhere(const struct visible *visible, const struct item *item, unsigned mark)
{
    for (size_t i = 0; i < visible->replica_count; i++) {
        if (!replica_shows(visible->replicas[i], item->lsn)) {
            return false;
        }
    }
    return visible_here(visible, item, mark);
}

void visible_hurry(struct visible *visible, const struct item *item, unsigned mark, int64_t now_us)
{
    if (visible->visconn != NULL && !visible_here(visible, item, mark)) {
        visconn_hurry(visible->visconn, now_us);
    }
    for (size_t i = 0; i < visible->replica_count; i++) {
        if (!replica_shows(visible->replicas[i], item->lsn)) {
            replica_hurry(visible->replicas[i], now_us);
        }
    }
}

void visible_rest(struct visible *visible, const struct item *item, int64_t now_us)
{
    for (size_t i = 0; i < visible->replica_count; i++) {
        if (item == NULL || replica_shows(visible->replicas[i], item->lsn)) {
            replica_rest(visible->replicas[i], now_us);
        }
    }
}

/* ---- the list of running transactions ---- */

static bool on_running(void *context, struct query_row *row)
{
    struct visible *visible = context;
    struct slice value;
    uint32_t xid;

    return query_row_next(row, &value) && xid_read(value, &xid) &&
           snapshot_add(&visible->running, xid);
}

static bool on_inflight(void *context, struct query_row *row)
{
    struct visible *visible = context;
    struct snapshot *running = &visible->running;
    struct slice value, relation;
    uint64_t oid = 0;
    uint32_t xid;

    if (!query_row_next(row, &value) || !xid_read(value, &xid) || !query_row_next(row, &relation) ||
        (relation.data != NULL && (!slice_number(relation, &oid) || oid > UINT32_MAX))) {
        return false;
    }
    if (running->len == 0 || running->running[running->len - 1] != xid) { /* those of one follow */
        if (!snapshot_add(running, xid)) {
            return false;
        }
    }
    return inflight_add(&visible->inflight, xid, (uint32_t)oid);
}

static bool on_list(void *context, enum answer answer, int64_t now_us, struct error *error)
{
    struct visible *visible = context;
    uint64_t asked_at = visconn_visibility(visible->visconn)->asked_at;

    visible->list_asked = false;
    if (answer != ANSWER_COMPLETE) {
        visible->list_wanted = true;
        return true;
    }
    snapshot_sort(&visible->running);
    inflight_sort(&visible->inflight);
    return (barrier_listed(&visible->barrier, &visible->running, now_us) &&
            flush_horizon_listed(&visible->horizon, &visible->running, asked_at)) ||
           error_memory(error);
}

/* One that is under way already would be too old. */
static bool may_ask_for_list(const struct visible *visible)
{
    return !visible->list_asked &&
           (visible->list_wanted || visible->barrier.state == BARRIER_WANTING);
}

static void ask_for_list(struct visible *visible, int64_t now_us)
{
    struct question list = {RUNNING_SQL, on_running, visible, true, on_list};

    if (visible->physical) {
        inflight_clear(&visible->inflight);
        list.sql = INFLIGHT_SQL;
        list.on_row = on_inflight;
    }
    snapshot_clear(&visible->running);
    visible->list_asked = visconn_ask(visible->visconn, &list, now_us);
    visible->list_wanted = !visible->list_asked;
    if (visible->list_asked && visible->barrier.state == BARRIER_WANTING) {
        barrier_asked(&visible->barrier);
    }
}

/* ---- the connection ---- */

enum visconn_event visible_step(struct visible *visible, bool ready, uint64_t position,
                                int64_t now_us, struct error *error)
{
    if (may_ask_for_list(visible)) {
        ask_for_list(visible, now_us);
    }
    return ready || now_us >= visconn_deadline(visible->visconn)
               ? visconn_step(visible->visconn, position, now_us, error)
               : VISCONN_NOTHING;
}

bool visible_take(struct visible *visible, const struct visible_positions *positions,
                  int64_t now_us)
{
    const struct visibility *now = visconn_visibility(visible->visconn);

    if (now->in_recovery) {
        unseen_replayed(visible->unseen, now->lsn, positions->closed, positions->open,
                        positions->last);
    } else if (!unseen_see(visible->unseen, &now->snapshot)) {
        return false;
    }
    return flush_horizon_see(&visible->horizon, now) && barrier_see(&visible->barrier, now, now_us);
}

void visible_list_if_due(struct visible *visible, uint64_t position, int64_t interval_us,
                         int64_t now_us)
{
    if (!visible->physical && /* no slot, nothing to flush */
        flush_horizon_wants_list(&visible->horizon, position, interval_us, now_us)) {
        visible->list_wanted = true;
    }
}

void visible_pollfds(const struct visible *visible, struct pollfd fds[1 + REPLICAS_MAX])
{
    if (visible->visconn != NULL) {
        fds[0] = visconn_pollfd(visible->visconn);
    }
    for (size_t i = 0; i < visible->replica_count; i++) {
        fds[1 + i] = replica_pollfd(visible->replicas[i]);
    }
}

int64_t visible_deadline(const struct visible *visible)
{
    int64_t deadline = CLOCK_NEVER;

    if (visible->visconn != NULL) {
        deadline = may_ask_for_list(visible) ? 0 : visconn_deadline(visible->visconn);
    }
    for (size_t i = 0; i < visible->replica_count; i++) {
        deadline = clock_earlier(deadline, replica_deadline(visible->replicas[i]));
    }
    return deadline;
}

void visible_disconnect(struct visible *visible)
{
    visconn_free(visible->visconn);
    visible->visconn = NULL;
    visible->list_wanted = visible->list_asked = false;
    barrier_stop(&visible->barrier);
    inflight_clear(&visible->inflight);
    flush_horizon_free(&visible->horizon);
}

void visible_free(struct visible *visible)
{
    visible_disconnect(visible);
    barrier_free(&visible->barrier);
    snapshot_free(&visible->running);
    for (size_t i = 0; i < visible->replica_count; i++) {
        replica_free(visible->replicas[i]);
    }
}
