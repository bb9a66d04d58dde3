/* --tables, names in messages, durations: what is written as a name is read as that name. */
#include "cli/duration.h"
#include "fuzz/fuzz.h"
#include "tables/pattern.h"

static void check_round(struct slice schema, struct slice table)
{
    struct buffer text = {0}, again[2] = {{0}, {0}};

    if (schema.len == 0 || table.len == 0 || memchr(schema.data, '\0', schema.len) != NULL ||
        memchr(table.data, '\0', table.len) != NULL) {
        return;
    }
    pattern_append(&text, schema, table);
    buffer_byte(&text, '\0');
    MUST(!text.failed && pattern_name(text.data, &again[0], &again[1]));
    MUST(slice_equal((struct slice){again[0].data, again[0].len}, schema));
    MUST(slice_equal((struct slice){again[1].data, again[1].len}, table));
    for (int i = 0; i < 2; i++) {
        buffer_free(&again[i]);
    }
    buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct pattern_set set = {0};
    struct buffer schema = {0}, table = {0};
    struct error error;
    int64_t us;

    error_clear(&error);
    if (pattern_set_add(&set, text, &error)) {
        pattern_set_matches(&set, slice_of("public"), fuzz_slice(data, size));
    } else {
        MUST(error.message[0] != '\0');
    }
    if (pattern_name(text, &schema, &table)) {
        check_round((struct slice){schema.data, schema.len}, (struct slice){table.data, table.len});
    }
    if (duration_parse(text, &us)) {
        MUST(us >= 0 && us <= DURATION_MAX_US);
    }
    pattern_set_free(&set);
    buffer_free(&schema);
    buffer_free(&table);
    free(text);
    return 0;
}
