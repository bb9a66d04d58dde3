/*
 * Takes the key out of a row as its text streams past: what the plugins' row
 * readers have in common. Nothing is kept but the parts of the key; the row may
 * come in pieces, cut anywhere.
 *
 * 1. The columns come in any order; the parts are put in the key's order at the end.
 * 2. A reader says the column's name, then the value's text, then its end.
 */
#ifndef PGNUDGE_DECODE_ROWSCAN_H
#define PGNUDGE_DECODE_ROWSCAN_H

#include "decode/change.h"
#include "decode/rowkey.h"

#define TOKEN_MAX 256 /* bytes of a column's name as the plugin writes it, and the like */

enum row_side { ROW_OLD, ROW_NEW, ROW_SIDES };

enum row_step {
    ROW_MORE,   /* more of the message is needed */
    ROW_DONE,   /* all that is needed has come, or the row's end */
    ROW_UNKNOWN /* its key can't be known: malformed, or too long */
};

struct row_scan {
    const struct key_columns *columns; /* borrowed */
    enum operation operation;
    enum row_side side; /* of the tuple that is being read */
    int state;          /* the reader's own, as are the next four */
    unsigned depth;
    bool quoted;
    size_t token_len;
    char token[TOKEN_MAX];
    uint32_t number;     /* pgoutput: a length, as are the next two of its kind */
    uint32_t left;       /* columns of the tuple to come */
    struct slice layout; /* the relation's columns, borrowed: see relations.h */
    struct slice names;  /* of it: what is still to come in this tuple */
    int part;            /* that the column being read is; -1: none */
    size_t value_start;  /* in the side's text */
    struct row_tuple {
        bool there;
        uint32_t known; /* bits: parts */
        uint16_t start[KEY_PARTS_MAX];
        uint16_t len[KEY_PARTS_MAX];
        size_t text_len;
        size_t parts;                            /* in the text */
        char text[KEY_TEXT_MAX + KEY_PARTS_MAX]; /* a NUL behind each part */
    } tuples[ROW_SIDES];
    char keys[ROW_SIDES][KEY_TEXT_MAX + KEY_PARTS_MAX];
};

void row_scan_begin(struct row_scan *scan, const struct key_columns *columns,
                    enum operation operation);

/* The tuple of this side begins. */
void row_scan_tuple(struct row_scan *scan, enum row_side side);

/* The next value is this column's. */
void row_scan_column(struct row_scan *scan, struct slice name);

/* Some of the value's text. False: the key is too long. Where no part is wanted: nothing. */
bool row_scan_value(struct row_scan *scan, struct slice text);

/* The value ends; `known`: what came is the whole value, as the type's output function writes it. */
void row_scan_value_end(struct row_scan *scan, bool known);

/* Whether all parts of this side's key have come. */
bool row_scan_has(const struct row_scan *scan, enum row_side side);

/* Adds to the token. False: too long. */
bool row_scan_token(struct row_scan *scan, struct slice text);

/* What came; borrowed from the scan. */
void row_scan_keys(struct row_scan *scan, struct row_keys *keys);

#endif
