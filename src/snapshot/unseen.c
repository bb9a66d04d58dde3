#include "snapshot/unseen.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN   ((size_t)4096)
#define CAP_LARGE ((size_t)1 << 20) /* more is given back when it is no longer needed */

void unseen_init(struct unseen *unseen, size_t max)
{
    *unseen = (struct unseen){.max = max};
}

static unsigned char *at(const struct unseen *unseen, uint32_t xid)
{
    return &unseen->marks[xid & (unseen->cap - 1)];
}

static void count_in(struct unseen *unseen, unsigned marks)
{
    for (size_t bit = 0; bit < UNSEEN_MARKS; bit++) {
        unseen->count[bit] += marks >> bit & 1;
    }
}

static void put(struct unseen *unseen, unsigned char *place, unsigned marks)
{
    count_in(unseen, marks & ~(unsigned)*place);
    *place = (unsigned char)(*place | marks);
}

/* Room for the marks of `span` xids. False: out of memory. */
static bool grow(struct unseen *unseen, size_t span)
{
    unsigned char *bigger, *older = unseen->marks;
    size_t older_cap = unseen->cap, cap = CAP_MIN < unseen->max ? CAP_MIN : unseen->max;

    if (span <= unseen->cap) {
        return true;
    }
    while (cap < span) {
        cap *= 2;
    }
    bigger = calloc(cap, 1);
    if (bigger == NULL) {
        return false;
    }
    unseen->marks = bigger;
    unseen->cap = cap;
    for (uint32_t i = 0; i < unseen->span; i++) {
        *at(unseen, unseen->base + i) = older[(unseen->base + i) & (older_cap - 1)];
    }
    free(older);
    return true;
}

static void forget_members(struct unseen *unseen)
{
    free(unseen->marks);
    unseen->marks = NULL;
    unseen->cap = unseen->span = 0;
    unseen->last.len = 0;
    memset(unseen->count, 0, sizeof(unseen->count));
}

bool unseen_add(struct unseen *unseen, uint32_t xid, unsigned marks)
{
    size_t offset, listed;

    if (unseen->overflowed) {
        return true;
    }
    if (unseen->has_last && xid_precedes(xid, unseen->last.xmax)) {
        listed = snapshot_find(&unseen->last, xid);
        if (listed < unseen->last.len) {
            put(unseen, &unseen->listed[listed], marks);
        }
        return true;
    }
    if (!unseen->has_last && unseen->span == 0) {
        unseen->base = xid - (uint32_t)(unseen->max / 32); /* lower ones may follow */
    }
    offset = xid - unseen->base;
    if (offset >= unseen->max) {
        forget_members(unseen);
        unseen->overflowed = true;
        return true;
    }
    if (!grow(unseen, offset + 1)) {
        return false;
    }
    unseen->span = offset + 1 > unseen->span ? offset + 1 : unseen->span;
    put(unseen, at(unseen, xid), marks);
    return true;
}

/* ---- a newer snapshot ---- */

static unsigned char marks_of(const struct unseen *unseen, uint32_t xid)
{
    size_t listed;

    if (xid - unseen->base < unseen->span) {
        return *at(unseen, xid);
    }
    listed = unseen->has_last ? snapshot_find(&unseen->last, xid) : unseen->last.len;
    return listed < unseen->last.len ? unseen->listed[listed] : 0;
}

/* The marks below `xmax` have served: what still runs there is listed. */
static void rebase(struct unseen *unseen, uint32_t xmax)
{
    size_t below = xid_precedes(unseen->base, xmax) ? xmax - unseen->base : 0;

    below = below < unseen->span ? below : unseen->span;
    if (below == unseen->span && unseen->cap > CAP_LARGE) {
        free(unseen->marks);
        unseen->marks = NULL;
        unseen->cap = 0;
    } else {
        for (uint32_t i = 0; i < below; i++) {
            *at(unseen, unseen->base + i) = 0;
        }
    }
    unseen->span -= below;
    unseen->base = xmax;
}

static void count_all(struct unseen *unseen)
{
    memset(unseen->count, 0, sizeof(unseen->count));
    for (size_t i = 0; i < unseen->last.len; i++) {
        count_in(unseen, unseen->listed[i]);
    }
    for (uint32_t i = 0; i < unseen->span; i++) {
        count_in(unseen, *at(unseen, unseen->base + i));
    }
}

bool unseen_see(struct unseen *unseen, const struct snapshot *snapshot)
{
    unsigned char *listed;

    if (unseen->overflowed) {
        return true;
    }
    listed = calloc(snapshot->len + 1, 1);
    if (listed == NULL) {
        return false;
    }
    for (size_t i = 0; i < snapshot->len; i++) {
        listed[i] = marks_of(unseen, snapshot->running[i]);
    }
    if (!snapshot_copy(&unseen->last, snapshot)) {
        free(listed);
        return false;
    }
    free(unseen->listed);
    unseen->listed = listed;
    unseen->has_last = true;
    rebase(unseen, snapshot->xmax);
    count_all(unseen);
    return true;
}

/* ---- marks ---- */

static unsigned char moved(unsigned char marks, unsigned from, unsigned to)
{
    return (marks & from) != 0 ? (unsigned char)((marks & ~from) | to) : marks;
}

void unseen_move(struct unseen *unseen, unsigned from, unsigned to)
{
    for (size_t i = 0; i < unseen->last.len; i++) {
        unseen->listed[i] = moved(unseen->listed[i], from, to);
    }
    for (uint32_t i = 0; i < unseen->span; i++) {
        *at(unseen, unseen->base + i) = moved(*at(unseen, unseen->base + i), from, to);
    }
    count_all(unseen);
}

void unseen_mark_to(struct unseen *unseen, uint32_t highest, unsigned from, unsigned to)
{
    for (size_t i = 0; i < unseen->last.len; i++) {
        if ((unseen->listed[i] & from) != 0 && !xid_precedes(highest, unseen->last.running[i])) {
            put(unseen, &unseen->listed[i], to);
        }
    }
    for (uint32_t i = 0; i < unseen->span; i++) {
        uint32_t xid = unseen->base + i;

        if ((*at(unseen, xid) & from) != 0 && !xid_precedes(highest, xid)) {
            put(unseen, at(unseen, xid), to);
        }
    }
}

bool unseen_any(const struct unseen *unseen, unsigned mark)
{
    for (size_t bit = 0; bit < UNSEEN_MARKS; bit++) {
        if ((mark >> bit & 1) != 0 && unseen->count[bit] > 0) {
            return true;
        }
    }
    return false;
}

bool unseen_any_to(const struct unseen *unseen, uint32_t highest)
{
    if (unseen->overflowed) {
        return true; /* nobody knows */
    }
    if (!unseen_any(unseen, UNSEEN_STREAMED)) {
        return false;
    }
    for (size_t i = 0; i < unseen->last.len; i++) {
        if (unseen->listed[i] != 0 && !xid_precedes(highest, unseen->last.running[i])) {
            return true;
        }
    }
    for (uint32_t i = 0; i < unseen->span && !xid_precedes(highest, unseen->base + i); i++) {
        if (*at(unseen, unseen->base + i) != 0) {
            return true;
        }
    }
    return false;
}

uint32_t unseen_highest(const struct unseen *unseen)
{
    return unseen->base + (uint32_t)unseen->span;
}

bool unseen_is_large(const struct unseen *unseen)
{
    return unseen->span > unseen->max / 4;
}

void unseen_replayed(struct unseen *unseen, uint64_t replayed, uint64_t closed_lsn,
                     uint64_t open_lsn, uint64_t last_lsn)
{
    if (replayed >= closed_lsn) {
        unseen_move(unseen, UNSEEN_CLOSED, 0);
    }
    if (replayed >= open_lsn) {
        unseen_move(unseen, UNSEEN_OPEN, 0);
    }
    if (replayed >= last_lsn) {
        unseen_reset(unseen);
    }
}

void unseen_reset(struct unseen *unseen)
{
    forget_members(unseen);
    unseen->has_last = unseen->overflowed = false;
}

void unseen_free(struct unseen *unseen)
{
    free(unseen->listed);
    free(unseen->marks);
    snapshot_free(&unseen->last);
    *unseen = (struct unseen){.max = unseen->max};
}
