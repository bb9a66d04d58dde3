/*
 * What is asked of the server about the tables that change: what a name means
 * that is met for the first time, before its changes are named; whether what is
 * known of the others still holds, once a second while changes flow; and
 * whether what is filtered in the server still may be. No I/O: the feed passes
 * the questions and the answers.
 */
#ifndef PGNUDGE_CATALOG_CATALOG_H
#define PGNUDGE_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/encoding.h"
#include "catalog/state.h"
#include "pq/query.h"

/*
 * A new connection. `oldest`: pg_current_snapshot()'s xmin, asked before the slot is created; all
 * is borrowed.
 */
void catalog_start(struct catalog *catalog, struct encoding *encoding, uint32_t oldest,
                   int64_t now_us);

/*
 * Looks up the tables that these patterns name without a star, so that already the first change
 * of each finds it known.
 */
void catalog_expect(struct catalog *catalog, const struct pattern_set *tables);

/* These names are filtered in the server; copied. NULL: none are. */
void catalog_filter(struct catalog *catalog, const struct pushdown *pushdown);

/* Changes of a table: of the transaction under way in the window, or of none. */
void catalog_touch(struct catalog *catalog, struct table_ref *ref, const struct arriving *arriving);

/* A transaction begins: it may do DDL. */
void catalog_begin(struct catalog *catalog);

/* Its COMMIT has come. False: out of memory. */
bool catalog_commit(struct catalog *catalog);

/* When it has a question to ask; CLOCK_NEVER: none. */
int64_t catalog_deadline(const struct catalog *catalog);

/* Appends the question; goes from IDLE to what is asked for. */
void catalog_question(struct catalog *catalog, struct buffer *sql, int64_t now_us);

/* Takes its rows; `context` is the struct catalog. */
query_row_fn catalog_row;

/* The question has been answered; `sight` was taken right before it, and `unseen` has it. */
enum catalog_event catalog_answered(struct catalog *catalog, const struct visibility *visibility,
                                    int64_t now_us);

/* It could not be: it is asked again, later. */
void catalog_not_answered(struct catalog *catalog, int64_t now_us);

/* The connection is gone. */
void catalog_stop(struct catalog *catalog);

void catalog_free(struct catalog *catalog);

#endif
