#include "visible/visible.h"

#include "base/clock.h"

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

/* A list that is under way already would be too old. */
static bool wants_list(const struct visible *visible)
{
    return visible->barrier.state == BARRIER_WANTING && !visconn_is_listing(visible->visconn);
}

enum visconn_event visible_step(struct visible *visible, bool ready, uint64_t position,
                                int64_t now_us, struct error *error)
{
    if (wants_list(visible)) {
        visconn_list(visible->visconn);
        barrier_asked(&visible->barrier);
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

bool visible_take_list(struct visible *visible, int64_t now_us)
{
    const struct snapshot *running = visconn_running(visible->visconn);

    return barrier_listed(&visible->barrier, running, now_us) &&
           flush_horizon_listed(&visible->horizon, running, visconn_listed_at(visible->visconn));
}

void visible_list_if_due(struct visible *visible, uint64_t position, int64_t interval_us,
                         int64_t now_us)
{
    if (flush_horizon_wants_list(&visible->horizon, position, interval_us, now_us)) {
        visconn_list(visible->visconn);
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
        deadline = wants_list(visible) ? 0 : visconn_deadline(visible->visconn);
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
    barrier_stop(&visible->barrier);
    flush_horizon_free(&visible->horizon);
}

void visible_free(struct visible *visible)
{
    visible_disconnect(visible);
    barrier_free(&visible->barrier);
    for (size_t i = 0; i < visible->replica_count; i++) {
        replica_free(visible->replicas[i]);
    }
}
