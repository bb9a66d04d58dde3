/*
 * A row of test_decoding, from the operation's colon on:
 *
 *   INSERT: id[integer]:1 "a b"[text]:'it''s' n[numeric]:null b[bit]:B'101'
 *   UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 t[text]:unchanged-toast-datum
 *   DELETE: id[integer]:1
 *   DELETE: (no-tuple-data)
 *
 * Names and types are quoted as SQL does; a type may have brackets of its own
 * (integer[]). In values only ' is doubled; all else is raw.
 */
#include "decode/test_decoding_row.h"

#include <string.h>

enum {
    AT_SPACE, /* in front of a column */
    IN_NAME,  /* of a column, or old-key, new-tuple, (no-tuple-data) */
    IN_TYPE,
    AT_COLON, /* behind the type */
    AT_VALUE,
    IN_BITS, /* behind the B of B'101' */
    IN_QUOTES,
    AT_QUOTE, /* inside quotes: the first of two, or the closing one */
    IN_BARE   /* a value without quotes */
};

#define UNCHANGED "unchanged-toast-datum"

static enum row_step become(struct row_scan *scan, int state)
{
    scan->state = state;
    return ROW_MORE;
}

static void skip(struct slice *text, size_t len)
{
    text->data += len;
    text->len -= len;
}

/* ---- what may be cut by a piece's end: whole, it is not copied ---- */

/* Keeps the part of a token that has come. */
static enum row_step keep(struct row_scan *scan, struct slice *text)
{
    bool fits = row_scan_token(scan, *text);

    skip(text, text->len);
    return fits ? ROW_MORE : ROW_UNKNOWN;
}

/* Takes a token's last `len` bytes, and the byte behind them; the whole token, or len 0: too long. */
static struct slice take_token(struct row_scan *scan, struct slice *text, size_t len)
{
    struct slice token = {text->data, len};

    if (scan->token_len > 0) {
        token = (struct slice){scan->token, 0};
        if (row_scan_token(scan, (struct slice){text->data, len})) {
            token.len = scan->token_len;
        }
        scan->token_len = 0;
    }
    skip(text, len + 1);
    return token;
}

/* ---- columns ---- */

/* A name with its quotes off; `memory` has room for it. */
static struct slice unquoted(struct slice name, char memory[TOKEN_MAX])
{
    size_t len = 0;

    if (name.len == 0 || name.data[0] != '"') {
        return name;
    }
    for (size_t i = 1; i + 1 < name.len && len < TOKEN_MAX; i++) {
        i += name.data[i] == '"';
        memory[len++] = name.data[i];
    }
    return (struct slice){memory, len};
}

static enum row_step end_name(struct row_scan *scan, struct slice name, char end)
{
    char memory[TOKEN_MAX];

    if (end == '[') {
        row_scan_column(scan, unquoted(name, memory));
        scan->depth = 1;
        return become(scan, IN_TYPE);
    }
    if (end == ':' && slice_equal(name, slice_of("old-key"))) {
        row_scan_tuple(scan, ROW_OLD);
    } else if (end == ':' && slice_equal(name, slice_of("new-tuple"))) {
        row_scan_tuple(scan, ROW_NEW);
    } else {
        return ROW_UNKNOWN; /* (no-tuple-data) too */
    }
    return become(scan, AT_SPACE);
}

static enum row_step take_name(struct row_scan *scan, struct slice *text)
{
    for (size_t i = 0; i < text->len; i++) {
        char byte = text->data[i];

        if (byte == '"') {
            scan->quoted = !scan->quoted; /* a doubled one toggles twice */
        } else if (!scan->quoted && (byte == '[' || byte == ':' || byte == '(')) {
            return end_name(scan, take_token(scan, text, i), byte);
        }
    }
    return keep(scan, text);
}

static enum row_step take_type(struct row_scan *scan, struct slice *text)
{
    size_t i = 0;

    while (i < text->len && scan->depth > 0) {
        char byte = text->data[i++];

        scan->quoted ^= byte == '"';
        if (!scan->quoted) {
            scan->depth += byte == '[';
            scan->depth -= byte == ']';
        }
    }
    skip(text, i);
    return scan->depth == 0 ? become(scan, AT_COLON) : ROW_MORE;
}

/* ---- values ---- */

/* Behind a value: the next column, unless all is known already. */
static enum row_step next_column(struct row_scan *scan)
{
    enum row_side last = scan->operation == OPERATION_DELETE ? ROW_OLD : ROW_NEW;

    scan->state = IN_NAME;
    return row_scan_has(scan, last) ? ROW_DONE : ROW_MORE;
}

/* A bare value can be what stands for none. */
static enum row_step end_bare(struct row_scan *scan, struct slice value)
{
    bool unchanged = scan->part >= 0 && slice_equal(value, slice_of(UNCHANGED));

    if (scan->part >= 0 && (value.len == 0 || slice_equal(value, slice_of("null")))) {
        return ROW_UNKNOWN;
    }
    if (!unchanged && !row_scan_value(scan, value)) {
        return ROW_UNKNOWN;
    }
    row_scan_value_end(scan, !unchanged);
    return ROW_MORE;
}

static enum row_step take_bare(struct row_scan *scan, struct slice *text)
{
    const char *end = memchr(text->data, ' ', text->len);

    if (end == NULL && scan->part < 0) { /* of no interest, and of any length */
        skip(text, text->len);
        return ROW_MORE;
    }
    if (end == NULL) {
        return keep(scan, text);
    }
    return end_bare(scan, take_token(scan, text, (size_t)(end - text->data))) == ROW_UNKNOWN
               ? ROW_UNKNOWN
               : next_column(scan);
}

/* All up to the next quote is the value's. */
static enum row_step take_quoted(struct row_scan *scan, struct slice *text)
{
    const char *quote = memchr(text->data, '\'', text->len);
    size_t len = quote != NULL ? (size_t)(quote - text->data) : text->len;

    if (!row_scan_value(scan, (struct slice){text->data, len})) {
        return ROW_UNKNOWN;
    }
    skip(text, len + (quote != NULL));
    return become(scan, quote != NULL ? AT_QUOTE : IN_QUOTES);
}

static enum row_step at_quote(struct row_scan *scan, char byte)
{
    if (byte == '\'') {
        scan->state = IN_QUOTES;
        return row_scan_value(scan, slice_of("'")) ? ROW_MORE : ROW_UNKNOWN;
    }
    row_scan_value_end(scan, true);
    return byte == ' ' ? next_column(scan) : ROW_UNKNOWN;
}

static enum row_step take_byte(struct row_scan *scan, struct slice *text)
{
    char byte = text->data[0];

    if (scan->state == AT_VALUE && byte != '\'' && byte != 'B') {
        return become(scan, IN_BARE); /* it is its first byte */
    }
    skip(text, 1);
    switch (scan->state) {
    case AT_SPACE:
        return byte == ' ' ? become(scan, IN_NAME) : ROW_UNKNOWN;
    case AT_COLON:
        return byte == ':' ? become(scan, AT_VALUE) : ROW_UNKNOWN;
    case AT_VALUE:
        return become(scan, byte == 'B' ? IN_BITS : IN_QUOTES);
    case IN_BITS:
        return byte == '\'' ? become(scan, IN_QUOTES) : ROW_UNKNOWN;
    default:
        return at_quote(scan, byte);
    }
}

static enum row_step take(struct row_scan *scan, struct slice *text)
{
    switch (scan->state) {
    case IN_NAME:
        return take_name(scan, text);
    case IN_TYPE:
        return take_type(scan, text);
    case IN_QUOTES:
        return take_quoted(scan, text);
    case IN_BARE:
        return take_bare(scan, text);
    default:
        return take_byte(scan, text);
    }
}

/* The message's end is that of its last value. */
static enum row_step end(struct row_scan *scan)
{
    struct slice value = {scan->token, scan->token_len};

    if (scan->state == AT_QUOTE) {
        row_scan_value_end(scan, true);
        return ROW_DONE;
    }
    return scan->state == IN_BARE && end_bare(scan, value) != ROW_UNKNOWN ? ROW_DONE : ROW_UNKNOWN;
}

enum row_step test_decoding_row(struct row_scan *scan, struct slice *text, bool more)
{
    enum row_step step = ROW_MORE;

    while (text->len > 0 && step == ROW_MORE) {
        step = take(scan, text);
    }
    return step == ROW_MORE && !more ? end(scan) : step;
}
