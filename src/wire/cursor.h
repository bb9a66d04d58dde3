/*
 * Reads the fields of one message, in order. Every call checks the bounds and
 * returns false at the end of the message; integers are big-endian.
 */
#ifndef PGNUDGE_WIRE_CURSOR_H
#define PGNUDGE_WIRE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define MUST_CHECK __attribute__((warn_unused_result))

/* The next `len` bytes, borrowed. */
MUST_CHECK static inline bool cursor_bytes(struct slice *cursor, size_t len, struct slice *bytes)
{
    if (cursor->len < len) {
        return false;
    }
    *bytes = (struct slice){cursor->data, len};
    cursor->data += len;
    cursor->len -= len;
    return true;
}

MUST_CHECK static inline bool cursor_be64(struct slice *cursor, uint64_t *value)
{
    struct slice bytes;

    *value = 0;
    if (!cursor_bytes(cursor, sizeof(*value), &bytes)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(*value); i++) {
        *value = *value << 8 | (unsigned char)bytes.data[i];
    }
    return true;
}

MUST_CHECK bool cursor_u8(struct slice *cursor, uint8_t *value);
MUST_CHECK bool cursor_be16(struct slice *cursor, uint16_t *value);
MUST_CHECK bool cursor_be32(struct slice *cursor, uint32_t *value);

/* A NUL-terminated string, borrowed; the NUL is behind its end. */
MUST_CHECK bool cursor_string(struct slice *cursor, struct slice *text);

#endif
