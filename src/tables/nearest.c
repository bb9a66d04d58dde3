#include "tables/nearest.h"

#include <stdint.h>
#include <string.h>

void nearest_init(struct nearest *nearest, const struct pattern *pattern)
{
    nearest->pattern = *pattern;
    nearest->len = 0;
}

/* ASCII only, as the server folds names that are not quoted. */
static char fold(char c)
{
    if (c >= 'A' && c <= 'Z') {
        c = (char)(c | 0x20);
    }
    return c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions and substitutions of bytes (Levenshtein). */
static size_t distance(struct slice a, struct slice b)
{
    uint16_t row[NEAREST_TEXT_MAX + 1] = {0};

    if (a.len > NEAREST_TEXT_MAX || b.len > NEAREST_TEXT_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = (uint16_t)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = (uint16_t)i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t replaced = diagonal + (fold(a.data[i - 1]) != fold(b.data[j - 1]));

            diagonal = row[j];
            row[j] = (uint16_t)least(replaced, least(row[j - 1], row[j]) + 1);
        }
    }
    return row[b.len];
}

/* At most one slip for every three letters, and never all of them. */
static bool is_near(size_t far, struct slice typed)
{
    return far <= (typed.len < 6 ? typed.len > 1 : typed.len / 3);
}

/* SIZE_MAX: the pattern can't have been meant to be this one. */
static size_t how_far(const struct pattern *pattern, struct slice schema, struct slice table,
                      struct slice text)
{
    struct buffer typed = {0};
    size_t table_far = distance(pattern->table, table);
    size_t schema_far = pattern->schema.len > 0 ? distance(pattern->schema, schema) : 0;
    bool is_same;

    buffer_append(&typed, pattern->schema.data, pattern->schema.len);
    buffer_text(&typed, pattern->schema.len > 0 ? "." : "");
    buffer_append(&typed, pattern->table.data, pattern->table.len);
    is_same = !typed.failed && (distance((struct slice){typed.data, typed.len}, text) == 0 ||
                                distance((struct slice){typed.data, typed.len}, table) == 0);
    buffer_free(&typed);
    if (is_same) { /* but for case, or quotes in the wrong place */
        return 0;
    }
    if (table_far == 0) {
        return 1; /* another schema */
    }
    if (is_near(table_far, pattern->table) && is_near(schema_far, pattern->schema)) {
        return 2 * (table_far + schema_far);
    }
    return SIZE_MAX;
}

void nearest_offer(struct nearest *nearest, struct slice schema, struct slice table)
{
    size_t place = nearest->len, far;
    char text[NEAREST_TEXT_MAX];
    size_t len = schema.len + 1 + table.len;

    if (len > sizeof(text)) {
        return;
    }
    memcpy(text, schema.data, schema.len);
    text[schema.len] = '.';
    memcpy(text + schema.len + 1, table.data, table.len);
    far = how_far(&nearest->pattern, schema, table, (struct slice){text, len});
    while (place > 0 && far < nearest->names[place - 1].distance) {
        place--;
    }
    if (far == SIZE_MAX || place == NEAREST_KEPT) {
        return;
    }
    nearest->len = least(nearest->len + 1, NEAREST_KEPT);
    memmove(&nearest->names[place + 1], &nearest->names[place],
            (nearest->len - place - 1) * sizeof(nearest->names[0]));
    nearest->names[place].distance = far;
    nearest->names[place].schema_len = schema.len;
    nearest->names[place].len = len;
    memcpy(nearest->names[place].text, text, len);
}

bool nearest_hint(const struct nearest *nearest, struct buffer *out)
{
    for (size_t i = 0; i < nearest->len; i++) {
        const char *text = nearest->names[i].text;
        size_t schema_len = nearest->names[i].schema_len;
        struct slice schema = {text, schema_len};
        struct slice table = {text + schema_len + 1, nearest->names[i].len - schema_len - 1};

        buffer_text(out, i == 0 ? "Did you mean " : " or ");
        pattern_append(out, schema, table);
    }
    if (nearest->len > 0) {
        buffer_byte(out, '?');
    }
    if (nearest->len > 0 && nearest->names[0].distance == 0) {
        buffer_text(out, " Names are case-sensitive, and double quotes protect a dot.");
    }
    return nearest->len > 0;
}
