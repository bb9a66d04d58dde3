#include "bridge/parts.h"

#include "batch/json.h"
#include "batch/sequence.h"

#define FRAME_MAX 256 /* bytes around the events of a part: the item's head, the brackets */

/* Where each part's events end, in `events`; and how many parts there are. */
struct cuts {
    size_t at[PARTS_MAX];
    size_t len;
};

/* Appends an event to `scratch`, in ASCII. */
static void write_event(struct parts *parts, const struct item_event *event,
                        const struct item_style *style)
{
    struct buffer json = {0};

    buffer_clear(&parts->scratch);
    item_write_event(&json, event, style);
    json_ascii(&parts->scratch, (struct slice){json.data, json.len});
    parts->scratch.failed |= json.failed;
    buffer_free(&json);
}

/* The event as it fits into a part, without its keys if need be. False: it doesn't. */
static bool fit_event(struct parts *parts, const struct item_event *event,
                      const struct item_style *style)
{
    struct item_event whole = *event;

    write_event(parts, event, style);
    if (parts->scratch.len > PART_BYTES_MAX - FRAME_MAX && event->keys != NULL) {
        whole.keys = NULL;
        write_event(parts, &whole, style);
    }
    return parts->scratch.len <= PART_BYTES_MAX - FRAME_MAX;
}

/* Cuts the events. False: they are too many, or too large. */
static bool cut(struct parts *parts, struct cuts *cuts, const struct item *item,
                const struct item_style *style)
{
    size_t start = 0;

    cuts->len = 0;
    buffer_clear(&parts->events);
    for (size_t i = 0; i < item->len; i++) {
        if (!fit_event(parts, &item->events[i], style)) {
            return false;
        }
        if (parts->events.len > start &&
            parts->events.len - start + 1 + parts->scratch.len > PART_BYTES_MAX - FRAME_MAX) {
            if (cuts->len == PARTS_MAX - 1) {
                return false;
            }
            cuts->at[cuts->len++] = start = parts->events.len;
        }
        buffer_text(&parts->events, parts->events.len > start ? "," : "");
        buffer_append(&parts->events, parts->scratch.data, parts->scratch.len);
        parts->events.failed |= parts->scratch.failed;
    }
    cuts->at[cuts->len++] = parts->events.len;
    return true;
}

static void end_part(struct parts *parts)
{
    buffer_byte(&parts->text, '}');
    parts->end[parts->len++] = parts->text.len;
}

static void write_batch(struct parts *parts, const struct cuts *cuts, const struct item *item,
                        const struct sequence *sequence)
{
    size_t start = 0;

    for (size_t i = 0; i < cuts->len; i++) {
        item_write_head(&parts->text, item, sequence);
        if (cuts->len > 1) {
            buffer_format(&parts->text, ",\"part\":%zu,\"parts\":%zu", i + 1, cuts->len);
        }
        buffer_text(&parts->text, ",\"events\":[");
        buffer_append(&parts->text, parts->events.data + start, cuts->at[i] - start);
        buffer_byte(&parts->text, ']');
        end_part(parts);
        start = cuts->at[i];
    }
}

static void write_other(struct parts *parts, const struct item *item,
                        const struct sequence *sequence)
{
    item_write_head(&parts->text, item, sequence);
    sequence_write_scope(&parts->text, sequence);
    end_part(parts);
}

bool parts_write(struct parts *parts, const struct item *item, const struct item_style *style)
{
    struct item overflow = {.resync = RESYNC_OVERFLOW, .lsn = item->lsn};
    struct cuts cuts;

    style->sequence->seq++;
    parts->len = 0;
    buffer_clear(&parts->text);
    if (!item_is_batch(item)) {
        write_other(parts, item, style->sequence);
    } else if (cut(parts, &cuts, item, style)) {
        write_batch(parts, &cuts, item, style->sequence);
    } else {
        write_other(parts, &overflow, style->sequence);
    }
    return !parts->text.failed && !parts->events.failed && !parts->scratch.failed;
}

struct slice parts_at(const struct parts *parts, size_t i)
{
    size_t start = i > 0 ? parts->end[i - 1] : 0;

    return (struct slice){parts->text.data + start, parts->end[i] - start};
}

void parts_free(struct parts *parts)
{
    buffer_free(&parts->text);
    buffer_free(&parts->events);
    buffer_free(&parts->scratch);
}
