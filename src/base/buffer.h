/*
 * A growing byte buffer. Writers latch failure: append as often as needed,
 * then look at `failed` once (out of memory, or beyond the limit).
 */
#ifndef PGNUDGE_BASE_BUFFER_H
#define PGNUDGE_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"

struct buffer {
    char *data; /* NULL until the first append; not NUL-terminated */
    size_t len;
    size_t cap;
    size_t limit; /* bytes it may grow to; 0: BUFFER_LIMIT */
    bool failed;
};

/* In decimal, with zeros in front up to `width` digits (at most 20); cheaper than buffer_format. */
void buffer_decimal(struct buffer *buffer, uint64_t number, unsigned width);

void buffer_append(struct buffer *buffer, const void *data, size_t len);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_byte(struct buffer *buffer, char byte);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Big-endian integers, as the PostgreSQL protocol has them. */
void buffer_be16(struct buffer *buffer, uint16_t value);
void buffer_be32(struct buffer *buffer, uint32_t value);
void buffer_be64(struct buffer *buffer, uint64_t value);

/* Removes the first `len` bytes (at most all of them). */
void buffer_consume(struct buffer *buffer, size_t len);

/* Empties it and forgets a failure; keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Overwrites the content, then frees it. The buffer can be used again. */
void buffer_free(struct buffer *buffer);

#endif
