#include "feed/catalog.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "repl/command.h"

#define ASK_EVERY_US (1 * CLOCK_S)
#define AGAIN_MIN_US (5 * CLOCK_MS) /* about a table that can't be seen yet; doubles */
#define AGAIN_MAX_US (250 * CLOCK_MS)

/* Who stands below whom, by name: a RENAME must show too. */
#define EDGES_SQL                                                                                  \
    "WITH e AS MATERIALIZED (SELECT cn.nspname AS cs, c.relname AS ct, pn.nspname AS ps,"          \
    " p.relname AS pt FROM pg_catalog.pg_inherits i"                                               \
    " JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid"                                            \
    " JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace"                                  \
    " JOIN pg_catalog.pg_class p ON p.oid = i.inhparent"                                           \
    " JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace"                                  \
    " WHERE c.relkind IN ('r', 'p', 'f')) "

#define FINGERPRINT_SQL                                                                            \
    "SELECT count(*)::text || '/' ||"                                                              \
    " coalesce(sum(pg_catalog.hashtextextended(e::text, 0)::numeric), 0)::text"

bool catalog_start(struct catalog *catalog, struct encoding *encoding, int64_t now_us)
{
    catalog_stop(catalog);
    catalog->encoding = encoding;
    catalog->state = CATALOG_LOADING;
    catalog->coming = tree_new();
    catalog->compare_us = catalog->recheck_us = catalog->retry_us = now_us;
    catalog->again_us = AGAIN_MIN_US;
    names_connected(catalog->names, encoding);
    return catalog->coming != NULL;
}

/* When the next comparison is due. */
static int64_t compare_due(const struct catalog *catalog)
{
    if (names_touched(catalog->names) == NULL) {
        return CLOCK_NEVER;
    }
    return names_have_unknown(catalog->names) || names_have_unseen(catalog->names)
               ? catalog->retry_us
               : catalog->compare_us;
}

static int64_t recheck_due(const struct catalog *catalog)
{
    return xids_empty(&catalog->ended) ? CLOCK_NEVER : catalog->recheck_us;
}

int64_t catalog_deadline(const struct catalog *catalog)
{
    int64_t due = clock_earlier(compare_due(catalog), recheck_due(catalog));

    if (catalog->state == CATALOG_LOADING) {
        due = 0;
    }
    return due > catalog->retry_us ? due : catalog->retry_us;
}

bool catalog_ended(struct catalog *catalog, uint32_t xid)
{
    return catalog->pushdown == NULL || xids_add(&catalog->ended, xid);
}

static void append_unknown(const struct catalog *catalog, struct buffer *sql)
{
    for (size_t i = 0; i < catalog->asked_count; i++) {
        const struct relation *table = &catalog->asked[i]->table;

        buffer_format(sql, "%s(%zu, ", i > 0 ? ", " : "", i);
        sql_name_literal(sql, catalog->encoding, table->schema);
        buffer_text(sql, ", ");
        sql_name_literal(sql, catalog->encoding, table->table);
        buffer_byte(sql, ')');
    }
}

void catalog_question(struct catalog *catalog, struct buffer *sql)
{
    if (catalog->state == CATALOG_LOADING) {
        buffer_text(sql, EDGES_SQL FINGERPRINT_SQL ", NULL, NULL, NULL FROM e"
                                                   " UNION ALL SELECT cs, ct, ps, pt FROM e");
        return;
    }
    if (compare_due(catalog) > recheck_due(catalog)) {
        catalog->state = CATALOG_FILTERING;
        catalog->recheck = *catalog->pushdown;
        memset(catalog->recheck.ordinary, 0, sizeof(catalog->recheck.ordinary));
        pushdown_query(&catalog->recheck, sql);
        return;
    }
    catalog->state = CATALOG_COMPARING;
    catalog->asked_count = names_ask(catalog->names, catalog->asked, CATALOG_ASKED_MAX);
    buffer_text(sql, EDGES_SQL FINGERPRINT_SQL ", NULL FROM e");
    if (catalog->asked_count > 0) {
        buffer_text(sql, " UNION ALL SELECT '', v.number::text FROM (VALUES ");
        append_unknown(catalog, sql);
        buffer_text(sql, ") v(number, schema, name) WHERE NOT EXISTS (SELECT"
                         " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                         " ON n.oid = c.relnamespace"
                         " WHERE n.nspname = v.schema AND c.relname = v.name)");
    }
}

/* COMPARING: the fingerprint and NULL, or the number of an unknown table that isn't there. */
static bool take_comparison(struct catalog *catalog, struct slice first, struct slice second)
{
    uint64_t number;

    if (second.data == NULL) {
        snprintf(catalog->coming_fingerprint, FINGERPRINT_MAX, "%.*s", (int)first.len, first.data);
        return true;
    }
    if (!slice_number(second, &number) || number >= catalog->asked_count) {
        return false;
    }
    catalog->asked[number]->gone = true;
    return true;
}

/* LOADING: one edge. False: out of memory, or too many. */
static bool take_edge(struct catalog *catalog, const struct slice columns[4])
{
    struct buffer text[4] = {{0}};
    struct slice utf8[4];
    bool ok = true;

    for (int i = 0; i < 4; i++) {
        encoding_to_utf8(catalog->encoding, columns[i], &text[i]);
        utf8[i] = (struct slice){text[i].data, text[i].len};
        ok = ok && !text[i].failed && text[i].len > 0;
    }
    ok = ok && tree_add(catalog->coming, &(struct relation){utf8[0], utf8[1]},
                        &(struct relation){utf8[2], utf8[3]});
    for (int i = 0; i < 4; i++) {
        buffer_free(&text[i]);
    }
    catalog->too_large |= !ok;
    return true;
}

bool catalog_row(void *context, struct query_row *row)
{
    struct catalog *catalog = context;
    struct slice columns[4];

    if (catalog->state == CATALOG_FILTERING) {
        return pushdown_row(&catalog->recheck, row);
    }
    if (!query_row_next(row, &columns[0]) || !query_row_next(row, &columns[1])) {
        return false;
    }
    if (catalog->state == CATALOG_COMPARING || columns[1].data == NULL) {
        return take_comparison(catalog, columns[0], columns[1]);
    }
    return query_row_next(row, &columns[2]) && query_row_next(row, &columns[3]) &&
           take_edge(catalog, columns);
}

static enum catalog_event take_recheck(struct catalog *catalog, const struct snapshot *sight,
                                       int64_t now_us)
{
    catalog->state = CATALOG_IDLE;
    catalog->recheck_us = clock_after(now_us, ASK_EVERY_US);
    if (memcmp(catalog->recheck.ordinary, catalog->pushdown->ordinary,
               sizeof(catalog->recheck.ordinary)) != 0) {
        return CATALOG_REFILTER;
    }
    if (sight == NULL) {
        xids_clear(&catalog->ended);
    } else if (!xids_strike(&catalog->ended, sight)) {
        return CATALOG_FAILED;
    }
    return CATALOG_FINE;
}

enum catalog_event catalog_answered(struct catalog *catalog, const struct snapshot *sight,
                                    int64_t now_us)
{
    if (catalog->state == CATALOG_FILTERING) {
        return take_recheck(catalog, sight, now_us);
    }
    if (catalog->state == CATALOG_COMPARING &&
        strcmp(catalog->fingerprint, catalog->coming_fingerprint) != 0) {
        catalog->state = CATALOG_LOADING;
        catalog->coming = tree_new();
        return catalog->coming != NULL ? CATALOG_FINE : CATALOG_FAILED;
    }
    if (catalog->state == CATALOG_LOADING) {
        names_set_tree(catalog->names, catalog->coming);
        catalog->coming = NULL;
        memcpy(catalog->fingerprint, catalog->coming_fingerprint, FINGERPRINT_MAX);
    }
    catalog->state = CATALOG_IDLE;
    catalog->asked_count = 0;
    catalog->compare_us = clock_after(now_us, ASK_EVERY_US);
    if (catalog->too_large || !names_compared(catalog->names, sight, catalog->window, now_us)) {
        return CATALOG_FAILED;
    }
    if (names_have_unseen(catalog->names)) {
        catalog->retry_us = clock_after(now_us, catalog->again_us);
        catalog->again_us = clock_earlier(catalog->again_us * 2, AGAIN_MAX_US);
    } else {
        catalog->again_us = AGAIN_MIN_US;
    }
    return CATALOG_FINE;
}

void catalog_not_answered(struct catalog *catalog, int64_t now_us)
{
    bool loading = catalog->state == CATALOG_LOADING;

    tree_free(catalog->coming);
    catalog->coming = loading ? tree_new() : NULL;
    catalog->state = catalog->coming != NULL ? CATALOG_LOADING : CATALOG_IDLE;
    catalog->retry_us = clock_after(now_us, ASK_EVERY_US);
    if (!loading) {
        names_not_compared(catalog->names);
    }
}

void catalog_stop(struct catalog *catalog)
{
    tree_free(catalog->coming);
    catalog->coming = NULL;
    catalog->state = CATALOG_IDLE;
    catalog->pushdown = NULL;
    catalog->asked_count = 0;
    catalog->too_large = false;
    xids_clear(&catalog->ended);
    names_disconnected(catalog->names);
}

void catalog_free(struct catalog *catalog)
{
    tree_free(catalog->coming);
    xids_free(&catalog->ended);
}

bool catalog_error(const struct catalog *catalog, struct error *error)
{
    if (!catalog->too_large) {
        return error_memory(error);
    }
    return error_set(error, ERROR_FATAL, "more than %zu partitions and inheritance children",
                     TREE_MAX);
}
