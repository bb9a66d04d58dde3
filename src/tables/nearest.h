/*
 * The names that a table pattern without a match may have been meant to be:
 * those of the catalog, fed one at a time, of which the nearest are kept. Near is
 * a small edit distance, without regard to case, or the same table in another schema.
 */
#ifndef PGNUDGE_TABLES_NEAREST_H
#define PGNUDGE_TABLES_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/text.h"
#include "tables/pattern.h"

#define NEAREST_KEPT     3
#define NEAREST_TEXT_MAX 384 /* bytes of schema, dot and table; longer ones are not near */

struct nearest {
    struct pattern pattern; /* borrowed */
    struct {
        size_t distance;
        size_t schema_len;
        size_t len;
        char text[NEAREST_TEXT_MAX]; /* schema, dot, table */
    } names[NEAREST_KEPT];           /* the nearest first */
    size_t len;
};

/* Begins with a pattern that names a table; its schema may be a star. Nothing needs freeing. */
void nearest_init(struct nearest *nearest, const struct pattern *pattern);

/* Takes a table of the catalog, both parts in UTF-8. Of equally near ones the first stays. */
void nearest_offer(struct nearest *nearest, struct slice schema, struct slice table);

/* Appends `Did you mean "public.orders"?`. False, with nothing appended: none is near. */
bool nearest_hint(const struct nearest *nearest, struct buffer *out);

#endif
