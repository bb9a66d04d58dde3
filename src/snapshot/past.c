#include "snapshot/past.h"

#include <stdlib.h>

#include "base/clock.h"

#define PAST_EVERY_US    (5 * CLOCK_S)
#define FIRST_NORMAL_XID 3 /* below: bootstrap and frozen rows */

void past_connected(struct past *past, uint32_t oldest)
{
    past->ground = oldest;
    past->has_ground = true;
    past->len = 0;
    past->next_us = 0;
    past->commits = 0;
}

bool past_saw(struct past *past, const struct snapshot *snapshot, int64_t now_us)
{
    struct snapshot oldest;

    if (now_us < past->next_us) {
        return true;
    }
    past->next_us = clock_after(now_us, PAST_EVERY_US);
    oldest = past->recent[PAST_SNAPSHOTS - 1];
    for (size_t i = PAST_SNAPSHOTS - 1; i > 0; i--) {
        past->recent[i] = past->recent[i - 1];
    }
    past->recent[0] = oldest; /* its memory serves again */
    if (!snapshot_copy(&past->recent[0], snapshot)) {
        past->len = 0;
        return false;
    }
    past->len += past->len < PAST_SNAPSHOTS ? 1 : 0;
    return true;
}

bool past_streamed(struct past *past, uint32_t xid)
{
    if (past->streamed == NULL) {
        past->streamed = malloc(PAST_COMMITS * sizeof(*past->streamed));
    }
    if (past->streamed == NULL) {
        return false;
    }
    past->streamed[++past->commits % PAST_COMMITS] = xid;
    return true;
}

/* Whether it came through the stream, not too long ago, before those in question. */
static bool came_before(const struct past *past, uint32_t version, uint64_t commits)
{
    for (uint64_t n = commits; n > 0 && n + PAST_COMMITS > past->commits; n--) {
        if (past->streamed[n % PAST_COMMITS] == version) {
            return true;
        }
    }
    return false;
}

bool past_schema_holds(const struct past *past, uint32_t version, struct past_moment moment,
                       uint32_t xmax)
{
    /* A frozen row keeps its xmin, which after a wraparound may lie anywhere. */
    if (version < FIRST_NORMAL_XID || !xid_precedes(version, xmax)) {
        return true;
    }
    if (past->has_ground && xid_precedes(version, past->ground)) {
        return true;
    }
    for (size_t i = 0; i < past->len; i++) {
        if (!xid_precedes(moment.xid, past->recent[i].xmax) &&
            snapshot_sees(&past->recent[i], version)) {
            return true;
        }
    }
    return false;
}

bool past_holds(const struct past *past, uint32_t version, struct past_moment moment, uint32_t xmax)
{
    return past_schema_holds(past, version, moment, xmax) ||
           came_before(past, version, moment.commits);
}

uint32_t past_floor(const struct past *past, struct past_moment moment)
{
    for (size_t i = 0; i < past->len; i++) {
        if (!xid_precedes(moment.xid, past->recent[i].xmax)) {
            return snapshot_oldest(&past->recent[i]);
        }
    }
    return past->ground;
}

void past_free(struct past *past)
{
    free(past->streamed);
    for (size_t i = 0; i < PAST_SNAPSHOTS; i++) {
        snapshot_free(&past->recent[i]);
    }
}
