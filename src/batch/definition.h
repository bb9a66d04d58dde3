/*
 * What the rows of a table are told apart by, as the catalog had it at one
 * moment: the primary key of the table that an event names, found by name in
 * the table that has changed, which is that table or one below it.
 *
 * What a change's key means rests on the catalog as it was when the change was
 * made. So a definition serves only transactions that began after it was read,
 * and before a batch is printed its definitions are read again: where one has
 * changed, the keys of that event are dropped.
 */
#ifndef PGNUDGE_BATCH_DEFINITION_H
#define PGNUDGE_BATCH_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "decode/rowkey.h"

struct name;

#define FINGERPRINT_LEN 64 /* hexadecimal digits of SHA-256 */

enum definition_state {
    DEFINITION_UNREAD,
    DEFINITION_NONE,   /* the key of a row can't be known for sure */
    DEFINITION_USABLE, /* and then it stays as it was read */
    DEFINITION_CHANGED /* it was USABLE; by now it is another one */
};

struct definition {
    size_t refs; /* of those who hold it */
    enum definition_state state;
    bool queued;         /* to be read: see definitions.h */
    uint32_t leaf;       /* OID of the table that changes */
    struct slice schema; /* of the leaf, in the database's encoding */
    struct slice table;  /* its name */
    uint32_t root;       /* OID of the table that is named */
    int64_t read_us;     /* when it was read */
    uint32_t from_xid;   /* serves transactions from this one on */
    char fingerprint[FINGERPRINT_LEN];
    struct key_columns columns;
    const char *reason;           /* NONE: why; a constant */
    const char *json;             /* the columns' names: ["id"] */
    void *memory;                 /* owned: what `columns` and `json` point to */
    struct definition *successor; /* held; what is read in its place, or NULL */

    /* The window's item that lists it, and for the event of which name: see window.c. */
    uint64_t listed_in;
    const struct name *listed_for;
    char text[]; /* schema, table */
};

/* The text is copied. NULL: out of memory. The caller holds it. */
struct definition *definition_new(uint32_t leaf, uint32_t root, struct slice schema,
                                  struct slice table);

/* It has been read and can be used. `columns` and `json` lie in `memory`, which it owns from now on. */
void definition_use(struct definition *definition, struct key_columns columns, const char *json,
                    void *memory);

struct definition *definition_hold(struct definition *definition);

/* Lets go of it; NULL is fine. */
void definition_release(struct definition *definition);

/* Whether the keys of this transaction's rows can be known by it. NULL is fine. */
bool definition_serves(const struct definition *definition, uint32_t xid);

#endif
