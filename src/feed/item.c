#include "feed/item.h"

#include <cJSON.h>
#include <inttypes.h>

#include "base/clock.h"
#include "feed/names.h"

static void append_string(struct buffer *out, const char *key, const struct buffer *text)
{
    cJSON *string = cJSON_CreateString(text->data);
    char *json = string != NULL ? cJSON_PrintUnformatted(string) : NULL;

    if (json == NULL || text->failed) {
        out->failed = true;
    } else {
        buffer_format(out, "\"%s\":%s", key, json);
    }
    cJSON_free(json);
    cJSON_Delete(string);
}

void item_name(struct buffer *out, struct slice schema, struct slice table)
{
    struct buffer text = {0};

    utf8_append(&text, schema);
    buffer_byte(&text, '.');
    utf8_append(&text, table);
    buffer_byte(&text, '\0');
    append_string(out, "payload", &text);
    buffer_byte(out, ',');
    buffer_clear(&text);
    utf8_append(&text, schema);
    buffer_byte(&text, '\0');
    append_string(out, "schema", &text);
    buffer_byte(out, ',');
    buffer_clear(&text);
    utf8_append(&text, table);
    buffer_byte(&text, '\0');
    append_string(out, "table", &text);
    buffer_free(&text);
}

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
