/* One change, as a plugin's file reads it out of a message. */
#ifndef PGNUDGE_DECODE_CHANGE_H
#define PGNUDGE_DECODE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "decode/rowkey.h"

/* The first ones in the order in which --plugin auto tries them. */
enum plugin { PLUGIN_TEST_DECODING, PLUGIN_WAL2JSON, PLUGIN_PGOUTPUT, PLUGINS };

#define PLUGINS_AUTO PLUGIN_PGOUTPUT /* how many it tries: that one needs a publication */

/* What was done to a row, or to all of a table's. */
enum operation {
    OPERATION_MESSAGE, /* nothing: a logical decoding message names the table */
    OPERATION_INSERT,
    OPERATION_UPDATE,
    OPERATION_DELETE,
    OPERATION_TRUNCATE,
    OPERATIONS
};

enum change_kind {
    CHANGE_BEGIN,
    CHANGE_COMMIT,
    CHANGE_TABLE,     /* one row, or a TRUNCATE's one table */
    CHANGE_KEYS,      /* the keys of the row before it, where they were asked for */
    CHANGE_MESSAGE,   /* pg_logical_emit_message with the prefix MESSAGE_PREFIX */
    CHANGE_IGNORED,   /* a logical decoding message with another prefix */
    CHANGE_UNREADABLE /* something that may have been a change */
};

struct change {
    enum change_kind kind;
    uint32_t xid;                /* BEGIN, COMMIT; 0 where the plugin gives none */
    struct slice name;           /* TABLE: schema and table in the plugin's own writing, borrowed */
    enum operation operation;    /* TABLE */
    const struct row_keys *keys; /* KEYS: borrowed */
    struct slice content;        /* MESSAGE: in the plugin's own writing, borrowed */
    bool truncated;              /* the content is longer than that */
};

#define MESSAGE_PREFIX "pgnudge"

#endif
