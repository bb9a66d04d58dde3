#include "wire/cursor.h"

#include <string.h>

static bool big_endian(struct slice *cursor, size_t len, uint32_t *value)
{
    struct slice bytes;

    *value = 0;
    if (!cursor_bytes(cursor, len, &bytes)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        *value = *value << 8 | (unsigned char)bytes.data[i];
    }
    return true;
}

bool cursor_u8(struct slice *cursor, uint8_t *value)
{
    uint32_t wide;
    bool ok = big_endian(cursor, sizeof(*value), &wide);

    *value = (uint8_t)wide;
    return ok;
}

bool cursor_be16(struct slice *cursor, uint16_t *value)
{
    uint32_t wide;
    bool ok = big_endian(cursor, sizeof(*value), &wide);

    *value = (uint16_t)wide;
    return ok;
}

bool cursor_be32(struct slice *cursor, uint32_t *value)
{
    return big_endian(cursor, sizeof(*value), value);
}

bool cursor_string(struct slice *cursor, struct slice *text)
{
    const char *end = cursor->len > 0 ? memchr(cursor->data, '\0', cursor->len) : NULL;
    size_t len;

    if (end == NULL) {
        return false;
    }
    len = (size_t)(end - cursor->data);
    *text = (struct slice){cursor->data, len};
    cursor->data += len + 1;
    cursor->len -= len + 1;
    return true;
}
