#include "wal/format.h"

#include <stdarg.h>
#include <stdio.h>

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

bool wal_unsupported(struct error *error, const char *format, ...)
{
    char why[100];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    error_set(error, ERROR_PERMANENT, "unsupported WAL: %s", why);
    error_hint(error, "Use --transport logical.");
    return false;
}

const struct wal_format *wal_format_of(uint16_t magic, struct error *error)
{
    const struct wal_format *format = find(magic);

    if (format != NULL) {
        return format;
    }
    if (find((uint16_t)(magic << 8 | magic >> 8)) != NULL) {
        wal_unsupported(error, "it is in big-endian byte order");
    } else {
        wal_unsupported(error, "its pages have the magic %04X", magic);
    }
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
