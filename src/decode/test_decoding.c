/*
 * test_decoding (contrib, "Logical Decoding"), one line a message:
 *
 *   BEGIN 734
 *   table public.orders: INSERT: id[integer]:1 …
 *   table public."a, b: c", public.d: TRUNCATE: (no-flags)
 *   message: transactional: 1 prefix: p, sz: 3 content:abc
 *   COMMIT 734
 *
 * Names are quoted as SQL does, so outside quotes a ',' or ':' ends one. A
 * TRUNCATE's list can be longer than the message's first piece.
 */
#include <string.h>

#include "decode/test_decoding.h"

static bool skip(struct slice *text, const char *prefix)
{
    if (!slice_starts(*text, prefix)) {
        return false;
    }
    text->data += strlen(prefix);
    text->len -= strlen(prefix);
    return true;
}

/* Where the name at the front of `text` ends, or its length if it doesn't. */
static size_t name_end(struct slice text, bool *in_quotes)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '"') {
            *in_quotes = !*in_quotes; /* a doubled one toggles twice */
        } else if (!*in_quotes && (c == ',' || c == ':')) {
            break;
        }
    }
    return i;
}

static bool unreadable(struct decoder *decoder, struct change *change)
{
    decoder->in_names = false;
    change->kind = CHANGE_UNREADABLE;
    return true;
}

static bool carry(struct decoder *decoder, struct slice part)
{
    if (part.len > RAW_NAME_MAX - decoder->carry_len) {
        return false;
    }
    memcpy(decoder->carry + decoder->carry_len, part.data, part.len);
    decoder->carry_len += part.len;
    return true;
}

/*
 * What stands behind the last name, and takes it off; it is a list's, or only TRUNCATE follows, where
 * it is cut. What isn't known is a change all the same.
 */
static enum operation read_operation(struct slice *text)
{
    static const char words[][9] = {" INSERT:", " UPDATE:", " DELETE:"};
    static const enum operation operations[] = {OPERATION_INSERT, OPERATION_UPDATE,
                                                OPERATION_DELETE};
    const size_t len = sizeof(words[0]) - 1;

    for (size_t i = 0; i < 3 && text->len >= len; i++) {
        if (memcmp(text->data, words[i], len) == 0) {
            text->data += len;
            text->len -= len;
            return operations[i];
        }
    }
    return OPERATION_TRUNCATE;
}

static bool next_name(struct decoder *decoder, struct change *change)
{
    struct slice *input = &decoder->input;
    struct slice part;

    if (decoder->after_comma && input->len > 0) {
        skip(input, " ");
        decoder->after_comma = false;
    }
    part = (struct slice){input->data, name_end(*input, &decoder->in_quotes)};
    if (part.len == input->len) { /* cut: the rest comes with the next piece */
        if (!decoder->more || !carry(decoder, part)) {
            return unreadable(decoder, change);
        }
        input->len = 0;
        return false;
    }
    change->kind = CHANGE_TABLE;
    change->name = part;
    if (decoder->carry_len > 0) {
        if (!carry(decoder, part)) {
            return unreadable(decoder, change);
        }
        change->name = (struct slice){decoder->carry, decoder->carry_len};
        decoder->carry_len = 0;
    }
    decoder->in_names = decoder->after_comma = input->data[part.len] == ',';
    input->data += part.len + 1;
    input->len -= part.len + 1;
    change->operation = decoder->in_names ? OPERATION_TRUNCATE : read_operation(input);
    return true;
}

/* "12 content:" */
static bool slice_size(struct slice text, uint64_t *size)
{
    size_t len = 0;

    while (len < text.len && text.data[len] != ' ') {
        len++;
    }
    return slice_number((struct slice){text.data, len}, size) &&
           slice_starts((struct slice){text.data + len, text.len - len}, " content:");
}

static bool read_message(struct decoder *decoder, struct change *change)
{
    struct slice *text = &decoder->input;
    const char *content;
    uint64_t size;

    if ((skip(text, "transactional: 1 ") || skip(text, "transactional: 0 ")) &&
        skip(text, "prefix: " MESSAGE_PREFIX ", sz: ")) {
        content = memchr(text->data, ':', text->len); /* behind the size: "12 content:" */
        if (content == NULL) {
            change->kind = CHANGE_UNREADABLE;
            return true;
        }
        change->content.data = content + 1;
        change->content.len = text->len - (size_t)(content + 1 - text->data);
        change->truncated = decoder->more;
        if (slice_size(*text, &size) &&
            (decoder->more ? size > change->content.len : size == change->content.len)) {
            change->kind = CHANGE_MESSAGE; /* else the prefix only begins like this */
        }
    }
    return true;
}

bool test_decoding_next(struct decoder *decoder, struct change *change)
{
    if (decoder->in_names) {
        return next_name(decoder, change);
    }
    if (!decoder->begun) {
        return false;
    }
    decoder->begun = false;
    if (skip(&decoder->input, "table ")) {
        decoder->in_names = true;
        return next_name(decoder, change);
    }
    if (skip(&decoder->input, "BEGIN")) {
        change->kind = CHANGE_BEGIN;
    } else if (skip(&decoder->input, "COMMIT")) {
        change->kind = CHANGE_COMMIT;
    } else if (skip(&decoder->input, "message: ")) {
        return read_message(decoder, change);
    } else {
        change->kind = CHANGE_UNREADABLE;
    }
    if (skip(&decoder->input, " ")) {
        change->xid = slice_xid(decoder->input);
    }
    return true;
}

bool test_decoding_content(struct slice content, struct buffer *out)
{
    buffer_append(out, content.data, content.len);
    return true;
}

/* Takes one identifier off the front. */
static bool unquote(struct slice *text, struct buffer *out)
{
    size_t i = 0;

    if (text->len > 0 && text->data[0] == '"') {
        for (i = 1; i < text->len; i++) {
            if (text->data[i] == '"' && (++i == text->len || text->data[i] != '"')) {
                text->data += i;
                text->len -= i;
                return true;
            }
            buffer_byte(out, text->data[i]);
        }
        return false; /* no closing quote */
    }
    while (i < text->len && text->data[i] != '.') {
        i++;
    }
    buffer_append(out, text->data, i);
    text->data += i;
    text->len -= i;
    return true;
}

bool test_decoding_name(struct slice name, struct buffer *schema, struct buffer *table)
{
    return unquote(&name, schema) && skip(&name, ".") && unquote(&name, table) && name.len == 0;
}
