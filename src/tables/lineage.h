/* A table and all that stands above it: partitions and inheritance, at any depth. No I/O. */
#ifndef PGNUDGE_TABLES_LINEAGE_H
#define PGNUDGE_TABLES_LINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "base/text.h"

struct relation {
    struct slice schema;
    struct slice table;
};

/* Each relation once; at[0] is the table itself. Names are borrowed, UTF-8. */
struct lineage {
    struct relation at[LINEAGE_MAX];
    uint32_t oid[LINEAGE_MAX];
    uint64_t above[LINEAGE_MAX]; /* bit j of above[i]: at[j] stands above at[i] */
    size_t len;
    bool truncated; /* more stands above it than fits in */
};

/* One row of pg_inherits. */
struct edge {
    uint32_t child;
    uint32_t parent;
    struct relation name; /* the parent's */
};

/*
 * The lineage of `table`, whose OID is `oid`, from the edges above it, in any order.
 */
void lineage_build(struct lineage *lineage, const struct relation *table, uint32_t oid,
                   const struct edge *edges, size_t count);

/*
 * Appends `,"ancestors":[["s","t"],…]`, or nothing where none are: all that stands above the table,
 * each with the places of those above it behind its name, where these are not all that follow;
 * the first one's place is 1.
 */
void lineage_write(struct buffer *out, const struct lineage *lineage);

#endif
