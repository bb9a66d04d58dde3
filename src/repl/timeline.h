/*
 * The history of a timeline: through which timelines its WAL came, and where it
 * left each ("Streaming Replication Protocol", TIMELINE_HISTORY). A position
 * alone says nothing after a failover: two servers can have different WAL there.
 */
#ifndef PGNUDGE_REPL_TIMELINE_H
#define PGNUDGE_REPL_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define TIMELINES_MAX 300 /* a history file of some 16 KB */

struct timeline {
    uint32_t id; /* 0: not known */
    size_t len;  /* of its ancestors, the oldest first */
    struct {
        uint32_t id;
        uint64_t end; /* LSN of the switch */
    } ancestors[TIMELINES_MAX];
};

/*
 * Makes it the timeline `id`, of whose history file this is the content; empty for timeline 1,
 * which has none. False: malformed, or too long; then nothing is known.
 */
bool timeline_read(struct timeline *timeline, uint32_t id, struct slice content);

/* Up to where both have the same WAL: UINT64_MAX where they are one, 0 where one isn't known. */
uint64_t timeline_common(const struct timeline *a, const struct timeline *b);

#endif
