/*
 * What a server says of itself: what a stream has to know, and what the doctor
 * looks at besides.
 */
#ifndef PGNUDGE_SERVER_FACTS_H
#define PGNUDGE_SERVER_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/encoding.h"
#include "pq/query.h"

#define FACT_MAX 512 /* bytes of one, NUL included; longer ones are cut */

enum fact {
    FACT_WAL_LEVEL,
    FACT_EFFECTIVE_WAL_LEVEL, /* from 19 on */
    FACT_MAX_SLOTS,
    FACT_SLOTS, /* in use */
    FACT_MAX_SENDERS,
    FACT_SENDERS,
    FACT_STANDBYS,       /* walsenders, other than the doctor's, without a logical slot */
    FACT_SENDER_TIMEOUT, /* milliseconds */
    FACT_SYNC_NAMES,
    FACT_LIBRARIES, /* output_plugin_libraries, where the role may read it */
    FACT_RECOVERY,  /* "true" on a standby */
    FACT_IDENTITY,  /* see serversql.h */
    FACT_SYSTEM_ID,
    FACT_OLDEST_XID, /* pg_current_snapshot()'s xmin */
    FACT_DATABASE,   /* its OID */
    FACT_BLOCK_SIZE, /* of WAL, bytes, as is the next */
    FACT_SEGMENT_SIZE,
    FACT_KEEP_SIZE, /* wal_keep_size, megabytes */
    FACT_ROWS_HERE, /* written since the statistics began, in the database; in all of them */
    FACT_ROWS,
    FACT_IMAGES,   /* percent of WAL that is page images, from 14 on */
    FACT_TABLES,   /* ordinary ones, partitions too, but for the system's */
    FACT_UNLOGGED, /* of FACT_TABLES, as is the next */
    FACT_KEYLESS,  /* without a usable replica identity */
    FACTS
};

struct facts {
    struct encoding *encoding; /* the database's, borrowed */
    bool known[FACTS];
    char text[FACTS][FACT_MAX]; /* UTF-8 */
};

/*
 * An SQL condition: the table with the row `k` of pg_class has no replica
 * identity that wal2json could use.
 */
#define SQL_KEYLESS                                                                                \
    "NOT CASE k.relreplident WHEN 'f' THEN true WHEN 'n' THEN false ELSE EXISTS"                   \
    " (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid = k.oid AND x.indimmediate"              \
    " AND x.indisvalid AND CASE k.relreplident WHEN 'd' THEN x.indisprimary"                       \
    " ELSE x.indisreplident END) END"

/* Appends the query for those that a stream has to know, down to FACT_OLDEST_XID but the counts. */
void facts_query(struct buffer *sql);

/* Appends to it the counts. `sender_pid`: of the asker's own walsender, or 0; `major`: version. */
void facts_counts(struct buffer *sql, uint32_t sender_pid, int major);

/* Takes a row's name and value; what has another name is left out. False: out of memory. */
bool facts_take(struct facts *facts, struct slice name, struct slice value);

/* Takes the rows; `context` is the struct facts. */
query_row_fn facts_row;

/* A fact as a number; 0 where it is none or isn't known. */
uint64_t facts_number(const struct facts *facts, enum fact fact);

/* Whether the server is a standby. */
bool facts_in_recovery(const struct facts *facts);

#endif
