/* One change, and where the decoding of one message has got to: what each plugin's file works on. */
#ifndef PGNUDGE_DECODE_CHANGE_H
#define PGNUDGE_DECODE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/text.h"

/* In the order in which --plugin auto tries them. */
enum plugin { PLUGIN_TEST_DECODING, PLUGIN_WAL2JSON, PLUGINS };

enum change_kind {
    CHANGE_BEGIN,
    CHANGE_COMMIT,
    CHANGE_TABLE,     /* one row, or a TRUNCATE's one table */
    CHANGE_MESSAGE,   /* pg_logical_emit_message with the prefix MESSAGE_PREFIX */
    CHANGE_IGNORED,   /* a logical decoding message with another prefix */
    CHANGE_UNREADABLE /* something that may have been a change */
};

struct change {
    enum change_kind kind;
    uint32_t xid;         /* BEGIN, COMMIT; 0 where the plugin gives none */
    struct slice name;    /* TABLE: schema and table in the plugin's own writing, borrowed */
    struct slice content; /* MESSAGE: in the plugin's own writing, borrowed */
    bool truncated;       /* the content is longer than that */
};

#define MESSAGE_PREFIX "pgnudge"

/* Where one message has got to. */
struct decoder {
    enum plugin plugin;
    struct slice input; /* not yet looked at */
    bool more;          /* pieces of this message are still to come */
    bool in_names;      /* test_decoding: in the list of names */
    bool in_quotes;     /* in_names: inside double quotes */
    bool after_comma;   /* in_names: the next byte is the blank behind a comma */
    bool begun;         /* nothing of the message has been looked at yet */
    size_t carry_len;
    char carry[RAW_NAME_MAX]; /* a name that a piece's end cut */
};

#endif
