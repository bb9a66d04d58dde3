/*
 * What tells a reader that lines were lost on the way: a session, and a number
 * in it. A gap, or another session, means that something was.
 */
#ifndef PGNUDGE_BATCH_SEQUENCE_H
#define PGNUDGE_BATCH_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

#define SESSION_TEXT_MAX 33 /* bytes of a session's name, its NUL included */

struct sequence {
    char session[SESSION_TEXT_MAX]; /* random */
    uint64_t seq;                   /* of the last item, 0 before the first */
    int64_t interval_us;            /* the longest time without an item; CLOCK_NEVER: any */
    const char *scope;              /* members of resyncs and heartbeats: see scope.h; borrowed */
};

/* Begins a new session. False: no random bytes. */
bool sequence_start(struct sequence *sequence);

/* Appends the session and the number of the last item, as members of an object. */
void sequence_write(struct buffer *out, const struct sequence *sequence);

/* Appends the interval, if there is one, and the scope. */
void sequence_write_scope(struct buffer *out, const struct sequence *sequence);

#endif
