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
#include "decode/change.h"

struct definition;
struct keyset;
struct name;
struct sequence;

enum resync {
    RESYNC_NONE, /* it is a batch */
    RESYNC_CONNECTED,
    RESYNC_RECONNECTED,
    RESYNC_OVERFLOW,
    RESYNC_FAILSAFE, /* by the clock; or something came that could not be read */
    RESYNC_REQUESTED,
    RESYNC_SCHEMA, /* the definition of a watched table has changed */
    RESYNC_MISSED, /* something was lost between a publisher and its readers */
    RESYNC_REASONS
};

/* Changes of one table that are told together. All zero: none. */
struct tally {
    uint64_t count;
    uint64_t operations[OPERATIONS]; /* the same, apart */
    int64_t first_seen_us;           /* wall clock: of the first one */
    uint64_t arrival;                /* of the first one: counts what the window was given */
    bool whole;                      /* the keys of some aren't known: the whole table is meant */
};

/* 1. While tally.whole, or nobody wants keys, there are none. */
struct item_event {
    struct name *name;
    struct tally tally;
    struct keyset *keys;           /* owned; NULL: none */
    struct definition *definition; /* held: what is printed of the first one's is that of all */
};

/* What an event's keys rest on. */
struct item_definition {
    struct name *name; /* the event's */
    struct definition *definition;
};

struct item {
    enum resync resync;
    bool heartbeat;            /* it is neither a batch nor a resync: it says that there was none */
    struct item_event *events; /* once closed, in the order of their first change */
    size_t len;
    size_t cap;
    struct item_definition *definitions; /* held: all that its keys rest on */
    size_t definition_len;
    size_t definition_cap;
    uint64_t lsn; /* the end of the newest COMMIT that it covers, 0 for none */
};

/* The contract's word for a reason. */
const char *resync_text(enum resync reason);

enum item_format {
    ITEM_JSON, /* a line of JSON */
    ITEM_NAMES, /* a line for each payload, as it is; `*`: a resync, or a name with control characters */
    ITEM_NAMES_NUL /* a NUL instead of each newline, and no name is left out */
};

enum item_keys {
    ITEM_KEYS_OFF,
    ITEM_KEYS_ON,      /* each key on a line of its own behind the name, both escaped */
    ITEM_KEYS_LEFT_OUT /* names are escaped as if keys followed, but none do */
};

struct item_style {
    enum item_format format;
    enum item_keys keys;       /* of names; a line of JSON has them where they are known */
    bool operations;           /* of a line of JSON */
    struct sequence *sequence; /* numbers the lines of JSON; borrowed. NULL: they have no number */
};

bool item_is_batch(const struct item *item);

/* The contract's word for what it is: "batch", "resync" or "heartbeat". */
const char *item_type(const struct item *item);

/* Appends the object of one event. */
void item_write_event(struct buffer *out, const struct item_event *event,
                      const struct item_style *style);

/* Appends the front of the object of an item, up to its number: the brace is open. */
void item_write_head(struct buffer *out, const struct item *item, const struct sequence *sequence);

/* Appends the whole item, as the next one of the sequence. */
void item_write(struct buffer *out, const struct item *item, const struct item_style *style);

/* From now on the event means the whole table. */
void item_event_whole(struct item_event *event);

/* All events of this name do. */
void item_drop_keys_of(struct item *item, const struct name *name);

/* All events do. */
void item_drop_keys(struct item *item);

/* Lets go of the events alone: a resync stands for them now. */
void item_drop_events(struct item *item);

/* Empties it and lets go of its names; keeps the memory. */
void item_clear(struct item *item);

void item_free(struct item *item);

#endif
