#include "batch/item.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "batch/name.h"
#include "wire/lsn.h"

static void append_event(struct buffer *out, const struct item_event *event)
{
    buffer_byte(out, '{');
    buffer_append(out, event->name->json, event->name->json_len);
    buffer_text(out, ",\"first_seen\":");
    buffer_decimal(out, (uint64_t)(event->first_seen_us / CLOCK_S), 1);
    buffer_byte(out, '.');
    buffer_decimal(out, (uint64_t)(event->first_seen_us % CLOCK_S), 6);
    buffer_text(out, ",\"count\":");
    buffer_decimal(out, event->count, 1);
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
    };

    return text[reason];
}

static void write_json(struct buffer *out, const struct item *item)
{
    if (item->resync != RESYNC_NONE) {
        buffer_format(out, "{\"type\":\"resync\",\"reason\":\"%s\"", resync_text(item->resync));
        append_lsn(out, item->lsn);
        buffer_text(out, "}\n");
        return;
    }
    buffer_text(out, "{\"type\":\"batch\"");
    append_lsn(out, item->lsn);
    buffer_text(out, ",\"events\":[");
    for (size_t i = 0; i < item->len; i++) {
        if (i > 0) {
            buffer_byte(out, ',');
        }
        append_event(out, &item->events[i]);
    }
    buffer_text(out, "]}\n");
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

void item_write(struct buffer *out, const struct item *item, enum item_format format)
{
    if (format == ITEM_JSON) {
        write_json(out, item);
    } else if (item->resync != RESYNC_NONE) {
        write_name(out, slice_of("*"), format);
    } else {
        for (size_t i = 0; i < item->len; i++) {
            write_name(out, name_text(item->events[i].name), format);
        }
    }
}

void item_drop_events(struct item *item)
{
    for (size_t i = 0; i < item->len; i++) {
        item->events[i].name->refs--;
    }
    item->len = 0;
}

void item_clear(struct item *item)
{
    item_drop_events(item);
    item->resync = RESYNC_NONE;
    item->lsn = 0;
}

void item_free(struct item *item)
{
    free(item->events);
    *item = (struct item){0};
}
