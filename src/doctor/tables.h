/* The tables that --tables and --exclude name: what they are, and what may have been meant. */
#ifndef PGNUDGE_DOCTOR_TABLES_H
#define PGNUDGE_DOCTOR_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "catalog/wanted.h"
#include "doctor/report.h"
#include "feed/feed.h"
#include "pq/query.h"

struct tables {
    const struct feed_config *config; /* borrowed, as is the next */
    struct report *report;
    char encoding_name[32]; /* the database's */
    struct wanted wanted;
    size_t relations;
    bool all_ordinary; /* each of --tables is a plain table, such that wal2json may filter */
    bool keyless;      /* one has no usable replica identity */
};

/* False: out of memory. `encoding` is borrowed, the name copied. */
bool tables_init(struct tables *tables, const struct feed_config *config, struct report *report,
                 struct encoding *encoding, const char *encoding_name);

/* Appends the query for what is there; nothing where no name is without a star. */
void tables_query(const struct tables *tables, struct buffer *sql);

/* Takes a row, and reports it; `context` is the struct tables. */
query_row_fn tables_row;

/* After the rows: whether something of --tables is missing, so that names must be asked for. */
bool tables_miss(const struct tables *tables);

/* Reports what is missing. */
void tables_report_missing(struct tables *tables);

void tables_free(struct tables *tables);

#endif
