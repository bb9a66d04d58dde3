/* What a new snapshot on the server sees, as the visibility connection reports it. */
#ifndef PGNUDGE_SNAPSHOT_VISIBILITY_H
#define PGNUDGE_SNAPSHOT_VISIBILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot/xids.h"

/* What can be seen, at one moment. */
struct visibility {
    bool known;        /* there has been an answer */
    uint64_t asked_at; /* the stream's position when it was asked for */
    bool in_recovery;
    uint64_t lsn; /* in recovery: what is replayed, and so visible; else the end of WAL */
    struct snapshot snapshot;
};

#endif
