/* Where the decoding of one message has got to: what each plugin's file works on. */
#ifndef PGNUDGE_DECODE_DECODING_H
#define PGNUDGE_DECODE_DECODING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bounds.h"
#include "base/text.h"
#include "decode/change.h"
#include "decode/relations.h"
#include "decode/rowscan.h"

/* Where one message has got to. */
struct decoder {
    enum plugin plugin;
    struct slice input; /* not yet looked at */
    bool more;          /* pieces of this message are still to come */
    bool in_names;      /* test_decoding: in the list of names */
    bool in_quotes;     /* in_names: inside double quotes */
    bool after_comma;   /* in_names: the next byte is the blank behind a comma */
    bool begun;         /* nothing of the message has been looked at yet */
    bool in_relation;   /* pgoutput: in a Relation message */
    bool in_row;        /* the keys of the row have been asked for */
    size_t carry_len;
    char carry[RAW_NAME_MAX];   /* a name that a piece's end cut */
    struct relations relations; /* pgoutput */
    struct slice layout;        /* pgoutput: of the change that was read last, borrowed */
    enum operation operation;   /* likewise */
    struct row_scan scan;       /* in_row */
    struct row_keys keys;       /* that it gave */
};

#endif
