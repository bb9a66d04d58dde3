#include "visible/flush_horizon.h"

#include "base/clock.h"

bool flush_horizon_wants_list(struct flush_horizon *horizon, uint64_t position, int64_t interval_us,
                              int64_t now_us)
{
    if (!xids_empty(&horizon->running) || position <= horizon->settled ||
        now_us < horizon->next_us) {
        return false;
    }
    horizon->next_us = clock_after(now_us, interval_us);
    return true;
}

/*
 * What the stream had brought was flushed: such a transaction is over, or still
 * holds its xid. A snapshot alone would not do: the newest one that waits for a
 * standby lies above its xmax, unlisted.
 */
bool flush_horizon_listed(struct flush_horizon *horizon, const struct snapshot *running,
                          uint64_t position)
{
    if (!xids_empty(&horizon->running)) {
        return true; /* somebody else's list, in the middle of a round */
    }
    horizon->lsn = position;
    for (size_t i = 0; i < running->len; i++) {
        if (!xids_add(&horizon->running, running->running[i])) {
            return false;
        }
    }
    if (xids_empty(&horizon->running)) {
        horizon->settled = position;
    }
    return true;
}

bool flush_horizon_see(struct flush_horizon *horizon, const struct visibility *visibility)
{
    if (visibility->in_recovery) { /* nobody waits on a standby */
        xids_clear(&horizon->running);
        horizon->settled = visibility->asked_at;
        return true;
    }
    if (xids_empty(&horizon->running)) {
        return true;
    }
    xids_drop_visible(&horizon->running, &visibility->snapshot);
    if (xids_empty(&horizon->running)) {
        horizon->settled = horizon->lsn;
    }
    return true;
}

void flush_horizon_free(struct flush_horizon *horizon)
{
    xids_free(&horizon->running);
    *horizon = (struct flush_horizon){0};
}
