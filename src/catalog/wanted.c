#include "catalog/wanted.h"

#include <stdlib.h>

#include "repl/command.h"

/* All names that may have been meant, schema and table. */
#define NAMES_SQL                                                                                  \
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"                                       \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                    \
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition"                       \
    " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"                               \
    " ORDER BY 1, 2 LIMIT 100000"

#define WARNINGS_MAX 10 /* names told one by one */

#define WANTED_JOIN                                                                                \
    " JOIN pg_catalog.pg_class c ON c.relname = v.name"                                            \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                    \
    " WHERE (v.schema IS NULL OR n.nspname = v.schema)"                                            \
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"

enum wanted_kind {
    WANTED_MISSING,
    WANTED_SILENT, /* a view or the like: only messages nudge it */
    WANTED_TABLE
};

static size_t count(const struct wanted *wanted)
{
    return wanted->tables->len + wanted->exclude->len;
}

static const struct pattern *at(const struct wanted *wanted, size_t i)
{
    return i < wanted->tables->len ? &wanted->tables->patterns[i]
                                   : &wanted->exclude->patterns[i - wanted->tables->len];
}

/* A bare `table` is any schema's; what has a star is never missing. */
static bool is_asked_for(const struct pattern *pattern)
{
    return pattern_is_name(pattern->table) &&
           (pattern->schema.len == 0 || pattern_is_name(pattern->schema));
}

bool wanted_init(struct wanted *wanted, const struct pattern_set *tables,
                 const struct pattern_set *exclude, struct encoding *encoding)
{
    *wanted = (struct wanted){.tables = tables, .exclude = exclude, .encoding = encoding};
    wanted->kinds = calloc(count(wanted) + 1, 1);
    return wanted->kinds != NULL;
}

static void append_name(struct buffer *sql, struct encoding *encoding, struct slice name)
{
    if (name.len == 0) { /* a star */
        buffer_text(sql, "NULL");
    } else {
        sql_name_literal(sql, encoding, name); /* what the encoding lacks isn't there */
    }
}

bool wanted_any(const struct wanted *wanted)
{
    for (size_t i = 0; i < count(wanted); i++) {
        if (is_asked_for(at(wanted, i))) {
            return true;
        }
    }
    return false;
}

void wanted_values(const struct wanted *wanted, struct buffer *sql)
{
    bool first = true;

    for (size_t i = 0; i < count(wanted); i++) {
        const struct pattern *pattern = at(wanted, i);

        if (is_asked_for(pattern)) {
            buffer_format(sql, "%s(%zu, ", first ? "(VALUES " : ", ", i);
            append_name(sql, wanted->encoding, pattern->schema);
            buffer_text(sql, first ? "::text, " : ", ");
            append_name(sql, wanted->encoding, pattern->table);
            buffer_text(sql, first ? "::text)" : ")");
            first = false;
        }
    }
    buffer_text(sql, ") v(number, schema, name)" WANTED_JOIN);
}

void wanted_query(const struct wanted *wanted, struct buffer *sql)
{
    buffer_text(sql, "SELECT v.number::text, pg_catalog.bool_or(c.relkind IN"
                     " ('r', 'p') AND c.relpersistence = 'p')::text FROM ");
    wanted_values(wanted, sql);
    buffer_text(sql, " GROUP BY v.number");
}

bool wanted_row(void *context, struct query_row *row)
{
    struct wanted *wanted = context;
    struct slice number, is_table;
    uint64_t i;

    if (!query_row_next(row, &number) || !slice_number(number, &i) || i >= count(wanted) ||
        !query_row_next(row, &is_table)) {
        return false;
    }
    wanted_found(wanted, (size_t)i, slice_equal(is_table, slice_of("true")));
    return true;
}

void wanted_found(struct wanted *wanted, size_t number, bool is_table)
{
    wanted->kinds[number] = (char)(is_table ? WANTED_TABLE : WANTED_SILENT);
}

bool wanted_is_missing(const struct wanted *wanted, size_t i)
{
    return is_asked_for(at(wanted, i)) && wanted->kinds[i] == WANTED_MISSING;
}

bool wanted_misses(const struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->tables->len; i++) {
        if (wanted_is_missing(wanted, i)) {
            return true;
        }
    }
    return false;
}

/* The pattern for people: "schema.table", or "table". */
static const char *text_of(const struct pattern *pattern, struct buffer *text)
{
    buffer_clear(text);
    buffer_append(text, pattern->schema.data, pattern->schema.len);
    buffer_text(text, pattern->schema.len > 0 ? "." : "");
    buffer_append(text, pattern->table.data, pattern->table.len);
    buffer_byte(text, '\0');
    return text->failed ? "?" : text->data;
}

void wanted_warn(const struct wanted *wanted, const struct log *log, bool missing_too)
{
    struct buffer text = {0};
    size_t told = 0;

    for (size_t i = 0; i < count(wanted) && told < WARNINGS_MAX; i++) {
        bool excluded = i >= wanted->tables->len;

        if (wanted_is_missing(wanted, i) && (excluded || missing_too)) {
            log_say(log, LOG_WARNING, "no table matches %s \"%s\"",
                    excluded ? "--exclude" : "--tables", text_of(at(wanted, i), &text));
            told++;
        } else if (!excluded && is_asked_for(at(wanted, i)) && wanted->kinds[i] == WANTED_SILENT) {
            log_say(log, LOG_WARNING,
                    "\"%s\" is not an ordinary table: only logical decoding messages are sure to "
                    "report it",
                    text_of(at(wanted, i), &text));
            log_detail(log, LOG_WARNING,
                       "Changes of views, materialized views, foreign and "
                       "unlogged tables are not in the WAL.");
            told++;
        }
    }
    buffer_free(&text);
}

static size_t first_missing(const struct wanted *wanted)
{
    size_t i = 0;

    while (i < wanted->tables->len && !wanted_is_missing(wanted, i)) {
        i++;
    }
    return i;
}

void wanted_nearest_query(struct wanted *wanted, struct buffer *sql)
{
    wanted->nearest_count = 0;
    for (size_t i = 0; i < wanted->tables->len && wanted->nearest_count < WANTED_NEAREST_MAX; i++) {
        if (wanted_is_missing(wanted, i)) {
            nearest_init(&wanted->nearest[wanted->nearest_count++], at(wanted, i));
        }
    }
    buffer_text(sql, NAMES_SQL);
}

bool wanted_offer(void *context, struct query_row *row)
{
    struct wanted *wanted = context;
    struct buffer schema = {0}, table = {0};
    struct slice s, t;

    if (!query_row_next(row, &s) || !query_row_next(row, &t)) {
        return false;
    }
    encoding_to_utf8(wanted->encoding, s, &schema);
    encoding_to_utf8(wanted->encoding, t, &table);
    for (size_t i = 0; i < wanted->nearest_count; i++) {
        nearest_offer(&wanted->nearest[i], (struct slice){schema.data, schema.len},
                      (struct slice){table.data, table.len});
    }
    buffer_free(&schema);
    buffer_free(&table);
    return true;
}

void wanted_hint(const struct wanted *wanted, size_t n, struct buffer *out)
{
    if (n >= wanted->nearest_count || !nearest_hint(&wanted->nearest[n], out)) {
        buffer_text(out, "Create it, or pass --allow-missing.");
    }
}

bool wanted_error(const struct wanted *wanted, struct error *error)
{
    struct buffer text = {0}, hint = {0};
    size_t missing = 0;

    for (size_t i = 0; i < wanted->tables->len; i++) {
        missing += wanted_is_missing(wanted, i) ? 1 : 0;
    }
    error_set(error, ERROR_PERMANENT, "no table matches --tables \"%s\"",
              text_of(at(wanted, first_missing(wanted)), &text));
    if (missing > 1) {
        error_detail(error, "Of all names there, %zu match no table.", missing);
    }
    wanted_hint(wanted, 0, &hint);
    error_hint(error, "%.*s", (int)hint.len, hint.data);
    buffer_free(&text);
    buffer_free(&hint);
    return false;
}

void wanted_free(struct wanted *wanted)
{
    free(wanted->kinds);
    wanted->kinds = NULL;
}
