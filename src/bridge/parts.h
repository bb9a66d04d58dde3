/*
 * An item cut into lines that fit in a notification: less than 8000 bytes
 * each, in ASCII, each a valid line of its own.
 */
#ifndef PGNUDGE_BRIDGE_PARTS_H
#define PGNUDGE_BRIDGE_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "batch/item.h"

#define PART_BYTES_MAX 7999 /* of a notification's payload (pg_notify) */
#define PARTS_MAX      64   /* of an item; beyond, a resync stands for it */

/* All zero at first. */
struct parts {
    struct buffer text;    /* of all, one behind the other */
    size_t end[PARTS_MAX]; /* of each, in it */
    size_t len;
    struct buffer events;  /* objects of events, one behind the other */
    struct buffer scratch; /* of one event */
};

/*
 * Writes the item, which is the sequence's next one; as an overflow where it is too large. False:
 * out of memory.
 */
bool parts_write(struct parts *parts, const struct item *item, const struct item_style *style);

/* One of them. */
struct slice parts_at(const struct parts *parts, size_t i);

void parts_free(struct parts *parts);

#endif
