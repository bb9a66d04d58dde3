/* What each plugin's file gives to decoder.c. */
#ifndef PGNUDGE_DECODE_PLUGINS_H
#define PGNUDGE_DECODE_PLUGINS_H

#include "decode/decoder.h"

/* The decimal number at the front of `text`, 0 if there is none. */
uint32_t plugin_xid(struct slice text);

bool test_decoding_next(struct decoder *decoder, struct change *change);
bool test_decoding_content(struct slice content, struct buffer *out);
bool test_decoding_name(struct slice name, struct buffer *schema, struct buffer *table);

bool wal2json_next(struct decoder *decoder, struct change *change);
bool wal2json_content(struct slice content, struct buffer *out);
bool wal2json_name(struct slice name, struct buffer *schema, struct buffer *table);

#endif
