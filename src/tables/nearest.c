#include "tables/nearest.h"

#include <limits.h>
#include <string.h>

/*
 * A slip counts a thousand and a letter in the other case one: more slips
 * always weigh more than any number of those.
 */
#define SLIP 1000U

struct points {
    size_t len;
    uint32_t point[NEAREST_NAME_MAX];
};

void nearest_init(struct nearest *nearest, const struct pattern *pattern)
{
    nearest->pattern = *pattern;
    nearest->len = 0;
}

/* The code points of a name; a byte that isn't UTF-8 is one, out of their range. */
static void decode(struct points *points, struct slice name)
{
    points->len = 0;
    while (name.len > 0) {
        size_t len = utf8_sequence(name);
        unsigned char first = (unsigned char)name.data[0];
        uint32_t point = len == 0   ? 0x110000U + first
                         : len == 1 ? first
                                    : first & (0xffU >> (len + 1));

        for (size_t i = 1; i < len; i++) {
            point = point << 6 | ((unsigned char)name.data[i] & 0x3f);
        }
        points->point[points->len++] = point;
        len = len > 0 ? len : 1;
        name.data += len;
        name.len -= len;
    }
}

/* ASCII only, as the server folds names that are not quoted. */
static uint32_t fold(uint32_t point)
{
    return point >= 'A' && point <= 'Z' ? point + ('a' - 'A') : point;
}

static unsigned substitution(uint32_t a, uint32_t b)
{
    return a == b ? 0 : fold(a) == fold(b) ? 1 : SLIP;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * How far apart two names are: insertions, deletions, substitutions and swaps
 * of neighbours (optimal string alignment). Above `limit` it may be UINT_MAX.
 */
static unsigned distance(const struct points *a, const struct points *b, unsigned limit)
{
    unsigned rows[3][NEAREST_NAME_MAX + 1]; /* row i lies in rows[i % 3] */
    unsigned before = 0;                    /* the least of the row before */

    for (size_t j = 0; j <= b->len; j++) {
        rows[0][j] = (unsigned)j * SLIP;
    }
    for (size_t i = 1; i <= a->len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *top = rows[(i + 1) % 3];
        unsigned smallest = row[0] = (unsigned)i * SLIP;

        for (size_t j = 1; j <= b->len; j++) {
            uint32_t x = a->point[i - 1], y = b->point[j - 1];

            row[j] = least(above[j - 1] + substitution(x, y), SLIP + least(above[j], row[j - 1]));
            if (i > 1 && j > 1 && fold(x) == fold(b->point[j - 2]) &&
                fold(y) == fold(a->point[i - 2])) {
                row[j] = least(row[j], top[j - 2] + SLIP);
            }
            smallest = least(smallest, row[j]);
        }
        if (smallest > limit && before > limit) {
            return UINT_MAX;
        }
        before = smallest;
    }
    return rows[a->len % 3][b->len];
}

/* The greatest distance at which one may be meant to be the other: never all its letters. */
static unsigned limit_of(const struct points *a, const struct points *b)
{
    size_t longer = a->len > b->len ? a->len : b->len;
    size_t slips = longer < 2 ? 0 : longer < 6 ? 1 : longer / 3;

    return (unsigned)slips * SLIP + SLIP - 1;
}

/* The distance of two names; UINT_MAX: neither can have been meant to be the other. */
static unsigned measure(struct slice typed, struct slice named)
{
    struct points a, b;
    unsigned limit, result;
    size_t more;

    if (typed.len > NEAREST_NAME_MAX || named.len > NEAREST_NAME_MAX) {
        return UINT_MAX;
    }
    decode(&a, typed);
    decode(&b, named);
    limit = limit_of(&a, &b);
    more = a.len > b.len ? a.len - b.len : b.len - a.len;
    if (more * SLIP > limit) {
        return UINT_MAX;
    }
    result = distance(&a, &b, limit);
    return result <= limit ? result : UINT_MAX;
}

/* Whether `text` is `schema`, a dot, and `table`. */
static bool is_joined(struct slice text, struct slice schema, struct slice table)
{
    return text.len == schema.len + 1 + table.len &&
           memcmp(text.data, schema.data, schema.len) == 0 && text.data[schema.len] == '.' &&
           memcmp(text.data + schema.len + 1, table.data, table.len) == 0;
}

/* How a name is near, if it is, and how much. */
static bool classify(const struct pattern *pattern, struct slice schema, struct slice table,
                     struct nearest_name *name)
{
    unsigned to_table = measure(pattern->table, table), to_schema = 0;

    if (is_joined(pattern->table, schema, table) ||
        (pattern->schema.len > 0 && is_joined(table, pattern->schema, pattern->table))) {
        name->kind = NEAREST_QUOTING;
        name->distance = 0;
        return true;
    }
    if (to_table == UINT_MAX) {
        return false;
    }
    if (pattern->schema.len > 0) {
        to_schema = measure(pattern->schema, schema);
    }
    if (to_table < SLIP) {
        name->kind = to_schema < SLIP ? NEAREST_CASE : NEAREST_SCHEMA;
    } else if (to_schema < UINT_MAX) {
        name->kind = NEAREST_SLIP;
    } else {
        return false;
    }
    name->distance = to_schema < UINT_MAX ? to_schema + to_table : UINT_MAX;
    return true;
}

static bool nearer(const struct nearest_name *a, const struct nearest_name *b)
{
    return a->kind != b->kind ? a->kind < b->kind : a->distance < b->distance;
}

void nearest_offer(struct nearest *nearest, struct slice schema, struct slice table)
{
    struct nearest_name name = {.schema_len = schema.len, .table_len = table.len};
    size_t place = nearest->len;

    if (schema.len > NEAREST_NAME_MAX || table.len > NEAREST_NAME_MAX ||
        !classify(&nearest->pattern, schema, table, &name)) {
        return;
    }
    while (place > 0 && nearer(&name, &nearest->names[place - 1])) {
        place--;
    }
    if (place == NEAREST_KEPT) {
        return;
    }
    memcpy(name.schema, schema.data, schema.len);
    memcpy(name.table, table.data, table.len);
    if (nearest->len < NEAREST_KEPT) {
        nearest->len++;
    }
    memmove(&nearest->names[place + 1], &nearest->names[place],
            (nearest->len - place - 1) * sizeof(name));
    nearest->names[place] = name;
}

static bool has_any(struct slice text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '\0' && strchr(bytes, text.data[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* One part of a pattern, in double quotes if it needs them. */
static void append_part(struct buffer *out, struct slice name)
{
    if (!has_any(name, ".,*\" \t\n\r")) {
        buffer_append(out, name.data, name.len);
        return;
    }
    buffer_byte(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '"') {
            buffer_byte(out, '"');
        }
        buffer_byte(out, name.data[i]);
    }
    buffer_byte(out, '"');
}

/* One word of a shell: in double quotes, or single ones if those would not do. */
static void append_word(struct buffer *out, struct slice text)
{
    if (!has_any(text, "\"$`\\!")) {
        buffer_byte(out, '"');
        buffer_append(out, text.data, text.len);
        buffer_byte(out, '"');
        return;
    }
    buffer_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\'') {
            buffer_text(out, "'\\'");
        }
        buffer_byte(out, text.data[i]);
    }
    buffer_byte(out, '\'');
}

static void append_name(struct buffer *out, const struct nearest_name *name)
{
    struct buffer text = {0};

    append_part(&text, (struct slice){name->schema, name->schema_len});
    buffer_byte(&text, '.');
    append_part(&text, (struct slice){name->table, name->table_len});
    append_word(out, (struct slice){text.data, text.len});
    out->failed |= text.failed;
    buffer_free(&text);
}

/* Beside a name that is the same but for its case or quotes, slips are not worth saying. */
static size_t worth_saying(const struct nearest *nearest)
{
    size_t len = nearest->len;

    while (len > 1 && nearest->names[0].kind <= NEAREST_QUOTING &&
           nearest->names[len - 1].kind == NEAREST_SLIP) {
        len--;
    }
    return len;
}

bool nearest_hint(const struct nearest *nearest, struct buffer *out)
{
    size_t len = worth_saying(nearest);

    if (len == 0) {
        return false;
    }
    buffer_text(out, "Did you mean ");
    for (size_t i = 0; i < len; i++) {
        buffer_text(out, i == 0 ? "" : len == 2 ? " or " : i == len - 1 ? ", or " : ", ");
        append_name(out, &nearest->names[i]);
    }
    buffer_byte(out, '?');
    if (nearest->names[0].kind == NEAREST_CASE) {
        buffer_text(out, " Names are case-sensitive.");
    } else if (nearest->names[0].kind == NEAREST_QUOTING) {
        buffer_text(out, nearest->pattern.schema.len > 0
                             ? " A name with a dot in it must be in double quotes."
                             : " In double quotes a dot is part of the name.");
    }
    return true;
}
