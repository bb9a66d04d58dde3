/*
 * What stands above what: partitions and inheritance children, at any depth,
 * as pg_inherits has them. A snapshot of the catalog: built once, then only
 * read, and replaced by a newer one as a whole. Names are UTF-8.
 */
#ifndef PGNUDGE_FEED_TREE_H
#define PGNUDGE_FEED_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/text.h"

struct tree;

struct relation {
    struct slice schema;
    struct slice table;
};

/* A table and all that stands above it, each once; at[0] is the table itself. */
struct lineage {
    struct relation at[LINEAGE_MAX];
    uint64_t above[LINEAGE_MAX]; /* bit j of above[i]: at[j] stands above at[i] */
    size_t len;
};

/* NULL: out of memory. */
struct tree *tree_new(void);

/* Adds that `child` stands below `parent`; names are copied. False: out of memory, or too many. */
bool tree_add(struct tree *tree, const struct relation *child, const struct relation *parent);

/* The lineage of a table, borrowed from `table` and the tree. A NULL tree knows of no parents. */
void tree_lineage(const struct tree *tree, const struct relation *table, struct lineage *lineage);

/* NULL is fine. */
void tree_free(struct tree *tree);

#endif
