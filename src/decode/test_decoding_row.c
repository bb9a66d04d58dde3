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

/* Takes the quotes off the token. */
static struct slice unquoted(struct row_scan *scan)
{
    size_t len = 0;

    if (scan->token[0] != '"') {
        return (struct slice){scan->token, scan->token_len};
    }
    for (size_t i = 1; i + 1 < scan->token_len; i++) {
        i += scan->token[i] == '"';
        scan->token[len++] = scan->token[i];
    }
    return (struct slice){scan->token, len};
}

static enum row_step end_token(struct row_scan *scan, char end)
{
    struct slice token = {scan->token, scan->token_len};

    if (end == '[') {
        row_scan_column(scan, unquoted(scan));
        scan->depth = 1;
        return become(scan, IN_TYPE);
    }
    if (end == ':' && slice_equal(token, slice_of("old-key"))) {
        row_scan_tuple(scan, ROW_OLD);
    } else if (end == ':' && slice_equal(token, slice_of("new-tuple"))) {
        row_scan_tuple(scan, ROW_NEW);
    } else {
        return ROW_UNKNOWN; /* (no-tuple-data) too */
    }
    return become(scan, AT_SPACE);
}

static enum row_step in_name(struct row_scan *scan, char byte)
{
    if (!scan->quoted && (byte == '[' || byte == ':' || byte == '(')) {
        return end_token(scan, byte);
    }
    scan->quoted ^= byte == '"'; /* a doubled one toggles twice */
    return row_scan_token(scan, (struct slice){&byte, 1}) ? ROW_MORE : ROW_UNKNOWN;
}

static enum row_step in_type(struct row_scan *scan, char byte)
{
    scan->quoted ^= byte == '"';
    if (!scan->quoted) {
        scan->depth += byte == '[';
        scan->depth -= byte == ']';
    }
    return scan->depth == 0 ? become(scan, AT_COLON) : ROW_MORE;
}

/* A bare value can be what stands for none. */
static enum row_step end_bare(struct row_scan *scan)
{
    struct slice token = {scan->token, scan->token_len};
    bool unchanged = slice_equal(token, slice_of(UNCHANGED));

    if (scan->part >= 0 && slice_equal(token, slice_of("null"))) {
        return ROW_UNKNOWN;
    }
    if (!unchanged && !row_scan_value(scan, token)) {
        return ROW_UNKNOWN;
    }
    row_scan_value_end(scan, !unchanged);
    return ROW_MORE;
}

/* Behind a value: the next column, unless all is known already. */
static enum row_step next_column(struct row_scan *scan)
{
    enum row_side last = scan->operation == OPERATION_DELETE ? ROW_OLD : ROW_NEW;

    scan->token_len = 0;
    scan->state = IN_NAME;
    return row_scan_has(scan, last) ? ROW_DONE : ROW_MORE;
}

static enum row_step in_bare(struct row_scan *scan, char byte)
{
    if (byte == ' ') {
        return end_bare(scan) == ROW_UNKNOWN ? ROW_UNKNOWN : next_column(scan);
    }
    /* A number may have any length; only that of a key is of interest. */
    if (row_scan_token(scan, (struct slice){&byte, 1})) {
        return ROW_MORE;
    }
    if (!row_scan_value(scan, (struct slice){scan->token, scan->token_len})) {
        return ROW_UNKNOWN;
    }
    scan->token_len = 0;
    return in_bare(scan, byte);
}

static enum row_step at_value(struct row_scan *scan, char byte)
{
    scan->token_len = 0;
    if (byte == '\'' || byte == 'B') {
        return become(scan, byte == 'B' ? IN_BITS : IN_QUOTES);
    }
    scan->state = IN_BARE;
    return in_bare(scan, byte);
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

static enum row_step take(struct row_scan *scan, char byte)
{
    switch (scan->state) {
    case AT_SPACE:
        scan->token_len = 0;
        return byte == ' ' ? become(scan, IN_NAME) : ROW_UNKNOWN;
    case IN_NAME:
        return in_name(scan, byte);
    case IN_TYPE:
        return in_type(scan, byte);
    case AT_COLON:
        return byte == ':' ? become(scan, AT_VALUE) : ROW_UNKNOWN;
    case AT_VALUE:
        return at_value(scan, byte);
    case IN_BITS:
        return byte == '\'' ? become(scan, IN_QUOTES) : ROW_UNKNOWN;
    case AT_QUOTE:
        return at_quote(scan, byte);
    case IN_BARE:
        return in_bare(scan, byte);
    default:
        return ROW_UNKNOWN;
    }
}

/* All up to the next quote is the value's. */
static enum row_step take_quoted(struct row_scan *scan, struct slice *text)
{
    const char *quote = memchr(text->data, '\'', text->len);
    size_t len = quote != NULL ? (size_t)(quote - text->data) : text->len;

    if (!row_scan_value(scan, (struct slice){text->data, len})) {
        return ROW_UNKNOWN;
    }
    len += quote != NULL;
    scan->state = quote != NULL ? AT_QUOTE : IN_QUOTES;
    text->data += len;
    text->len -= len;
    return ROW_MORE;
}

/* The message's end is that of its last value. */
static enum row_step end(struct row_scan *scan)
{
    if (scan->state == AT_QUOTE) {
        row_scan_value_end(scan, true);
        return ROW_DONE;
    }
    return scan->state == IN_BARE && end_bare(scan) != ROW_UNKNOWN ? ROW_DONE : ROW_UNKNOWN;
}

enum row_step test_decoding_row(struct row_scan *scan, struct slice *text, bool more)
{
    enum row_step step = ROW_MORE;

    while (text->len > 0 && step == ROW_MORE) {
        if (scan->state == IN_QUOTES) {
            step = take_quoted(scan, text);
        } else {
            step = take(scan, text->data[0]);
            text->data++;
            text->len--;
        }
    }
    return step == ROW_MORE && !more ? end(scan) : step;
}
