/*
 * Whether publications publish all that is watched: pgoutput is silent about the
 * rest. Read before a stream begins, and compared while it goes on.
 */
#ifndef PGNUDGE_CATALOG_PUBLICATIONS_H
#define PGNUDGE_CATALOG_PUBLICATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/encoding.h"
#include "base/error.h"
#include "pq/query.h"
#include "tables/pattern.h"

#define PUBLICATIONS_MESSAGES 14 /* from this major on pgoutput has logical decoding messages */
#define PUBLICATIONS_MAX      16
#define PUBLICATIONS_MARK     64 /* hexadecimal digits of SHA-256 */
#define PUBLICATION_TEXT_MAX  300

/* What is wrong with one, the worst first. */
enum publication_fault {
    PUBLICATION_MISSING,
    PUBLICATION_ACTIONS,   /* it doesn't publish all of them: `detail` has which */
    PUBLICATION_VIA_ROOT,  /* publish_via_partition_root loses a partition's TRUNCATE */
    PUBLICATION_FILTER,    /* `detail` has a row filter there */
    PUBLICATION_COLUMNS,   /* `detail` has a column list there that leaves out its key */
    PUBLICATION_UNCOVERED, /* a table that is watched is in none of them: `name` is the table */
    PUBLICATION_FAULTS
};

struct publications {
    const char *const *names; /* as the user wrote them; borrowed, as are the next two */
    size_t len;
    const struct pattern_set *tables; /* those without a star must be covered */
    struct encoding *encoding;        /* the database's, borrowed */
    int major;                        /* of the server */
    bool keys;                        /* they are wanted */

    /* What was read: the rows that all rests on, by OID and xmin; the first of the worst faults. */
    char mark[PUBLICATIONS_MARK];
    size_t faults;
    enum publication_fault fault;
    char name[PUBLICATION_TEXT_MAX]; /* UTF-8, quoted where SQL needs that, as is the next */
    char detail[PUBLICATION_TEXT_MAX];
};

/* Appends the query; forgets what was read. */
void publications_query(struct publications *publications, struct buffer *sql);

/* Takes its rows; `context` is the struct publications. */
query_row_fn publications_row;

/* Whether nothing has changed between two readings, nor what they cover. */
bool publications_are_same(const struct publications *a, const struct publications *b);

/* Appends the options publication_names and, where the server has it, messages, a comma in front. */
void publications_option(const struct publications *publications, struct buffer *options);

/* After a reading. False: what is wrong, and how to fix it (ERROR_PERMANENT). */
bool publications_check(const struct publications *publications, struct error *error);

#endif
