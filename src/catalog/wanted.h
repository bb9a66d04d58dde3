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

#define WANTED_NEAREST_MAX 10 /* missing names for which the nearest are looked for */

struct wanted {
    const struct pattern_set *tables; /* borrowed, as is the next */
    const struct pattern_set *exclude;
    struct encoding *encoding; /* the database's, borrowed */
    char *kinds;               /* by pattern, tables first: one of enum wanted_kind */
    struct nearest nearest[WANTED_NEAREST_MAX]; /* to the first missing tables */
    size_t nearest_count;
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

/* The name is there: for whoever has a query of his own. `number`: the pattern's. */
void wanted_found(struct wanted *wanted, size_t number, bool is_table);

/* Whether the pattern of this number names a table that isn't there. */
bool wanted_is_missing(const struct wanted *wanted, size_t number);

/* Whether a name of --tables is missing. */
bool wanted_misses(const struct wanted *wanted);

/* Says what is worth a warning; with `missing_too`, what is missing. */
void wanted_warn(const struct wanted *wanted, const struct log *log, bool missing_too);

/* Appends the query for all names, to find the nearest; its rows go to wanted_offer. */
void wanted_nearest_query(struct wanted *wanted, struct buffer *sql);
query_row_fn wanted_offer;

/* Appends what to do about the `n`th missing name: the nearest ones, or how to wait for it. */
void wanted_hint(const struct wanted *wanted, size_t n, struct buffer *out);

/* The error for what is missing (ERROR_PERMANENT), with the nearest names. Returns false. */
bool wanted_error(const struct wanted *wanted, struct error *error);

void wanted_free(struct wanted *wanted);

#endif
