/*
 * From WAL to the transactions that it commits: which files each has changed, which it has dropped,
 * whose definition it has changed, and what it asked for by a logical decoding message. No I/O.
 */
#ifndef PGNUDGE_WAL_TRANSACTIONS_H
#define PGNUDGE_WAL_TRANSACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "wal/open_xacts.h"
#include "wal/records.h"
#include "wal/xact.h"

#define WAL_LIST_MAX     ((size_t)16384) /* of the files or relations that one COMMIT names */
#define WAL_CONTENT_MAX  300             /* bytes of a message: a schema and a table, quoted */
#define WAL_CONTENTS_MAX ((size_t)256)   /* different ones, of transactions that are open */

/* A list of numbers or files; `more`: there were more than WAL_LIST_MAX. */
struct wal_oids {
    uint32_t *at;
    size_t len;
    size_t cap;
    bool more;
};

struct wal_files {
    struct relfile *at;
    size_t len;
    size_t cap;
    bool more;
};

/* One that has committed. All is borrowed until the next call. */
struct wal_commit {
    uint32_t xid;                  /* of the top transaction */
    uint64_t lsn;                  /* the COMMIT record's end */
    bool lost;                     /* what it has changed isn't known in full */
    const struct open_node *first; /* what it has changed; wal_change_next */
    const struct wal_files
        *dropped; /* files: of relations that got new ones, or are gone; sorted */
    const struct wal_oids *redefined; /* relations, by relcache invalidations; sorted, each once */
    bool all_redefined;               /* all may be */
    bool catalog;                     /* anything in the database's catalog has changed */
};

struct wal_running {
    uint32_t next;   /* xid that comes next */
    uint32_t oldest; /* that runs */
};

/* Whoever takes them. Each function is given `context`; false: out of memory. */
struct wal_taker {
    void *context;
    bool (*commit)(void *context, const struct wal_commit *commit);

    /* It has been rolled back: a top transaction, or one below. */
    void (*abort)(void *context, uint32_t xid);

    /*
     * A message outside of transactions. NULL data: it is longer than any table's name. `lsn`: its
     * record's end.
     */
    bool (*message)(void *context, struct slice content, uint64_t lsn);
    void (*running)(void *context, const struct wal_running *running);
};

struct wal_transactions;

/* NULL: out of memory. `taker` is copied; see wal_records_start. */
struct wal_transactions *wal_transactions_new(const struct wal_taker *taker, uint64_t position,
                                              uint32_t segment_size, uint64_t system_id,
                                              uint32_t database);

/* Takes WAL, which goes on where the last ended. False: `error` says why. */
bool wal_transactions_take(struct wal_transactions *transactions, struct slice wal,
                           struct error *error);

/* LSN of the next byte. */
uint64_t wal_transactions_position(const struct wal_transactions *transactions);

enum wal_change { WAL_CHANGE_FILE, WAL_CHANGE_RESYNC, WAL_CHANGE_CONTENT, WAL_CHANGE_NONE };

/* What a change of a commit is: `content` of CONTENT, which names a table. */
enum wal_change wal_change_of(const struct wal_transactions *transactions,
                              const struct open_node *change, struct slice *content);

/* In which order its OIDs stand, for qsort and bsearch. */
int wal_oid_order(const void *a, const void *b);

/* Whether it has dropped the file. */
bool wal_commit_drops(const struct wal_commit *commit, struct relfile file);

const struct open_node *wal_change_next(const struct wal_transactions *transactions,
                                        const struct open_node *change);

/* NULL is fine. */
void wal_transactions_free(struct wal_transactions *transactions);

#endif
