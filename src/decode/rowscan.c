#include "decode/rowscan.h"

#include <string.h>

void row_scan_begin(struct row_scan *scan, const struct key_columns *columns,
                    enum operation operation)
{
    scan->columns = columns;
    scan->operation = operation;
    scan->state = 0;
    scan->depth = 0;
    scan->quoted = false;
    scan->token_len = 0;
    scan->number = scan->left = 0;
    scan->part = -1;
    for (int side = 0; side < ROW_SIDES; side++) {
        scan->tuples[side].there = false;
        scan->tuples[side].known = 0;
        scan->tuples[side].text_len = scan->tuples[side].parts = 0;
    }
    row_scan_tuple(scan, operation == OPERATION_DELETE ? ROW_OLD : ROW_NEW);
}

void row_scan_tuple(struct row_scan *scan, enum row_side side)
{
    scan->side = side;
    scan->tuples[side].there = true;
}

void row_scan_column(struct row_scan *scan, struct slice name)
{
    scan->part = -1;
    for (size_t i = 0; i < scan->columns->len; i++) {
        if (slice_equal(scan->columns->at[i].name, name)) {
            scan->part = (int)i;
            scan->value_start = scan->tuples[scan->side].text_len;
            return;
        }
    }
}

bool row_scan_value(struct row_scan *scan, struct slice text)
{
    struct row_tuple *tuple = &scan->tuples[scan->side];

    if (scan->part < 0 || text.len == 0) {
        return true;
    }
    if (text.len > KEY_TEXT_MAX - tuple->text_len + tuple->parts) {
        return false;
    }
    memcpy(tuple->text + tuple->text_len, text.data, text.len);
    tuple->text_len += text.len;
    return true;
}

void row_scan_value_end(struct row_scan *scan, bool known)
{
    struct row_tuple *tuple = &scan->tuples[scan->side];

    if (scan->part < 0) {
        return;
    }
    if (known) {
        tuple->known |= UINT32_C(1) << scan->part;
        tuple->start[scan->part] = (uint16_t)scan->value_start;
        tuple->text[tuple->text_len++] = '\0';
        tuple->len[scan->part] = (uint16_t)(tuple->text_len - scan->value_start);
        tuple->parts++;
    } else {
        tuple->text_len = scan->value_start;
    }
    scan->part = -1;
}

static uint32_t all_parts(const struct row_scan *scan)
{
    return scan->columns->len == KEY_PARTS_MAX ? UINT32_MAX
                                               : (UINT32_C(1) << scan->columns->len) - 1;
}

bool row_scan_has(const struct row_scan *scan, enum row_side side)
{
    return scan->tuples[side].known == all_parts(scan);
}

bool row_scan_token(struct row_scan *scan, struct slice text)
{
    if (text.len > TOKEN_MAX - scan->token_len) {
        return false;
    }
    memcpy(scan->token + scan->token_len, text.data, text.len);
    scan->token_len += text.len;
    return true;
}

/* A part, its NUL included; one that is missing in the new row from the old: unchanged TOAST stays
 * away. False: it isn't known. */
static bool part_of(const struct row_scan *scan, enum row_side side, size_t part,
                    struct slice *text)
{
    const struct row_tuple *tuple = &scan->tuples[side];

    if ((tuple->known >> part & 1) == 0 && side == ROW_NEW) {
        tuple = &scan->tuples[ROW_OLD];
    }
    *text = (struct slice){tuple->text + tuple->start[part], tuple->len[part]};
    return (tuple->known >> part & 1) != 0 &&
           memchr(text->data, '\0', text->len) == text->data + text->len - 1;
}

/* The key of one side. */
static bool assemble(struct row_scan *scan, enum row_side side, struct slice *key)
{
    struct slice part;
    size_t len = 0;

    if (scan->columns->len == 1) {
        return part_of(scan, side, 0, key);
    }
    for (size_t i = 0; i < scan->columns->len; i++) {
        if (!part_of(scan, side, i, &part) || part.len > sizeof(scan->keys[side]) - len) {
            return false;
        }
        memcpy(scan->keys[side] + len, part.data, part.len);
        len += part.len;
    }
    *key = (struct slice){scan->keys[side], len};
    return true;
}

void row_scan_keys(struct row_scan *scan, struct row_keys *keys)
{
    bool wanted[ROW_SIDES] = {scan->tuples[ROW_OLD].there, scan->operation != OPERATION_DELETE};

    keys->len = 0;
    for (int side = 0; side < ROW_SIDES; side++) {
        if (wanted[side] && !assemble(scan, (enum row_side)side, &keys->at[keys->len++])) {
            keys->len = 0;
            return;
        }
    }
    if (keys->len == 2 && slice_equal(keys->at[0], keys->at[1])) {
        keys->len = 1;
    }
}
