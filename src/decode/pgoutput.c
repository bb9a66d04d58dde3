/*
 * pgoutput, protocol version 1 ("Logical Replication Message Formats"): binary
 * messages, each with a letter in front, integers big-endian.
 *
 *   'B' end:u64 time:u64 xid:u32               BEGIN
 *   'C' …                                      COMMIT
 *   'R' …                                      see relations.c
 *   'I' relation:u32 'N' tuple                 INSERT
 *   'U' relation:u32 ['K'|'O' tuple] 'N' tuple UPDATE
 *   'D' relation:u32 'K'|'O' tuple             DELETE
 *   'T' count:u32 options:u8 relation:u32 …    TRUNCATE
 *   'M' flags:u8 lsn:u64 prefix\0 len:u32 …    a logical decoding message
 *   'Y' 'O'                                    a type's name, the origin
 *
 * A relation is named by the bytes of its schema, a NUL, and its own.
 */
#include "decode/pgoutput.h"

#include <string.h>

#include "wire/cursor.h"

static bool unreadable(struct decoder *decoder, struct change *change)
{
    decoder->in_names = false;
    change->kind = CHANGE_UNREADABLE;
    return true;
}

/* The change of a relation. */
static bool named(struct decoder *decoder, struct change *change, uint32_t id)
{
    const struct relation_entry *entry = relations_find(&decoder->relations, id);

    if (entry == NULL) {
        change->kind = CHANGE_UNREADABLE;
        return true;
    }
    change->kind = CHANGE_TABLE;
    change->name = entry->name;
    decoder->layout = entry->columns;
    return true;
}

static bool read_row(struct decoder *decoder, struct change *change, enum operation operation)
{
    uint32_t id;

    if (!cursor_be32(&decoder->input, &id)) {
        return unreadable(decoder, change);
    }
    change->operation = operation;
    return named(decoder, change, id);
}

/* The next relation of a TRUNCATE's list, which a piece's end may cut. */
static bool next_truncated(struct decoder *decoder, struct change *change)
{
    uint32_t id = 0;

    while (decoder->carry_len < sizeof(id) && decoder->input.len > 0) {
        decoder->carry[decoder->carry_len++] = decoder->input.data[0];
        decoder->input.data++;
        decoder->input.len--;
    }
    if (decoder->carry_len < sizeof(id)) {
        return !decoder->more && decoder->carry_len > 0 && unreadable(decoder, change);
    }
    decoder->carry_len = 0;
    for (size_t i = 0; i < sizeof(id); i++) {
        id = id << 8 | (unsigned char)decoder->carry[i];
    }
    change->operation = OPERATION_TRUNCATE;
    return named(decoder, change, id);
}

static bool begin_truncate(struct decoder *decoder, struct change *change)
{
    uint32_t count;
    uint8_t options;

    if (!cursor_be32(&decoder->input, &count) || !cursor_u8(&decoder->input, &options)) {
        return unreadable(decoder, change);
    }
    decoder->in_names = true;
    return next_truncated(decoder, change);
}

/* False: the rest is to come. */
static bool more_of_relation(struct decoder *decoder, struct change *change)
{
    decoder->in_relation = !relations_more(&decoder->relations, &decoder->input);
    if (decoder->in_relation && !decoder->more) {
        decoder->in_relation = false;
        return unreadable(decoder, change);
    }
    return !decoder->in_relation;
}

static bool read_begin(struct decoder *decoder, struct change *change)
{
    uint64_t end, time;

    if (!cursor_be64(&decoder->input, &end) || !cursor_be64(&decoder->input, &time) ||
        !cursor_be32(&decoder->input, &change->xid)) {
        return unreadable(decoder, change);
    }
    change->kind = CHANGE_BEGIN;
    return true;
}

static bool read_message(struct decoder *decoder, struct change *change)
{
    struct slice prefix;
    uint64_t lsn;
    uint32_t len;
    uint8_t flags;

    if (!cursor_u8(&decoder->input, &flags) || !cursor_be64(&decoder->input, &lsn)) {
        return unreadable(decoder, change);
    }
    if (!cursor_string(&decoder->input, &prefix)) {
        return decoder->more || unreadable(decoder, change); /* such a long one isn't ours */
    }
    if (!slice_equal(prefix, slice_of(MESSAGE_PREFIX))) {
        return true;
    }
    if (!cursor_be32(&decoder->input, &len) || (!decoder->more && decoder->input.len != len)) {
        return unreadable(decoder, change);
    }
    change->kind = CHANGE_MESSAGE;
    change->content = decoder->input;
    change->truncated = decoder->more;
    return true;
}

static bool read_first(struct decoder *decoder, struct change *change)
{
    uint8_t kind;

    if (!cursor_u8(&decoder->input, &kind)) {
        return unreadable(decoder, change);
    }
    switch (kind) {
    case 'B':
        return read_begin(decoder, change);
    case 'C':
        change->kind = CHANGE_COMMIT;
        return true;
    case 'R':
        return relations_begin(&decoder->relations, &decoder->input)
                   ? more_of_relation(decoder, change)
                   : unreadable(decoder, change);
    case 'I':
        return read_row(decoder, change, OPERATION_INSERT);
    case 'U':
        return read_row(decoder, change, OPERATION_UPDATE);
    case 'D':
        return read_row(decoder, change, OPERATION_DELETE);
    case 'T':
        return begin_truncate(decoder, change);
    case 'M':
        return read_message(decoder, change);
    case 'Y':
    case 'O':
        return true;
    default:
        return unreadable(decoder, change);
    }
}

bool pgoutput_next(struct decoder *decoder, struct change *change)
{
    if (decoder->begun) {
        decoder->begun = false;
        return read_first(decoder, change);
    }
    if (decoder->in_relation) {
        return more_of_relation(decoder, change);
    }
    return decoder->in_names && next_truncated(decoder, change);
}

bool pgoutput_name(struct slice name, struct buffer *schema, struct buffer *table)
{
    const char *end = memchr(name.data, '\0', name.len);

    if (end == NULL) {
        return false;
    }
    buffer_append(schema, name.data, (size_t)(end - name.data));
    buffer_append(table, end + 1, name.len - (size_t)(end + 1 - name.data));
    return true;
}

bool pgoutput_content(struct slice content, struct buffer *out)
{
    buffer_append(out, content.data, content.len);
    return true;
}
