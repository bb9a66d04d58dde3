/* Makes WAL for tests: records, laid into pages as the server lays them. */
#ifndef PGNUDGE_TESTS_WAL_BUILD_H
#define PGNUDGE_TESTS_WAL_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wal/format.h"

#define BUILD_MAX      ((size_t)4 << 20)
#define BUILD_SEGMENT  ((uint32_t)1 << 20)
#define BUILD_SYSTEM   UINT64_C(7000000000000000001)
#define BUILD_DATABASE 5

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

#endif
