/* Which columns of a table's rows are its key, and what a row's key is. */
#ifndef PGNUDGE_DECODE_ROWKEY_H
#define PGNUDGE_DECODE_ROWKEY_H

#include <stddef.h>

#include "base/bounds.h"
#include "base/text.h"

/* Plugins write two types otherwise than their output functions do. */
enum column_type { COLUMN_OTHER, COLUMN_BOOLEAN, COLUMN_BYTEA };

struct key_column {
    struct slice name; /* in the database's encoding */
    enum column_type type;
};

/* In the order of the index; at most KEY_PARTS_MAX. */
struct key_columns {
    size_t len;
    const struct key_column *at;
};

/*
 * The keys that a row had and has, each the text of its parts with a NUL behind each; borrowed.
 * None: they are not known for sure.
 */
struct row_keys {
    size_t len;
    struct slice at[2];
};

#endif
