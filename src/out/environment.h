/* The environment of a command that is told an item. */
#ifndef PGNUDGE_OUT_ENVIRONMENT_H
#define PGNUDGE_OUT_ENVIRONMENT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "batch/item.h"

#define ENVIRONMENT_TABLES_MAX ((size_t)65536) /* bytes of PGNUDGE_TABLES; more are left out */

struct environment {
    char **variables;   /* NULL behind the last; ours lie in `text`, the others are borrowed */
    struct buffer text; /* PGNUDGE_…, a NUL behind each */
};

/*
 * The process's own, without passwords and what a service manager meant for pgnudge alone, and with
 * PGNUDGE_TYPE, PGNUDGE_LSN, and PGNUDGE_REASON for a resync or PGNUDGE_TABLES for a batch, a line
 * for each payload. That one is left out above its bound, and where a name has a newline; where keys
 * are wanted, it loses them above its bound, and then is a star. False: out of memory.
 */
bool environment_make(struct environment *environment, const struct item *item,
                      enum item_keys keys);

void environment_free(struct environment *environment);

#endif
