#include "wire/message.h"

#include <string.h>

size_t message_begin(struct buffer *out, char type)
{
    if (type != 0) {
        buffer_byte(out, type);
    }
    buffer_be32(out, 0);
    return out->len;
}

void message_end(struct buffer *out, size_t mark)
{
    uint32_t len;

    if (out->failed) {
        return;
    }
    len = (uint32_t)(out->len - mark) + 4;
    for (size_t i = 1; i <= 4; i++) {
        out->data[mark - i] = (char)(len & 0xff);
        len >>= 8;
    }
}

void message_string(struct buffer *out, const char *text)
{
    buffer_append(out, text, strlen(text) + 1);
}

void message_query(struct buffer *out, const char *sql)
{
    size_t mark = message_begin(out, 'Q');

    message_string(out, sql);
    message_end(out, mark);
}

void message_terminate(struct buffer *out)
{
    message_end(out, message_begin(out, 'X'));
}
