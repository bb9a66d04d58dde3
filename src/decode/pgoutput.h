/* What pgoutput, protocol version 1 writes; the functions are those of struct plugin_entry. */
#ifndef PGNUDGE_DECODE_PGOUTPUT_H
#define PGNUDGE_DECODE_PGOUTPUT_H

#include "base/buffer.h"
#include "decode/decoding.h"

bool pgoutput_next(struct decoder *decoder, struct change *change);
bool pgoutput_name(struct slice name, struct buffer *schema, struct buffer *table);
bool pgoutput_content(struct slice content, struct buffer *out);
enum row_step pgoutput_row(struct row_scan *scan, struct slice *text, bool more);

#endif
