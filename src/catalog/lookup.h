/*
 * One look at the server's catalog: what some names mean, and what stands above
 * them. Every relation is reached by an index, so it costs what is asked for,
 * not what exists.
 */
#ifndef PGNUDGE_CATALOG_LOOKUP_H
#define PGNUDGE_CATALOG_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "base/encoding.h"
#include "pq/query.h"
#include "tables/names.h"

/* An expression over t (pg_type) and a (pg_attribute, attnum -1): neither renamed nor moved. */
#define LOOKUP_UNRENAMED "coalesce(t.xmin = a.xmin AND t.cmin = a.cmin, false)"

/* What was found of one of those asked for. */
struct lookup_found {
    bool found;
    struct identity identity;
    size_t first; /* of its edges, which stand together */
    size_t count;
    bool truncated; /* there are more */

    /* Of one asked for by its OID. */
    bool ignored;  /* it is no table */
    size_t schema; /* its name in `text`, in the database's encoding: where its parts begin */
    size_t table;
    size_t end;
};

struct lookup_edge;

struct lookup {
    struct encoding *encoding; /* the database's, borrowed */
    struct table_ref *asked[LOOKUP_ASKED_MAX];
    size_t asked_count;
    uint32_t xmax; /* of the snapshot of which all of the answer is */
    struct lookup_found found[LOOKUP_ASKED_MAX];
    struct lookup_edge *edges;
    size_t edge_count;
    size_t edge_cap;
    struct buffer text;
};

/* Appends the query for asked[0 … asked_count - 1]; what was found before is forgotten. */
void lookup_query(struct lookup *lookup, struct buffer *sql);

/* Takes its rows; `context` is the struct lookup. */
query_row_fn lookup_row;

/* All rows are there: the name of asked[i], in the database's encoding, borrowed from the lookup. */
void lookup_name(const struct lookup *lookup, size_t i, struct slice *schema, struct slice *table);

/* All rows are there: the lineage of asked[i], borrowed from it and the lookup. */
void lookup_lineage(const struct lookup *lookup, size_t i, struct lineage *lineage);

void lookup_free(struct lookup *lookup);

#endif
