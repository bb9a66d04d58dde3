/*
 * The output plugins, a row each: to add one, write its file, and its row in
 * plugins.c; all else goes by the table.
 */
#ifndef PGNUDGE_DECODE_PLUGINS_H
#define PGNUDGE_DECODE_PLUGINS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/text.h"
#include "decode/decoding.h"

struct plugin_entry {
    const char *name;    /* on the server */
    const char *options; /* of START_REPLICATION: the cheapest that give xids and commits */
    const char *install; /* what to do where the server hasn't it */
    bool filters;        /* it takes add-tables and filter-tables: see catalog/pushdown.h */
    bool publications;   /* it takes publication_names and messages, and needs the first */

    /* decoder_next's, decoder_name's, decoder_content's part. */
    bool (*next)(struct decoder *decoder, struct change *change);
    bool (*unquote)(struct slice name, struct buffer *schema, struct buffer *table);
    bool (*content)(struct slice content, struct buffer *out);

    /*
     * Reads on in a row, from behind its table's name (and operation) on, and takes what it reads
     * off `text`; `more`: another piece follows.
     */
    enum row_step (*row)(struct row_scan *scan, struct slice *text, bool more);
};

extern const struct plugin_entry plugins[PLUGINS];

/* One that needs no publication. False: none has this name. */
bool plugin_named(const char *name, enum plugin *plugin);

#endif
