#include "batch/payload.h"

#include "batch/json.h"

void payload_text(struct buffer *out, struct slice schema, struct slice table)
{
    utf8_append(out, schema);
    buffer_byte(out, '.');
    utf8_append(out, table);
}

static void append_member(struct buffer *out, const char *name, const struct buffer *value)
{
    buffer_text(out, name);
    json_string(out, (struct slice){value->data, value->len});
    out->failed |= value->failed;
}

void payload_json(struct buffer *out, struct slice schema, struct slice table)
{
    struct buffer text = {0};

    payload_text(&text, schema, table);
    append_member(out, "\"payload\":", &text);
    buffer_clear(&text);
    utf8_append(&text, schema);
    append_member(out, ",\"schema\":", &text);
    buffer_clear(&text);
    utf8_append(&text, table);
    append_member(out, ",\"table\":", &text);
    buffer_free(&text);
}
