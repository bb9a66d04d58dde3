/* Text as JSON, byte by byte: cJSON would take three allocations for each. */
#ifndef PGNUDGE_BATCH_JSON_H
#define PGNUDGE_BATCH_JSON_H

#include "base/buffer.h"
#include "base/text.h"

/*
 * Appends a string, its quotes included (RFC 8259). `text` is UTF-8. Control characters are
 * escaped, DEL and C1 too, which JSON may have raw, but a terminal may act on.
 */
void json_string(struct buffer *out, struct slice text);

/* Appends JSON of valid UTF-8 with \uXXXX in place of what isn't ASCII: it fits any encoding. */
void json_ascii(struct buffer *out, struct slice json);

#endif
