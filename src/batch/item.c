#include "batch/item.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "batch/definition.h"
#include "batch/json.h"
#include "batch/keyset.h"
#include "batch/name.h"
#include "batch/sequence.h"
#include "wire/lsn.h"

static void append_operations(struct buffer *out, const struct tally *tally)
{
    static const char *const names[OPERATIONS] = {[OPERATION_INSERT] = ",\"inserts\":",
                                                  [OPERATION_UPDATE] = ",\"updates\":",
                                                  [OPERATION_DELETE] = ",\"deletes\":",
                                                  [OPERATION_TRUNCATE] = ",\"truncates\":"};

    for (int i = OPERATION_INSERT; i < OPERATIONS; i++) {
        buffer_text(out, names[i]);
        buffer_decimal(out, tally->operations[i], 1);
    }
}

/* The next part of a key; false: there is none. */
static bool next_part(struct slice *key, struct slice *part)
{
    if (key->len == 0) {
        return false;
    }
    *part = slice_of(key->data); /* a NUL is behind each */
    key->data += part->len + 1;
    key->len -= part->len + 1;
    return true;
}

static void append_key(struct buffer *out, struct slice key)
{
    struct slice part;
    char before = '[';

    while (next_part(&key, &part)) {
        buffer_byte(out, before);
        json_string(out, part);
        before = ',';
    }
    buffer_byte(out, ']');
}

static void append_keys(struct buffer *out, const struct item_event *event)
{
    struct slice key;
    size_t at = 0;
    char before = '[';

    buffer_text(out, ",\"key\":");
    buffer_text(out, event->definition->json);
    buffer_text(out, ",\"keys\":");
    while (keyset_next(event->keys, &at, &key)) {
        buffer_byte(out, before);
        append_key(out, key);
        before = ',';
    }
    buffer_byte(out, ']');
}

void item_write_event(struct buffer *out, const struct item_event *event,
                      const struct item_style *style)
{
    const struct tally *tally = &event->tally;

    buffer_byte(out, '{');
    buffer_append(out, event->name->json, event->name->json_len);
    buffer_text(out, ",\"first_seen\":");
    buffer_decimal(out, (uint64_t)(tally->first_seen_us / CLOCK_S), 1);
    buffer_byte(out, '.');
    buffer_decimal(out, (uint64_t)(tally->first_seen_us % CLOCK_S), 6);
    buffer_text(out, ",\"count\":");
    buffer_decimal(out, tally->count, 1);
    if (style->operations) {
        append_operations(out, tally);
    }
    if (event->keys != NULL) {
        append_keys(out, event);
    }
    buffer_byte(out, '}');
}

static void append_lsn(struct buffer *out, uint64_t lsn)
{
    buffer_format(out, ",\"lsn\":\"" LSN_FORMAT "\"", LSN_HALVES(lsn));
}

const char *resync_text(enum resync reason)
{
    static const char *const text[] = {
        [RESYNC_NONE] = "",
        [RESYNC_CONNECTED] = "connected",
        [RESYNC_RECONNECTED] = "reconnected",
        [RESYNC_OVERFLOW] = "overflow",
        [RESYNC_FAILSAFE] = "failsafe",
        [RESYNC_REQUESTED] = "requested",
        [RESYNC_SCHEMA] = "schema",
        [RESYNC_MISSED] = "missed",
    };

    return text[reason];
}

bool item_is_batch(const struct item *item)
{
    return item->resync == RESYNC_NONE && !item->heartbeat;
}

const char *item_type(const struct item *item)
{
    if (item->heartbeat) {
        return "heartbeat";
    }
    return item->resync != RESYNC_NONE ? "resync" : "batch";
}

static void append_events(struct buffer *out, const struct item *item,
                          const struct item_style *style)
{
    buffer_text(out, ",\"events\":[");
    for (size_t i = 0; i < item->len; i++) {
        if (i > 0) {
            buffer_byte(out, ',');
        }
        item_write_event(out, &item->events[i], style);
    }
    buffer_byte(out, ']');
}

void item_write_head(struct buffer *out, const struct item *item, const struct sequence *sequence)
{
    buffer_format(out, "{\"type\":\"%s\"", item_type(item));
    if (item->resync != RESYNC_NONE) {
        buffer_format(out, ",\"reason\":\"%s\"", resync_text(item->resync));
    }
    append_lsn(out, item->lsn);
    if (sequence != NULL) {
        sequence_write(out, sequence);
    }
}

static void write_json(struct buffer *out, const struct item *item, const struct item_style *style)
{
    struct sequence *sequence = style->sequence;

    if (sequence != NULL) {
        sequence->seq++;
    }
    item_write_head(out, item, sequence);
    if (item_is_batch(item)) {
        append_events(out, item, style);
    } else if (sequence != NULL) {
        sequence_write_scope(out, sequence);
    }
    buffer_text(out, "}\n");
}

/* What a reader of lines would take for the end of one, or a terminal for a command. */
static bool has_controls(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        unsigned char next = i + 1 < text.len ? (unsigned char)text.data[i + 1] : 0;

        if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next <= 0x9f)) {
            return true;
        }
    }
    return false;
}

static void write_name(struct buffer *out, struct slice text, enum item_format format)
{
    if (format == ITEM_NAMES && has_controls(text)) {
        text = slice_of("*");
    }
    buffer_append(out, text.data, text.len);
    buffer_byte(out, format == ITEM_NAMES ? '\n' : '\0');
}

/* With keys a name is made of parts, in which what has a meaning between them is escaped. */
static void append_escaped(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte <= 0x20 || byte == '%' || byte == ':' || byte == ',') {
            buffer_format(out, "%%%02X", byte);
        } else {
            buffer_byte(out, text.data[i]);
        }
    }
}

static void write_keyed_name(struct buffer *out, const struct item_event *event, struct slice key,
                             enum item_format format)
{
    struct buffer text = {0};
    struct slice part;

    append_escaped(&text, name_text(event->name));
    while (next_part(&key, &part)) {
        buffer_byte(&text, ':');
        append_escaped(&text, part);
    }
    out->failed |= text.failed;
    write_name(out, (struct slice){text.data, text.len}, format);
    buffer_free(&text);
}

static void write_keyed_names(struct buffer *out, const struct item_event *event,
                              const struct item_style *style)
{
    struct slice key = {NULL, 0};
    size_t at = 0;

    if (event->keys == NULL || style->keys == ITEM_KEYS_LEFT_OUT) {
        write_keyed_name(out, event, key, style->format);
        return;
    }
    while (keyset_next(event->keys, &at, &key)) {
        write_keyed_name(out, event, key, style->format);
    }
}

void item_write(struct buffer *out, const struct item *item, const struct item_style *style)
{
    if (style->format == ITEM_JSON) {
        write_json(out, item, style);
    } else if (item->resync != RESYNC_NONE) {
        write_name(out, slice_of("*"), style->format);
    } else {
        for (size_t i = 0; i < item->len; i++) {
            if (style->keys != ITEM_KEYS_OFF) {
                write_keyed_names(out, &item->events[i], style);
            } else {
                write_name(out, name_text(item->events[i].name), style->format);
            }
        }
    }
}

/* ---- keys ---- */

void item_event_whole(struct item_event *event)
{
    event->tally.whole = true;
    keyset_free(event->keys);
    definition_release(event->definition);
    event->keys = NULL;
    event->definition = NULL;
}

void item_drop_keys_of(struct item *item, const struct name *name)
{
    for (size_t i = 0; i < item->len; i++) {
        if (item->events[i].name == name) {
            item_event_whole(&item->events[i]);
        }
    }
}

static void drop_definitions(struct item *item)
{
    while (item->definition_len > 0) {
        struct item_definition *last = &item->definitions[--item->definition_len];

        last->name->refs--;
        definition_release(last->definition);
    }
}

void item_drop_keys(struct item *item)
{
    for (size_t i = 0; i < item->len; i++) {
        item_event_whole(&item->events[i]);
    }
    drop_definitions(item);
}

/* ---- the end ---- */

void item_drop_events(struct item *item)
{
    for (size_t i = 0; i < item->len; i++) {
        item_event_whole(&item->events[i]);
        item->events[i].name->refs--;
    }
    item->len = 0;
    drop_definitions(item);
}

void item_clear(struct item *item)
{
    item_drop_events(item);
    item->resync = RESYNC_NONE;
    item->lsn = 0;
}

void item_free(struct item *item)
{
    item_drop_events(item);
    free(item->events);
    free(item->definitions);
    *item = (struct item){0};
}
