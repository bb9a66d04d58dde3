/* A watched name: what an item's event points to. */
#ifndef PGNUDGE_BATCH_NAME_H
#define PGNUDGE_BATCH_NAME_H

#include <stddef.h>

#include "base/text.h"

struct name {
    size_t refs; /* items and table references that point to it */
    size_t json_len;
    size_t text_len;
    char json[]; /* "payload":"s.t","schema":"s","table":"t", and behind it s.t as it is */
};

/* The payload as it is, in UTF-8; borrowed. */
static inline struct slice name_text(const struct name *name)
{
    return (struct slice){name->json + name->json_len, name->text_len};
}

#endif
