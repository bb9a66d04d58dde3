#include "tables/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

#define BLANKS " \t\n\r"

/* What the parser has of one pattern. */
struct parser {
    const char *at;
    struct buffer part[2];
    size_t parts;
};

static bool bad(const struct parser *parser, const char *why, struct error *error)
{
    return error_set(error, ERROR_PERMANENT, "invalid table pattern at \"%.60s\": %s", parser->at,
                     why);
}

static bool parse_quoted(struct parser *parser, struct buffer *out, struct error *error)
{
    const char *start = parser->at++;

    while (*parser->at != '\0') {
        if (*parser->at == '"' && *++parser->at != '"') {
            return true;
        }
        buffer_byte(out, *parser->at++);
    }
    parser->at = start;
    return bad(parser, "the quote is not closed", error);
}

/* A star, in a part, as pattern.h has it. */
static void add_star(struct buffer *out)
{
    if (out->len == 0 || out->data[out->len - 1] != '\0') {
        buffer_byte(out, '\0');
    }
}

/* A name, or what has stars, up to the next dot or comma, blanks around it dropped. */
static bool parse_bare(struct parser *parser, struct buffer *out, struct error *error)
{
    size_t len = strcspn(parser->at, ".,\"");
    size_t used = len;

    while (used > 0 && strchr(BLANKS, parser->at[used - 1]) != NULL) {
        used--;
    }
    if (used == 0) {
        return bad(parser, "a name is missing", error);
    }
    if (parser->at[len] == '"') {
        return bad(parser, "a quote inside a name; quote the whole of it", error);
    }
    for (size_t i = 0; i < used; i++) {
        if (parser->at[i] == '*') {
            add_star(out);
        } else {
            buffer_byte(out, parser->at[i]);
        }
    }
    if (out->len == 1 && out->data[0] == '\0') {
        buffer_clear(out);
    }
    parser->at += len;
    return true;
}

static bool parse_part(struct parser *parser, struct error *error)
{
    struct buffer *out = &parser->part[parser->parts];

    if (parser->parts == 2) {
        return bad(parser, "more than schema and table", error);
    }
    parser->parts++;
    buffer_clear(out);
    parser->at += strspn(parser->at, BLANKS);
    if (*parser->at != '"') {
        return parse_bare(parser, out, error);
    }
    if (!parse_quoted(parser, out, error)) {
        return false;
    }
    if (out->len == 0) {
        return bad(parser, "an empty name", error);
    }
    parser->at += strspn(parser->at, BLANKS);
    return strchr(".,", *parser->at) != NULL || /* the terminating NUL included */
           bad(parser, "expected a dot, a comma or the end", error);
}

static bool make_room(struct pattern_set *set)
{
    size_t cap = set->cap > 0 ? set->cap * 2 : 16;
    struct pattern *bigger;

    if (set->len < set->cap) {
        return true;
    }
    bigger = realloc(set->patterns, cap * sizeof(*bigger));
    if (bigger == NULL) {
        return false;
    }
    set->patterns = bigger;
    set->cap = cap;
    return true;
}

static bool has_star_within(struct slice part)
{
    return part.len > 0 && !pattern_is_name(part);
}

/* Both parts with a NUL between. NULL: out of memory. */
static char *join(struct slice schema, struct slice table)
{
    char *text = malloc(schema.len + 1 + table.len);

    if (text != NULL) {
        memcpy(text, schema.data, schema.len);
        text[schema.len] = '\0';
        memcpy(text + schema.len + 1, table.data, table.len);
    }
    return text;
}

static bool add(struct pattern_set *set, struct slice schema, struct slice table)
{
    bool glob = has_star_within(schema) || has_star_within(table);
    char *text = make_room(set) ? join(schema, table) : NULL;
    struct slice key = {text, schema.len + 1 + table.len};

    if (text == NULL) {
        return false;
    }
    if (hashmap_get(&set->index, key) != NULL && !glob) {
        free(text);
        return true;
    }
    if (!glob && !hashmap_add(&set->index, key, text)) {
        free(text);
        return false;
    }
    set->globs += glob ? 1 : 0;
    set->patterns[set->len++] = (struct pattern){
        .schema = {text, schema.len},
        .table = {text + schema.len + 1, table.len},
        .text = text,
    };
    return true;
}

static struct slice part_of(const struct parser *parser, size_t i)
{
    return (struct slice){parser->part[i].len > 0 ? parser->part[i].data : "", parser->part[i].len};
}

/* Parses one pattern into the parser's parts. */
static bool parse_parts(struct parser *parser, struct error *error)
{
    parser->parts = 0;
    do {
        if (parser->parts > 0) {
            parser->at++; /* the dot */
        }
        if (!parse_part(parser, error)) {
            return false;
        }
    } while (*parser->at == '.');
    if (parser->part[0].failed || parser->part[1].failed) {
        return error_memory(error); /* a name cut short would mean something else */
    }
    return true;
}

static bool parse_pattern(struct parser *parser, struct pattern_set *set, struct error *error)
{
    static const struct slice star = {"", 0};

    if (!parse_parts(parser, error)) {
        return false;
    }
    return (parser->parts == 1 ? add(set, star, part_of(parser, 0))
                               : add(set, part_of(parser, 0), part_of(parser, 1))) ||
           error_memory(error);
}

bool pattern_name(const char *text, struct buffer *schema, struct buffer *table)
{
    struct parser parser = {.at = text};
    struct error ignored;
    bool ok = parse_parts(&parser, &ignored) && *parser.at == '\0' && parser.parts == 2 &&
              pattern_is_name(part_of(&parser, 0)) && pattern_is_name(part_of(&parser, 1));

    if (ok) {
        buffer_append(schema, parser.part[0].data, parser.part[0].len);
        buffer_append(table, parser.part[1].data, parser.part[1].len);
    }
    buffer_free(&parser.part[0]);
    buffer_free(&parser.part[1]);
    return ok;
}

bool pattern_set_add(struct pattern_set *set, const char *list, struct error *error)
{
    struct parser parser = {.at = list};
    bool ok = parse_pattern(&parser, set, error);

    while (ok && *parser.at == ',') {
        parser.at++;
        ok = parse_pattern(&parser, set, error);
    }
    buffer_free(&parser.part[0]);
    buffer_free(&parser.part[1]);
    return ok;
}

bool pattern_is_name(struct slice part)
{
    return part.len > 0 && memchr(part.data, '\0', part.len) == NULL;
}

static bool has(const struct pattern_set *set, struct slice schema, struct slice table)
{
    char key[512];

    if (schema.len + 1 + table.len > sizeof(key)) {
        return false; /* longer than a server's names can be */
    }
    memcpy(key, schema.data, schema.len);
    key[schema.len] = '\0';
    memcpy(key + schema.len + 1, table.data, table.len);
    return hashmap_get(&set->index, (struct slice){key, schema.len + 1 + table.len}) != NULL;
}

static void append_part(struct buffer *out, struct slice name)
{
    static const char special[] = ".,*\" \t\n\r";
    bool plain = true;

    for (size_t i = 0; i < name.len; i++) {
        plain = plain && memchr(special, name.data[i], sizeof(special) - 1) == NULL;
    }
    if (plain) {
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

void pattern_append(struct buffer *out, struct slice schema, struct slice table)
{
    append_part(out, schema);
    buffer_byte(out, '.');
    append_part(out, table);
}

/* What has stars has nothing to quote. */
static void write_part(struct buffer *out, struct slice part)
{
    if (pattern_is_name(part)) {
        append_part(out, part);
        return;
    }
    if (part.len == 0) {
        buffer_byte(out, '*');
    }
    for (size_t i = 0; i < part.len; i++) {
        char byte = part.data[i];

        if (byte == '\0') {
            byte = '*';
        }
        buffer_byte(out, byte);
    }
}

void pattern_write(struct buffer *out, const struct pattern *pattern)
{
    write_part(out, pattern->schema);
    buffer_byte(out, '.');
    write_part(out, pattern->table);
}

/* Each star takes as little as it can, and more when what follows doesn't fit. */
static bool part_matches(struct slice part, struct slice name)
{
    size_t at = 0, used = 0, star = SIZE_MAX, from = 0;

    while (used < name.len && part.len > 0) {
        if (at < part.len && part.data[at] == '\0') {
            star = at++;
            from = used;
        } else if (at < part.len && part.data[at] == name.data[used]) {
            at++;
            used++;
        } else if (star != SIZE_MAX) {
            at = star + 1;
            used = ++from;
        } else {
            return false;
        }
    }
    return at == part.len || (at + 1 == part.len && part.data[at] == '\0');
}

/* An empty part is a star, which covers anything. */
static bool part_covers(struct slice wide, struct slice narrow)
{
    return wide.len == 0 || part_matches(wide, narrow);
}

/* As a text whose stars only stars match. */
static struct slice with_star(struct slice part)
{
    return part.len > 0 ? part : (struct slice){"", 1};
}

bool pattern_set_covers(const struct pattern_set *set, const struct pattern *pattern)
{
    for (size_t i = 0; i < set->len; i++) {
        if (part_covers(set->patterns[i].schema, with_star(pattern->schema)) &&
            part_covers(set->patterns[i].table, with_star(pattern->table))) {
            return true;
        }
    }
    return false;
}

static bool matches_glob(const struct pattern_set *set, struct slice schema, struct slice table)
{
    for (size_t i = 0; set->globs > 0 && i < set->len; i++) {
        if (part_matches(set->patterns[i].schema, schema) &&
            part_matches(set->patterns[i].table, table)) {
            return true;
        }
    }
    return false;
}

bool pattern_set_matches(const struct pattern_set *set, struct slice schema, struct slice table)
{
    static const struct slice star = {"", 0};

    return set->len > 0 &&
           (has(set, schema, table) || has(set, star, table) || has(set, schema, star) ||
            has(set, star, star) || matches_glob(set, schema, table));
}

void pattern_set_free(struct pattern_set *set)
{
    for (size_t i = 0; i < set->len; i++) {
        free(set->patterns[i].text);
    }
    free(set->patterns);
    hashmap_free(&set->index);
    *set = (struct pattern_set){0};
}
