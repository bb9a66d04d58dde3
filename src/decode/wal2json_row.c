/*
 * A row of wal2json, format-version 2, from behind the table's name on:
 *
 *   ,"columns":[{"name":"id","value":1},{"name":"t","value":"a\"b"}],"identity":[{"name":"id","value":1}]}
 *
 * INSERT has columns, DELETE the identity, UPDATE both: the identity is the old
 * key, changed or not. Unchanged TOAST is left out of the columns. A null where
 * a key is means that the plugin doesn't give the value (NaN, infinity). It
 * leaves the \x of bytea away. Whatever doesn't look like this has no key.
 */
#include "decode/wal2json_row.h"

#include <string.h>

enum {
    AT_LIST,    /* in front of ,"columns":[ or ,"identity":[ or } */
    AT_COLUMN,  /* in front of {"name":" */
    IN_NAME,    /* the two are strings */
    AT_VALUE,   /* in front of ,"value": and in it */
    VALUE_FROM, /* at the value's first byte */
    IN_VALUE,
    IN_BARE, /* a value that is no string */
    AT_END,  /* in front of the } of a column */
    AT_NEXT  /* in front of a comma, or of the ] of a list */
};

#define COLUMN "{\"name\":\""
#define VALUE  ",\"value\":"

static enum row_step become(struct row_scan *scan, int state)
{
    scan->state = state;
    scan->token_len = 0;
    scan->quoted = false;
    scan->depth = 0;
    return ROW_MORE;
}

/* Takes a byte of a text that must stand there; behind it comes `state`. */
static enum row_step expect(struct row_scan *scan, const char *wanted, char byte, int state)
{
    if (wanted[scan->depth] != byte) {
        return ROW_UNKNOWN;
    }
    return wanted[++scan->depth] == '\0' ? become(scan, state) : ROW_MORE;
}

/* `byte` ends the list's head. */
static enum row_step begin_list(struct row_scan *scan, char byte)
{
    struct slice head = {scan->token, scan->token_len};

    if (byte == '}') {
        return head.len == 0 ? ROW_DONE : ROW_UNKNOWN;
    }
    if (slice_equal(head, slice_of(",\"columns\":"))) {
        row_scan_tuple(scan, ROW_NEW);
    } else if (slice_equal(head, slice_of(",\"identity\":"))) {
        row_scan_tuple(scan, ROW_OLD);
    } else {
        return ROW_UNKNOWN;
    }
    return become(scan, AT_COLUMN);
}

static enum row_step at_list(struct row_scan *scan, char byte)
{
    if (byte == '[' || byte == '}') {
        return begin_list(scan, byte);
    }
    return row_scan_token(scan, (struct slice){&byte, 1}) ? ROW_MORE : ROW_UNKNOWN;
}

/* ---- strings ---- */

static bool put(struct row_scan *scan, struct slice text)
{
    return scan->state == IN_NAME ? row_scan_token(scan, text) : row_scan_value(scan, text);
}

/* The 4 digits of \u: only control characters are written so. */
static enum row_step in_unicode(struct row_scan *scan, char byte)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = byte != '\0' ? strchr(digits, byte | 0x20) : NULL;
    char letter;

    if (digit == NULL) {
        return ROW_UNKNOWN;
    }
    scan->depth = scan->depth * 16 + (unsigned)(digit - digits);
    if (scan->depth < 0x10000) {
        return ROW_MORE;
    }
    letter = (char)(scan->depth & 0x7f);
    if ((scan->depth & 0xffff) > 0x7f || !put(scan, (struct slice){&letter, 1})) {
        return ROW_UNKNOWN;
    }
    scan->quoted = false;
    scan->depth = 0;
    return ROW_MORE;
}

/* Behind a backslash. */
static enum row_step in_escape(struct row_scan *scan, char byte)
{
    static const char letters[] = "bfnrt\"\\/";
    static const char meanings[] = "\b\f\n\r\t\"\\/";
    const char *letter = byte != '\0' ? strchr(letters, byte) : NULL;

    if (scan->depth > 0) {
        return in_unicode(scan, byte);
    }
    if (byte == 'u') {
        scan->depth = 1; /* 4 digits on, it is 0x1XXXX */
        return ROW_MORE;
    }
    scan->quoted = false;
    return letter != NULL && put(scan, (struct slice){meanings + (letter - letters), 1})
               ? ROW_MORE
               : ROW_UNKNOWN;
}

static enum row_step end_string(struct row_scan *scan)
{
    if (scan->state == IN_NAME) {
        row_scan_column(scan, (struct slice){scan->token, scan->token_len});
        return become(scan, AT_VALUE);
    }
    row_scan_value_end(scan, true);
    return become(scan, AT_END);
}

/* All up to the next quote or backslash. */
static enum row_step take_string(struct row_scan *scan, struct slice *text)
{
    size_t len = 0;
    struct slice plain;
    char end;

    while (len < text->len && text->data[len] != '"' && text->data[len] != '\\') {
        len++;
    }
    plain = (struct slice){text->data, len};
    end = len < text->len ? text->data[len] : '\0';
    len += len < text->len;
    text->data += len;
    text->len -= len;
    if (!put(scan, plain)) {
        return ROW_UNKNOWN;
    }
    scan->quoted = end == '\\';
    return end == '"' ? end_string(scan) : ROW_MORE;
}

/* ---- values ---- */

static enum row_step begin_value(struct row_scan *scan, char byte)
{
    bool is_bytea = scan->part >= 0 && scan->columns->at[scan->part].type == COLUMN_BYTEA;

    if (byte != '"') {
        become(scan, IN_BARE);
        return row_scan_token(scan, (struct slice){&byte, 1}) ? ROW_MORE : ROW_UNKNOWN;
    }
    return is_bytea && !row_scan_value(scan, slice_of("\\x")) ? ROW_UNKNOWN
                                                              : become(scan, IN_VALUE);
}

static enum row_step end_column(struct row_scan *scan)
{
    /* An UPDATE's old key comes behind all columns. */
    enum row_side last = scan->operation == OPERATION_INSERT ? ROW_NEW : ROW_OLD;

    return row_scan_has(scan, last) ? ROW_DONE : become(scan, AT_NEXT);
}

static enum row_step in_bare(struct row_scan *scan, char byte)
{
    struct slice token = {scan->token, scan->token_len};

    if (byte != '}') {
        return scan->part < 0 || row_scan_token(scan, (struct slice){&byte, 1}) ? ROW_MORE
                                                                                : ROW_UNKNOWN;
    }
    if (scan->part >= 0 && (slice_equal(token, slice_of("null")) || !row_scan_value(scan, token))) {
        return ROW_UNKNOWN;
    }
    row_scan_value_end(scan, true);
    return end_column(scan);
}

static enum row_step at_next(struct row_scan *scan, char byte)
{
    if (byte == ',') {
        return become(scan, AT_COLUMN);
    }
    return byte == ']' ? become(scan, AT_LIST) : ROW_UNKNOWN;
}

static enum row_step take(struct row_scan *scan, char byte)
{
    switch (scan->state) {
    case AT_LIST:
        return at_list(scan, byte);
    case AT_COLUMN:
        return expect(scan, COLUMN, byte, IN_NAME);
    case AT_VALUE:
        return expect(scan, VALUE, byte, VALUE_FROM);
    case VALUE_FROM:
        return begin_value(scan, byte);
    case IN_NAME:
    case IN_VALUE:
        return in_escape(scan, byte);
    case IN_BARE:
        return in_bare(scan, byte);
    case AT_END:
        return byte == '}' ? end_column(scan) : ROW_UNKNOWN;
    case AT_NEXT:
        return at_next(scan, byte);
    default:
        return ROW_UNKNOWN;
    }
}

enum row_step wal2json_row(struct row_scan *scan, struct slice *text, bool more)
{
    enum row_step step = ROW_MORE;

    while (text->len > 0 && step == ROW_MORE) {
        if ((scan->state == IN_NAME || scan->state == IN_VALUE) && !scan->quoted) {
            step = take_string(scan, text);
        } else {
            step = take(scan, text->data[0]);
            text->data++;
            text->len--;
        }
    }
    if (step == ROW_DONE && scan->operation == OPERATION_UPDATE && !scan->tuples[ROW_OLD].there) {
        return ROW_UNKNOWN;
    }
    return step == ROW_MORE && !more ? ROW_UNKNOWN : step;
}
