#include "fake/wal_stream.h"

#define BUILD_MAX ((size_t)65536)
#include "wal/build.h"

#define MAGIC_15 0xd110
/* XACT_XINFO_… */
#define HAS_FILES  0x04
#define HAS_INVALS 0x08

#define TRUNCATED_AT 5 /* this transaction is the TRUNCATE */
#define LISTED_EACH  4 /* behind so many comes a list of those that run */

_Static_assert(WAL_STREAM_DATABASE == BUILD_DATABASE && WAL_STREAM_SEGMENT == BUILD_SEGMENT &&
                   WAL_STREAM_BLOCK == WAL_PAGE && WAL_STREAM_SYSTEM == BUILD_SYSTEM,
               "what the peer says of it is so");

struct wal_stream {
    struct build build;
    unsigned transactions;
};

struct wal_stream *wal_stream_new(uint64_t lsn)
{
    struct wal_stream *stream = calloc(1, sizeof(*stream));

    if (stream != NULL) {
        build_start(&stream->build, lsn, MAGIC_15);
    }
    return stream;
}

static void commit(struct build *build, uint32_t xid)
{
    build_main_data(build, WAL_XACT, XACT_COMMIT, xid, (const unsigned char[8]){0}, 8);
}

/* It drops the old file, and says that the relation is another. */
static void commit_truncate(struct build *build, uint32_t xid)
{
    unsigned char data[48] = {0};

    put32(data + 8, HAS_FILES | HAS_INVALS);
    put32(data + 12, 1);
    put32(data + 16, BUILD_TABLESPACE);
    put32(data + 20, BUILD_DATABASE);
    put32(data + 24, WAL_STREAM_ITEMS_FILE);
    put32(data + 28, 1);
    put32(data + 32, 0xfe); /* of the relcache */
    put32(data + 36, BUILD_DATABASE);
    put32(data + 40, WAL_STREAM_ITEMS);
    build_main_data(build, WAL_XACT, XACT_COMMIT | XACT_HAS_INFO, xid, data, sizeof(data));
}

struct slice wal_stream_next(struct wal_stream *stream, uint32_t xid, uint64_t *lsn)
{
    struct build *build = &stream->build;
    unsigned number = ++stream->transactions;
    uint32_t items = number < TRUNCATED_AT ? WAL_STREAM_ITEMS_FILE : WAL_STREAM_ITEMS_NEXT;

    *lsn = build->start = build_at(build);
    build->len = 0;
    build_change(build, WAL_HEAP, HEAP_INSERT, xid, BUILD_DATABASE, WAL_STREAM_ORDERS_FILE, 300);
    if (number == TRUNCATED_AT) {
        commit_truncate(build, xid);
    } else {
        build_change(build, WAL_HEAP, HEAP_UPDATE, xid, BUILD_DATABASE, items, 300);
        build_message(build, xid, BUILD_DATABASE, true, "pgnudge", "public.messages");
        commit(build, xid);
    }
    if (number % LISTED_EACH == 0) {
        build_running(build, xid + 1, xid + 1);
    }
    return (struct slice){(const char *)build->bytes, build->len};
}

void wal_stream_free(struct wal_stream *stream)
{
    free(stream);
}
