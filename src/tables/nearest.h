/*
 * The names that a table pattern without a match may have been meant to be:
 * those of the catalog, fed one at a time, of which the nearest are kept.
 *
 * Nearest is the same name in another case; then the same text with the dot
 * elsewhere (quoting); the same table in another schema; then names that are a
 * few slips away: a letter more, less or another, or two in the wrong order, at
 * most one for every three letters.
 */
#ifndef PGNUDGE_TABLES_NEAREST_H
#define PGNUDGE_TABLES_NEAREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"
#include "tables/pattern.h"

#define NEAREST_KEPT 3
/* Bytes of a name as UTF-8; a server's has up to 63 in its own encoding. Longer ones are not near. */
#define NEAREST_NAME_MAX 192

enum nearest_kind { NEAREST_CASE, NEAREST_QUOTING, NEAREST_SCHEMA, NEAREST_SLIP };

struct nearest_name {
    enum nearest_kind kind;
    unsigned distance; /* the order within a kind */
    size_t schema_len;
    size_t table_len;
    char schema[NEAREST_NAME_MAX];
    char table[NEAREST_NAME_MAX];
};

struct nearest {
    struct pattern pattern;
    struct nearest_name names[NEAREST_KEPT]; /* the nearest first */
    size_t len;
};

/*
 * Begins with a pattern that names a table (its schema may be a star), which
 * is borrowed. No memory is allocated and nothing needs freeing.
 */
void nearest_init(struct nearest *nearest, const struct pattern *pattern);

/*
 * Takes a table of the catalog, both parts in UTF-8, which the pattern doesn't
 * match. Of equally near ones the first stays.
 */
void nearest_offer(struct nearest *nearest, struct slice schema, struct slice table);

/*
 * Appends a hint: `Did you mean "public.orders"?`, and why where it can be
 * said. Each name is one word to a shell and one pattern to --tables. False,
 * with nothing appended: none is near.
 */
bool nearest_hint(const struct nearest *nearest, struct buffer *out);

#endif
