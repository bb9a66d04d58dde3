/* What wal2json, format-version 2 writes; the functions are those of struct plugin_entry. */
#ifndef PGNUDGE_DECODE_WAL2JSON_H
#define PGNUDGE_DECODE_WAL2JSON_H

#include "base/buffer.h"
#include "decode/decoding.h"

bool wal2json_next(struct decoder *decoder, struct change *change);
bool wal2json_name(struct slice name, struct buffer *schema, struct buffer *table);
bool wal2json_content(struct slice content, struct buffer *out);

#endif
