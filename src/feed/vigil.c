#include "feed/vigil.h"

void vigil_start(struct vigil *vigil)
{
    vigil_stop(vigil);
    vigil->state = VIGIL_LISTING;
}

static void end_if_empty(struct vigil *vigil)
{
    if (vigil->state == VIGIL_HOLDING && xids_empty(&vigil->xids)) {
        vigil->state = VIGIL_OFF;
    }
}

bool vigil_listed(struct vigil *vigil, const struct snapshot *running, int64_t now_us)
{
    if (vigil->state != VIGIL_LISTING) {
        return true; /* somebody else's list */
    }
    for (size_t i = 0; i < running->len; i++) {
        if (!xids_add(&vigil->xids, running->running[i])) {
            return false;
        }
    }
    vigil->state = VIGIL_HOLDING;
    vigil->until_us = clock_after(now_us, VIGIL_HOLD_US);
    end_if_empty(vigil);
    return true;
}

void vigil_streamed(struct vigil *vigil, uint32_t xid)
{
    if (vigil->state != VIGIL_OFF) {
        xids_remove(&vigil->xids, xid);
        end_if_empty(vigil);
    }
}

bool vigil_see(struct vigil *vigil, const struct sight *sight)
{
    size_t before = vigil->xids.len;

    if (vigil->state != VIGIL_HOLDING && vigil->state != VIGIL_LATE) {
        return false;
    }
    if (sight->in_recovery) { /* there what is replayed is visible, and an item waits for that */
        xids_clear(&vigil->xids);
    } else {
        xids_strike(&vigil->xids, &sight->snapshot); /* never too many: nothing is allocated */
    }
    if (vigil->state == VIGIL_LATE) {
        vigil->missed |= vigil->xids.len < before;
        if (xids_empty(&vigil->xids)) {
            vigil->state = VIGIL_OFF;
            return vigil->missed;
        }
    }
    end_if_empty(vigil);
    return false;
}

bool vigil_holds(struct vigil *vigil, int64_t now_us)
{
    if (vigil->state == VIGIL_HOLDING && now_us >= vigil->until_us) {
        vigil->state = VIGIL_LATE;
        vigil->missed = false;
    }
    return vigil->state == VIGIL_LISTING || vigil->state == VIGIL_HOLDING;
}

int64_t vigil_deadline(const struct vigil *vigil)
{
    return vigil->state == VIGIL_HOLDING ? vigil->until_us : CLOCK_NEVER;
}

void vigil_stop(struct vigil *vigil)
{
    vigil->state = VIGIL_OFF;
    xids_clear(&vigil->xids);
}

void vigil_free(struct vigil *vigil)
{
    xids_free(&vigil->xids);
}
