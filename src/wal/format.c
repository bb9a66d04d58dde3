#include "wal/format.h"

static const struct wal_format formats[] = {
    {.magic = 0xd106, .major = 13, .compressed = 0x02, .prepare_size = 64, .prepare_gid_at = 46},
    {.magic = 0xd10d, .major = 14, .compressed = 0x02, .prepare_size = 64, .prepare_gid_at = 46},
    {0xd110, 15, 0x1c, 12, 72, 54},
    {0xd113, 16, 0x1c, 12, 72, 54},
    {0xd116, 17, 0x1c, 12, 72, 54},
    {0xd118, 18, 0x1c, 16, 72, 54},
    {0xd122, 19, 0x1c, 16, 72, 54},
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static const struct wal_format *find(uint16_t magic)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (formats[i].magic == magic) {
            return &formats[i];
        }
    }
    return NULL;
}

const struct wal_format *wal_format_of(uint16_t magic, struct error *error)
{
    const struct wal_format *format = find(magic);

    if (format != NULL) {
        return format;
    }
    if (find((uint16_t)(magic << 8 | magic >> 8)) != NULL) {
        error_set(error, ERROR_PERMANENT,
                  "the server's WAL is in big-endian byte order, which is not supported");
    } else {
        error_set(error, ERROR_PERMANENT, "unknown WAL page magic %04X", magic);
        error_detail(error, "WAL of PostgreSQL 13 to 19 is supported.");
    }
    error_hint(error, "Use --transport logical.");
    return NULL;
}

bool wal_format_known(int major)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (formats[i].major == major) {
            return true;
        }
    }
    return false;
}
