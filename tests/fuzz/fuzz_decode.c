/* What output plugins write. What is read of wal2json's JSON without a parser is what cJSON reads. */
#include <cjson/cJSON.h>

#include "decode/decoder.h"
#include "decode/plugins.h"
#include "fuzz/fuzz.h"

static void name_text(enum plugin plugin, const struct change *change, struct buffer *out)
{
    struct buffer schema = {0}, table = {0};

    if (decoder_name(plugin, change->name, &schema, &table)) {
        buffer_append(out, schema.data, schema.len);
        buffer_byte(out, '\0');
        buffer_append(out, table.data, table.len);
    }
    buffer_byte(out, '\n');
    buffer_free(&schema);
    buffer_free(&table);
}

/* All changes as text. */
static void read_all(enum plugin plugin, struct slice text, size_t first, struct buffer *out)
{
    static const struct key_column at[] = {{{"id", 2}, COLUMN_BYTEA}, {{"a\"b", 3}, COLUMN_OTHER}};
    static const struct key_columns columns = {2, at};
    struct decoder decoder;
    struct change change;
    struct buffer content = {0};

    decoder_init(&decoder, plugin);
    for (size_t begin = 0; begin == 0 || begin < text.len; begin += first) {
        size_t len = text.len - begin < first ? text.len - begin : first;
        struct slice piece = {text.data + begin, len};

        if (begin == 0) {
            decoder_begin(&decoder, piece, begin + len < text.len);
        } else {
            decoder_more(&decoder, piece, begin + len < text.len);
        }
        while (decoder_next(&decoder, &change)) {
            buffer_byte(out, (char)('0' + change.kind));
            if (change.kind == CHANGE_TABLE) {
                name_text(plugin, &change, out);
                if (change.operation != OPERATION_TRUNCATE) {
                    decoder_want_keys(&decoder, &columns);
                }
            } else if (change.kind == CHANGE_KEYS) {
                for (size_t i = 0; i < change.keys->len; i++) {
                    buffer_append(out, change.keys->at[i].data, change.keys->at[i].len);
                    buffer_byte(out, '\n');
                }
            } else if (change.kind == CHANGE_MESSAGE) {
                buffer_clear(&content);
                decoder_content(plugin, change.content, &content);
            }
        }
        if (len == 0) {
            break;
        }
    }
    decoder_free(&decoder);
    buffer_free(&content);
}

/* The member "table" right behind "schema", as wal2json writes them. */
static const cJSON *table_of(const cJSON *object, const cJSON **schema)
{
    for (const cJSON *member = object->child; member != NULL; member = member->next) {
        if (strcmp(member->string, "schema") == 0) {
            *schema = member;
            return member->next != NULL && strcmp(member->next->string, "table") == 0 ? member->next
                                                                                      : NULL;
        }
    }
    return NULL;
}

static void check_json(struct slice text)
{
    cJSON *object = cJSON_ParseWithLength(text.data, text.len);
    const cJSON *schema = NULL, *table = cJSON_IsObject(object) ? table_of(object, &schema) : NULL;
    struct buffer ours[2] = {{0}, {0}};
    struct decoder decoder;
    struct change change;

    decoder_init(&decoder, PLUGIN_WAL2JSON);
    decoder_begin(&decoder, text, false);
    if (decoder_next(&decoder, &change) && change.kind == CHANGE_TABLE && object != NULL &&
        decoder_name(PLUGIN_WAL2JSON, change.name, &ours[0], &ours[1])) {
        MUST(cJSON_IsString(schema) && cJSON_IsString(table));
        MUST(slice_equal((struct slice){ours[0].data, ours[0].len}, slice_of(schema->valuestring)));
        MUST(slice_equal((struct slice){ours[1].data, ours[1].len}, slice_of(table->valuestring)));
    }
    decoder_free(&decoder);
    buffer_free(&ours[0]);
    buffer_free(&ours[1]);
    cJSON_Delete(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = fuzz_slice(data, size), schema, table;
    enum operation operation;

    for (int plugin = 0; plugin < PLUGINS; plugin++) {
        struct buffer whole = {0}, pieces = {0};

        read_all((enum plugin)plugin, text, size + 1, &whole);
        read_all((enum plugin)plugin, text, 8192,
                 &pieces); /* a first piece is that long at least */
        buffer_free(&whole);
        buffer_free(&pieces);
    }
    if (memchr(text.data, '\0', text.len) == NULL) { /* which cJSON would end a string at */
        check_json(text);
    }
    decoder_warning(text, &schema, &table, &operation);
    return 0;
}
