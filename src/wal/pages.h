/*
 * WAL as bytes, from any page's start on: takes the page headers out, after it has checked them.
 * No I/O.
 */
#ifndef PGNUDGE_WAL_PAGES_H
#define PGNUDGE_WAL_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "wal/format.h"

/* What a page header says of the record that its first bytes belong to. */
enum page_start {
    PAGE_NEW,       /* a record begins there */
    PAGE_CONTINUES, /* `rest` bytes of one that began before */
    PAGE_DROPPED    /* a record begins there; the one before was never finished */
};

struct wal_pages {
    const struct wal_format *format; /* of the first page; NULL: none has come */
    uint64_t position;               /* LSN of the next byte, less `have` */
    uint32_t segment_size;           /* bytes, as the server says */
    uint64_t system_id;              /* as well; 0: it isn't compared */
    enum page_start start;           /* of the page under way */
    uint32_t rest;
    size_t have; /* bytes of the header under way */
    unsigned char header[WAL_LONG_HEADER];
};

enum pages_event {
    PAGES_NOTHING, /* the input is used up */
    PAGES_PAGE,    /* a page has begun: `start` and `rest` */
    PAGES_DATA,    /* bytes of records, of one page: the caller takes them by wal_pages_skip */
    PAGES_BAD      /* this is no WAL: the error says why */
};

/* `position`: a page's start. */
void wal_pages_start(struct wal_pages *pages, uint64_t position, uint32_t segment_size,
                     uint64_t system_id);

/*
 * Looks at the front of `input`, which begins at `position`. A page header is taken off it; of
 * data, `data` is what `input` has of the page.
 */
enum pages_event wal_pages_next(struct wal_pages *pages, struct slice *input, struct slice *data,
                                struct error *error);

/* `len` bytes of the last data have been used. */
static inline void wal_pages_skip(struct wal_pages *pages, struct slice *input, size_t len)
{
    input->data += len;
    input->len -= len;
    pages->position += len;
}

#endif
