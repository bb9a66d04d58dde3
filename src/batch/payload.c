#include "batch/payload.h"

#include <cjson/cJSON.h>

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

void payload_json(struct buffer *out, struct slice schema, struct slice table)
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
