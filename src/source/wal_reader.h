/*
 * From WAL to a sink's changes. On a standby nothing tells which transactions were open when the
 * stream began, and may have changes before it: until the primary has listed those that run, any
 * COMMIT may be of one of them, and from then on those below that list's next xid.
 */
#ifndef PGNUDGE_SOURCE_WAL_READER_H
#define PGNUDGE_SOURCE_WAL_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/encoding.h"
#include "base/error.h"
#include "base/log.h"
#include "repl/stream.h"
#include "source/sink.h"
#include "wal/transactions.h"

struct wal_reader_setup {
    const struct log *log; /* borrowed, as are the next two */
    const struct sink *sink;
    struct encoding *encoding; /* the database's */
    uint64_t flushed;          /* LSN: COMMITs up to it are the start's own matter */
    uint32_t segment_size;     /* bytes */
    uint64_t system_id;
    uint32_t database; /* OID */
    bool standby;
};

struct wal_reader {
    struct wal_reader_setup setup;
    struct wal_transactions *transactions;
    uint32_t listed_next; /* standby: the list's next xid; 0: it hasn't come */
};

/* A new stream begins. False: out of memory. */
bool wal_reader_start(struct wal_reader *reader, const struct wal_reader_setup *setup);

void wal_reader_free(struct wal_reader *reader);

/* Takes a message, or its first bytes (`first`), or its next ones. False: `error` says why. */
bool wal_reader_take(struct wal_reader *reader, const struct stream_message *message, bool first,
                     struct error *error);

#endif
