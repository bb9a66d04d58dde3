/*
 * One simple query ("Message Flow", Simple Query), or a replication command:
 * its rows, its error, and CopyBoth where it ends in that.
 */
#ifndef PGNUDGE_PQ_QUERY_H
#define PGNUDGE_PQ_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/step.h"
#include "base/text.h"
#include "pq/conn.h"

/* One DataRow, walked from left to right. */
struct query_row {
    uint16_t columns; /* still to come */
    struct slice rest;
};

/* The next column's text, borrowed; data == NULL for SQL NULL. False: no more, or malformed. */
bool query_row_next(struct query_row *row, struct slice *value);

/* Called for each row; false ends the connection as malformed. */
typedef bool query_row_fn(void *context, struct query_row *row);

struct query {
    struct conn *conn;
    query_row_fn *on_row; /* NULL: rows are ignored */
    void *context;
    struct error error; /* the server's, kept until ReadyForQuery */
    bool ready;         /* ReadyForQuery came: the connection takes another query */
};

/* Begins to send `sql`. */
void query_start(struct query *query, struct conn *conn, const char *sql, query_row_fn *on_row,
                 void *context);

/*
 * Goes on as far as it can without waiting. STEP_DONE: it succeeded (or its
 * CopyBothResponse came). STEP_FAILED with `ready`: the server refused it and
 * the connection lives; without: the connection is of no more use.
 */
enum step query_step(struct query *query, struct error *error);

#endif
