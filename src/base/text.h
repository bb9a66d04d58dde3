/* Byte strings and UTF-8. */
#ifndef PGNUDGE_BASE_TEXT_H
#define PGNUDGE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"

/* A borrowed run of bytes, not NUL-terminated. */
struct slice {
    const char *data;
    size_t len;
};

/* These are inline: the decoders call them for each member of each message. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_starts(struct slice s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

/* The decimal number at its front; 0: there is none. */
uint32_t slice_xid(struct slice s);

/* Reads a whole decimal number without sign. False: it is none, or above 2^64 - 1. */
bool slice_number(struct slice s, uint64_t *number);

/* The same below 2^32: an OID, say. What isn't one, or has no data, is 0. */
bool slice_u32(struct slice s, uint32_t *number);

/*
 * The length of the valid UTF-8 sequence (RFC 3629: no surrogates, no
 * overlong forms) at the start of `s`, or 0 if there is none.
 */
size_t utf8_sequence(struct slice s);

/* Appends `s`, every byte that is not part of valid UTF-8 as U+FFFD. */
void utf8_append(struct buffer *out, struct slice s);

/*
 * Makes a text fit for a terminal, in place and without changing its length: control characters
 * (C0, so newlines too, DEL and C1) and bytes that are not UTF-8 become '?', newlines and tabs
 * blanks.
 */
void utf8_disarm(char *text);

#endif
