/*
 * What pgoutput has said of relations: it gives each an ID, describes it once in
 * front of its first change, and again after DDL; changes have the ID alone.
 * What can't be kept has no name, so that its changes can't be read.
 */
#ifndef PGNUDGE_DECODE_RELATIONS_H
#define PGNUDGE_DECODE_RELATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/hashmap.h"
#include "base/text.h"

struct relation_entry {
    uint32_t id;
    size_t name_len;
    struct slice name;    /* schema, a NUL, table */
    struct slice columns; /* each a letter of its type (b: boolean), its name, and a NUL */
    char text[];          /* both */
};

/* 1. A message about one is read into `coming`, in pieces, and is kept when it is complete. */
struct relations {
    struct hashmap map; /* ID -> struct relation_entry */
    size_t bytes;       /* of all entries */
    uint32_t id;        /* of the one that is coming, as are all below */
    struct buffer name;
    struct buffer columns;
    bool too_long;         /* its columns are */
    uint16_t columns_left; /* to come */
    unsigned at;           /* bytes of the column's flags, type and modifier that have come */
    bool in_name;
    uint32_t type;
    size_t letter; /* where the column begins in `columns` */
};

/* A Relation message begins: `text` is its first bytes, from the ID on, and has its names. False: it
 * is malformed. */
bool relations_begin(struct relations *relations, struct slice *text);

/* Takes more of it. True: it is complete, and kept. */
bool relations_more(struct relations *relations, struct slice *text);

/* NULL: not known. Borrowed until the next Relation message. */
const struct relation_entry *relations_find(const struct relations *relations, uint32_t id);

void relations_free(struct relations *relations);

#endif
