/*
 * From what an output plugin writes to changes. No I/O, and nothing allocated
 * per change: names stay as the plugin wrote them, and are unquoted once, by
 * decoder_name, when the one who keeps them sees them for the first time.
 */
#ifndef PGNUDGE_DECODE_DECODER_H
#define PGNUDGE_DECODE_DECODER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "base/text.h"
#include "decode/change.h"
#include "decode/decoding.h"

/* What it had before is not freed. */
void decoder_init(struct decoder *decoder, enum plugin plugin);

void decoder_free(struct decoder *decoder);

/* Hands in a message, or its first bytes (of at least 8 KiB) if `more`. Borrowed until the end of
 * decoder_next. */
void decoder_begin(struct decoder *decoder, struct slice text, bool more);

/* Hands in the next bytes of it. */
void decoder_more(struct decoder *decoder, struct slice text, bool more);

/* The next change in what was handed in; false: there is none (any more). */
bool decoder_next(struct decoder *decoder, struct change *change);

/*
 * Right after a CHANGE_TABLE of a row: its keys are wanted. CHANGE_KEYS comes next, though perhaps
 * only out of later pieces. `columns` is borrowed until then.
 */
void decoder_want_keys(struct decoder *decoder, const struct key_columns *columns);

/* Appends the schema and the table that a change's name means, in the database's encoding. False:
 * it is malformed. */
bool decoder_name(enum plugin plugin, struct slice name, struct buffer *schema,
                  struct buffer *table);

/* Appends what a message's content means. False: it is malformed. */
bool decoder_content(enum plugin plugin, struct slice content, struct buffer *out);

enum warning { WARNING_OTHER, WARNING_ROW, WARNING_UNREADABLE };

/*
 * Reads a warning of the server. WARNING_ROW: wal2json left out a row of this
 * table, raw names, borrowed. WARNING_UNREADABLE: of one that can't be told.
 */
enum warning decoder_warning(struct slice message, struct slice *schema, struct slice *table,
                             enum operation *operation);

#endif
