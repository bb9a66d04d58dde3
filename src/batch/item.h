/*
 * An item on its way out: a batch of events, or a resync that
 * stands for all changes merged into it.
 */
#ifndef PGNUDGE_BATCH_ITEM_H
#define PGNUDGE_BATCH_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct name;

enum resync {
    RESYNC_NONE, /* it is a batch */
    RESYNC_CONNECTED,
    RESYNC_RECONNECTED,
    RESYNC_OVERFLOW,
    RESYNC_FAILSAFE, /* by the clock; or something came that could not be read */
    RESYNC_REQUESTED
};

struct item_event {
    struct name *name;
    int64_t first_seen_us; /* wall clock */
    uint64_t arrival;      /* of the first one: counts what the window was given */
    uint64_t count;        /* changes merged */
};

struct item {
    enum resync resync;
    struct item_event *events; /* once closed, in the order of their first change */
    size_t len;
    size_t cap;
    uint64_t lsn; /* the end of the newest COMMIT that it covers, 0 for none */
};

/* The contract's word for a reason. */
const char *resync_text(enum resync reason);

enum item_format {
    ITEM_JSON, /* a line of JSON */
    ITEM_NAMES, /* a line for each payload, as it is; `*`: a resync, or a name with control characters */
    ITEM_NAMES_NUL /* a NUL instead of each newline, and no name is left out */
};

/* Appends the whole item. */
void item_write(struct buffer *out, const struct item *item, enum item_format format);

/* Lets go of the events alone: a resync stands for them now. */
void item_drop_events(struct item *item);

/* Empties it and lets go of its names; keeps the memory. */
void item_clear(struct item *item);

void item_free(struct item *item);

#endif
