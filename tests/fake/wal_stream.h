/* WAL of small transactions on two tables, for the fake peer's physical stream. */
#ifndef FAKE_WAL_STREAM_H
#define FAKE_WAL_STREAM_H

#include <stdint.h>

#include "base/text.h"

#define WAL_STREAM_DATABASE 5
#define WAL_STREAM_SEGMENT  1048576
#define WAL_STREAM_BLOCK    8192
#define WAL_STREAM_SYSTEM   7400000000000000001
/* The tables' OIDs and files; a TRUNCATE gives the second one its other file. */
#define WAL_STREAM_ORDERS      16400
#define WAL_STREAM_ORDERS_FILE 20000
#define WAL_STREAM_ITEMS       16401
#define WAL_STREAM_ITEMS_FILE  20001
#define WAL_STREAM_ITEMS_NEXT  20002

struct wal_stream;

/* NULL: out of memory. `lsn` is of a segment's start. */
struct wal_stream *wal_stream_new(uint64_t lsn);

/* The WAL of one more transaction, until the next call; its first byte's LSN is *lsn. */
struct slice wal_stream_next(struct wal_stream *stream, uint32_t xid, uint64_t *lsn);

void wal_stream_free(struct wal_stream *stream);

#endif
