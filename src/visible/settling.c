#include "visible/settling.h"

#include "base/clock.h"

bool settling_wants_list(struct settling *settling, uint64_t position, int64_t interval_us,
                         int64_t now_us)
{
    if (!xids_empty(&settling->running) || position <= settling->settled ||
        now_us < settling->next_us) {
        return false;
    }
    settling->next_us = clock_after(now_us, interval_us);
    return true;
}

/*
 * What the stream had brought was flushed: such a transaction is over, or still
 * holds its xid. A snapshot alone would not do: the newest one that waits for a
 * standby lies above its xmax, unlisted.
 */
bool settling_listed(struct settling *settling, const struct snapshot *running, uint64_t position)
{
    if (!xids_empty(&settling->running)) {
        return true; /* somebody else's list, in the middle of a round */
    }
    settling->lsn = position;
    for (size_t i = 0; i < running->len; i++) {
        if (!xids_add(&settling->running, running->running[i])) {
            return false;
        }
    }
    if (xids_empty(&settling->running)) {
        settling->settled = position;
    }
    return true;
}

bool settling_see(struct settling *settling, const struct sight *sight)
{
    if (sight->in_recovery) { /* nobody waits on a standby */
        xids_clear(&settling->running);
        settling->settled = sight->asked_at;
        return true;
    }
    if (xids_empty(&settling->running)) {
        return true;
    }
    xids_strike(&settling->running, &sight->snapshot);
    if (xids_empty(&settling->running)) {
        settling->settled = settling->lsn;
    }
    return true;
}

void settling_free(struct settling *settling)
{
    xids_free(&settling->running);
    *settling = (struct settling){0};
}
