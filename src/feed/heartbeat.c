#include "feed/heartbeat.h"

#include "base/clock.h"

int64_t heartbeat_at(const struct heartbeat *heartbeat)
{
    return heartbeat->live && heartbeat->armed && !heartbeat->is_with_out
               ? clock_after(heartbeat->last_us, heartbeat->interval_us)
               : CLOCK_NEVER;
}

void heartbeat_item(struct heartbeat *heartbeat, const struct item *item, int64_t now_us)
{
    heartbeat->armed |= item->resync != RESYNC_NONE;
    heartbeat->last_us = now_us;
    if (item->resync != RESYNC_NONE || item->lsn > heartbeat->lsn) {
        heartbeat->lsn = item->lsn;
    }
}

void heartbeat_restart(struct heartbeat *heartbeat)
{
    heartbeat->armed = false;
}

struct item heartbeat_begin(struct heartbeat *heartbeat, int64_t now_us)
{
    heartbeat->is_with_out = true;
    heartbeat->last_us = now_us;
    return (struct item){.heartbeat = true, .lsn = heartbeat->lsn};
}
