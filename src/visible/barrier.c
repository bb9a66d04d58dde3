#include "visible/barrier.h"

#include "wire/lsn.h"

void barrier_start(struct barrier *barrier, enum resync reason, int64_t hold_us)
{
    barrier_stop(barrier);
    barrier->hold_us = hold_us;
    barrier->state = BARRIER_WANTING;
    barrier->reason = reason;
}

void barrier_asked(struct barrier *barrier)
{
    barrier->state = BARRIER_LISTING;
}

static void end_if_empty(struct barrier *barrier)
{
    bool listed = barrier->state == BARRIER_HOLDING || barrier->state == BARRIER_LATE;

    if (listed && xids_empty(&barrier->running) && xids_empty(&barrier->ended)) {
        barrier->state = BARRIER_OFF;
    }
}

bool barrier_listed(struct barrier *barrier, const struct snapshot *running, int64_t now_us)
{
    if (barrier->state != BARRIER_LISTING) {
        return true; /* somebody else's list */
    }
    for (size_t i = 0; i < running->len; i++) {
        if (!xids_add(&barrier->running, running->running[i])) {
            return false;
        }
    }
    barrier->state = BARRIER_HOLDING;
    barrier->until_us = clock_after(now_us, barrier->hold_us);
    end_if_empty(barrier);
    return true;
}

void barrier_streamed(struct barrier *barrier, uint32_t xid)
{
    if (barrier->state == BARRIER_HOLDING || barrier->state == BARRIER_LATE) {
        if (!xids_remove(&barrier->running, xid)) {
            xids_remove(&barrier->ended, xid);
        }
        end_if_empty(barrier);
    }
}

/* Moves what the visibility sees to those that have ended. False: out of memory. */
static bool take_ended(struct barrier *barrier, const struct visibility *visibility)
{
    for (size_t i = barrier->running.len; i-- > 0;) {
        uint32_t xid = barrier->running.at[i];

        if (snapshot_sees(&visibility->snapshot, xid)) {
            if (!xids_add(&barrier->ended, xid)) {
                return false;
            }
            barrier->ended_lsn = visibility->lsn;
            barrier->running.at[i] = barrier->running.at[--barrier->running.len];
        }
    }
    return true;
}

bool barrier_see(struct barrier *barrier, const struct visibility *visibility, int64_t now_us)
{
    bool ok = true;

    barrier->ask_us = clock_after(now_us, BARRIER_EVERY_US);
    if (visibility
            ->in_recovery) { /* there what is replayed is visible, and an item waits for that */
        xids_clear(&barrier->running);
        xids_clear(&barrier->ended);
    } else if (barrier->state == BARRIER_HOLDING) {
        xids_drop_visible(&barrier->running, &visibility->snapshot);
    } else if (barrier->state == BARRIER_LATE) {
        ok = take_ended(barrier, visibility);
    }
    end_if_empty(barrier);
    return ok;
}

bool barrier_holds(const struct barrier *barrier)
{
    return barrier->state == BARRIER_WANTING || barrier->state == BARRIER_LISTING ||
           barrier->state == BARRIER_HOLDING;
}

void barrier_tick(struct barrier *barrier, int64_t now_us)
{
    if (barrier->state == BARRIER_HOLDING && now_us >= barrier->until_us) {
        barrier->state = BARRIER_LATE;
        barrier->next_us = now_us;
        barrier->ask_us = clock_after(now_us, BARRIER_EVERY_US);
    }
}

/* Whether one has ended that will not come through any more. */
static bool has_missed(const struct barrier *barrier, uint64_t position)
{
    return barrier->state == BARRIER_LATE && !xids_empty(&barrier->ended) &&
           position >= lsn_without_header(barrier->ended_lsn);
}

bool barrier_take_due(struct barrier *barrier, uint64_t position, int64_t now_us)
{
    if (!has_missed(barrier, position) || now_us < barrier->next_us) {
        return false;
    }
    xids_clear(&barrier->ended);
    barrier->next_us = clock_after(now_us, BARRIER_EVERY_US);
    end_if_empty(barrier);
    return true;
}

int64_t barrier_deadline(const struct barrier *barrier, uint64_t position)
{
    if (barrier->state == BARRIER_HOLDING) {
        return barrier->until_us;
    }
    return has_missed(barrier, position) ? barrier->next_us : CLOCK_NEVER;
}

int64_t barrier_ask_at(const struct barrier *barrier)
{
    return barrier->state == BARRIER_LATE && !xids_empty(&barrier->running) ? barrier->ask_us
                                                                            : CLOCK_NEVER;
}

void barrier_stop(struct barrier *barrier)
{
    barrier->state = BARRIER_OFF;
    xids_clear(&barrier->running);
    xids_clear(&barrier->ended);
}

void barrier_free(struct barrier *barrier)
{
    xids_free(&barrier->running);
    xids_free(&barrier->ended);
}
