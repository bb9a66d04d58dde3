/*
 * A row of pgoutput, from behind its relation on: one or two tuples, each with a
 * letter in front, 'K' (the old key), 'O' (the old row) or 'N' (the new one).
 *
 *   tuple    count:u16 column …
 *   column   'n' (null) | 'u' (unchanged TOAST) | 't' len:u32 text
 *
 * Its columns are those of the Relation message, in that order. In an old key
 * the others are null.
 */
#include <string.h>

#include "decode/pgoutput.h"

enum {
    AT_TUPLE, /* in front of its letter */
    IN_COUNT,
    AT_COLUMN,
    IN_LENGTH,
    IN_TEXT
};

#define COUNT_BYTES  2
#define LENGTH_BYTES 4

static enum row_step become(struct row_scan *scan, int state)
{
    scan->state = state;
    scan->depth = 0;
    scan->number = 0;
    return ROW_MORE;
}

/* Behind a column, or a tuple's count. */
static enum row_step next_column(struct row_scan *scan)
{
    enum row_side last = scan->operation == OPERATION_DELETE ? ROW_OLD : ROW_NEW;

    if (row_scan_has(scan, last)) {
        return ROW_DONE;
    }
    if (scan->left > 0) {
        return become(scan, AT_COLUMN);
    }
    return scan->side == last ? ROW_DONE : become(scan, AT_TUPLE);
}

static enum row_step begin_tuple(struct row_scan *scan, char byte)
{
    bool is_old = byte == 'K' || byte == 'O';

    if (!is_old && byte != 'N') {
        return ROW_UNKNOWN;
    }
    row_scan_tuple(scan, is_old ? ROW_OLD : ROW_NEW);
    scan->names = scan->layout;
    return become(scan, IN_COUNT);
}

/* True: the number has all its bytes. */
static bool add_byte(struct row_scan *scan, char byte, unsigned bytes)
{
    scan->number = scan->number << 8 | (unsigned char)byte;
    return ++scan->depth == bytes;
}

/* The next column's name and type, as its relation has them. False: it has no more. */
static bool next_name(struct row_scan *scan)
{
    const char *end = scan->names.len > 0 ? memchr(scan->names.data, '\0', scan->names.len) : NULL;
    size_t len;

    if (end == NULL) {
        return false;
    }
    len = (size_t)(end - scan->names.data);
    scan->quoted = scan->names.data[0] == 'b';
    row_scan_column(scan, (struct slice){scan->names.data + 1, len - 1});
    scan->names.data += len + 1;
    scan->names.len -= len + 1;
    return true;
}

static enum row_step begin_column(struct row_scan *scan, char byte)
{
    scan->left--;
    if (!next_name(scan)) {
        return ROW_UNKNOWN;
    }
    switch (byte) {
    case 'n':
        return scan->part < 0 ? next_column(scan) : ROW_UNKNOWN;
    case 'u':
        row_scan_value_end(scan, false);
        return next_column(scan);
    case 't':
        return become(scan, IN_LENGTH);
    default:
        return ROW_UNKNOWN;
    }
}

static enum row_step end_text(struct row_scan *scan)
{
    row_scan_value_end(scan, true);
    return next_column(scan);
}

static enum row_step take(struct row_scan *scan, char byte)
{
    switch (scan->state) {
    case AT_TUPLE:
        return begin_tuple(scan, byte);
    case IN_COUNT:
        if (!add_byte(scan, byte, COUNT_BYTES)) {
            return ROW_MORE;
        }
        scan->left = scan->number;
        return next_column(scan);
    case AT_COLUMN:
        return begin_column(scan, byte);
    case IN_LENGTH:
        if (!add_byte(scan, byte, LENGTH_BYTES)) {
            return ROW_MORE;
        }
        scan->state = IN_TEXT;
        return scan->number == 0 ? end_text(scan) : ROW_MORE;
    default:
        return ROW_UNKNOWN;
    }
}

/* A boolean is t or f here, and true or false elsewhere. */
static struct slice spelled(const struct row_scan *scan, struct slice text)
{
    if (scan->part < 0 || !scan->quoted || text.len != 1) {
        return text;
    }
    return slice_of(text.data[0] == 't' ? "true" : "false");
}

static enum row_step take_text(struct row_scan *scan, struct slice *text)
{
    size_t len = text->len < scan->number ? text->len : scan->number;

    if (!row_scan_value(scan, spelled(scan, (struct slice){text->data, len}))) {
        return ROW_UNKNOWN;
    }
    text->data += len;
    text->len -= len;
    scan->number -= (uint32_t)len;
    return scan->number == 0 ? end_text(scan) : ROW_MORE;
}

enum row_step pgoutput_row(struct row_scan *scan, struct slice *text, bool more)
{
    enum row_step step = ROW_MORE;

    while (text->len > 0 && step == ROW_MORE) {
        if (scan->state == IN_TEXT) {
            step = take_text(scan, text);
        } else {
            step = take(scan, text->data[0]);
            text->data++;
            text->len--;
        }
    }
    return step == ROW_MORE && !more ? ROW_UNKNOWN : step;
}
