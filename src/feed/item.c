#include "feed/item.h"

#include <inttypes.h>

#include "base/clock.h"
#include "feed/names.h"

static void append_event(struct buffer *out, const struct window_event *event)
{
    buffer_byte(out, '{');
    buffer_append(out, event->name->json, event->name->json_len);
    buffer_format(out, ",\"first_seen\":%" PRId64 ".%06" PRId64 ",\"count\":%" PRIu64 "}",
                  event->first_seen_us / CLOCK_S, event->first_seen_us % CLOCK_S, event->count);
}

void item_line(struct buffer *out, const struct window *window)
{
    if (window->resync != RESYNC_NONE) {
        buffer_format(out, "{\"type\":\"resync\",\"reason\":\"%s\"}\n",
                      resync_text(window->resync));
        return;
    }
    buffer_text(out, "{\"type\":\"batch\",\"events\":[");
    for (size_t i = 0; i < window->len; i++) {
        if (i > 0) {
            buffer_byte(out, ',');
        }
        append_event(out, &window->events[i]);
    }
    buffer_text(out, "]}\n");
}
