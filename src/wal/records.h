/*
 * The records in WAL: of each, its header, which files of the database it changes, and, where that
 * is wanted, its main data in pieces. Everything else is skipped by its length, so that a record of
 * any size takes the same memory. No I/O.
 */
#ifndef PGNUDGE_WAL_RECORDS_H
#define PGNUDGE_WAL_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "wal/format.h"
#include "wal/pages.h"

#define WAL_HEAD_MAX 1024 /* bytes: a record's header with those of all its blocks */

struct wal_record {
    uint32_t xid; /* 0: of no transaction */
    uint8_t manager;
    uint8_t info;
    uint32_t total;                   /* bytes */
    uint32_t main;                    /* bytes of main data, where it is wanted */
    struct relfile files[WAL_BLOCKS]; /* of the database, main forks */
    size_t file_count;
};

enum records_state {
    RECORDS_FIRST, /* skips the rest of a record that began before the start */
    RECORDS_HEAD,
    RECORDS_SKIP, /* up to `skip_to` */
    RECORDS_MAIN,
    RECORDS_PAD,    /* up to the next record's alignment */
    RECORDS_SEGMENT /* behind an XLOG_SWITCH: up to the segment's end */
};

/*
 * 1. `at` bytes of the record have been taken, `have` of them into `head`.
 * 2. In HEAD, `need` bytes of it are wanted in one piece.
 */
struct wal_records {
    struct wal_pages pages;
    uint32_t database; /* OID */
    enum records_state state;
    struct wal_record record;
    uint64_t start;  /* LSN of the record under way, or of the last one */
    uint64_t before; /* of the one before; 0: not known */
    bool wants_main;
    uint32_t at;
    uint32_t skip_to;
    size_t need;
    size_t have;
    unsigned char head[WAL_HEAD_MAX];
};

enum wal_event {
    WAL_NOTHING, /* the input is used up */
    WAL_RECORD,  /* one that matters; where its main data is wanted, that follows */
    WAL_MAIN,    /* the next piece of it */
    WAL_END,     /* there is no more of it */
    WAL_BAD      /* this is no WAL: the error says why */
};

/* `position` is rounded down to a page's start, where the stream must begin. */
void wal_records_start(struct wal_records *records, uint64_t position, uint32_t segment_size,
                       uint64_t system_id, uint32_t database);

/*
 * Takes bytes off `input`, which begins where the last ended. `piece` (MAIN) is borrowed from it,
 * or from `records`.
 */
enum wal_event wal_records_next(struct wal_records *records, struct slice *input,
                                struct slice *piece, struct error *error);

/* LSN behind the record of WAL_END, as the server counts it. */
static inline uint64_t wal_records_end(const struct wal_records *records)
{
    return (records->pages.position + WAL_ALIGN - 1) & ~(uint64_t)(WAL_ALIGN - 1);
}

#endif
