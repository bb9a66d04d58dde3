#include "catalog/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "repl/command.h"

/*
 * Six columns. One row has the xmax of the query's own snapshot, which is newer than the visibility
 * that was asked for right before it: NULL, xmax, and NULLs. Of a name that is there: its number, OID, versions, 'f' (never renamed) or 't', NULL;
 * of each edge above it: its number, child, parent, NULL, schema and name of the parent. Edges of
 * one name stand together.
 */
#define LOOKUP_HEAD "WITH RECURSIVE v(number, schema, name) AS (VALUES "
#define LOOKUP_TAIL                                                                                \
    "), f AS (SELECT v.number, c.oid, t.xmin AS version, n.xmin AS schema_version, "               \
    "NOT " LOOKUP_UNRENAMED " AS renamed"                                                          \
    " FROM v JOIN pg_catalog.pg_namespace n ON n.nspname = v.schema"                               \
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = v.name"                 \
    " LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reltype"                                         \
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = -1"                 \
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')),"                                              \
    " up(number, child, parent) AS (SELECT f.number, i.inhrelid, i.inhparent"                      \
    " FROM f JOIN pg_catalog.pg_inherits i ON i.inhrelid = f.oid"                                  \
    " UNION SELECT up.number, i.inhrelid, i.inhparent"                                             \
    " FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.parent)"                            \
    " SELECT number, oid::text, coalesce(version::text, '2'), schema_version::text,"               \
    " renamed::text, NULL FROM f"                                                                  \
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

static void append_name(struct buffer *sql, size_t number, const struct relation *raw)
{
    buffer_text(sql, number > 0 ? ", (" : "(");
    buffer_decimal(sql, number, 1);
    buffer_text(sql, ", ");
    sql_literal(sql, raw->schema);
    buffer_text(sql, "::name, ");
    sql_literal(sql, raw->table);
    buffer_text(sql, "::name)");
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
        append_name(sql, i, &lookup->asked[i]->raw);
    }
    buffer_text(sql, LOOKUP_TAIL);
}

/* A number of 32 bits. */
static bool read_oid(struct slice text, uint32_t *oid)
{
    uint64_t number;
    bool ok = text.data != NULL && slice_number(text, &number) && number <= UINT32_MAX;

    *oid = ok ? (uint32_t)number : 0;
    return ok;
}

static bool take_found(struct lookup_found *found, const struct slice columns[6])
{
    found->found = read_oid(columns[1], &found->identity.oid) &&
                   read_oid(columns[2], &found->identity.version) &&
                   read_oid(columns[3], &found->identity.schema_version);
    found->identity.renamed = !slice_equal(columns[4], slice_of("false"));
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
    if (!read_oid(columns[1], &edge->child) || !read_oid(columns[2], &edge->parent)) {
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
    return columns[5].data == NULL ? take_found(&lookup->found[number], columns)
                                   : take_edge(lookup, &lookup->found[number], columns);
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
