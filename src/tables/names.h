/*
 * Table names, interned: the first change of a table has it looked up in the
 * catalog, once, which decides how it is judged: watched under which names, or
 * not at all. Each further one is a look-up by the bytes that the plugin wrote.
 */
#ifndef PGNUDGE_TABLES_NAMES_H
#define PGNUDGE_TABLES_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/encoding.h"
#include "base/text.h"
#include "batch/window.h"
#include "decode/decoder.h"
#include "tables/lineage.h"
#include "tables/verdict.h"

/* What a name meant when it was looked up. All zero: nothing is known. */
struct identity {
    uint32_t oid;
    uint32_t version;        /* xmin of its row in pg_type: see past.h */
    uint32_t schema_version; /* xmin of its schema's row */
    bool renamed;            /* it has been renamed, moved or given away since it was created */
};

/* Changes that wait for one look: how many, and the span of their transactions. */
struct part {
    struct tally tally;
    bool any;         /* an xid; a message may belong to no transaction */
    uint64_t commits; /* of the stream before the first of them came */
    uint32_t lowest;
    uint32_t highest;
};

enum ref_state {
    REF_AT_REST, /* no changes since its verdict was last found to hold */
    REF_WAITING, /* in one of the queues of touched.h */
    REF_ASKED    /* being looked up */
};

/* A table as the plugin writes it, or by its OID, and what its changes are. */
struct table_ref {
    struct name *targets[TARGETS_MAX]; /* none: not watched */
    size_t target_count;
    bool truncated; /* too much stands above it to judge: a resync for each change */
    bool by_sql;    /* a message named it: it need not be a table */
    uint32_t oid;   /* not 0: it is meant by this, and the catalog gives its name */
    char *given;    /* that name; owned */
    bool known;     /* it has been looked up on this connection */
    bool alone;     /* it was judged without ancestors: found so again, it is judged the same */
    unsigned connection;
    enum ref_state state;
    struct table_ref *next;     /* WAITING: in its queue */
    struct table_ref *follower; /* of the change behind its last one; NULL: not known */
    uint64_t followers_of;      /* what names.c had forgotten when it was noted */
    struct part asked;          /* before the look that is under way, or was not final */
    struct part since;          /* changes after `asked` */
    struct identity identity;
    uint32_t target_oid;           /* of the first target */
    struct definition *definition; /* held: of its keys, or NULL */
    uint32_t known_since;          /* xmax of the first final look that showed this identity */
    struct relation table;         /* UTF-8 */
    struct relation raw;           /* in the database's encoding */
    struct slice key;
    char text[]; /* key; table; raw */
};

struct names;

/* NULL: out of memory. */
struct names *names_new(const struct verdict_rules *rules);

/* A new connection: the database's encoding, borrowed. All tables are looked up anew. */
void names_connected(struct names *names, struct encoding *encoding);

enum names_result {
    NAMES_FOUND,
    NAMES_UNREADABLE,
    NAMES_FULL, /* too many are not at rest */
    NAMES_NO_MEMORY
};

/*
 * The reference `raw`, as a change of `plugin` has it. It is valid until the
 * next call, or, unless REF_AT_REST, until it comes to rest.
 */
enum names_result names_find(struct names *names, enum plugin plugin, struct slice raw,
                             struct table_ref **ref);

/*
 * The same for raw parts, in the database's encoding; `by_sql`: a message names
 * them, not a change.
 */
enum names_result names_find_parts(struct names *names, struct slice schema, struct slice table,
                                   bool by_sql, struct table_ref **ref);

/* The same for a relation's OID. */
enum names_result names_find_oid(struct names *names, uint32_t oid, struct table_ref **ref);

/*
 * The name of a reference by OID, in the database's encoding: it stands in `table` and `raw` from
 * now on. False: out of memory.
 */
bool names_give(const struct names *names, struct table_ref *ref, struct slice schema,
                struct slice table);

/* The definition of a relation has changed: it is looked up anew, at its next change or now. */
struct table_ref *names_doubt(struct names *names, uint32_t oid);

/* The names by which to report a change. */
struct targets {
    struct name
        *at[TARGETS_MAX]; /* borrowed: each is valid while it has references, or until the next
                                     call that finds names */
    uint32_t oid[TARGETS_MAX];
    size_t len;     /* 0: it isn't watched */
    bool truncated; /* there are more, or too much stands above the table to judge */
};

/* Judges a change by what stands above its table. False: out of memory. */
bool names_targets(struct names *names, const struct lineage *lineage, struct targets *targets);

/* Judges it anew, by what stands above it. False: out of memory. */
bool names_judge(struct names *names, struct table_ref *ref, const struct lineage *lineage);

/* NULL is fine. */
void names_free(struct names *names);

#endif
