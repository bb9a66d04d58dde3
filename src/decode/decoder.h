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

enum plugin { PLUGIN_TEST_DECODING, PLUGIN_WAL2JSON };

enum change_kind {
    CHANGE_BEGIN,
    CHANGE_COMMIT,
    CHANGE_TABLE,     /* one row, or a TRUNCATE's one table */
    CHANGE_MESSAGE,   /* pg_logical_emit_message with the prefix MESSAGE_PREFIX */
    CHANGE_IGNORED,   /* … with another prefix */
    CHANGE_UNREADABLE /* something that may have been a change */
};

struct change {
    enum change_kind kind;
    uint32_t xid;         /* BEGIN, COMMIT; 0 where the plugin gives none */
    struct slice name;    /* TABLE: schema and table in the plugin's own writing, borrowed */
    struct slice content; /* MESSAGE: in the plugin's own writing, borrowed */
    bool cut;             /* … and there is more of it */
};

#define MESSAGE_PREFIX "pgnudge"

/* Where one message has got to. Private to the decoder. */
struct decoder {
    enum plugin plugin;
    struct slice input; /* not yet looked at */
    bool more;          /* pieces of this message are still to come */
    bool in_names;      /* test_decoding: in the list of names */
    bool in_quotes;     /* … and in a quoted one */
    bool after_comma;   /* … and in front of the next one's blank */
    bool begun;         /* nothing of the message has been looked at yet */
    size_t carry_len;
    char carry[RAW_NAME_MAX]; /* a name that a piece's end cut */
};

/* The plugin's name on the server. */
const char *plugin_name(enum plugin plugin);

/* The options for START_REPLICATION that make it cheapest and still give xids and commits. */
const char *plugin_options(enum plugin plugin);

void decoder_init(struct decoder *decoder, enum plugin plugin);

/* Hands in a message, or its first bytes (of at least 8 KiB) if `more`. Borrowed until the end of
 * decoder_next. */
void decoder_begin(struct decoder *decoder, struct slice text, bool more);

/* Hands in the next bytes of it. */
void decoder_more(struct decoder *decoder, struct slice text, bool more);

/* The next change in what was handed in; false: there is none (any more). */
bool decoder_next(struct decoder *decoder, struct change *change);

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
enum warning decoder_warning(struct slice message, struct slice *schema, struct slice *table);

#endif
