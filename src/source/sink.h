/* What a source writes into: its transactions, in the order of their COMMITs. */
#ifndef PGNUDGE_SOURCE_SINK_H
#define PGNUDGE_SOURCE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "batch/item.h"
#include "decode/change.h"
#include "wal/transactions.h"

/* Changes of one table, by its name or its file. All text is borrowed. */
struct sink_change {
    enum plugin plugin;
    struct slice name;   /* as the plugin writes it; where that is empty, the next two */
    struct slice schema; /* raw, in the database's encoding */
    struct relfile file; /* node: not 0, the table is the one that has, or had, it */
    bool dropped;        /* the file is gone by the end of its transaction */
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

    /* The same where many transactions may follow each other: at most one resync a second. */
    void (*unknown)(void *context, enum resync reason);

    /* What the transaction under way did beside its rows, before these. False: out of memory. */
    bool (*redefined)(void *context, const struct wal_commit *commit);

    /* A transaction, or one below it, has been rolled back. */
    void (*rolled_back)(void *context, uint32_t xid);

    /* `lsn`: the end of the COMMIT record. False: out of memory. */
    bool (*commit)(void *context, uint64_t lsn);
};

#endif
