/*
 * Reads what keys are made of out of the catalog (see definition.h), and reads
 * it again before keys are printed. No I/O: the feed passes the questions and
 * the answers.
 */
#ifndef PGNUDGE_CATALOG_DEFINITIONS_H
#define PGNUDGE_CATALOG_DEFINITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "base/encoding.h"
#include "base/log.h"
#include "batch/definition.h"
#include "pq/query.h"

/* To be run once on each connection that asks. */
extern const char definitions_prepare_sql[];

/*
 * Those that wait to be read, or are being read.
 *
 * 1. What is in the queue is `queued`, and UNREAD or NONE.
 * 2. The first `asked` of it are in the question that is under way.
 */
struct definitions {
    const struct log *log;                            /* borrowed */
    bool wanted;                                      /* else nothing is ever queued */
    struct encoding *encoding;                        /* the database's, borrowed */
    struct definition *queue[DEFINITIONS_QUEUED_MAX]; /* held */
    size_t len;
    size_t asked;
    int64_t ask_us; /* nothing is asked before that: a question has failed */

    /* The one whose rows are coming; NULL: it can have no keys. Its columns so far. */
    struct definition *taking;
    struct buffer names;
    size_t parts;
    struct {
        uint16_t len; /* in `names` */
        enum column_type type;
    } part[KEY_PARTS_MAX];
};

/* A new connection. */
void definitions_start(struct definitions *definitions, struct encoding *encoding);

/*
 * A change whose transaction the definition doesn't serve, or a look that has just found the
 * table: has it read, unless that was done of late. Returns the one to go on with, which may be its
 * successor. Out of memory: it stays as it is.
 */
struct definition *definitions_want(struct definitions *definitions, struct definition *definition,
                                    int64_t now_us);

/* When to ask; CLOCK_NEVER: there is nothing to. */
int64_t definitions_due(const struct definitions *definitions);

/* Appends the question for those that wait. */
void definitions_question(struct definitions *definitions, struct buffer *sql);

/* Takes its rows; `context` is the struct definitions. */
query_row_fn definitions_row;

/* All rows are there. */
void definitions_answered(struct definitions *definitions, int64_t now_us);

/* It could not be asked. */
void definitions_not_answered(struct definitions *definitions, int64_t now_us);

/* Why a table can have no keys, for people: the words for a reason that the server gives. */
const char *definitions_reason(struct slice reason);

/* Appends the same question for `count` others, which the n-th of `at` returns. */
void definitions_query(struct buffer *sql, const struct definition *(*at)(void *context, size_t n),
                       void *context, size_t count);

/* A row of its answer: which one it is about, and the fingerprint; empty: it is about a column. */
bool definitions_read(struct query_row *row, size_t *number, struct slice *fingerprint);

/* The same of a row, for whoever wants to know why there are no keys: NULL, there are. */
bool definitions_read_reason(struct query_row *row, size_t *number, bool *is_part,
                             struct slice *reason);

/* The connection is gone. */
void definitions_stop(struct definitions *definitions);

void definitions_free(struct definitions *definitions);

#endif
