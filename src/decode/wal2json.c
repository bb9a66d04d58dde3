/*
 * wal2json, format-version 2, one object a message:
 *
 *   {"action":"B","xid":734}
 *   {"action":"I","xid":734,"schema":"public","table":"orders","columns":[…]}
 *   {"action":"T","xid":734,"schema":"public","table":"orders"}
 *   {"action":"M","xid":734,"transactional":true,"prefix":"p","content":"abc"}
 *   {"action":"C","xid":734}
 *
 * What is wanted stands in front, so the object's members are walked only as
 * far as "table"; the columns are left to wal2json_row.c. A name is handed out
 * as the bytes from its schema to its table: public","table":"orders
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "decode/wal2json.h"

#define BETWEEN "\",\"table\":\"" /* what stands between a name's two parts */

/* The end of the string whose first byte is at `at`: its closing quote, or NULL. */
static const char *string_end(const char *at, const char *end)
{
    while (at < end && *at != '"') {
        if (*at == '\\' && ++at == end) {
            return NULL;
        }
        at++;
    }
    return at < end ? at : NULL;
}

/* A member of the object: a string's bytes between its quotes, or a scalar's text. */
struct member {
    struct slice key;
    struct slice value;
    bool is_string;
};

/* Takes the next `"key":value` off the front; false at an array, an object or the end. */
static bool next_member(struct slice *text, struct member *member)
{
    const char *end = text->data + text->len;
    const char *at = text->data;
    const char *stop;

    if (end - at < 2 || (*at != '{' && *at != ',') || at[1] != '"') {
        return false;
    }
    at += 2;
    stop = string_end(at, end);
    if (stop == NULL || end - stop < 3 || stop[1] != ':') {
        return false;
    }
    member->key = (struct slice){at, (size_t)(stop - at)};
    at = stop + 2;
    member->is_string = *at == '"';
    if (member->is_string) {
        at++;
        stop = string_end(at, end);
        if (stop == NULL) {
            return false;
        }
    } else {
        for (stop = at; stop < end && *stop != ',' && *stop != '}'; stop++) {
            if (*stop == '[' || *stop == '{') {
                return false;
            }
        }
    }
    member->value = (struct slice){at, (size_t)(stop - at)};
    at = member->is_string ? stop + 1 : stop;
    *text = (struct slice){at, (size_t)(end - at)};
    return true;
}

static bool key_is(const struct member *member, const char *key)
{
    return slice_equal(member->key, slice_of(key));
}

/* Finds the name: "table" right behind "schema". */
static enum change_kind read_table(struct decoder *decoder, struct slice text,
                                   struct change *change)
{
    struct member member, table;

    while (next_member(&text, &member)) {
        if (key_is(&member, "xid")) {
            change->xid = slice_xid(member.value);
        }
        if (key_is(&member, "schema")) {
            if (!next_member(&text, &table) || !key_is(&table, "table") || !table.is_string) {
                break;
            }
            change->name.data = member.value.data;
            change->name.len = (size_t)(table.value.data + table.value.len - member.value.data);
            decoder->input = text;
            return CHANGE_TABLE;
        }
    }
    return CHANGE_UNREADABLE;
}

static enum operation operation_of(char action)
{
    switch (action) {
    case 'I':
        return OPERATION_INSERT;
    case 'U':
        return OPERATION_UPDATE;
    case 'D':
        return OPERATION_DELETE;
    default:
        return OPERATION_TRUNCATE;
    }
}

static enum change_kind read_mark(struct slice text, enum change_kind kind, struct change *change)
{
    struct member member;

    while (next_member(&text, &member)) {
        if (key_is(&member, "xid")) {
            change->xid = slice_xid(member.value);
        }
    }
    return kind;
}

static enum change_kind read_message(struct slice text, bool more, struct change *change)
{
    struct member member;

    while (next_member(&text, &member)) {
        if (key_is(&member, "prefix") && !slice_equal(member.value, slice_of(MESSAGE_PREFIX))) {
            return CHANGE_IGNORED;
        }
        if (key_is(&member, "content")) {
            change->content = member.value;
            return CHANGE_MESSAGE;
        }
    }
    change->truncated = more; /* the content's end isn't there */
    return more ? CHANGE_MESSAGE : CHANGE_UNREADABLE;
}

bool wal2json_next(struct decoder *decoder, struct change *change)
{
    struct slice text = decoder->input;
    struct member action;

    if (!decoder->begun) {
        return false;
    }
    decoder->begun = false;
    change->kind = CHANGE_UNREADABLE;
    if (!next_member(&text, &action) || !key_is(&action, "action") || action.value.len != 1) {
        return true;
    }
    switch (action.value.data[0]) {
    case 'I':
    case 'U':
    case 'D':
    case 'T':
        change->kind = read_table(decoder, text, change);
        change->operation = operation_of(action.value.data[0]);
        break;
    case 'B':
        change->kind = read_mark(text, CHANGE_BEGIN, change);
        break;
    case 'C':
        change->kind = read_mark(text, CHANGE_COMMIT, change);
        break;
    case 'M':
        change->kind = read_message(text, decoder->more, change);
        break;
    default:
        break;
    }
    return true;
}

/* Appends what a JSON string's content means. */
static bool unescape(struct slice content, struct buffer *out)
{
    struct buffer quoted = {0};
    cJSON *string;

    if (content.len == 0 || memchr(content.data, '\\', content.len) == NULL) {
        buffer_append(out, content.data, content.len);
        return true;
    }
    buffer_byte(&quoted, '"');
    buffer_append(&quoted, content.data, content.len);
    buffer_byte(&quoted, '"');
    string = quoted.failed ? NULL : cJSON_ParseWithLength(quoted.data, quoted.len);
    if (cJSON_IsString(string)) {
        buffer_text(out, cJSON_GetStringValue(string));
    }
    cJSON_Delete(string);
    buffer_free(&quoted);
    return out->len > 0;
}

bool wal2json_content(struct slice content, struct buffer *out)
{
    return unescape(content, out);
}

bool wal2json_name(struct slice name, struct buffer *schema, struct buffer *table)
{
    const char *end = name.data + name.len;
    const char *stop = string_end(name.data, end);
    struct slice rest;

    if (stop == NULL) {
        return false;
    }
    rest = (struct slice){stop, (size_t)(end - stop)};
    if (!slice_starts(rest, BETWEEN)) {
        return false;
    }
    rest.data += sizeof(BETWEEN) - 1;
    rest.len -= sizeof(BETWEEN) - 1;
    return unescape((struct slice){name.data, (size_t)(stop - name.data)}, schema) &&
           unescape(rest, table);
}
