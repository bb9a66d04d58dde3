/* Byte strings and UTF-8. */
#ifndef PGNUDGE_BASE_TEXT_H
#define PGNUDGE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* A borrowed run of bytes, not NUL-terminated. */
struct slice {
    const char *data;
    size_t len;
};

struct slice slice_of(const char *text);
bool slice_equal(struct slice a, struct slice b);
bool slice_starts(struct slice s, const char *prefix);

/* The decimal number at its front; 0: there is none. */
uint32_t slice_xid(struct slice s);

/* Reads a whole decimal number without sign. False: it is none, or above 2^64 - 1. */
bool slice_number(struct slice s, uint64_t *number);

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
