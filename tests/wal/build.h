/* Makes WAL for tests: records, laid into pages as the server lays them. */
#ifndef PGNUDGE_TESTS_WAL_BUILD_H
#define PGNUDGE_TESTS_WAL_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wal/format.h"

#ifndef BUILD_MAX
#define BUILD_MAX ((size_t)4 << 20) /* bytes laid from build_start on */
#endif
#define BUILD_SEGMENT    ((uint32_t)1 << 20)
#define BUILD_SYSTEM     UINT64_C(7400000000000000001)
#define BUILD_DATABASE   5
#define BUILD_TABLESPACE 1663

struct build {
    unsigned char bytes[BUILD_MAX];
    size_t len;
    uint64_t start; /* LSN of the first byte */
    uint64_t prev;  /* LSN of the last record */
    uint16_t magic;
    uint16_t next_info; /* more for the next page's header */
    size_t left;        /* of the record that is being laid */
};

static inline void put16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static inline void put32(unsigned char *at, uint32_t value)
{
    put16(at, (uint16_t)value);
    put16(at + 2, (uint16_t)(value >> 16));
}

static inline void put64(unsigned char *at, uint64_t value)
{
    put32(at, (uint32_t)value);
    put32(at + 4, (uint32_t)(value >> 32));
}

static inline void build_start(struct build *build, uint64_t start, uint16_t magic)
{
    *build = (struct build){.start = start, .magic = magic};
}

static inline uint64_t build_at(const struct build *build)
{
    return build->start + build->len;
}

static inline void build_header(struct build *build)
{
    bool is_long = build_at(build) % BUILD_SEGMENT == 0;
    unsigned char *at = build->bytes + build->len;

    memset(at, 0, WAL_LONG_HEADER);
    put16(at, build->magic);
    put16(at + 2, (uint16_t)((build->left > 0 ? 1 : 0) | (is_long ? 2 : 0) | build->next_info));
    put32(at + 4, 1);
    put64(at + 8, build_at(build));
    put32(at + 16, (uint32_t)build->left);
    if (is_long) {
        put64(at + 24, BUILD_SYSTEM);
        put32(at + 32, BUILD_SEGMENT);
        put32(at + 36, WAL_PAGE);
    }
    build->next_info = 0;
    build->len += is_long ? WAL_LONG_HEADER : WAL_PAGE_HEADER;
}

/* Lays bytes, with page headers where pages begin. */
static inline void build_bytes(struct build *build, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len && build->len + WAL_PAGE < BUILD_MAX; i++) {
        if (build_at(build) % WAL_PAGE == 0) {
            build_header(build);
        }
        build->bytes[build->len++] = bytes[i];
        build->left -= build->left > 0;
    }
}

/* A record of these bytes behind its fixed header. Returns its LSN. */
static inline uint64_t build_record(struct build *build, uint8_t manager, uint8_t info,
                                    uint32_t xid, const unsigned char *body, size_t len)
{
    unsigned char header[WAL_RECORD_HEADER] = {0};
    uint64_t at;

    if (build_at(build) % WAL_PAGE == 0) {
        build_header(build);
    }
    at = build_at(build);
    put32(header, (uint32_t)(WAL_RECORD_HEADER + len));
    put32(header + 4, xid);
    put64(header + 8, build->prev);
    header[16] = info;
    header[17] = manager;
    build->left = WAL_RECORD_HEADER + len;
    build_bytes(build, header, sizeof(header));
    build_bytes(build, body, len);
    while (build_at(build) % WAL_ALIGN != 0) {
        build->bytes[build->len++] = 0;
    }
    build->prev = at;
    return at;
}

/* ---- records ---- */

/* A block's header: `flags` with what they say behind it. Returns its length. */
static inline size_t put_block(unsigned char *at, uint8_t id, uint8_t flags, uint8_t image,
                               uint32_t database, uint32_t node)
{
    size_t len = 4;

    at[0] = id;
    at[1] = flags;
    put16(at + 2, 0);
    if ((flags & 0x10) != 0) {
        put16(at + len, 100); /* image */
        put16(at + len + 2, 0);
        at[len + 4] = image;
        len += 5;
    }
    if ((flags & 0x80) != 0) {
        return len;
    }
    put32(at + len, BUILD_TABLESPACE);
    put32(at + len + 4, database);
    put32(at + len + 8, node);
    return len + 12;
}

/* A change of one row, with `rest` bytes of row behind it. */
static inline void build_change(struct build *build, uint8_t manager, uint8_t info, uint32_t xid,
                                uint32_t database, uint32_t node, size_t rest)
{
    unsigned char *body = calloc(1, 64 + rest);
    size_t len;

    if (body == NULL) {
        abort();
    }
    len = put_block(body, 0, 0x20, 0, database, node) + 4;
    put16(body + 2, (uint16_t)rest);
    body[len] = 255;
    body[len + 1] = 8; /* main data */
    put16(body + len + 2 + rest + 2, 3);
    build_record(build, manager, info, xid, body, len + 2 + rest + 8);
    free(body);
}

/* A record of main data alone. */
static inline void build_main_data(struct build *build, uint8_t manager, uint8_t info, uint32_t xid,
                                   const unsigned char *data, size_t len)
{
    unsigned char *body = calloc(1, len + 5);
    size_t at = len < 256 ? 2 : 5;

    if (body == NULL) {
        abort();
    }
    body[0] = len < 256 ? 255 : 254;
    body[1] = (unsigned char)len;
    if (at == 5) {
        put32(body + 1, (uint32_t)len);
    }
    memcpy(body + at, data, len);
    build_record(build, manager, info, xid, body, at + len);
    free(body);
}

static inline void build_running(struct build *build, uint32_t next, uint32_t oldest)
{
    unsigned char data[24] = {0};

    put32(data + 12, next);
    put32(data + 16, oldest);
    build_main_data(build, WAL_STANDBY, STANDBY_RUNNING_XACTS, 0, data, sizeof(data));
}

/* pg_logical_emit_message's; content of at most 500 bytes. */
static inline void build_message(struct build *build, uint32_t xid, uint32_t database,
                                 bool transactional, const char *prefix, const char *content)
{
    unsigned char data[1000] = {0};
    size_t prefix_len = strlen(prefix) + 1, len = strlen(content);

    put32(data, database);
    data[4] = transactional;
    put64(data + 8, prefix_len);
    put64(data + 16, len);
    memcpy(data + 24, prefix, prefix_len);
    memcpy(data + 24 + prefix_len, content, len);
    build_main_data(build, WAL_MESSAGE, 0, xid, data, 24 + prefix_len + len);
}

#endif
