#include "doctor/tables.h"

#include <stdio.h>

#include "repl/command.h"
#include "server/facts.h"

#define RELATIONS_MAX 10000 /* looked at; a bare name is found in every schema */

/* A count over the relation and all below it; catalogs only, since tables may be locked. */
#define BELOW_SQL(what)                                                                            \
    "(WITH RECURSIVE tree(oid) AS (SELECT c.oid UNION SELECT i.inhrelid"                           \
    " FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid)"                          \
    " SELECT (" what ")::text FROM tree JOIN pg_catalog.pg_class k USING (oid))"

struct relation_row {
    struct slice number, schema, table, kind, persistence, below, keyless;
};

bool tables_init(struct tables *tables, const struct feed_config *config, struct report *report,
                 struct encoding *encoding, const char *encoding_name)
{
    *tables =
        (struct tables){.config = config, .report = report, .all_ordinary = config->tables.len > 0};
    snprintf(tables->encoding_name, sizeof(tables->encoding_name), "%s", encoding_name);
    return wanted_init(&tables->wanted, &config->tables, &config->exclude, encoding);
}

void tables_query(const struct tables *tables, struct buffer *sql)
{
    if (wanted_any(&tables->wanted)) {
        buffer_text(sql, "SELECT v.number::text, n.nspname, c.relname, c.relkind::text,"
                         " c.relpersistence::text, " BELOW_SQL("count(*) - 1") ", " BELOW_SQL(
                             "count(*) FILTER (WHERE k.relkind = 'r' AND "
                             "k.relpersistence = 'p' AND " SQL_KEYLESS ")") " FROM ");
        wanted_values(&tables->wanted, sql);
        buffer_format(sql, " ORDER BY v.number, 2, 3 LIMIT %d", RELATIONS_MAX);
    }
}

static bool read_row(struct query_row *row, struct relation_row *relation)
{
    return query_row_next(row, &relation->number) && query_row_next(row, &relation->schema) &&
           query_row_next(row, &relation->table) && query_row_next(row, &relation->kind) &&
           query_row_next(row, &relation->persistence) && query_row_next(row, &relation->below) &&
           query_row_next(row, &relation->keyless) && relation->kind.len == 1 &&
           relation->persistence.len == 1;
}

static const char *kind_name(const struct relation_row *relation)
{
    switch (relation->kind.data[0]) {
    case 'v':
        return "a view";
    case 'm':
        return "a materialized view";
    case 'f':
        return "a foreign table";
    case 'p':
        return "a partitioned table";
    default:
        return relation->persistence.data[0] == 'u' ? "an unlogged table" : "an ordinary table";
    }
}

/* The name in UTF-8: as text, and as SQL writes it. */
struct relation_names {
    struct buffer check; /* "table public.orders" */
    struct buffer sql;   /* "\"public\".\"orders\"" */
};

static bool write_names(struct tables *tables, const struct relation_row *relation,
                        struct relation_names *names)
{
    struct buffer schema = {0}, table = {0};
    struct slice s, t;

    encoding_to_utf8(tables->wanted.encoding, relation->schema, &schema);
    encoding_to_utf8(tables->wanted.encoding, relation->table, &table);
    s = (struct slice){schema.data, schema.len};
    t = (struct slice){table.data, table.len};
    buffer_format(&names->check, "table %.*s.%.*s", (int)s.len, s.data, (int)t.len, t.data);
    buffer_byte(&names->check, '\0');
    sql_identifier(&names->sql, s);
    buffer_byte(&names->sql, '.');
    sql_identifier(&names->sql, t);
    buffer_byte(&names->sql, '\0');
    buffer_free(&schema);
    buffer_free(&table);
    return !names->check.failed && !names->sql.failed;
}

/* Where wal2json is but the second choice, a fix would cost more than it mends. */
static bool needs_identities(const struct tables *tables)
{
    return tables->config->plugin == PLUGIN_WAL2JSON;
}

static void report_silent(struct tables *tables, const struct relation_row *relation,
                          const struct relation_names *names)
{
    struct report *report = tables->report;
    struct buffer content = {0};

    report_check(report, CHECK_WARN, names->check.data,
                 "%s, whose changes are not in the log: only messages nudge it",
                 kind_name(relation));
    if (relation->persistence.data[0] == 'u' && relation->kind.data[0] == 'r') {
        report_fix(report, "ALTER TABLE %s SET LOGGED;", names->sql.data);
    } else {
        sql_literal(&content, slice_of(names->sql.data)); /* a pattern takes the quotes, too */
        report_fix(report, "SELECT pg_logical_emit_message(true, 'pgnudge', %.*s);",
                   (int)content.len, content.data);
        buffer_free(&content);
    }
}

static void report_keyless(struct tables *tables, const struct relation_row *relation,
                           const struct relation_names *names, uint64_t below)
{
    struct report *report = tables->report;

    report_check(report, CHECK_WARN, names->check.data,
                 "%s%s without a usable replica identity: with wal2json each UPDATE and DELETE is "
                 "a line in the server's log (test_decoding needs none)",
                 kind_name(relation),
                 below > 0 ? ", this table or one of its partitions or children" : "");
    if (below == 0) {
        report_fix(report, "ALTER TABLE %s REPLICA IDENTITY FULL; -- or give it a primary key",
                   names->sql.data);
    } else {
        report_fix(report, "--plugin test_decoding, or ALTER TABLE … REPLICA IDENTITY FULL; for "
                           "each of them.");
    }
}

static void report_relation(struct tables *tables, const struct relation_row *relation,
                            const struct relation_names *names)
{
    const char *lack = "";
    uint64_t below = 0, keyless = 0;
    char kind = relation->kind.data[0];

    slice_number(relation->below, &below);
    slice_number(relation->keyless, &keyless);
    tables->all_ordinary =
        tables->all_ordinary && kind == 'r' && relation->persistence.data[0] == 'p' && below == 0;
    tables->keyless = tables->keyless || keyless > 0;
    if (keyless > 0) {
        lack = ", without a usable replica identity, which only wal2json needs";
    }
    if ((kind != 'r' && kind != 'p') || relation->persistence.data[0] != 'p') {
        report_silent(tables, relation, names);
    } else if (keyless > 0 && needs_identities(tables)) {
        report_keyless(tables, relation, names, below);
    } else if (below > 0) {
        report_check(tables->report, CHECK_OK, names->check.data, "%s with %llu below it%s",
                     kind_name(relation), (unsigned long long)below, lack);
    } else {
        report_check(tables->report, CHECK_OK, names->check.data, "%s%s", kind_name(relation),
                     lack);
    }
}

bool tables_row(void *context, struct query_row *row)
{
    struct tables *tables = context;
    struct relation_names names = {.check = {0}};
    struct relation_row relation;
    uint64_t i;

    if (!read_row(row, &relation) || !slice_number(relation.number, &i) ||
        i >= tables->config->tables.len + tables->config->exclude.len) {
        return false;
    }
    wanted_found(&tables->wanted, (size_t)i, true);
    tables->relations++;
    if (i < tables->config->tables.len && write_names(tables, &relation, &names)) {
        report_relation(tables, &relation, &names);
    }
    buffer_free(&names.check);
    buffer_free(&names.sql);
    return true;
}

bool tables_miss(const struct tables *tables)
{
    return wanted_misses(&tables->wanted) && tables->relations < RELATIONS_MAX;
}

static bool is_missing(const struct tables *tables, size_t i)
{
    return wanted_is_missing(&tables->wanted, i) && tables->relations < RELATIONS_MAX;
}

static void report_missing(struct tables *tables, const char *what, const struct pattern *pattern,
                           enum check_status status)
{
    struct buffer name = {0};

    buffer_format(&name, "%s %.*s%s%.*s", what, (int)pattern->schema.len, pattern->schema.data,
                  pattern->schema.len > 0 ? "." : "", (int)pattern->table.len, pattern->table.data);
    buffer_byte(&name, '\0');
    report_check(tables->report, status, name.failed ? what : name.data,
                 "no table, view or foreign table of the database has this name (its encoding is "
                 "%s)",
                 tables->encoding_name);
    buffer_free(&name);
}

static void report_nearest(struct tables *tables, size_t n)
{
    struct buffer hint = {0};

    wanted_hint(&tables->wanted, n, &hint);
    report_fix(tables->report, "%.*s", (int)hint.len, hint.data);
    buffer_free(&hint);
}

void tables_report_missing(struct tables *tables)
{
    const struct pattern_set *set = &tables->config->tables;
    size_t missing = 0;

    for (size_t i = 0; i < set->len; i++) {
        if (is_missing(tables, i)) {
            report_missing(tables, "table", &set->patterns[i],
                           tables->config->allow_missing ? CHECK_WARN : CHECK_FAIL);
            report_nearest(tables, missing++);
        }
        tables->all_ordinary = tables->all_ordinary && pattern_is_name(set->patterns[i].schema) &&
                               pattern_is_name(set->patterns[i].table) &&
                               !wanted_is_missing(&tables->wanted, i);
    }
    for (size_t i = 0; i < tables->config->exclude.len; i++) {
        const struct pattern *pattern = &tables->config->exclude.patterns[i];

        if (is_missing(tables, set->len + i)) {
            report_missing(tables, "exclude", pattern, CHECK_WARN);
            report_fix(tables->report, "Remove it from --exclude, or correct the name.");
        }
    }
    if (tables->relations >= RELATIONS_MAX) {
        report_check(tables->report, CHECK_WARN, "tables",
                     "more than %d match: the others were not checked", RELATIONS_MAX - 1);
        report_fix(tables->report, "Name fewer tables at a time with --tables.");
    }
}

void tables_free(struct tables *tables)
{
    wanted_free(&tables->wanted);
}
