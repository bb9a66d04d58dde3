/*
 * What WAL looks like, as far as it is read here: src/include/access/xlog_internal.h, xlogrecord.h,
 * xact.h, heapam_xlog.h, storage/standbydefs.h and replication/message.h of each major. Only
 * servers of little-endian byte order with pages of 8 KB are understood.
 */
#ifndef PGNUDGE_WAL_FORMAT_H
#define PGNUDGE_WAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define WAL_PAGE        8192 /* bytes; XLOG_BLCKSZ */
#define WAL_PAGE_HEADER 24   /* bytes; at a segment's start WAL_LONG_HEADER */
#define WAL_LONG_HEADER 40

#define WAL_RECORD_HEADER 24
#define WAL_RECORD_MAX    ((uint32_t)1 << 30) /* bytes; the server makes none that is longer */
#define WAL_ALIGN         8
#define WAL_BLOCKS        33 /* that a record may name: XLR_MAX_BLOCK_ID + 1 */

/* Objects below it are the system's own (FirstNormalObjectId). */
#define WAL_FIRST_OID 16384

/* A file on the server's disk: a relation's main fork, in one database. */
struct relfile {
    uint32_t tablespace; /* OID */
    uint32_t node;       /* pg_relation_filenode() */
};

/* One major's layouts, where they differ. */
struct wal_format {
    uint16_t magic; /* of a page */
    int major;
    uint8_t compressed;     /* bits of a block image's info */
    uint8_t stat_size;      /* bytes of a commit's dropped statistics entry */
    uint8_t prepare_size;   /* bytes of a PREPARE's fixed part */
    uint8_t prepare_gid_at; /* in it: the length of the name */
};

/* Sets the error for WAL that isn't understood: "unsupported WAL: " and why. Returns false. */
bool wal_unsupported(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* By a page's magic. NULL: `error` says what it is instead. */
const struct wal_format *wal_format_of(uint16_t magic, struct error *error);

/* Whether this major's WAL is understood. */
bool wal_format_known(int major);

/* ---- resource managers, and their records ---- */

enum wal_manager {
    WAL_XLOG = 0,
    WAL_XACT = 1,
    WAL_STANDBY = 8,
    WAL_HEAP2 = 9,
    WAL_HEAP = 10,
    WAL_GENERIC = 20,
    WAL_MESSAGE = 21,
    WAL_CUSTOM = 128 /* and above: an extension's */
};

#define WAL_XLOG_MASK  0xf0
#define WAL_OTHER_MASK 0x70

enum {
    XLOG_CHECKPOINT_SHUTDOWN = 0x00,
    XLOG_SWITCH = 0x40,
    XLOG_END_OF_RECOVERY = 0x90,
    STANDBY_RUNNING_XACTS = 0x10,
    HEAP_INSERT = 0x00,
    HEAP_DELETE = 0x10,
    HEAP_UPDATE = 0x20,
    HEAP_HOT_UPDATE = 0x40,
    HEAP2_MULTI_INSERT = 0x50,
    XACT_COMMIT = 0x00,
    XACT_PREPARE = 0x10,
    XACT_ABORT = 0x20,
    XACT_COMMIT_PREPARED = 0x30,
    XACT_ABORT_PREPARED = 0x40,
    XACT_HAS_INFO = 0x80
};

/* ---- integers: the server's own, little-endian ---- */

static inline uint16_t wal_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t wal_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t wal_u64(const unsigned char *at)
{
    return (uint64_t)wal_u32(at + 4) << 32 | wal_u32(at);
}

#endif
