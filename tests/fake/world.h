/*
 * A world without a kernel for a whole feed: a clock that stands until nothing
 * else can happen, connections to fake peers, random bytes that repeat. It takes
 * the place of net/transport.o and base/clock.o, and wraps os_poll, RAND_bytes
 * and line_out_new. So a run takes a millisecond, and goes the same way each time.
 */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "fake/peer.h"
#include "feed/feed.h"

#define CONNECTIONS_MAX 64 /* of one run; beyond, they are refused */

struct world_setup {
    struct peer_setup peer;
    unsigned connection; /* that has the fault, from 0 on; the others behave */
    size_t cut_at;       /* bytes of it, then it is closed; SIZE_MAX: none */
    size_t flip_at;      /* a bit, counted from its first; SIZE_MAX: none */
    size_t chunk;        /* bytes that a read brings, at most; 0: any number */
    int64_t turn_us;     /* what a turn takes by its clock */
    int64_t pace_us;     /* between two reads of it; 0: none */
    bool doctor;         /* "pgnudge doctor" in place of a feed */
    const uint8_t *junk; /* what it says in place of a peer, if not NULL */
    size_t junk_len;
    const char *const *options; /* of pgnudge; the last is NULL */
};

struct world_result {
    struct feed_outcome outcome;
    const char *wrong; /* what must not be; NULL: nothing */
    unsigned connections;
    unsigned said[2]; /* messages of the first two connections */
    size_t bytes[2];  /* of these */
    unsigned long polls;
    int64_t elapsed_us; /* by its clock */
    size_t items;
    size_t heap_max; /* bytes */
};

/* Runs a feed, or a doctor, to its end. */
struct world_result world_run(const struct world_setup *setup);

/* What it wrote, until the next run. */
const struct buffer *world_lines(void);
const struct buffer *world_log(void);

/* Call once, before all others. */
void world_start(void);

#endif
