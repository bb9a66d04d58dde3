/* What test_decoding (contrib, "Logical Decoding") writes; the functions are those of struct plugin_entry. */
#ifndef PGNUDGE_DECODE_TEST_DECODING_H
#define PGNUDGE_DECODE_TEST_DECODING_H

#include "base/buffer.h"
#include "decode/decoding.h"

bool test_decoding_next(struct decoder *decoder, struct change *change);
bool test_decoding_name(struct slice name, struct buffer *schema, struct buffer *table);
bool test_decoding_content(struct slice content, struct buffer *out);

#endif
