#include "catalog/pushdown.h"

#include <string.h>

#include "repl/command.h"

/* Whether it names one table, in letters that the database's encoding has. */
static bool is_literal(const struct pushdown *pushdown, const struct pattern *pattern)
{
    struct buffer text = {0};
    bool ok = pattern_is_name(pattern->schema) && pattern_is_name(pattern->table) &&
              encoding_from_utf8(pushdown->encoding, pattern->schema, &text) &&
              encoding_from_utf8(pushdown->encoding, pattern->table, &text);

    buffer_free(&text);
    return ok;
}

/* The tables can be pushed down all together or not at all: what is left out is not sent. */
static bool tables_possible(const struct pushdown *pushdown)
{
    const struct pattern_set *tables = pushdown->tables;

    if (tables->len == 0 || tables->len > PUSHDOWN_MAX) {
        return false;
    }
    for (size_t i = 0; i < tables->len; i++) {
        if (!is_literal(pushdown, &tables->patterns[i])) {
            return false;
        }
    }
    return true;
}

/* Each exclusion stands for itself; those beyond the limit are only pgnudge's. */
static bool exclude_possible(const struct pushdown *pushdown, size_t i)
{
    const struct pattern_set *exclude = pushdown->exclude;

    return i < exclude->len && i < PUSHDOWN_MAX && is_literal(pushdown, &exclude->patterns[i]);
}

bool pushdown_possible(const struct pushdown *pushdown)
{
    for (size_t i = 0; i < PUSHDOWN_MAX; i++) {
        if (exclude_possible(pushdown, i)) {
            return true;
        }
    }
    return tables_possible(pushdown);
}

static void append_value(struct buffer *sql, struct encoding *encoding, bool *first, size_t number,
                         const struct pattern *pattern)
{
    buffer_format(sql, "%s(%zu, ", *first ? "" : ", ", number);
    *first = false;
    sql_name_literal(sql, encoding, pattern->schema);
    buffer_text(sql, ", ");
    sql_name_literal(sql, encoding, pattern->table);
    buffer_byte(sql, ')');
}

/* Five columns: the number, the relation's OID, the versions of its and its schema's row, NULL. */
void pushdown_query(struct pushdown *pushdown, struct buffer *sql)
{
    bool first = true;

    memset(pushdown->ordinary, 0, sizeof(pushdown->ordinary));
    memset(pushdown->identity, 0, sizeof(pushdown->identity));
    buffer_text(sql, "SELECT v.number::text, c.oid::text, coalesce(t.xmin::text, '2'),"
                     " n.xmin::text, NULL FROM (VALUES ");
    for (size_t i = 0; tables_possible(pushdown) && i < pushdown->tables->len; i++) {
        append_value(sql, pushdown->encoding, &first, i, &pushdown->tables->patterns[i]);
    }
    for (size_t i = 0; i < PUSHDOWN_MAX; i++) {
        if (exclude_possible(pushdown, i)) {
            append_value(sql, pushdown->encoding, &first, PUSHDOWN_MAX + i,
                         &pushdown->exclude->patterns[i]);
        }
    }
    buffer_text(sql, ") v(number, schema, name)"
                     " JOIN pg_catalog.pg_namespace n ON n.nspname = v.schema"
                     " JOIN pg_catalog.pg_class c"
                     " ON c.relnamespace = n.oid AND c.relname = v.name"
                     " LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reltype"
                     " WHERE c.relkind = 'r' AND NOT EXISTS"
                     " (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)");
}

bool pushdown_row(void *context, struct query_row *row)
{
    struct pushdown *pushdown = context;
    struct slice columns[4];
    uint64_t values[4];

    for (int i = 0; i < 4; i++) {
        if (!query_row_next(row, &columns[i]) || columns[i].data == NULL ||
            !slice_number(columns[i], &values[i])) {
            return false;
        }
    }
    if (values[0] >= (uint64_t)2 * PUSHDOWN_MAX) {
        return false;
    }
    pushdown->ordinary[values[0]] = true;
    pushdown->identity[values[0]] = (struct identity){
        .oid = (uint32_t)values[1],
        .version = (uint32_t)values[2],
        .schema_version = (uint32_t)values[3],
    };
    return true;
}

bool pushdown_fits(const struct pushdown *a, const struct pushdown *b)
{
    return memcmp(a->ordinary, b->ordinary, sizeof(a->ordinary)) == 0;
}

bool pushdown_is_same(const struct pushdown *a, const struct pushdown *b)
{
    for (size_t i = 0; i < (size_t)2 * PUSHDOWN_MAX; i++) {
        const struct identity *x = &a->identity[i], *y = &b->identity[i];

        if (x->oid != y->oid || x->version != y->version ||
            x->schema_version != y->schema_version) {
            return false;
        }
    }
    return true;
}

/* wal2json takes a backslash before any byte; the letters of other alphabets need none. */
static void escape(struct buffer *out, struct encoding *encoding, struct slice name)
{
    struct buffer text = {0};

    encoding_from_utf8(encoding, name, &text);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '_') {
            buffer_byte(out, '\\');
        }
        buffer_byte(out, (char)c);
    }
    out->failed |= text.failed;
    buffer_free(&text);
}

/* Appends `, "KEY" 'a.b,c.d'` of those names that are ordinary; returns how many. */
static size_t append_option(struct buffer *options, struct encoding *encoding, const char *key,
                            const struct pattern_set *set, const bool *ordinary)
{
    struct buffer list = {0};
    size_t count = 0;

    for (size_t i = 0; i < set->len && i < PUSHDOWN_MAX; i++) {
        if (ordinary[i]) {
            buffer_text(&list, count++ > 0 ? "," : "");
            escape(&list, encoding, set->patterns[i].schema);
            buffer_byte(&list, '.');
            escape(&list, encoding, set->patterns[i].table);
        }
    }
    if (count > 0) {
        buffer_format(options, ", \"%s\" ", key);
        sql_literal(options, (struct slice){list.data, list.len});
    }
    options->failed |= list.failed;
    buffer_free(&list);
    return count;
}

size_t pushdown_options(const struct pushdown *pushdown, struct buffer *options)
{
    bool tables = tables_possible(pushdown);
    size_t count = 0;

    for (size_t i = 0; tables && i < pushdown->tables->len; i++) {
        tables = pushdown->ordinary[i];
    }
    if (tables) {
        count += append_option(options, pushdown->encoding, "add-tables", pushdown->tables,
                               pushdown->ordinary);
    }
    return count + append_option(options, pushdown->encoding, "filter-tables", pushdown->exclude,
                                 pushdown->ordinary + PUSHDOWN_MAX);
}
