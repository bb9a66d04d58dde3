#include "batch/payload.h"

#include <cjson/cJSON.h>

/* DEL and C1 (U+0080 to U+009F), which JSON may have raw, but a terminal may act on. */
static void append_json(struct buffer *out, const char *json)
{
    for (; *json != '\0'; json++) {
        unsigned char next = (unsigned char)json[1];

        if (*json == 0x7f) {
            buffer_text(out, "\\u007f");
        } else if ((unsigned char)*json == 0xc2 && next >= 0x80 && next <= 0x9f) {
            buffer_format(out, "\\u00%02x", next);
            json++;
        } else {
            buffer_byte(out, *json);
        }
    }
}

static void append_string(struct buffer *out, const char *key, const struct buffer *text)
{
    cJSON *string = cJSON_CreateString(text->data);
    char *json = string != NULL ? cJSON_PrintUnformatted(string) : NULL;

    if (json == NULL || text->failed) {
        out->failed = true;
    } else {
        buffer_format(out, "\"%s\":", key);
        append_json(out, json);
    }
    cJSON_free(json);
    cJSON_Delete(string);
}

void payload_text(struct buffer *out, struct slice schema, struct slice table)
{
    utf8_append(out, schema);
    buffer_byte(out, '.');
    utf8_append(out, table);
}

void payload_json(struct buffer *out, struct slice schema, struct slice table)
{
    struct buffer text = {0};

    payload_text(&text, schema, table);
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
