/*
 * The transactions that are open in WAL, and what each has changed so far: files with a number of
 * rows. Each subtransaction is one of its own, until the COMMIT says whose it is.
 *
 * 1. At most OPEN_XACTS_MAX of them, and OPEN_BYTES_MAX in all. Past that the detail of all is
 *    dropped: `lost`, and of those up to `lost_to` nothing is known from then on.
 * 2. Nodes of one xid are chained behind its head, a node of no file whose count is the last one's
 *    index, in the order of the first change of each.
 */
#ifndef PGNUDGE_WAL_OPEN_XACTS_H
#define PGNUDGE_WAL_OPEN_XACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wal/format.h"

#define OPEN_XACTS_MAX ((size_t)65536)
#define OPEN_NODES_MAX ((size_t)131072)
#define OPEN_BYTES_MAX ((size_t)4 << 20) /* OPEN_NODES_MAX of 24 bytes, and twice as many indexes */

/* What is no file: no tablespace has this OID. */
#define OPEN_SPECIAL 0

enum open_special {
    OPEN_HEAD = 0, /* of an xid's chain */
    OPEN_PREPARED, /* it outlives the server's restart */
    OPEN_RESYNC,   /* a message asks for one */
    OPEN_MESSAGE   /* and above: a message names a table; the number of its text */
};

/* One file that a transaction has changed. */
struct open_node {
    uint32_t xid;
    struct relfile file;
    uint32_t next; /* in its chain, or of the free ones; 0: none */
    uint64_t count;
};

struct open_xacts {
    struct open_node *nodes; /* nodes[0] is never used */
    size_t used;             /* how many ever were */
    size_t cap;
    uint32_t free;   /* the first free one */
    uint32_t *slots; /* of the hash table: indexes of nodes */
    size_t slot_cap; /* a power of two */
    size_t len;      /* nodes in use */
    size_t xacts;
    uint32_t newest; /* xid, ever */
    uint32_t last;   /* the node of the last change; 0: none */
    bool lost;
    uint32_t lost_to;
};

/* A change of `count` rows. False: out of memory. */
bool open_add(struct open_xacts *open, uint32_t xid, struct relfile file, uint64_t count);

/* Adds what `from` has to what `to` has, and forgets `from`. False: out of memory. */
bool open_merge(struct open_xacts *open, uint32_t to, uint32_t from);

/* The first node of an xid, but its head; NULL: it has none. */
const struct open_node *open_first(const struct open_xacts *open, uint32_t xid);
const struct open_node *open_next(const struct open_xacts *open, const struct open_node *node);

/* Whether the detail of a transaction may be lost. */
bool open_is_lost(const struct open_xacts *open, uint32_t xid);

/* It has ended. */
void open_drop(struct open_xacts *open, uint32_t xid);

/* All older ones have ended. */
void open_drop_below(struct open_xacts *open, uint32_t oldest);

/* The server has begun anew: only prepared ones go on. */
void open_drop_unprepared(struct open_xacts *open);

void open_free(struct open_xacts *open);

#endif
