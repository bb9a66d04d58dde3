/*
 * How to read a busy stream. A walsender sends each change by itself, so that
 * whoever wakes for each pays for two context switches a change, and makes the
 * server pay for as many. Where nothing hurries (a window is open, or a
 * transaction under way), a busy stream is left alone for some milliseconds and
 * then read in one go; a quiet one is read as it comes, at any time. No I/O.
 */
#ifndef PGNUDGE_SOURCE_READ_BATCHING_H
#define PGNUDGE_SOURCE_READ_BATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"

struct read_batching {
    int64_t longest_us; /* pause */
    int64_t pause_us;   /* between two reads; 0: none is worth it */
    int64_t since_us;   /* of the measuring under way */
    size_t bytes;       /* that have come since since_us */
    int64_t next_us;    /* when the next read is due */
};

/*
 * `debounce_us`: of a window; the pauses are short beside it. `told`: poll says
 * when READ_BATCH_BYTES wait; else a pause must be over before a small buffer is full.
 */
void read_batching_init(struct read_batching *batching, int64_t debounce_us, bool told);

/* The stream has been read empty, or nearly so, and `bytes` came. */
void read_batching_took(struct read_batching *batching, size_t bytes, int64_t now_us);

#endif
