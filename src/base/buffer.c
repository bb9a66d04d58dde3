#include "base/buffer.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes, or false with the failure latched. */
static bool make_room(struct buffer *buffer, size_t more)
{
    size_t limit = buffer->limit > 0 ? buffer->limit : BUFFER_LIMIT;
    size_t cap = buffer->cap > 0 ? buffer->cap : 256;
    char *data;

    if (buffer->failed || more > limit - buffer->len) {
        buffer->failed = true;
        return false;
    }
    if (buffer->cap - buffer->len >= more) {
        return true;
    }
    while (cap - buffer->len < more) {
        cap *= 2;
    }
    /* Not realloc: what it leaves behind may have been a secret. */
    data = malloc(cap);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    if (buffer->len > 0) {
        memcpy(data, buffer->data, buffer->len);
    }
    if (buffer->data != NULL) {
        OPENSSL_cleanse(buffer->data, buffer->cap);
        free(buffer->data);
    }
    buffer->data = data;
    buffer->cap = cap;
    return true;
}

void buffer_append(struct buffer *buffer, const void *data, size_t len)
{
    if (len > 0 && make_room(buffer, len)) {
        memcpy(buffer->data + buffer->len, data, len);
        buffer->len += len;
    }
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_byte(struct buffer *buffer, char byte)
{
    buffer_append(buffer, &byte, 1);
}

void buffer_decimal(struct buffer *buffer, uint64_t number, unsigned width)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || sizeof(digits) - at < width);
    buffer_append(buffer, digits + at, sizeof(digits) - at);
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !make_room(buffer, (size_t)len + 1)) {
        buffer->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(buffer->data + buffer->len, (size_t)len + 1, format, args);
    va_end(args);
    buffer->len += (size_t)len;
}

void buffer_be16(struct buffer *buffer, uint16_t value)
{
    buffer_byte(buffer, (char)(value >> 8));
    buffer_byte(buffer, (char)(value & 0xff));
}

void buffer_be32(struct buffer *buffer, uint32_t value)
{
    buffer_be16(buffer, (uint16_t)(value >> 16));
    buffer_be16(buffer, (uint16_t)(value & 0xffff));
}

void buffer_be64(struct buffer *buffer, uint64_t value)
{
    buffer_be32(buffer, (uint32_t)(value >> 32));
    buffer_be32(buffer, (uint32_t)(value & 0xffffffff));
}

void buffer_consume(struct buffer *buffer, size_t len)
{
    if (len >= buffer->len) {
        buffer->len = 0;
        return;
    }
    memmove(buffer->data, buffer->data + len, buffer->len - len);
    buffer->len -= len;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
}

void buffer_free(struct buffer *buffer)
{
    if (buffer->data != NULL) {
        OPENSSL_cleanse(buffer->data, buffer->cap);
        free(buffer->data);
    }
    buffer->data = NULL;
    buffer->len = buffer->cap = 0;
    buffer->failed = false;
}
