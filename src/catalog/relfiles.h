/*
 * Which relation a file of the server's belongs to, for a stream that names files alone: a map,
 * read when the stream begins and kept up as files are met; and the changes that wait for it. A
 * file belongs to one relation as long as it exists, so what was read of one holds.
 *
 * 1. A file that is UNKNOWN has a wait in the list, and only such a one is in the map.
 * 2. The first `asked` waits are in the question that is under way.
 */
#ifndef PGNUDGE_CATALOG_RELFILES_H
#define PGNUDGE_CATALOG_RELFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/hashmap.h"
#include "catalog/touched.h"
#include "pq/query.h"
#include "snapshot/visibility.h"
#include "wal/format.h"

#define RELFILES_MAX       ((size_t)65536) /* files in the map; more, and it begins anew */
#define RELFILES_WAITS_MAX ((size_t)16384) /* changes that wait to be looked up */
#define RELFILES_ASKED_MAX ((size_t)500)   /* in one question */

enum relfile_kind {
    RELFILE_UNKNOWN,
    RELFILE_TABLE, /* or a materialized view */
    RELFILE_OTHER, /* an index, a TOAST table, the system's own */
    RELFILE_SAME   /* of a relation that may have been rewritten: it has the file that it had */
};

/* One file in the map. */
struct relfile_entry {
    struct relfile file;
    enum relfile_kind kind;
    uint32_t oid;
    uint64_t lsn;              /* of WAL, which it was read before */
    struct relfile_wait *wait; /* of an UNKNOWN one */
};

/* Changes of one file, or of one relation. */
struct relfile_wait {
    struct relfile_wait *next;
    struct relfile file; /* node: 0, `oid` says which relation */
    uint32_t oid;
    struct part part;
    bool has_changes;
    bool must; /* nothing else tells of them: if the relation is gone, a resync stands */
    uint64_t rewritten_lsn;   /* not 0: it may have been rewritten by the COMMIT that ends there */
    bool dropped;             /* the file has been, by a COMMIT in the stream which tells of it */
    bool looked;              /* it has been looked up, and was not there */
    enum relfile_kind answer; /* of the question under way, where that asks for `oid` */
    uint64_t gone_lsn;        /* where it was found gone for good; 0: it wasn't */
};

struct relfiles {
    struct hashmap map;
    struct relfile_wait *first;
    struct relfile_wait *last;
    size_t len;
    size_t asked;
    size_t unlooked; /* waits that have not been looked up yet */
    size_t pending;  /* those of them that have changes */
    size_t hidden;   /* waits with changes that have been looked up, and were not there */
    bool seed;       /* all tables are to be read */
    bool seeding;    /* they are being */
    int64_t next_us; /* when those that were not there are looked up again */
    int64_t again_us;
};

/* A new connection: all tables are read. */
void relfiles_start(struct relfiles *files, int64_t now_us);

/* What is known of a file; `oid`: of TABLE. */
enum relfile_kind relfiles_find(const struct relfiles *files, struct relfile file, uint32_t *oid);

/* The wait for a file that isn't known yet, new or not. NULL: too many, or out of memory. */
struct relfile_wait *relfiles_wait_file(struct relfiles *files, struct relfile file);

/*
 * A new wait for a relation, also one without changes: that only has its file read. NULL: likewise.
 */
struct relfile_wait *relfiles_wait_oid(struct relfiles *files, uint32_t oid, bool has_changes);

/* A file is gone. Whether changes of it wait. */
bool relfiles_dropped(struct relfiles *files, struct relfile file);

/* When to ask; CLOCK_NEVER: there is nothing to. */
int64_t relfiles_due(const struct relfiles *files);

/* Appends the question. */
void relfiles_question(struct relfiles *files, struct buffer *sql);

/* Takes its rows; `context` is the struct relfiles. */
query_row_fn relfiles_row;

/*
 * The question has been answered. Then relfiles_next until NULL: each wait that was asked, with what
 * the answer says of it in `kind` and `oid`, UNKNOWN where it isn't there. It has left the list:
 * relfiles_done frees it, relfiles_again puts it back.
 */
void relfiles_answered(struct relfiles *files);
struct relfile_wait *relfiles_next(struct relfiles *files, enum relfile_kind *kind, uint32_t *oid);
void relfiles_done(struct relfiles *files, struct relfile_wait *wait);
void relfiles_again(struct relfiles *files, struct relfile_wait *wait);

/* All that were asked have been dealt with. */
void relfiles_rest(struct relfiles *files, int64_t now_us);

/* It could not be asked. */
void relfiles_not_answered(struct relfiles *files);

/* A resync stands for all that waits. */
void relfiles_drop(struct relfiles *files);

void relfiles_free(struct relfiles *files);

#endif
