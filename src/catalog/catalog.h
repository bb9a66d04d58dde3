/*
 * What is asked of the server about the tables that change: what a name means
 * that is met for the first time, before its changes are named; whether what is
 * known of the others still holds, once a second while changes flow; and
 * whether what is filtered in the server still may be. No I/O: the feed passes
 * the questions and the answers.
 *
 * 1. What is in the lookup's `asked` is REF_ASKED while LOOKING; else there is none.
 * 2. The window stays open while catalog_is_pending: a transaction is told in one batch.
 */
#ifndef PGNUDGE_CATALOG_CATALOG_H
#define PGNUDGE_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "base/encoding.h"
#include "batch/window.h"
#include "catalog/ddl.h"
#include "catalog/definitions.h"
#include "catalog/lookup.h"
#include "catalog/pushdown.h"
#include "catalog/relfiles.h"
#include "catalog/touched.h"
#include "pq/query.h"
#include "snapshot/past.h"
#include "snapshot/unseen.h"
#include "snapshot/visibility.h"
#include "tables/names.h"

enum catalog_state {
    CATALOG_IDLE,
    CATALOG_FILES,    /* what relations some files belong to has been asked for */
    CATALOG_LOOKING,  /* names have been asked for */
    CATALOG_RENAMES,  /* whether anything has been renamed has */
    CATALOG_DDL,      /* what definitions are now has */
    CATALOG_DEFINING, /* what keys are made of has */
    CATALOG_FILTERING /* whether what is filtered in the server still may be has */
};

enum catalog_event {
    CATALOG_FINE,
    CATALOG_REFILTER, /* the stream must begin anew, with other filters in the server */
    CATALOG_FAILED    /* out of memory */
};

struct catalog {
    struct names *names; /* borrowed, as are the next two */
    struct window *window;
    struct unseen *unseen;
    struct touched touched;
    bool by_file; /* changes name files; set by the owner */
    struct relfiles files;
    struct ddl ddl; /* its `wanted` and `rules` are set by the owner */
    struct past past;
    struct lookup lookup;
    struct definitions definitions; /* its `wanted` is set by the owner */
    enum catalog_state state;
    size_t asked_unknown;     /* LOOKING: how many of them are met for the first time */
    size_t asked_hidden;      /* LOOKING: how many of them were hidden */
    size_t round_left;        /* known ones still to be asked in this second */
    size_t unknown_left;      /* how many unknown ones the last look left waiting */
    unsigned rounds;          /* looks in a row that didn't make them fewer */
    struct part doubt;        /* changes whose names may have meant another table */
    bool renamed;             /* RENAMES: something has been, since */
    size_t schemas;           /* RENAMES: how many are new or renamed */
    bool filters;             /* names are filtered in the server: `pushdown` has them */
    struct pushdown pushdown; /* as its names were when they were last found right */
    struct pushdown recheck;
    struct part ended;       /* transactions that may have changed what the filters rest on */
    struct part ended_asked; /* those that the recheck under way covers */
    int64_t ask_us;          /* nothing is asked before that: a question has failed */
    int64_t compare_us;      /* when the known ones are due */
    int64_t recheck_us;
    int64_t hidden_us; /* when the hidden ones are */
    int64_t again_us;  /* the delay of these; doubles */
};

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

/*
 * The same of a file, or of a relation, of which it isn't known yet whether it is a table; they wait
 * until it is. `must`: if it is gone by then, a resync stands for them. False: no room.
 */
bool catalog_wait_file(struct catalog *catalog, struct relfile file,
                       const struct arriving *arriving);
bool catalog_wait_oid(struct catalog *catalog, uint32_t oid, bool must,
                      const struct arriving *arriving);

/* The same, if the COMMIT that ends at `lsn` has rewritten it. */
bool catalog_wait_rewritten(struct catalog *catalog, uint32_t oid, bool must, uint64_t lsn,
                            const struct arriving *arriving);

/* The transaction under way has changed this relation's definition, in some way; 0: of any. */
void catalog_doubt(struct catalog *catalog, uint32_t oid, int64_t now_us);

/* The transaction under way has changed something in the database's catalog. */
void catalog_changed(struct catalog *catalog);

/* A transaction begins: it may do DDL. */
void catalog_begin(struct catalog *catalog);

/* Its COMMIT has come. False: out of memory. */
bool catalog_commit(struct catalog *catalog);

/* Whether changes in the window are still being looked up. */
bool catalog_is_pending(const struct catalog *catalog);

/* Whether some are whose transaction can't be seen yet. */
bool catalog_is_hidden(const struct catalog *catalog);

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

/* A resync stands for all changes so far. */
void catalog_drop(struct catalog *catalog);

/* There are too many tables to look up: makes that resync. */
void catalog_overflow(struct catalog *catalog, int64_t now_us);

/* The connection is gone. */
void catalog_stop(struct catalog *catalog);

void catalog_free(struct catalog *catalog);

#endif
