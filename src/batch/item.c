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

void item_line(struct buffer *out, const struct item *item)
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
