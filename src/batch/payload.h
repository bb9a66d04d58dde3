/* How a table is named in an event. */
#ifndef PGNUDGE_BATCH_PAYLOAD_H
#define PGNUDGE_BATCH_PAYLOAD_H

#include "base/buffer.h"
#include "base/text.h"

/* Appends `s.t`; bytes that are not UTF-8 become U+FFFD, here and below. */
void payload_text(struct buffer *out, struct slice schema, struct slice table);

/* Appends `"payload":"s.t","schema":"s","table":"t"`, escaped. */
void payload_json(struct buffer *out, struct slice schema, struct slice table);

#endif
