#include "batch/json.h"

/* How many bytes at the front need no escape. */
static size_t plain(struct slice text)
{
    size_t len = 0;

    while (len < text.len) {
        unsigned char byte = (unsigned char)text.data[len];

        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f || byte == 0xc2) {
            break;
        }
        len++;
    }
    return len;
}

/* Appends what stands at the front; returns its length. */
static size_t escape(struct buffer *out, struct slice text)
{
    static const char letters[] = "\b\f\n\r\t\"\\";
    static const char escapes[] = "bfnrt\"\\";
    unsigned char byte = (unsigned char)text.data[0];
    unsigned char next = text.len > 1 ? (unsigned char)text.data[1] : 0;
    const char *letter = byte != 0 ? strchr(letters, byte) : NULL;

    if (letter != NULL) {
        buffer_byte(out, '\\');
        buffer_byte(out, escapes[letter - letters]);
    } else if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) {
        buffer_format(out, "\\u%04x", next);
        return 2;
    } else if (byte == 0xc2) {
        buffer_byte(out, text.data[0]);
    } else {
        buffer_format(out, "\\u%04x", byte);
    }
    return 1;
}

void json_string(struct buffer *out, struct slice text)
{
    buffer_byte(out, '"');
    while (text.len > 0) {
        size_t len = plain(text);

        buffer_append(out, text.data, len);
        text.data += len;
        text.len -= len;
        if (text.len > 0) {
            len = escape(out, text);
            text.data += len;
            text.len -= len;
        }
    }
    buffer_byte(out, '"');
}

/* The character that these bytes are. */
static uint32_t decode(const unsigned char *at, size_t len)
{
    uint32_t code = at[0] & (0xffU >> (len + 1));

    for (size_t i = 1; i < len; i++) {
        code = code << 6 | (at[i] & 0x3fU);
    }
    return code;
}

void json_ascii(struct buffer *out, struct slice json)
{
    while (json.len > 0) {
        size_t len = utf8_sequence(json);

        if (len <= 1) {
            buffer_byte(out, json.data[0]);
            len = 1;
        } else {
            uint32_t code = decode((const unsigned char *)json.data, len);

            if (code > 0xffff) { /* a pair of surrogates: RFC 8259, 7 */
                buffer_format(out, "\\u%04x", 0xd800U + ((code - 0x10000U) >> 10));
                code = 0xdc00U + ((code - 0x10000U) & 0x3ffU);
            }
            buffer_format(out, "\\u%04x", code);
        }
        json.data += len;
        json.len -= len;
    }
}
