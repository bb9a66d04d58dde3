/*
 * Table names, interned: the first change of a table decides, once, how it is
 * judged: watched under which names, or not at all. Each further one is a
 * look-up by the bytes that the plugin wrote.
 *
 * A verdict rests on the tree (partitions, inheritance), which is a copy of the
 * catalog and may be out of date: ATTACH, DETACH and RENAME send no change. So
 * what was judged since the tree was last compared is remembered, and judged
 * anew when it has moved.
 */
#ifndef PGNUDGE_FEED_NAMES_H
#define PGNUDGE_FEED_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/encoding.h"
#include "base/text.h"
#include "decode/decoder.h"
#include "feed/tree.h"
#include "feed/verdict.h"
#include "feed/window.h"
#include "feed/xids.h"

/* A table as the plugin writes it, and what its changes are. */
struct spelling {
    struct name *targets[TARGETS_MAX]; /* none: not watched */
    size_t target_count;
    unsigned generation; /* of the tree that the verdict rests on */
    bool lossy;          /* has bytes that are no letters: can't be looked up */
    bool by_sql;         /* a message named it: it need not be a table */
    bool cut;            /* too much stands above it to judge: a resync for each change */
    bool unknown;        /* not looked up in the catalog since it was first seen */
    bool asked;          /* … but being looked up now */
    bool gone;           /* the catalog doesn't have it */
    bool unseen;         /* … which may not show it yet */
    unsigned epoch;      /* of the comparison before which it was last touched */
    bool touched;        /* is in the list of those with changes since the last comparison */
    struct spelling *next_touched;
    struct spelling *follower; /* of the change behind its last one; NULL: not known */
    uint64_t since;            /* how many changes that were */
    int64_t first_seen_us;
    struct xids xids; /* of these changes' transactions */
    struct relation table;
    struct slice key;
    char text[]; /* key; schema; table */
};

struct names;

/* NULL: out of memory. */
struct names *names_new(const struct verdict_rules *rules);

/* A new connection: the database's encoding, borrowed. */
void names_connected(struct names *names, struct encoding *encoding);

enum names_result { NAMES_FOUND, NAMES_UNREADABLE, NAMES_NO_MEMORY };

/*
 * The spelling `raw`, as a change of `plugin` has it. It is valid until the
 * next call, or, once touched, until names_compared.
 */
enum names_result names_find(struct names *names, enum plugin plugin, struct slice raw,
                             struct spelling **spelling);

/*
 * The same for raw parts, in the database's encoding; `by_sql`: a message names
 * them, not a change.
 */
enum names_result names_find_parts(struct names *names, struct slice schema, struct slice table,
                                   bool by_sql, struct spelling **spelling);

/* Whether verdicts rest on the catalog at all. */
bool names_need_tree(const struct names *names);

/* Remembers a change; `xid` 0: of no transaction. False: out of memory. */
bool names_touch(struct names *names, struct spelling *spelling, uint32_t xid, int64_t wall_us);

/* The list of those touched since the last comparison; NULL: none. */
struct spelling *names_touched(const struct names *names);

/* Whether one of them is unknown: to be looked up at once. */
bool names_have_unknown(const struct names *names);

/* Whether one was looked up before the transaction that made it could be seen: to be again. */
bool names_have_unseen(const struct names *names);

/* Appends text of the database as UTF-8. */
void names_utf8(const struct names *names, struct slice text, struct buffer *out);

/*
 * A comparison begins: marks up to `max` unknown ones as asked, puts them into
 * `asked` and returns how many. They stay valid until names_compared.
 */
size_t names_ask(struct names *names, struct spelling **asked, size_t max);

/* Takes a newer tree over; verdicts are renewed as they are met. */
void names_set_tree(struct names *names, struct tree *tree);

/* A comparison has failed: nothing was asked. */
void names_not_compared(struct names *names);

/* The connection is gone: a resync stands for all that was touched. */
void names_disconnected(struct names *names);

/*
 * The tree has been compared (and replaced, if it had moved), after `sight`
 * was taken: judges what was touched anew, lets into the window what was not
 * named so before, and forgets what `sight` sees. NULL: nobody asks for
 * visibility. False: out of memory.
 */
bool names_compared(struct names *names, const struct snapshot *sight, struct window *window,
                    int64_t now_us);

/* NULL is fine. */
void names_free(struct names *names);

#endif
