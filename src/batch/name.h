/* A watched name: what an item's event points to. */
#ifndef PGNUDGE_BATCH_NAME_H
#define PGNUDGE_BATCH_NAME_H

#include <stddef.h>

struct name {
    size_t refs; /* items and table references that point to it */
    size_t json_len;
    char json[]; /* "payload":"s.t","schema":"s","table":"t" */
};

#endif
