/*
 * Names between a database's encoding and UTF-8, through iconv(3).
 *
 * Every server encoding of PostgreSQL has ASCII in the bytes below 0x80, and
 * only ASCII there. What holds for the rest:
 *
 *   UTF8            passes
 *   SQL_ASCII       is bytes without a meaning: what is valid UTF-8 passes
 *   others          as iconv has them
 *   MULE_INTERNAL,  only ASCII is known
 *   and what iconv doesn't have
 */
#ifndef PGNUDGE_BASE_ENCODING_H
#define PGNUDGE_BASE_ENCODING_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/text.h"

struct encoding;

/*
 * Opens an encoding by the name that the server's parameter server_encoding
 * has. One that isn't known is fine. The caller closes it. NULL: out of memory.
 */
struct encoding *encoding_open(const char *name);

/* Whether letters beyond ASCII can be converted (or, for SQL_ASCII, need not be). */
bool encoding_is_known(const struct encoding *encoding);

/*
 * Appends `s` as valid UTF-8, whatever it is: each byte that is not part of a
 * character, and each character that is not known, becomes U+FFFD.
 */
void encoding_to_utf8(struct encoding *encoding, struct slice s, struct buffer *out);

/*
 * Gives `s` as UTF-8 that means exactly the same; borrowed from `s`, or from `memory`, which is
 * empty before. False: a byte isn't part of a character, a character isn't known or may be
 * another one, or memory ran out.
 */
bool encoding_exact_utf8(struct encoding *encoding, struct slice s, struct buffer *memory,
                         struct slice *result);

/*
 * Appends `s`, which is UTF-8, in the encoding, such that encoding_to_utf8
 * gives it back. (To SQL_ASCII any bytes pass.) False: `s` isn't valid or the
 * encoding lacks a character, and `out` is as it was, unless memory ran out,
 * which `out->failed` says.
 */
bool encoding_from_utf8(struct encoding *encoding, struct slice s, struct buffer *out);

/* NULL is fine. */
void encoding_close(struct encoding *encoding);

#endif
