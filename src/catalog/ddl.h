/*
 * Whether the definition of a watched table has changed: its schema, name, kind, columns, parents
 * and primary key, compared with what they were, after WAL has said that something of it is new.
 * That may have been a grant, a trigger or statistics as well. No I/O.
 *
 * 1. `map` has the tables that are watched, as they were read last.
 * 2. While !ready nothing is known yet: what was printed before must not count as seen.
 */
#ifndef PGNUDGE_CATALOG_DDL_H
#define PGNUDGE_CATALOG_DDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/encoding.h"
#include "base/hashmap.h"
#include "catalog/touched.h"
#include "pq/query.h"
#include "tables/lineage.h"
#include "tables/verdict.h"

#define DDL_PENDING_MAX ((size_t)4096) /* relations that wait; of more, all are read */

struct ddl_entry {
    uint32_t oid;
    uint64_t print; /* a hash of its definition */
    unsigned round; /* in which it was last found */
};

struct ddl {
    bool wanted;                       /* set by the owner, as is the next */
    const struct verdict_rules *rules; /* borrowed */
    struct encoding *encoding;         /* the database's, borrowed */
    struct hashmap map;
    bool ready;
    bool asked; /* a question is under way */
    bool asked_all;
    bool changed; /* what the answer so far says */
    bool schemas_changed;
    uint64_t schemas; /* a hash of their names: a schema's rename names no relation */
    bool look;        /* at these, at least */
    unsigned round;
    uint32_t *pending; /* relations to be read */
    size_t len;
    size_t asked_len;  /* the first ones of `pending` are in the question */
    bool all;          /* all are to be read */
    struct part since; /* the transactions that did it */
    struct part asked_part;
    int64_t next_us; /* nothing is asked before that */
    int64_t again_us;

    /* The relation whose rows are coming; 0: none is. */
    uint32_t oid;
    uint64_t print;
    struct buffer text; /* names */
    struct edge edges[EDGES_MAX];
    size_t lengths[EDGES_MAX + 1][2]; /* in `text`, of schema and table; the first are its own */
    size_t edge_count;
    bool truncated;
};

/* A new connection: all are read. */
void ddl_start(struct ddl *ddl, struct encoding *encoding, int64_t now_us);

/* A transaction has redefined this relation; 0: any. */
void ddl_touch(struct ddl *ddl, uint32_t oid, uint32_t xid);

/* It has changed something else in the catalog. */
void ddl_touch_catalog(struct ddl *ddl, uint32_t xid);

/* When to ask; CLOCK_NEVER: there is nothing to. */
int64_t ddl_due(const struct ddl *ddl);

/* Appends the question. */
void ddl_question(struct ddl *ddl, struct buffer *sql);

/* Takes its rows; `context` is the struct ddl. */
query_row_fn ddl_row;

/* All rows are there. Whether a watched table's definition has changed. False too: no memory. */
bool ddl_answered(struct ddl *ddl);

/* What the answer was about is visible: it need not be asked again. Or it may not be, yet. */
void ddl_confirm(struct ddl *ddl, bool all_seen, int64_t now_us);

/* It could not be asked. */
void ddl_not_answered(struct ddl *ddl);

void ddl_free(struct ddl *ddl);

#endif
