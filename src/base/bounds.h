/*
 * The bounds of memory. What pgnudge holds is a sum of these, whatever the rows
 * and transactions are, and however many tables and names there are:
 *
 *   connections      FRAME_BUFFER each, with TLS OpenSSL's, of a record each way;
 *                    the stream's, the visibility connection's, REPLICAS_MAX more
 *   names            NAMES_MAX references and SQL_NAMES_MAX that only messages name, about 1 KB
 *                    each with its name, its place in a window, and what its key is made of
 *   two windows      an event for each of --max-pending payloads, and a line; with --keys
 *                    KEYS_BYTES_MAX for their keys
 *   visibility       UNSEEN_MAX bytes, and some lists of at most XIDS_MAX xids
 *   a look           LOOKUP_EDGES_MAX edges of some 150 bytes
 *   physical WAL     OPEN_BYTES_MAX for open transactions, RELFILES_MAX files and
 *                    RELFILES_WAITS_MAX waits of some 100 bytes, INFLIGHT_MAX pairs, the lists of
 *                    one COMMIT, WAL_LIST_MAX each; --ddl: 100 bytes for each watched table
 *   many readers     --notify: the notifications of one item, PARTS_MAX; --listen: HELD_LINES_MAX;
 *                    --from-stdin: a line of STDIN_LINE_MAX, and as JSON 40 times that at worst
 *   the kernel       READ_BATCH_BYTES, and what comes until they are read
 *
 * A message of 1 GB goes through FRAME_BUFFER. A row is never held, a name is
 * held once. What only bounds a text (an error, a path, a line of a file) is
 * named where that text is.
 */
#ifndef PGNUDGE_BASE_BOUNDS_H
#define PGNUDGE_BASE_BOUNDS_H

#include <stddef.h>

/* ---- messages of the server ---- */

#define FRAME_BUFFER     ((size_t)64 * 1024) /* bytes read from a socket at once, at most */
#define FRAME_PREFIX     ((size_t)16 * 1024) /* bytes of a body that come in one piece */
#define FRAME_BODY_MAX   0x7fffffff          /* bytes: what an int32 length can say */
#define LOGIN_BODY_MAX   30000 /* bytes, as in libpq: what is longer isn't PostgreSQL */
#define READ_BATCH_BYTES ((size_t)256 * 1024) /* in the kernel, which end a pause of reading */

/* ---- names and transactions ---- */

#define RAW_NAME_MAX  1024 /* bytes of a name in the plugin's writing; 63 + 63 characters are less */
#define NAMES_MAX     ((size_t)32 * 1024) /* references kept; then those not in use are forgotten */
#define SQL_NAMES_MAX 1024                /* likewise, of what only messages name */
#define TARGETS_MAX   8                   /* names that one table's change may have */
#define XIDS_MAX      ((size_t)1 << 20)   /* that run at one moment, as the server lists them */
#define XIDS_KEPT     4096 /* room for these is kept from list to list, more is given back */

#ifndef UNSEEN_MAX                   /* the tests build it with less */
#define UNSEEN_MAX ((size_t)8 << 20) /* xids, a byte each, above the last snapshot; a power of 2 */
#endif

#define RELATIONS_BYTES_MAX  ((size_t)16 << 20) /* what pgoutput says of relations */
#define RELATION_COLUMNS_MAX 16384 /* bytes of one's columns; beyond, its keys aren't known */

/* ---- keys of rows ---- */

#define KEY_PARTS_MAX 32   /* columns of a key: PostgreSQL's INDEX_MAX_KEYS */
#define KEY_TEXT_MAX  1024 /* bytes of a key's text; a longer one isn't known */
#define CHECKED_MAX   1024 /* definitions that an item's keys rest on; beyond, an event has none */

#define DEFINITIONS_QUEUED_MAX 256 /* to be read; beyond, at a later change */

#ifndef KEYS_BYTES_MAX                   /* the tests build it with less */
#define KEYS_BYTES_MAX ((size_t)8 << 20) /* of the windows' keys; beyond, the largest lose theirs */
#endif

/* ---- the catalog ---- */

#define LINEAGE_MAX      64    /* a table and what stands above it */
#define EDGES_MAX        256   /* between these */
#define LOOKUP_ASKED_MAX 200   /* names looked up in one question */
#define LOOKUP_EDGES_MAX 16384 /* edges above the names of one question */
#define LOOKUP_KEPT      1024  /* room for these is kept, more is given back */

/* ---- what the user gives ---- */

#define CONNSTRING_MAX ((size_t)16384) /* bytes of a connection string, and of each value */
#define ADDRESSES_MAX  32 /* of one name; what a resolver gives beyond that is left out */
#define REPLICAS_MAX   8  /* --visible-on */

/* ---- everything else ---- */

#define BUFFER_LIMIT ((size_t)64 << 20) /* bytes of a buffer whose owner names no limit */

#endif
