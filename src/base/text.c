#include "base/text.h"

bool slice_number(struct slice s, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.data[i] - '0';

        if (digit > 9 || *number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    return s.len > 0;
}

bool slice_u32(struct slice s, uint32_t *number)
{
    uint64_t value;
    bool ok = s.data != NULL && slice_number(s, &value) && value <= UINT32_MAX;

    *number = ok ? (uint32_t)value : 0;
    return ok;
}

uint32_t slice_xid(struct slice s)
{
    uint32_t xid = 0;

    for (size_t i = 0; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++) {
        xid = xid * 10 + (uint32_t)(s.data[i] - '0');
    }
    return xid;
}

size_t utf8_sequence(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.data;
    size_t len;

    if (s.len == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.len < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return len;
}

void utf8_append(struct buffer *out, struct slice s)
{
    while (s.len > 0) {
        size_t len = utf8_sequence(s);

        if (len > 0) {
            buffer_append(out, s.data, len);
        } else {
            buffer_text(out, "\xef\xbf\xbd");
            len = 1;
        }
        s.data += len;
        s.len -= len;
    }
}

void utf8_disarm(char *text)
{
    unsigned char *c = (unsigned char *)text;
    size_t len;

    for (struct slice rest = slice_of(text); rest.len > 0; c += len) {
        len = utf8_sequence(rest);

        if (len <= 1 && (len == 0 || *c < 0x20 || *c == 0x7f)) {
            *c = *c == '\n' || *c == '\t' ? ' ' : '?';
            len = 1;
        } else if (len == 2 && c[0] == 0xc2 && c[1] < 0xa0) {
            c[0] = c[1] = '?';
        }
        rest.data += len;
        rest.len -= len;
    }
}
