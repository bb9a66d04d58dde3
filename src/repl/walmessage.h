/*
 * The messages inside the replication stream's CopyData ("Streaming
 * Replication Protocol"): XLogData, primary keepalive, standby status update.
 */
#ifndef PGNUDGE_REPL_WALMESSAGE_H
#define PGNUDGE_REPL_WALMESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

enum wal_kind { WAL_DATA, WAL_KEEPALIVE, WAL_UNKNOWN };

struct wal_message {
    enum wal_kind kind;
    uint64_t lsn; /* XLogData: of the record, a COMMIT's its end, or of the first byte of WAL;
                             keepalive: sent so far */
    struct slice payload; /* XLogData: what the output plugin wrote, or WAL; borrowed */
    bool reply_requested; /* keepalive */
};

/* Reads the first bytes of a CopyData's body. False: malformed. */
bool wal_message_read(struct slice body, struct wal_message *message);

struct standby_status {
    uint64_t written; /* LSNs */
    uint64_t flushed;
    uint64_t applied;
    int64_t wall_us; /* since 1970 */
    bool reply_requested;
};

/* Appends the whole CopyData message. */
void standby_status_write(struct buffer *out, const struct standby_status *status);

#endif
