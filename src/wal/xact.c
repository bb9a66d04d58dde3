#include "wal/xact.h"

#include <string.h>

/* XACT_XINFO_… */
#define HAS_DATABASE 0x01
#define HAS_SUBXIDS  0x02
#define HAS_FILES    0x04
#define HAS_INVALS   0x08
#define HAS_TWOPHASE 0x10
#define HAS_STATS    0x100

#define INVAL_RELCACHE (-2) /* SHAREDINVALRELCACHE_ID; catcaches from 0 on, -1 a whole catalog */
#define INVAL_CATALOG  (-1)

#define PREPARED_SUBXIDS_AT 28 /* in the fixed part: how many */

static size_t size_of(const struct xact *xact, enum xact_part part)
{
    switch (part) {
    case XACT_TIME:
    case XACT_DATABASE:
        return 8;
    case XACT_FILE:
        return 12;
    case XACT_STAT:
        return xact->format->stat_size;
    case XACT_INVAL:
        return 16;
    case XACT_PREPARED:
        return xact->format->prepare_size;
    case XACT_INFO:
    case XACT_SUBXIDS:
    case XACT_SUBXID:
    case XACT_FILES:
    case XACT_STATS:
    case XACT_INVALS:
    case XACT_TWOPHASE:
        return 4;
    case XACT_NAME:
    case XACT_REST:
        break;
    }
    return 0;
}

static void enter(struct xact *xact, enum xact_part part)
{
    xact->part = part;
    xact->size = size_of(xact, part);
    xact->have = 0;
}

void xact_start(struct xact *xact, const struct wal_format *format, uint8_t info)
{
    *xact = (struct xact){.format = format};
    if ((info & WAL_OTHER_MASK) == XACT_PREPARE) {
        enter(xact, XACT_PREPARED);
    } else {
        enter(xact, XACT_TIME);
        xact->left = (info & XACT_HAS_INFO) != 0; /* whether there is more at all */
    }
}

/* Enters the next optional part behind `part`. */
static void enter_behind(struct xact *xact, enum xact_part part)
{
    static const struct {
        enum xact_part part;
        uint32_t flag;
    } order[] = {{XACT_DATABASE, HAS_DATABASE}, {XACT_SUBXIDS, HAS_SUBXIDS},
                 {XACT_FILES, HAS_FILES},       {XACT_STATS, HAS_STATS},
                 {XACT_INVALS, HAS_INVALS},     {XACT_TWOPHASE, HAS_TWOPHASE}};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        bool exists = order[i].part != XACT_STATS || xact->format->stat_size > 0;

        if (order[i].part > part && (xact->info & order[i].flag) != 0 && exists) {
            enter(xact, order[i].part);
            return;
        }
    }
    enter(xact, XACT_REST);
}

/* A list of `count` begins: of the part behind its own number. */
static void enter_list(struct xact *xact, uint32_t count)
{
    xact->left = count;
    if (count > 0) {
        enter(xact, (enum xact_part)(xact->part + 1));
    } else {
        enter_behind(xact, xact->part);
    }
}

static void next_of_list(struct xact *xact)
{
    if (--xact->left > 0) {
        enter(xact, xact->part);
    } else {
        enter_behind(xact, xact->part);
    }
}

/* A relation, or its name, has another definition. */
static enum xact_event take_inval(const unsigned char *bytes, struct xact_said *said)
{
    int id = bytes[0] < 128 ? bytes[0] : bytes[0] - 256;

    said->database = wal_u32(bytes + 4);
    said->value = id == INVAL_RELCACHE ? wal_u32(bytes + 8) : 0;
    if (id == INVAL_RELCACHE) {
        return XACT_HAS_INVAL;
    }
    return id >= INVAL_CATALOG ? XACT_HAS_CATALOG : XACT_MORE;
}

static void begin_prepared(struct xact *xact)
{
    uint32_t name = wal_u16(xact->bytes + xact->format->prepare_gid_at);

    xact->left = wal_u32(xact->bytes + PREPARED_SUBXIDS_AT);
    enter(xact, XACT_NAME);
    xact->size = (name + WAL_ALIGN - 1) & ~(size_t)(WAL_ALIGN - 1);
}

/* The part is complete. XACT_MORE: it says nothing. */
static enum xact_event take_part(struct xact *xact, struct xact_said *said)
{
    const unsigned char *bytes = xact->bytes;
    enum xact_event event = XACT_MORE;

    said->value = wal_u32(bytes);
    switch (xact->part) {
    case XACT_TIME:
        enter(xact, xact->left > 0 ? XACT_INFO : XACT_REST);
        break;
    case XACT_INFO:
        xact->info = said->value;
        enter_behind(xact, XACT_INFO);
        break;
    case XACT_DATABASE:
        enter_behind(xact, XACT_DATABASE);
        break;
    case XACT_SUBXIDS:
    case XACT_FILES:
    case XACT_STATS:
    case XACT_INVALS:
        enter_list(xact, said->value);
        break;
    case XACT_SUBXID:
        event = XACT_HAS_SUBXID;
        next_of_list(xact);
        break;
    case XACT_FILE:
        said->file = (struct relfile){wal_u32(bytes), wal_u32(bytes + 8)};
        said->database = wal_u32(bytes + 4);
        event = XACT_HAS_FILE;
        next_of_list(xact);
        break;
    case XACT_STAT:
        next_of_list(xact);
        break;
    case XACT_INVAL:
        event = take_inval(bytes, said);
        next_of_list(xact);
        break;
    case XACT_TWOPHASE:
        event = XACT_HAS_TOP;
        enter(xact, XACT_REST);
        break;
    case XACT_PREPARED:
        begin_prepared(xact);
        break;
    case XACT_NAME:
        enter(xact, xact->left > 0 ? XACT_SUBXID : XACT_REST);
        break;
    case XACT_REST:
        break;
    }
    return event;
}

/* Takes bytes of the part under way, of which a name's are only counted. */
static void collect(struct xact *xact, struct slice *input)
{
    size_t missing = xact->size - xact->have;
    size_t len = input->len < missing ? input->len : missing;

    if (xact->part != XACT_NAME && len > 0) {
        memcpy(xact->bytes + xact->have, input->data, len);
    }
    xact->have += len;
    input->data += len;
    input->len -= len;
}

enum xact_event xact_next(struct xact *xact, struct slice *input, struct xact_said *said)
{
    enum xact_event event = XACT_MORE;

    while (event == XACT_MORE && xact->part != XACT_REST) {
        collect(xact, input);
        if (xact->have < xact->size) {
            return XACT_MORE;
        }
        event = take_part(xact, said);
    }
    if (event == XACT_MORE) {
        input->len = 0;
    }
    return event;
}
