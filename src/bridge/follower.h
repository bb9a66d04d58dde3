/*
 * The place of a reader in a publisher's sequence. No I/O.
 *
 * 1. Before the first line there is no session.
 * 2. `part` of `parts` of the item `seq` have come.
 */
#ifndef PGNUDGE_BRIDGE_FOLLOWER_H
#define PGNUDGE_BRIDGE_FOLLOWER_H

#include <stdint.h>

#include "batch/sequence.h"

/* Where a line stands. A whole item is part 1 of 1. */
struct line_place {
    char session[SESSION_TEXT_MAX];
    uint64_t seq;
    uint32_t part;
    uint32_t parts;
};

enum follow {
    FOLLOW_FIRST,    /* it is the first one */
    FOLLOW_NEXT,     /* nothing is missing before it */
    FOLLOW_REPEATED, /* it has come before */
    FOLLOW_MISSED,   /* something is missing before it */
    FOLLOW_SESSION   /* a new session begins */
};

struct follower {
    struct line_place at;
};

/* Takes the next line. */
enum follow follower_take(struct follower *follower, const struct line_place *place);

#endif
