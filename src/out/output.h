/*
 * Standard output: whole lines, one at a time, never waiting for the reader.
 *
 * The inherited open file is shared with other processes and stays as it is. A
 * pipe holds at most OUTPUT_TURN bytes of ours: a slow reader finds few, fresh
 * lines, and what waits can still be merged.
 */
#ifndef PGNUDGE_OUT_OUTPUT_H
#define PGNUDGE_OUT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define OUTPUT_TURN ((size_t)4096) /* bytes written to a pipe or terminal at a time, at most */

enum output_kind { OUTPUT_FILE, OUTPUT_PIPE, OUTPUT_TERMINAL, OUTPUT_SOCKET };

/*
 * 1. Bytes of the line before `sent` are out; a line that has begun is finished before the next.
 * 2. The inherited open file is never made non-blocking.
 */
struct output {
    enum output_kind kind;
    int fd;          /* stdout, or our own open file on the same pipe or terminal */
    bool own;        /* `fd` is our own open file, which doesn't block */
    bool pipe_sized; /* the pipe is one page, or can't be made so */
    bool held_up;    /* it can't yet, for what others wrote: try again, don't poll */
    struct buffer line;
    size_t sent; /* bytes of the line */
};

enum output_result {
    OUTPUT_OK,
    OUTPUT_GONE,  /* nobody reads any more */
    OUTPUT_FAILED /* the error says why */
};

/* Looks at stdout. */
enum output_result output_open(struct output *output, struct error *error);

/* Whether a line has begun that is not out yet. */
bool output_busy(const struct output *output);

/* Where to put the next line; only while it isn't busy. */
struct buffer *output_line(struct output *output);

/* When to call output_write without POLLOUT; CLOCK_NEVER while that is enough. */
int64_t output_deadline(const struct output *output, int64_t now_us);

/* The events to poll for while there is something to write. */
short output_events(const struct output *output);

/* Writes some of the line. Call when poll says POLLOUT. */
enum output_result output_write(struct output *output, struct error *error);

/* What poll's other events on the descriptor mean. */
enum output_result output_check(const struct output *output, short revents);

void output_close(struct output *output);

#endif
