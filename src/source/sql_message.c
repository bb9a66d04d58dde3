#include "source/sql_message.h"

#include "tables/pattern.h"

#define SHOWN_BYTES 40 /* of a content that names no table */

static void warn(const struct log *log, struct encoding *encoding, const char *content)
{
    struct buffer text = {0};

    encoding_to_utf8(encoding, slice_of(content), &text);
    log_say(log, LOG_WARNING,
            "a message with the prefix \"" MESSAGE_PREFIX "\" names no table: \"%.*s\"",
            text.len < SHOWN_BYTES ? (int)text.len : SHOWN_BYTES, text.data);
    log_detail(log, LOG_WARNING, "It is taken for a resync.");
    buffer_free(&text);
}

bool sql_message_take(const struct log *log, const struct sink *sink, struct encoding *encoding,
                      struct buffer *content, bool readable)
{
    struct buffer schema = {0}, table = {0};
    bool empty = readable && content->len == 0;
    bool ok = true;

    buffer_byte(content, '\0');
    if (readable && !empty && !content->failed && pattern_name(content->data, &schema, &table)) {
        struct sink_change named = {.schema = {schema.data, schema.len},
                                    .table = {table.data, table.len},
                                    .by_sql = true,
                                    .count = 1};

        ok = sink->change(sink->context, &named) != SINK_NO_MEMORY;
    } else {
        if (!empty && !content->failed) {
            warn(log, encoding, content->data);
        }
        sink->unnameable(sink->context, RESYNC_REQUESTED);
    }
    ok = ok && !content->failed && !schema.failed && !table.failed;
    buffer_free(&schema);
    buffer_free(&table);
    return ok;
}
