#include "catalog/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "repl/command.h"

/*
 * Six columns. One row has the xmax of the query's own snapshot, which is newer than the visibility
 * that was asked for right before it: NULL, xmax, and NULLs. Of one that is there: its number, OID,
 * versions, 'f' (never renamed) or 't', and 't' where it was asked for by its OID and is no table;
 * of each edge above it: its number, child, parent, NULL, schema and name of the parent. Edges of
 * one stand together. Of one asked for by its OID, an edge from it to itself has its own name.
 */
#define LOOKUP_HEAD "WITH RECURSIVE v(number, schema, name, oid) AS (VALUES "
#define LOOKUP_TAIL                                                                                \
    "), o(number, oid, by_oid) AS (SELECT v.number, c.oid, false"                                  \
    " FROM v JOIN pg_catalog.pg_namespace n ON n.nspname = v.schema"                               \
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = v.name"                 \
    " WHERE v.oid IS NULL AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"                              \
    " UNION ALL SELECT number, oid, true FROM v WHERE oid IS NOT NULL),"                           \
    " f AS (SELECT o.number, o.oid, t.xmin AS version, n.xmin AS schema_version, "                 \
    "NOT " LOOKUP_UNRENAMED " AS renamed, o.by_oid, n.nspname, c.relname, c.relkind"               \
    " NOT IN ('r', 'p', 'v', 'm', 'f') OR c.relpersistence = 't' AS ignored"                       \
    " FROM o JOIN pg_catalog.pg_class c ON c.oid = o.oid"                                          \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                    \
    " LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reltype"                                         \
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = -1),"               \
    " up(number, child, parent) AS (SELECT f.number, i.inhrelid, i.inhparent"                      \
    " FROM f JOIN pg_catalog.pg_inherits i ON i.inhrelid = f.oid"                                  \
    " UNION SELECT up.number, i.inhrelid, i.inhparent"                                             \
    " FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.parent)"                            \
    " SELECT number, oid::text, coalesce(version::text, '2'), schema_version::text,"               \
    " renamed::text, CASE WHEN by_oid AND ignored THEN 't' END FROM f"                             \
    " UNION ALL SELECT number, oid::text, oid::text, NULL, nspname, relname FROM f WHERE by_oid"   \
    " UNION ALL SELECT NULL, pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text," \
    " NULL, NULL, NULL, NULL"                                                                      \
    " UNION ALL SELECT up.number, up.child::text, up.parent::text, NULL, n.nspname, c.relname"     \
    " FROM up JOIN pg_catalog.pg_class c ON c.oid = up.parent"                                     \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1"

/* The parent's names stand in the lookup's text, which moves while it grows. */
struct lookup_edge {
    uint32_t child;
    uint32_t parent;
    size_t schema; /* offsets */
    size_t table;
    size_t end;
};

static void append_asked(struct buffer *sql, size_t number, const struct table_ref *ref)
{
    buffer_text(sql, number > 0 ? ", (" : "(");
    buffer_decimal(sql, number, 1);
    if (ref->oid != 0) {
        buffer_text(sql, ", NULL::name, NULL::name, ");
        buffer_decimal(sql, ref->oid, 1);
        buffer_text(sql, "::oid)");
        return;
    }
    buffer_text(sql, ", ");
    sql_literal(sql, ref->raw.schema);
    buffer_text(sql, "::name, ");
    sql_literal(sql, ref->raw.table);
    buffer_text(sql, "::name, NULL::oid)");
}

void lookup_query(struct lookup *lookup, struct buffer *sql)
{
    if (lookup->edge_cap > LOOKUP_KEPT) {
        lookup_free(lookup);
    }
    memset(lookup->found, 0, sizeof(lookup->found));
    lookup->edge_count = 0;
    buffer_clear(&lookup->text);
    buffer_text(sql, LOOKUP_HEAD);
    for (size_t i = 0; i < lookup->asked_count; i++) {
        append_asked(sql, i, lookup->asked[i]);
    }
    buffer_text(sql, LOOKUP_TAIL);
}

static bool take_found(struct lookup_found *found, const struct slice columns[6])
{
    found->found = slice_u32(columns[1], &found->identity.oid) &&
                   slice_u32(columns[2], &found->identity.version) &&
                   slice_u32(columns[3], &found->identity.schema_version);
    found->identity.renamed = !slice_equal(columns[4], slice_of("false"));
    found->ignored = columns[5].data != NULL;
    return found->found;
}

/* Room for one more edge. False: out of memory. */
static bool grow(struct lookup *lookup)
{
    size_t cap = lookup->edge_cap > 0 ? lookup->edge_cap * 2 : 64;
    struct lookup_edge *bigger;

    if (lookup->edge_count < lookup->edge_cap) {
        return true;
    }
    bigger = realloc(lookup->edges, cap * sizeof(*bigger));
    if (bigger == NULL) {
        return false;
    }
    lookup->edges = bigger;
    lookup->edge_cap = cap;
    return true;
}

/* The name of one that was asked for by its OID. */
static bool take_own_name(struct lookup *lookup, struct lookup_found *found,
                          const struct slice columns[6])
{
    found->schema = lookup->text.len;
    buffer_append(&lookup->text, columns[4].data, columns[4].len);
    found->table = lookup->text.len;
    buffer_append(&lookup->text, columns[5].data, columns[5].len);
    found->end = lookup->text.len;
    return !lookup->text.failed;
}

static bool take_edge(struct lookup *lookup, struct lookup_found *found,
                      const struct slice columns[6])
{
    struct lookup_edge *edge;

    if (found->count >= EDGES_MAX || lookup->edge_count >= LOOKUP_EDGES_MAX) {
        found->truncated = true;
        return true;
    }
    if (!grow(lookup)) {
        return false;
    }
    if (found->count++ == 0) {
        found->first = lookup->edge_count;
    }
    edge = &lookup->edges[lookup->edge_count++];
    if (!slice_u32(columns[1], &edge->child) || !slice_u32(columns[2], &edge->parent)) {
        return false;
    }
    edge->schema = lookup->text.len;
    encoding_to_utf8(lookup->encoding, columns[4], &lookup->text);
    edge->table = lookup->text.len;
    encoding_to_utf8(lookup->encoding, columns[5], &lookup->text);
    edge->end = lookup->text.len;
    return !lookup->text.failed;
}

bool lookup_row(void *context, struct query_row *row)
{
    struct lookup *lookup = context;
    struct slice columns[6];
    uint64_t number;

    for (int i = 0; i < 6; i++) {
        if (!query_row_next(row, &columns[i])) {
            return false;
        }
    }
    if (lookup->asked_count == 0) {
        return true; /* they have been dropped meanwhile */
    }
    if (columns[0].data == NULL) {
        return columns[1].data != NULL && xid_read(columns[1], &lookup->xmax);
    }
    if (!slice_number(columns[0], &number) || number >= lookup->asked_count) {
        return false;
    }
    if (columns[3].data != NULL) {
        return take_found(&lookup->found[number], columns);
    }
    return slice_equal(columns[1], columns[2])
               ? take_own_name(lookup, &lookup->found[number], columns)
               : take_edge(lookup, &lookup->found[number], columns);
}

void lookup_name(const struct lookup *lookup, size_t i, struct slice *schema, struct slice *table)
{
    const struct lookup_found *found = &lookup->found[i];
    const char *text = lookup->text.data;

    *schema = (struct slice){text + found->schema, found->table - found->schema};
    *table = (struct slice){text + found->table, found->end - found->table};
}

void lookup_lineage(const struct lookup *lookup, size_t i, struct lineage *lineage)
{
    const struct lookup_found *found = &lookup->found[i];
    const char *text = lookup->text.data;
    struct edge edges[EDGES_MAX];

    for (size_t e = 0; e < found->count; e++) {
        const struct lookup_edge *edge = &lookup->edges[found->first + e];

        edges[e] = (struct edge){edge->child,
                                 edge->parent,
                                 {{text + edge->schema, edge->table - edge->schema},
                                  {text + edge->table, edge->end - edge->table}}};
    }
    lineage_build(lineage, &lookup->asked[i]->table, found->identity.oid, edges, found->count);
    lineage->truncated |= found->truncated;
}

void lookup_free(struct lookup *lookup)
{
    free(lookup->edges);
    lookup->edges = NULL;
    lookup->edge_cap = lookup->edge_count = 0;
    buffer_free(&lookup->text);
}
