/*
 * Table patterns, as --tables and --exclude take them: `schema.table`; `table`
 * means `*.table`. A star stands for any characters, or none. All else is
 * literal; double quotes, as in SQL, protect dots, commas, stars and blanks.
 */
#ifndef PGNUDGE_TABLES_PATTERN_H
#define PGNUDGE_TABLES_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hashmap.h"
#include "base/text.h"

/* One pattern; an empty part is a star alone (no name is empty), a NUL one among other characters. */
struct pattern {
    struct slice schema;
    struct slice table;
    char *text; /* the memory of both, with a NUL between */
};

/* A set of patterns; all zero is an empty one. */
struct pattern_set {
    struct pattern *patterns; /* in the order in which they were given, without repetitions */
    size_t len;
    size_t cap;
    struct hashmap index; /* "schema\0table" -> itself, of those whose parts are names or empty */
    size_t globs;         /* how many others there are */
};

/* Adds a comma-separated list. False: `error` says what is wrong and where. */
bool pattern_set_add(struct pattern_set *set, const char *list, struct error *error);

/* Whether the part of a pattern is a name: no star is in it. */
bool pattern_is_name(struct slice part);

/*
 * Reads one `schema.table` without stars, in the same writing, and appends its
 * parts. False: it is none.
 */
bool pattern_name(const char *text, struct buffer *schema, struct buffer *table);

/* Appends the pattern that means this table alone, quoted where it has to be. */
void pattern_append(struct buffer *out, struct slice schema, struct slice table);

/* Appends a pattern, stars and all, as pattern_set_add takes it. */
void pattern_write(struct buffer *out, const struct pattern *pattern);

/* Whether one pattern of the set names all that this one does. */
bool pattern_set_covers(const struct pattern_set *set, const struct pattern *pattern);

/* Whether any pattern names this table. */
bool pattern_set_matches(const struct pattern_set *set, struct slice schema, struct slice table);

void pattern_set_free(struct pattern_set *set);

#endif
