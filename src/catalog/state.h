/*
 * What the parts of the catalog share: look.c has what a look says of tables by their names or OIDs,
 * by_file.c the changes that name files, catalog.c the questions and whose turn it is.
 *
 * 1. What is in the lookup's `asked` is REF_ASKED while LOOKING; else there is none.
 * 2. The window stays open while catalog_is_pending: a transaction is told in one batch.
 */
#ifndef PGNUDGE_CATALOG_STATE_H
#define PGNUDGE_CATALOG_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "base/clock.h"
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

#define CATALOG_AGAIN_MIN_US (5 * CLOCK_MS) /* about a table that can't be seen yet; doubles */

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

/* ---- look.c ---- */

/* Whether changes in the window are still being looked up. */
bool catalog_is_pending(const struct catalog *catalog);

/* Whether some are whose transaction can't be seen yet. */
bool catalog_is_hidden(const struct catalog *catalog);

/* A resync stands for all changes so far. */
void catalog_drop(struct catalog *catalog);

/* There are too many tables to look up: makes that resync. */
void catalog_overflow(struct catalog *catalog, int64_t now_us);

/*
 * Whether the catalog, when it was asked, showed what all transactions up to `highest` did: also the
 * one whose COMMIT is still on its way, which `unseen` doesn't have yet.
 */
bool look_shows_all_to(const struct catalog *catalog, const struct visibility *visibility,
                       uint32_t highest);

/* The moment of some changes. */
struct past_moment look_moment(const struct part *part);

/* Takes the answer of a look. */
enum catalog_event look_answered(struct catalog *catalog, const struct visibility *visibility,
                                 int64_t now_us);

/* Ends a look. New names may come faster than answers: then a resync stands for all. */
void look_end(struct catalog *catalog, int64_t now_us);

/* ---- by_file.c ---- */

/*
 * Changes of a file, or of a relation, of which it isn't known yet whether it is a table; they wait
 * until it is. `must`: if it is gone by then, a resync stands for them. False: no room.
 */
bool catalog_wait_file(struct catalog *catalog, struct relfile file,
                       const struct arriving *arriving);
bool catalog_wait_oid(struct catalog *catalog, uint32_t oid, bool must,
                      const struct arriving *arriving);

/* The same, if the COMMIT that ends at `lsn` has rewritten it. */
bool catalog_wait_rewritten(struct catalog *catalog, uint32_t oid, bool must, uint64_t lsn,
                            const struct arriving *arriving);

/* The transaction under way has changed something in the database's catalog. */
void catalog_changed(struct catalog *catalog);

/* The transaction under way has changed this relation's definition, in some way; 0: of any. */
void catalog_doubt(struct catalog *catalog, uint32_t oid, int64_t now_us);

/* Take the answer about files, and about definitions. */
enum catalog_event by_file_answered(struct catalog *catalog, const struct visibility *visibility,
                                    int64_t now_us);
void by_file_defined(struct catalog *catalog, const struct visibility *visibility, int64_t now_us);

#endif
