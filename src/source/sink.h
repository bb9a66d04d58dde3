/* What a source writes into: its transactions, in the order of their COMMITs. */
#ifndef PGNUDGE_SOURCE_SINK_H
#define PGNUDGE_SOURCE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "batch/item.h"
#include "decode/change.h"

/* Changes of one table. All text is borrowed. */
struct sink_change {
    enum plugin plugin;
    struct slice name;   /* as the plugin writes it; where that is empty, the next two */
    struct slice schema; /* raw, in the database's encoding */
    struct slice table;
    bool by_sql; /* a message names it: it need not be a table */
    enum operation operation;
    uint64_t count; /* rows */
};

enum sink_result { SINK_TAKEN, SINK_UNREADABLE /* no name */, SINK_NO_MEMORY };

struct sink {
    void *context;
    void (*begin)(void *context, uint32_t xid);

    /* Of the transaction under way, or of none: a message may belong to none. */
    enum sink_result (*change)(void *context, const struct sink_change *change);

    /*
     * Right after a row's change has been taken: the columns that its key is made of, in the
     * database's encoding, borrowed until `keys` has been called; NULL: it isn't wanted.
     */
    const struct key_columns *(*wanted)(void *context);

    /* The keys of that row, valid UTF-8; borrowed. */
    void (*keys)(void *context, const struct row_keys *keys);

    /* Changes that can't be named: a resync stands for them. */
    void (*unnameable)(void *context, enum resync reason);

    /* `lsn`: the end of the COMMIT record. False: out of memory. */
    bool (*commit)(void *context, uint64_t lsn);
};

#endif
