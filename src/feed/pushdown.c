#include "feed/pushdown.h"

#include "repl/command.h"

static bool is_literal(const struct pattern *pattern)
{
    return pattern->schema.len > 0 && pattern->table.len > 0;
}

/* The tables can be pushed down all together or not at all: what is left out is not sent. */
static bool tables_possible(const struct pattern_set *tables)
{
    if (tables->len == 0 || tables->len > PUSHDOWN_MAX) {
        return false;
    }
    for (size_t i = 0; i < tables->len; i++) {
        if (!is_literal(&tables->patterns[i])) {
            return false;
        }
    }
    return true;
}

/* Each exclusion stands for itself; those beyond the limit are only pgnudge's. */
static bool exclude_possible(const struct pattern_set *exclude, size_t i)
{
    return i < exclude->len && i < PUSHDOWN_MAX && is_literal(&exclude->patterns[i]);
}

bool pushdown_possible(const struct pushdown *pushdown)
{
    for (size_t i = 0; i < PUSHDOWN_MAX; i++) {
        if (exclude_possible(pushdown->exclude, i)) {
            return true;
        }
    }
    return tables_possible(pushdown->tables);
}

static void append_value(struct buffer *sql, bool *first, size_t number,
                         const struct pattern *pattern)
{
    buffer_format(sql, "%s(%zu, ", *first ? "" : ", ", number);
    *first = false;
    sql_literal(sql, pattern->schema);
    buffer_text(sql, ", ");
    sql_literal(sql, pattern->table);
    buffer_byte(sql, ')');
}

void pushdown_query(const struct pushdown *pushdown, struct buffer *sql)
{
    bool first = true;

    buffer_text(sql, "SELECT v.number FROM (VALUES ");
    for (size_t i = 0; tables_possible(pushdown->tables) && i < pushdown->tables->len; i++) {
        append_value(sql, &first, i, &pushdown->tables->patterns[i]);
    }
    for (size_t i = 0; i < PUSHDOWN_MAX; i++) {
        if (exclude_possible(pushdown->exclude, i)) {
            append_value(sql, &first, PUSHDOWN_MAX + i, &pushdown->exclude->patterns[i]);
        }
    }
    buffer_text(sql, ") v(number, schema, name)"
                     " JOIN pg_catalog.pg_namespace n ON n.nspname = v.schema"
                     " JOIN pg_catalog.pg_class c"
                     " ON c.relnamespace = n.oid AND c.relname = v.name"
                     " WHERE c.relkind = 'r' AND NOT EXISTS"
                     " (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)");
}

bool pushdown_row(void *context, struct query_row *row)
{
    struct pushdown *pushdown = context;
    struct slice value;
    size_t number = 0;

    if (!query_row_next(row, &value)) {
        return false;
    }
    for (size_t i = 0; i < value.len && i < 4; i++) {
        number = number * 10 + (size_t)(value.data[i] - '0');
    }
    if (number >= 2 * PUSHDOWN_MAX) {
        return false;
    }
    pushdown->ordinary[number] = true;
    return true;
}

/* wal2json takes a backslash before any byte; the letters of other alphabets need none. */
static void escape(struct buffer *out, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];

        if (c < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '_') {
            buffer_byte(out, '\\');
        }
        buffer_byte(out, (char)c);
    }
}

/* Appends `, "KEY" 'a.b,c.d'` of those names that are ordinary; returns how many. */
static size_t append_option(struct buffer *options, const char *key, const struct pattern_set *set,
                            const bool *ordinary)
{
    struct buffer list = {0};
    size_t count = 0;

    for (size_t i = 0; i < set->len && i < PUSHDOWN_MAX; i++) {
        if (ordinary[i]) {
            buffer_text(&list, count++ > 0 ? "," : "");
            escape(&list, set->patterns[i].schema);
            buffer_byte(&list, '.');
            escape(&list, set->patterns[i].table);
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
    bool tables = tables_possible(pushdown->tables);
    size_t count = 0;

    for (size_t i = 0; tables && i < pushdown->tables->len; i++) {
        tables = pushdown->ordinary[i];
    }
    if (tables) {
        count += append_option(options, "add-tables", pushdown->tables, pushdown->ordinary);
    }
    return count + append_option(options, "filter-tables", pushdown->exclude,
                                 pushdown->ordinary + PUSHDOWN_MAX);
}
