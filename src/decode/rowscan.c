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
        scan->tuples[side].text_len = 0;
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
    if (text.len > KEY_TEXT_MAX - tuple->text_len) {
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
        tuple->len[scan->part] = (uint16_t)(tuple->text_len - scan->value_start);
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

/* The key of one side, a part that is missing there from the other: unchanged TOAST stays away. */
static bool assemble(struct row_scan *scan, enum row_side side, struct slice *key)
{
    size_t len = 0;

    for (size_t i = 0; i < scan->columns->len; i++) {
        const struct row_tuple *tuple = &scan->tuples[side];
        const char *text;

        if ((tuple->known >> i & 1) == 0 && side == ROW_NEW) {
            tuple = &scan->tuples[ROW_OLD];
        }
        text = tuple->text + tuple->start[i];
        if ((tuple->known >> i & 1) == 0 || tuple->len[i] > KEY_TEXT_MAX - len ||
            memchr(text, '\0', tuple->len[i]) != NULL) {
            return false;
        }
        memcpy(scan->keys[side] + len, text, tuple->len[i]);
        len += tuple->len[i];
        scan->keys[side][len++] = '\0';
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
}
