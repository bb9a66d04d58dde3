/* With --keys: which watched tables have none, and why. */
#include <stdlib.h>
#include <string.h>

#include "catalog/definitions.h"
#include "doctor/state.h"

#define TABLES_MAX 2000 /* looked at */
#define SHOWN_MAX  20

/* Tables and the topmost table above each by partitioning: OIDs and names. */
const char keys_tables_sql[] =
    "SELECT c.oid::text, n.nspname, c.relname, r.oid::text, m.nspname, r.relname"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(c.oid), c.oid)"
    " JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace"
    " WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384"
    " ORDER BY 2, 3";

enum { LEAF, LEAF_SCHEMA, LEAF_NAME, ROOT, ROOT_SCHEMA, ROOT_NAME, COLUMNS };

static bool is_watched(const struct checks *checks, const struct slice utf8[COLUMNS])
{
    const struct pattern_set *tables = &checks->config->tables;
    const struct pattern_set *exclude = &checks->config->exclude;

    return (tables->len == 0 || pattern_set_matches(tables, utf8[LEAF_SCHEMA], utf8[LEAF_NAME]) ||
            pattern_set_matches(tables, utf8[ROOT_SCHEMA], utf8[ROOT_NAME])) &&
           !pattern_set_matches(exclude, utf8[LEAF_SCHEMA], utf8[LEAF_NAME]) &&
           !pattern_set_matches(exclude, utf8[ROOT_SCHEMA], utf8[ROOT_NAME]);
}

/* False: out of memory. */
static bool keep(struct checks *checks, const struct slice raw[COLUMNS])
{
    struct keys *keys = &checks->keys;
    bool leaf = checks->config->partitions == PARTITIONS_LEAF;
    uint64_t leaf_oid, root_oid;

    if (!slice_number(raw[LEAF], &leaf_oid) || !slice_number(raw[ROOT], &root_oid)) {
        return false;
    }
    if (keys->tables == NULL) {
        keys->tables = calloc(TABLES_MAX, sizeof(struct definition *));
    }
    if (keys->tables == NULL) {
        return false;
    }
    if (keys->len < TABLES_MAX) {
        keys->tables[keys->len] =
            definition_new((uint32_t)leaf_oid, (uint32_t)(leaf ? leaf_oid : root_oid),
                           raw[LEAF_SCHEMA], raw[LEAF_NAME]);
        keys->len += keys->tables[keys->len] != NULL;
    }
    return true;
}

bool keys_table_row(void *context, struct query_row *row)
{
    struct checks *checks = context;
    struct buffer text[COLUMNS] = {{0}};
    struct slice raw[COLUMNS], utf8[COLUMNS];
    bool ok = true;

    for (int i = 0; i < COLUMNS && ok; i++) {
        ok = query_row_next(row, &raw[i]) && raw[i].data != NULL;
        if (ok) {
            encoding_to_utf8(checks->encoding, raw[i], &text[i]);
            utf8[i] = (struct slice){text[i].data, text[i].len};
        }
    }
    if (ok && is_watched(checks, utf8)) {
        ok = keep(checks, raw);
    }
    for (int i = 0; i < COLUMNS; i++) {
        buffer_free(&text[i]);
    }
    return ok;
}

static const struct definition *table_at(void *context, size_t n)
{
    return ((const struct keys *)context)->tables[n];
}

void keys_query(struct checks *checks, struct buffer *sql)
{
    buffer_text(sql, definitions_prepare_sql);
    buffer_text(sql, "; ");
    definitions_query(sql, table_at, &checks->keys, checks->keys.len);
}

bool keys_row(void *context, struct query_row *row)
{
    struct keys *keys = &((struct checks *)context)->keys;
    struct slice reason;
    bool is_part;
    size_t number;

    if (!definitions_read_reason(row, &number, &is_part, &reason)) {
        return false;
    }
    if (number >= keys->len) {
        return true;
    }
    if (is_part && keys->tables[number]->reason == NULL) {
        keys->tables[number]->state = DEFINITION_USABLE;
    } else if (reason.data != NULL) {
        keys->tables[number]->reason = definitions_reason(reason);
        keys->tables[number]->state = DEFINITION_NONE;
    }
    return true;
}

static void report_fix_of(struct checks *checks, const struct definition *table)
{
    struct buffer name = {0};

    encoding_to_utf8(checks->encoding, table->schema, &name);
    buffer_byte(&name, '.');
    encoding_to_utf8(checks->encoding, table->table, &name);
    if (table->reason == NULL) {
        report_fix(checks->report, "ALTER TABLE %.*s ADD PRIMARY KEY (…);", (int)name.len,
                   name.data);
    } else if (table->reason == definitions_reason(slice_of("identity"))) {
        report_fix(checks->report,
                   "ALTER TABLE %.*s REPLICA IDENTITY DEFAULT; -- FULL, if its key is deferrable",
                   (int)name.len, name.data);
    } else {
        report_fix(checks->report, "Refetch the whole table, as its events ask for.");
    }
    buffer_free(&name);
}

static void report_one(struct checks *checks, const struct definition *table)
{
    struct buffer name = {0};

    buffer_text(&name, "table ");
    encoding_to_utf8(checks->encoding, table->schema, &name);
    buffer_byte(&name, '.');
    encoding_to_utf8(checks->encoding, table->table, &name);
    buffer_byte(&name, '\0');
    if (!name.failed) {
        report_check(checks->report, CHECK_WARN, name.data, "no keys: %s",
                     table->reason != NULL ? table->reason : definitions_reason(slice_of("")));
        report_fix_of(checks, table);
    }
    buffer_free(&name);
}

void keys_report(struct checks *checks)
{
    const struct keys *keys = &checks->keys;
    size_t without = 0;

    for (size_t i = 0; i < keys->len; i++) {
        if (keys->tables[i]->state != DEFINITION_USABLE && without++ < SHOWN_MAX) {
            report_one(checks, keys->tables[i]);
        }
    }
    if (without > SHOWN_MAX) {
        report_check(checks->report, CHECK_WARN, "keys", "%zu more tables have none",
                     without - SHOWN_MAX);
        report_fix(checks->report, "Name fewer tables at a time with --tables.");
    } else if (without == 0) {
        report_check(checks->report, CHECK_OK, "keys",
                     "the rows of all %zu watched tables have one", keys->len);
    }
}

void keys_free(struct keys *keys)
{
    for (size_t i = 0; i < keys->len; i++) {
        definition_release(keys->tables[i]);
    }
    free(keys->tables);
}
