/*
 * What wal2json says in place of an UPDATE or DELETE whose table has no usable
 * replica identity, one warning a row, untranslated, names not escaped:
 *
 *   no tuple identifier for UPDATE in table "public"."orders"
 */
#include <string.h>

#include "decode/decoder.h"

#define START   "no tuple "
#define TABLE   " in table \""
#define BETWEEN "\".\""

/* Where `what` begins in `text`, or NULL. */
static const char *find(struct slice text, const char *what)
{
    size_t len = strlen(what);

    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.data + i, what, len) == 0) {
            return text.data + i;
        }
    }
    return NULL;
}

static enum operation operation_in(struct slice head)
{
    if (find(head, " INSERT") != NULL) {
        return OPERATION_INSERT;
    }
    return find(head, " DELETE") != NULL ? OPERATION_DELETE : OPERATION_UPDATE;
}

enum warning decoder_warning(struct slice message, struct slice *schema, struct slice *table,
                             enum operation *operation)
{
    const char *end, *at, *middle;

    if (!slice_starts(message, START)) {
        return WARNING_OTHER;
    }
    end = message.data + message.len - 1; /* the closing quote */
    at = find(message, TABLE);
    if (at == NULL || end < at + strlen(TABLE) || *end != '"') {
        return WARNING_UNREADABLE;
    }
    *operation = operation_in((struct slice){message.data, (size_t)(at - message.data)});
    at += strlen(TABLE);
    middle = find((struct slice){at, (size_t)(end - at)}, BETWEEN);
    if (middle == NULL) {
        return WARNING_UNREADABLE;
    }
    *schema = (struct slice){at, (size_t)(middle - at)};
    at = middle + strlen(BETWEEN);
    *table = (struct slice){at, (size_t)(end - at)};
    /* A name that itself looks like the middle: which is which can't be told. */
    return find((struct slice){middle + 1, (size_t)(end - middle)}, BETWEEN) == NULL
               ? WARNING_ROW
               : WARNING_UNREADABLE;
}
