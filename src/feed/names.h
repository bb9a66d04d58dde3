/*
 * Table names, interned: the first change of a table decides, once, whether it
 * is watched and how its events are written; each further one is a look-up by
 * the bytes that the plugin wrote.
 */
#ifndef PGNUDGE_FEED_NAMES_H
#define PGNUDGE_FEED_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "decode/decoder.h"
#include "feed/pattern.h"

#define NAMES_MAX        ((size_t)32 * 1024) /* kept beyond those in the window; then forgotten */
#define NAME_NOT_PENDING ((size_t)-1)

struct name {
    bool watched;
    size_t pending; /* its place in the open window, or NAME_NOT_PENDING */
    size_t json_len;
    char json[]; /* if watched: "payload":"s.t","schema":"s","table":"t" */
};

struct names;

/* The sets are borrowed. NULL: out of memory. */
struct names *names_new(const struct pattern_set *tables, const struct pattern_set *exclude);

enum names_result { NAMES_FOUND, NAMES_UNREADABLE, NAMES_NO_MEMORY };

/*
 * The name that `raw`, as a change of `plugin` has it, stands for. It is valid
 * until the next call, and as long as it is pending.
 */
enum names_result names_find(struct names *names, enum plugin plugin, struct slice raw,
                             struct name **name);

/* NULL is fine. */
void names_free(struct names *names);

#endif
