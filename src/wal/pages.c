#include "wal/pages.h"

#include <inttypes.h>
#include <string.h>

#include "wire/lsn.h"

#define CONTINUES   0x0001 /* XLP_FIRST_IS_CONTRECORD */
#define LONG_HEADER 0x0002 /* XLP_LONG_HEADER */
#define DROPPED     0x0008 /* XLP_FIRST_IS_OVERWRITE_CONTRECORD */

void wal_pages_start(struct wal_pages *pages, uint64_t position, uint32_t segment_size,
                     uint64_t system_id)
{
    *pages = (struct wal_pages){
        .position = position, .segment_size = segment_size, .system_id = system_id};
}

static bool bad(struct error *error, const struct wal_pages *pages, const char *what)
{
    return error_set(error, ERROR_TRANSIENT, "invalid WAL page at " LSN_FORMAT ": %s",
                     LSN_HALVES(pages->position), what);
}

/* The long header's own fields. */
static bool check_segment(const struct wal_pages *pages, struct error *error)
{
    uint32_t block_size = wal_u32(pages->header + 36);

    if (pages->system_id != 0 && wal_u64(pages->header + 24) != pages->system_id) {
        return bad(error, pages, "another system identifier");
    }
    if (wal_u32(pages->header + 32) != pages->segment_size) {
        return bad(error, pages, "another segment size");
    }
    if (block_size != WAL_PAGE) {
        return wal_unsupported(error, "its blocks have %" PRIu32 " bytes", block_size);
    }
    return true;
}

/* `position` is still that of the page. */
static bool take_header(struct wal_pages *pages, struct error *error)
{
    const unsigned char *header = pages->header;
    uint16_t magic = wal_u16(header), info = wal_u16(header + 2);

    if (pages->format == NULL) {
        pages->format = wal_format_of(magic, error);
        if (pages->format == NULL) {
            return false;
        }
    }
    if (magic != pages->format->magic) {
        return bad(error, pages, "another magic than before");
    }
    if (wal_u64(header + 8) != pages->position) {
        return bad(error, pages, "another address");
    }
    if (pages->have == WAL_LONG_HEADER && !check_segment(pages, error)) {
        return false;
    }
    pages->rest = wal_u32(header + 16);
    pages->start = (info & DROPPED) != 0     ? PAGE_DROPPED
                   : (info & CONTINUES) != 0 ? PAGE_CONTINUES
                                             : PAGE_NEW;
    return true;
}

/* Bytes of the header that is being collected: its own first ones tell. */
static size_t header_size(const struct wal_pages *pages)
{
    return pages->have >= 4 && (wal_u16(pages->header + 2) & LONG_HEADER) != 0 ? WAL_LONG_HEADER
                                                                               : WAL_PAGE_HEADER;
}

static enum pages_event collect_header(struct wal_pages *pages, struct slice *input,
                                       struct error *error)
{
    while (pages->have < header_size(pages)) {
        size_t wanted = pages->have < 4 ? 4 - pages->have : header_size(pages) - pages->have;
        size_t len = input->len < wanted ? input->len : wanted;

        if (len == 0) {
            return PAGES_NOTHING;
        }
        memcpy(pages->header + pages->have, input->data, len);
        pages->have += len;
        input->data += len;
        input->len -= len;
    }
    if (!take_header(pages, error)) {
        return PAGES_BAD;
    }
    pages->position += pages->have;
    pages->have = 0;
    return PAGES_PAGE;
}

enum pages_event wal_pages_next(struct wal_pages *pages, struct slice *input, struct slice *data,
                                struct error *error)
{
    size_t in_page = (size_t)(pages->position % WAL_PAGE);

    if (in_page == 0) {
        return collect_header(pages, input, error);
    }
    if (input->len == 0) {
        return PAGES_NOTHING;
    }
    data->data = input->data;
    data->len = input->len < WAL_PAGE - in_page ? input->len : WAL_PAGE - in_page;
    return PAGES_DATA;
}
