#include "wire/lsn.h"

static bool read_half(struct slice *text, uint64_t *half)
{
    size_t digits = 0;

    *half = 0;
    while (text->len > 0 && *text->data != '/') {
        char c = *text->data;
        unsigned digit;

        if (c >= '0' && c <= '9') {
            digit = (unsigned)(c - '0');
        } else if (c >= 'A' && c <= 'F') {
            digit = (unsigned)(c - 'A') + 10;
        } else {
            return false;
        }
        *half = *half << 4 | digit;
        digits++;
        text->data++;
        text->len--;
    }
    return digits > 0 && digits <= 8;
}

bool lsn_read(struct slice text, uint64_t *lsn)
{
    uint64_t high, low;

    if (!read_half(&text, &high) || text.len == 0) {
        return false;
    }
    text.data++;
    text.len--;
    if (!read_half(&text, &low) || text.len > 0) {
        return false;
    }
    *lsn = high << 32 | low;
    return true;
}
