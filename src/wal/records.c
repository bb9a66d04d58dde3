#include "wal/records.h"

#include <string.h>

#include "wire/lsn.h"

/* IDs in a record's header that are no block's number. */
#define ID_SHORT_MAIN 255
#define ID_LONG_MAIN  254
#define ID_ORIGIN     253
#define ID_TOP_XID    252

/* No block's header begins behind it. */
#define HEAD_END (WAL_HEAD_MAX - 32)

#define BLOCK_FORK  0x0f
#define BLOCK_IMAGE 0x10
#define BLOCK_SAME  0x80 /* of the same file as the block before */
#define IMAGE_HOLE  0x01

void wal_records_start(struct wal_records *records, uint64_t position, uint32_t segment_size,
                       uint64_t system_id, uint32_t database)
{
    *records = (struct wal_records){.database = database, .state = RECORDS_FIRST};
    wal_pages_start(&records->pages, position - position % WAL_PAGE, segment_size, system_id);
}

static enum wal_event bad(const struct wal_records *records, struct error *error, const char *what)
{
    error_set(error, ERROR_TRANSIENT, "invalid WAL record at " LSN_FORMAT ": %s",
              LSN_HALVES(records->start), what);
    return WAL_BAD;
}

/* ---- what matters ---- */

static bool is_change(uint8_t manager, uint8_t info)
{
    uint8_t kind = info & WAL_OTHER_MASK;

    if (manager == WAL_HEAP) {
        return kind == HEAP_INSERT || kind == HEAP_DELETE || kind == HEAP_UPDATE ||
               kind == HEAP_HOT_UPDATE;
    }
    return (manager == WAL_HEAP2 && kind == HEAP2_MULTI_INSERT) || manager == WAL_GENERIC ||
           manager >= WAL_CUSTOM;
}

/* Whether all of its blocks are of one file, the first one's. */
static bool has_one_file(uint8_t manager)
{
    return manager == WAL_HEAP || manager == WAL_HEAP2;
}

static bool wants_main(uint8_t manager, uint8_t info)
{
    uint8_t kind = info & WAL_OTHER_MASK;

    switch (manager) {
    case WAL_XACT:
        return kind <= XACT_ABORT_PREPARED;
    case WAL_STANDBY:
        return kind == STANDBY_RUNNING_XACTS;
    case WAL_HEAP2:
        return kind == HEAP2_MULTI_INSERT;
    default:
        return manager == WAL_MESSAGE;
    }
}

static bool is_marker(uint8_t manager, uint8_t info)
{
    uint8_t kind = info & WAL_XLOG_MASK;

    return manager == WAL_XLOG &&
           (kind == XLOG_CHECKPOINT_SHUTDOWN || kind == XLOG_END_OF_RECOVERY);
}

/* ---- the headers of its blocks ---- */

enum walk { WALK_DONE, WALK_MORE /* bytes are needed: records->need */, WALK_BAD };

/* A place in a head of which `len` bytes are there. */
struct walk_at {
    const unsigned char *head;
    size_t len;
    size_t at;
};

/* Whether `count` more bytes are there; if not, says how many are needed at least. */
static bool has(struct wal_records *records, const struct walk_at *walk, size_t count)
{
    if (walk->len - walk->at >= count) {
        return true;
    }
    records->need = walk->at + count;
    return false;
}

static size_t image_header(const struct wal_records *records, uint8_t info)
{
    bool compressed = (info & records->pages.format->compressed) != 0;

    return (info & IMAGE_HOLE) != 0 && compressed ? 2 : 0;
}

/* Keeps the block's file. */
static void take_file(struct wal_records *records, const unsigned char *locator, uint8_t fork)
{
    struct wal_record *record = &records->record;

    if (fork == 0 && wal_u32(locator + 4) == records->database) {
        record->files[record->file_count++] =
            (struct relfile){wal_u32(locator), wal_u32(locator + 8)};
    }
}

/* Takes one block's header, whose ID has been read. */
static enum walk walk_block(struct wal_records *records, struct walk_at *walk)
{
    uint8_t flags;
    size_t at = walk->at + 4; /* ID, flags, bytes of data */

    if (!has(records, walk, 4)) {
        return WALK_MORE;
    }
    flags = walk->head[walk->at + 1];
    if ((flags & BLOCK_IMAGE) != 0) {
        if (!has(records, walk, at - walk->at + 5)) {
            return WALK_MORE;
        }
        at += 5 + image_header(records, walk->head[at + 4]);
    }
    if (!has(records, walk, at - walk->at + ((flags & BLOCK_SAME) != 0 ? 4 : 16))) {
        return WALK_MORE;
    }
    if ((flags & BLOCK_SAME) == 0) {
        if (records->record.file_count < WAL_BLOCKS) {
            take_file(records, walk->head + at, flags & BLOCK_FORK);
        }
        at += 12;
    }
    walk->at = at + 4;
    return WALK_DONE;
}

static enum walk walk_main(struct wal_records *records, struct walk_at *walk, size_t size)
{
    if (!has(records, walk, 1 + size)) {
        return WALK_MORE;
    }
    records->record.main =
        size == 1 ? walk->head[walk->at + 1] : wal_u32(walk->head + walk->at + 1);
    walk->at += 1 + size;
    return records->record.main <= records->record.total - walk->at ? WALK_DONE : WALK_BAD;
}

/*
 * Walks through the headers of a record, of which `len` bytes are there: as far as they are wanted,
 * from the first one on, anew each time.
 */
static enum walk walk_head(struct wal_records *records, const unsigned char *head, size_t len)
{
    struct wal_record *record = &records->record;
    struct walk_at walk = {head, len < record->total ? len : record->total, WAL_RECORD_HEADER};
    enum walk result = WALK_DONE;
    uint8_t id;

    record->file_count = 0;
    record->main = 0;
    while (result == WALK_DONE && walk.at < record->total) {
        if (walk.at > HEAD_END) {
            return WALK_BAD;
        }
        if (!has(records, &walk, 1)) {
            return WALK_MORE;
        }
        id = head[walk.at];
        switch (id) {
        case ID_SHORT_MAIN:
            return walk_main(records, &walk, 1);
        case ID_LONG_MAIN:
            return walk_main(records, &walk, 4);
        case ID_ORIGIN:
            walk.at += 3;
            break;
        case ID_TOP_XID:
            walk.at += 5;
            break;
        default:
            if (id >= WAL_BLOCKS) {
                return WALK_BAD;
            }
            result = walk_block(records, &walk);
            if (!records->wants_main && result == WALK_DONE && has_one_file(record->manager)) {
                return WALK_DONE;
            }
            break;
        }
        if (walk.at > walk.len && walk.at <= record->total) {
            records->need = walk.at;
            return WALK_MORE;
        }
    }
    return result == WALK_DONE && walk.at > record->total ? WALK_BAD : result;
}

/* ---- a record's beginning ---- */

/* Its fixed header. False: it is none. */
static bool take_fixed(struct wal_records *records, const unsigned char *head)
{
    struct wal_record *record = &records->record;
    uint64_t prev = wal_u64(head + 8);

    record->total = wal_u32(head);
    record->xid = wal_u32(head + 4);
    record->info = head[16];
    record->manager = head[17];
    records->wants_main = wants_main(record->manager, record->info);
    return record->total >= WAL_RECORD_HEADER && record->total <= WAL_RECORD_MAX &&
           (records->before == 0 || prev == records->before);
}

/* What follows a record whose head has been read. */
static enum wal_event begin_body(struct wal_records *records)
{
    const struct wal_record *record = &records->record;
    bool matters =
        record->file_count > 0 || records->wants_main || is_marker(record->manager, record->info);

    records->before = records->start;
    records->state = RECORDS_SKIP;
    records->skip_to = records->wants_main ? record->total - record->main : record->total;
    return matters ? WAL_RECORD : WAL_NOTHING;
}

/* `head` has `len` bytes of the record, as many as it needs or more. WAL_NOTHING: go on. */
static enum wal_event read_head(struct wal_records *records, const unsigned char *head, size_t len)
{
    struct wal_record *record = &records->record;

    if (records->need <= WAL_RECORD_HEADER && !take_fixed(records, head)) {
        return WAL_BAD;
    }
    if (!is_change(record->manager, record->info) && !records->wants_main) {
        record->file_count = 0;
        record->main = 0;
        return begin_body(records);
    }
    switch (walk_head(records, head, len)) {
    case WALK_DONE:
        return begin_body(records);
    case WALK_MORE:
        return records->need <= WAL_HEAD_MAX && records->need <= record->total ? WAL_NOTHING
                                                                               : WAL_BAD;
    case WALK_BAD:
        break;
    }
    return WAL_BAD;
}

/* Collects what is needed of a head that comes in pieces. Returns what it has taken of `data`. */
static size_t collect(struct wal_records *records, const struct slice *data)
{
    size_t missing = records->need - records->have;
    size_t len = data->len < missing ? data->len : missing;

    memcpy(records->head + records->have, data->data, len);
    records->have += len;
    records->at += (uint32_t)len;
    return len;
}

/* Reads a record's head out of `data`, in place where all of it is there. Returns what it took. */
static size_t step_head(struct wal_records *records, const struct slice *data,
                        enum wal_event *event)
{
    size_t taken = 0;

    *event = WAL_NOTHING;
    if (records->have == 0) {
        records->start = records->pages.position;
        records->need = WAL_RECORD_HEADER;
        records->at = 0;
        if (data->len >= WAL_RECORD_HEADER) {
            *event = read_head(records, (const unsigned char *)data->data, data->len);
        }
        if (records->state != RECORDS_HEAD || *event != WAL_NOTHING) {
            return 0;
        }
    }
    taken = collect(records, data);
    if (records->have == records->need) {
        *event = read_head(records, records->head, records->have);
    }
    return taken;
}

/* ---- its body ---- */

static bool is_switch(const struct wal_record *record)
{
    return record->manager == WAL_XLOG && (record->info & WAL_XLOG_MASK) == XLOG_SWITCH;
}

static void finish(struct wal_records *records)
{
    records->have = 0;
    records->state = is_switch(&records->record) ? RECORDS_SEGMENT : RECORDS_PAD;
}

/* Skips up to skip_to. Returns how much of `data`. */
static size_t step_skip(struct wal_records *records, const struct slice *data)
{
    size_t left = records->skip_to - records->at;
    size_t len = data->len < left ? data->len : left;

    records->at += (uint32_t)len;
    return len;
}

/* A page begins: what it says must fit what is under way. */
static void take_page(struct wal_records *records, enum wal_event *event, struct error *error)
{
    const struct wal_pages *pages = &records->pages;
    bool total_is_known, inside = records->state == RECORDS_MAIN ||
                                  records->state == RECORDS_SKIP ||
                                  (records->state == RECORDS_HEAD && records->have > 0);

    if (records->state == RECORDS_FIRST) { /* nothing is known of what continues there */
        records->record.total = pages->start == PAGE_CONTINUES ? pages->rest : 0;
        records->record.manager = WAL_STANDBY;
        records->record.info = 0;
        records->skip_to = records->record.total;
        records->wants_main = false;
        records->at = 0;
        records->state = RECORDS_SKIP;
        return;
    }
    if (pages->start == PAGE_DROPPED || !inside) {
        records->have = 0;
        records->before = pages->start == PAGE_DROPPED ? 0 : records->before;
        records->state = RECORDS_HEAD;
        if (pages->start == PAGE_CONTINUES) {
            *event = bad(records, error, "a page continues what has ended");
        }
        return;
    }
    total_is_known = records->state != RECORDS_HEAD || records->have >= WAL_RECORD_HEADER;
    if (pages->start != PAGE_CONTINUES ||
        (total_is_known && pages->rest != records->record.total - records->at)) {
        *event = bad(records, error, "the next page doesn't continue it");
    }
}

/* One step with data of a page; returns how much was taken. */
static size_t step_data(struct wal_records *records, const struct slice *data, struct slice *piece,
                        enum wal_event *event)
{
    size_t len = 0;

    switch (records->state) {
    case RECORDS_HEAD:
        return step_head(records, data, event);
    case RECORDS_SKIP:
        len = step_skip(records, data);
        break;
    case RECORDS_MAIN:
        len = step_skip(records, data);
        *piece = (struct slice){data->data, len};
        *event = len > 0 ? WAL_MAIN : WAL_NOTHING;
        break;
    case RECORDS_PAD:
        len = (size_t)(wal_records_end(records) - records->pages.position);
        len = len < data->len ? len : data->len;
        break;
    case RECORDS_SEGMENT: /* not read by pages */
    case RECORDS_FIRST:   /* a page's start ends it */
        break;
    }
    return len;
}

/* What follows where a state has come to its end. */
static void follow(struct wal_records *records, enum wal_event *event)
{
    uint64_t position = records->pages.position;

    if (records->state == RECORDS_SKIP && records->at == records->skip_to) {
        if (records->wants_main && records->skip_to < records->record.total) {
            records->state = RECORDS_MAIN;
            records->skip_to = records->record.total;
            return;
        }
        *event = records->wants_main ? WAL_END : WAL_NOTHING;
        finish(records);
    } else if (records->state == RECORDS_MAIN && records->at == records->skip_to) {
        *event = WAL_END;
        finish(records);
    } else if ((records->state == RECORDS_PAD && position % WAL_ALIGN == 0) ||
               (records->state == RECORDS_SEGMENT && position % records->pages.segment_size == 0)) {
        records->state = RECORDS_HEAD;
    }
}

/* Behind a switch there may be pages without a header. */
static void skip_segment(struct wal_records *records, struct slice *input)
{
    uint32_t size = records->pages.segment_size;
    size_t left = (size_t)(size - records->pages.position % size);

    wal_pages_skip(&records->pages, input, input->len < left ? input->len : left);
}

enum wal_event wal_records_next(struct wal_records *records, struct slice *input,
                                struct slice *piece, struct error *error)
{
    enum wal_event event = WAL_NOTHING;
    struct slice data;

    while (event == WAL_NOTHING) {
        follow(records, &event);
        if (event != WAL_NOTHING) {
            break;
        }
        if (records->state == RECORDS_SEGMENT) {
            skip_segment(records, input);
            if (input->len == 0) {
                return WAL_NOTHING;
            }
            continue;
        }
        switch (wal_pages_next(&records->pages, input, &data, error)) {
        case PAGES_NOTHING:
            return WAL_NOTHING;
        case PAGES_PAGE:
            take_page(records, &event, error);
            break;
        case PAGES_DATA:
            wal_pages_skip(&records->pages, input, step_data(records, &data, piece, &event));
            if (event == WAL_BAD) {
                bad(records, error, "not a record");
            }
            break;
        case PAGES_BAD:
            return WAL_BAD;
        }
    }
    return event;
}
