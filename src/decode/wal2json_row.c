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

#define COLUMNS  ",\"columns\":"
#define IDENTITY ",\"identity\":"
#define COLUMN   "{\"name\":\""
#define VALUE    ",\"value\":"

static void skip(struct slice *text, size_t len)
{
    text->data += len;
    text->len -= len;
}

static enum row_step become(struct row_scan *scan, int state)
{
    scan->state = state;
    scan->token_len = 0;
    scan->quoted = false;
    scan->depth = 0;
    return ROW_MORE;
}

/* Takes a text that must stand there, or what has come of it; behind it comes `state`. */
static enum row_step expect(struct row_scan *scan, struct slice wanted, struct slice *text,
                            int state)
{
    size_t len = wanted.len - scan->depth;

    len = len < text->len ? len : text->len;
    if (memcmp(wanted.data + scan->depth, text->data, len) != 0) {
        return ROW_UNKNOWN;
    }
    skip(text, len);
    scan->depth += (unsigned)len;
    return scan->depth == wanted.len ? become(scan, state) : ROW_MORE;
}

/* NUL behind the end */
static char byte_at(const struct slice *text, size_t place)
{
    if (place < text->len) {
        return text->data[place];
    }
    return '\0';
}

/* `byte` ends the list's head. */
static enum row_step begin_list(struct row_scan *scan, struct slice head, char byte)
{
    if (byte == '}') {
        return head.len == 0 ? ROW_DONE : ROW_UNKNOWN;
    }
    if (slice_equal(head, slice_of(COLUMNS))) {
        row_scan_tuple(scan, ROW_NEW);
    } else if (slice_equal(head, slice_of(IDENTITY))) {
        row_scan_tuple(scan, ROW_OLD);
    } else {
        return ROW_UNKNOWN;
    }
    return become(scan, AT_COLUMN);
}

static enum row_step take_head(struct row_scan *scan, struct slice *text)
{
    size_t len = 0;
    struct slice part;
    char end;

    while (len < text->len && text->data[len] != '[' && text->data[len] != '}') {
        len++;
    }
    part = (struct slice){text->data, len};
    end = byte_at(text, len);
    skip(text, len + (len < text->len));
    if (end != '\0' && scan->token_len == 0) {
        return begin_list(scan, part, end);
    }
    if (!row_scan_token(scan, part)) {
        return ROW_UNKNOWN;
    }
    return end != '\0' ? begin_list(scan, (struct slice){scan->token, scan->token_len}, end)
                       : ROW_MORE;
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

static enum row_step end_string(struct row_scan *scan, struct slice name)
{
    if (scan->state == IN_NAME) {
        row_scan_column(scan, name);
        return become(scan, AT_VALUE);
    }
    row_scan_value_end(scan, true);
    return become(scan, AT_END);
}

/* All up to the next quote or backslash. A name that is whole isn't copied. */
static enum row_step take_string(struct row_scan *scan, struct slice *text)
{
    struct slice plain = {text->data, 0};
    char end;

    while (plain.len < text->len && text->data[plain.len] != '"' && text->data[plain.len] != '\\') {
        plain.len++;
    }
    end = byte_at(text, plain.len);
    skip(text, plain.len + (plain.len < text->len));
    if (scan->state == IN_NAME && end == '"' && scan->token_len == 0) {
        return end_string(scan, plain);
    }
    if (!put(scan, plain)) {
        return ROW_UNKNOWN;
    }
    scan->quoted = end == '\\';
    return end == '"' ? end_string(scan, (struct slice){scan->token, scan->token_len}) : ROW_MORE;
}

/* ---- values ---- */

static enum row_step begin_value(struct row_scan *scan, struct slice *text)
{
    bool is_bytea = scan->part >= 0 && scan->columns->at[scan->part].type == COLUMN_BYTEA;

    if (text->data[0] != '"') {
        return become(scan, IN_BARE); /* it is its first byte */
    }
    skip(text, 1);
    return is_bytea && !row_scan_value(scan, slice_of("\\x")) ? ROW_UNKNOWN
                                                              : become(scan, IN_VALUE);
}

static enum row_step end_column(struct row_scan *scan)
{
    /* An UPDATE's old key comes behind all columns. */
    enum row_side last = scan->operation == OPERATION_INSERT ? ROW_NEW : ROW_OLD;

    return row_scan_has(scan, last) ? ROW_DONE : become(scan, AT_NEXT);
}

static enum row_step end_bare(struct row_scan *scan, struct slice value)
{
    if (scan->part >= 0 &&
        (value.len == 0 || slice_equal(value, slice_of("null")) || !row_scan_value(scan, value))) {
        return ROW_UNKNOWN;
    }
    row_scan_value_end(scan, true);
    return end_column(scan);
}

/* All up to the column's end. */
static enum row_step take_bare(struct row_scan *scan, struct slice *text)
{
    const char *end = memchr(text->data, '}', text->len);
    struct slice value = {text->data, end != NULL ? (size_t)(end - text->data) : text->len};

    skip(text, value.len + (end != NULL));
    if (end != NULL && scan->token_len == 0) {
        return end_bare(scan, value);
    }
    if (scan->part >= 0 && !row_scan_token(scan, value)) {
        return ROW_UNKNOWN;
    }
    return end != NULL ? end_bare(scan, (struct slice){scan->token, scan->token_len}) : ROW_MORE;
}

static enum row_step take_byte(struct row_scan *scan, struct slice *text)
{
    char byte = text->data[0];

    skip(text, 1);
    switch (scan->state) {
    case IN_NAME:
    case IN_VALUE:
        return in_escape(scan, byte);
    case AT_END:
        return byte == '}' ? end_column(scan) : ROW_UNKNOWN;
    default:
        if (byte == ',') {
            return become(scan, AT_COLUMN);
        }
        return byte == ']' ? become(scan, AT_LIST) : ROW_UNKNOWN;
    }
}

static enum row_step take(struct row_scan *scan, struct slice *text)
{
    static const struct slice column = {COLUMN, sizeof(COLUMN) - 1};
    static const struct slice value = {VALUE, sizeof(VALUE) - 1};

    switch (scan->state) {
    case AT_LIST:
        return take_head(scan, text);
    case AT_COLUMN:
        return expect(scan, column, text, IN_NAME);
    case AT_VALUE:
        return expect(scan, value, text, VALUE_FROM);
    case VALUE_FROM:
        return begin_value(scan, text);
    case IN_BARE:
        return take_bare(scan, text);
    case IN_NAME:
    case IN_VALUE:
        return scan->quoted ? take_byte(scan, text) : take_string(scan, text);
    default:
        return take_byte(scan, text);
    }
}

enum row_step wal2json_row(struct row_scan *scan, struct slice *text, bool more)
{
    enum row_step step = ROW_MORE;

    while (text->len > 0 && step == ROW_MORE) {
        step = take(scan, text);
    }
    if (step == ROW_DONE && scan->operation == OPERATION_UPDATE && !scan->tuples[ROW_OLD].there) {
        return ROW_UNKNOWN;
    }
    return step == ROW_MORE && !more ? ROW_UNKNOWN : step;
}
