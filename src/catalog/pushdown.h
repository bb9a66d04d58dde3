/*
 * Filters that wal2json can apply in the server. Only names without stars of
 * ordinary tables without partitions or children are safe there: wal2json
 * knows a change by its leaf's name alone. pgnudge filters all the same.
 */
#ifndef PGNUDGE_CATALOG_PUSHDOWN_H
#define PGNUDGE_CATALOG_PUSHDOWN_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/encoding.h"
#include "pq/query.h"
#include "tables/names.h"
#include "tables/pattern.h"

#define PUSHDOWN_MAX 100 /* names; each costs the server a comparison per row */

struct pushdown {
    const struct pattern_set *tables; /* borrowed */
    const struct pattern_set *exclude;
    struct encoding *encoding;       /* the database's, borrowed */
    bool ordinary[2 * PUSHDOWN_MAX]; /* tables first, then exclude */
    struct identity identity[2 * PUSHDOWN_MAX];
};

/* Whether there is anything to ask the server about. */
bool pushdown_possible(const struct pushdown *pushdown);

/* Appends the query that asks which of the names are ordinary tables; forgets what is known. */
void pushdown_query(struct pushdown *pushdown, struct buffer *sql);

/* Takes its rows; `context` is the struct pushdown. */
query_row_fn pushdown_row;

/* Whether the same names are ordinary tables: then what is filtered in the server still may be. */
bool pushdown_fits(const struct pushdown *a, const struct pushdown *b);

/*
 * Whether they are the same tables too, and have had these names in between: what was written under
 * another name has not been sent.
 */
bool pushdown_is_same(const struct pushdown *a, const struct pushdown *b);

/* Appends `, "add-tables" '…'` and the like, or nothing. Returns how many names that is. */
size_t pushdown_options(const struct pushdown *pushdown, struct buffer *options);

#endif
