/*
 * What the end of a transaction says (xl_xact_commit, xl_xact_abort, xl_xact_prepare), read in
 * pieces: a commit of many subtransactions may be as long as it likes. No I/O.
 */
#ifndef PGNUDGE_WAL_XACT_H
#define PGNUDGE_WAL_XACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "wal/format.h"

#define XACT_PART_MAX 80 /* bytes of the longest part: a PREPARE's fixed one */

enum xact_part {
    XACT_TIME,
    XACT_INFO,
    XACT_DATABASE,
    XACT_SUBXIDS, /* how many */
    XACT_SUBXID,
    XACT_FILES,
    XACT_FILE,
    XACT_STATS,
    XACT_STAT,
    XACT_INVALS,
    XACT_INVAL,
    XACT_TWOPHASE,
    XACT_PREPARED, /* a PREPARE's fixed part */
    XACT_NAME,     /* its name */
    XACT_REST      /* nothing more is wanted */
};

struct xact {
    const struct wal_format *format;
    enum xact_part part; /* the one that is being read */
    uint32_t info;       /* which parts there are */
    uint32_t left;       /* of the list under way */
    size_t size;         /* bytes of the part */
    size_t have;
    unsigned char bytes[XACT_PART_MAX];
};

enum xact_event {
    XACT_MORE,        /* the input is used up */
    XACT_HAS_SUBXID,  /* value: a subtransaction */
    XACT_HAS_FILE,    /* file, database: dropped by it */
    XACT_HAS_INVAL,   /* value: the relation whose definition has changed; 0: all */
    XACT_HAS_CATALOG, /* value: something else in the database's catalog has */
    XACT_HAS_TOP      /* value: a prepared transaction's own */
};

struct xact_said {
    uint32_t value;
    uint32_t database;
    struct relfile file;
};

/* `info`: the record's. */
void xact_start(struct xact *xact, const struct wal_format *format, uint8_t info);

/* Takes main data off `input` until it says something. */
enum xact_event xact_next(struct xact *xact, struct slice *input, struct xact_said *said);

#endif
