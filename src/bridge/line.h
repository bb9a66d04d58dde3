/* A line of a publisher, read again: an item, or a part of one. No I/O. */
#ifndef PGNUDGE_BRIDGE_LINE_H
#define PGNUDGE_BRIDGE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/item.h"
#include "bridge/follower.h"
#include "tables/lineage.h"

struct cJSON;

enum line_type { LINE_BATCH, LINE_RESYNC, LINE_HEARTBEAT };

struct line {
    enum line_type type;
    enum resync reason; /* RESYNC: why */
    uint64_t lsn;
    struct line_place place;
    int64_t interval_us; /* CLOCK_NEVER: it says nothing of heartbeats */
    struct cJSON *json;  /* owned */
};

enum line_result {
    LINE_READ,
    LINE_UNREADABLE, /* it is no item */
    LINE_UNNUMBERED  /* it is one, without session and number */
};

/* Reads a line, without its newline. Unless LINE_READ, there is nothing to free. */
enum line_result line_read(struct line *line, struct slice text);

/* One event; all text is borrowed from the line. */
struct line_event {
    struct lineage lineage; /* the table that changed, and what stands above it; no OIDs but their
                               places, the table's own is 0 */
    struct tally tally;
    bool operations;          /* they are counted apart */
    const struct cJSON *key;  /* the key's columns, and the next; NULL: it has no keys */
    const struct cJSON *keys; /* their values: arrays of strings */
};

/*
 * Takes the next event of a batch; `*at` is NULL for the first one. False: there are no more, or,
 * if `*bad` is set then, the next can't be read.
 */
bool line_next_event(const struct line *line, const struct cJSON **at, struct line_event *event,
                     bool *bad);

/* Which tables its publisher watches: the texts of patterns, in order. NULL: it says nothing. */
const struct cJSON *line_tables(const struct line *line);
const struct cJSON *line_exclude(const struct line *line);
bool line_names_leaves(const struct line *line);

void line_free(struct line *line);

#endif
