/*
 * Whether the tables that the user named are there: a slip in a name would
 * watch nothing, silently. Asked once, at the first connect.
 */
#ifndef PGNUDGE_CATALOG_WANTED_H
#define PGNUDGE_CATALOG_WANTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/encoding.h"
#include "base/error.h"
#include "base/log.h"
#include "pq/query.h"
#include "tables/nearest.h"
#include "tables/pattern.h"

/* All names that may have been meant, schema and table. */
#define WANTED_NAMES_SQL                                                                           \
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"                                       \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                    \
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition"                       \
    " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"                               \
    " ORDER BY 1, 2 LIMIT 100000"

struct wanted {
    const struct pattern_set *tables; /* borrowed, as is the next */
    const struct pattern_set *exclude;
    struct encoding *encoding; /* the database's, borrowed */
    char *kinds;               /* by pattern, tables first: one of enum wanted_kind */
    struct nearest nearest;    /* to the first missing table */
};

/* False: out of memory. */
bool wanted_init(struct wanted *wanted, const struct pattern_set *tables,
                 const struct pattern_set *exclude, struct encoding *encoding);

/* Whether any name is without a star: else there is nothing to ask. */
bool wanted_any(const struct wanted *wanted);

/*
 * If any: appends what is there of them, from a FROM on: v.number is the pattern's, tables first, c
 * and n are the relation's rows in pg_class and pg_namespace.
 */
void wanted_values(const struct wanted *wanted, struct buffer *sql);

/* If any: appends the query that asks for them. */
void wanted_query(const struct wanted *wanted, struct buffer *sql);

/* Takes its rows; `context` is the struct wanted. */
query_row_fn wanted_row;

/* Whether a name of --tables is missing. */
bool wanted_misses(const struct wanted *wanted);

/* Says what is worth a warning; with `missing_too`, what is missing. */
void wanted_warn(const struct wanted *wanted, const struct log *log, bool missing_too);

/* Appends the query for all names, to find the nearest; its rows go to wanted_offer. */
void wanted_nearest_query(struct wanted *wanted, struct buffer *sql);
query_row_fn wanted_offer;

/* The error for what is missing (ERROR_PERMANENT), with the nearest names. Returns false. */
bool wanted_error(const struct wanted *wanted, struct error *error);

void wanted_free(struct wanted *wanted);

#endif
