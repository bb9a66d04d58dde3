/*
 * Cuts the server's bytes into messages ("Frontend/Backend Protocol", Message
 * Formats): a type byte, an int32 length that counts itself, a body. No I/O.
 *
 * A body may be 1 GB, so memory is not the body's: a message comes as one
 * FRAME_BEGIN with the whole body, or its first FRAME_PREFIX bytes, and the
 * rest, if any, as FRAME_MORE pieces, as they arrive and without being copied.
 * To skip the rest is to ignore the pieces.
 */
#ifndef PGNUDGE_WIRE_FRAME_H
#define PGNUDGE_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/text.h"

enum frame_kind {
    FRAME_NONE,  /* feed more bytes first */
    FRAME_BEGIN, /* a message: its type and the first bytes of its body */
    FRAME_MORE,  /* the next bytes of that body */
    FRAME_BAD    /* not the protocol; this and every later call */
};

struct frame {
    enum frame_kind kind;
    char type;         /* of the message, for FRAME_MORE too */
    struct slice body; /* borrowed until the next call for this reader */
    size_t left;       /* bytes of the body that are still to come as FRAME_MORE */
};

struct frame_reader;

/* NULL: out of memory. */
struct frame_reader *frame_reader_new(void);

/* A longer body is FRAME_BAD from now on; FRAME_BODY_MAX at first. */
void frame_limit(struct frame_reader *reader, size_t body_max);

/* Where to put bytes that have been read, and how many at most (at least 1). */
void *frame_space(struct frame_reader *reader, size_t *cap);

/* Says that `len` bytes have been put there. */
void frame_filled(struct frame_reader *reader, size_t len);

/* The next message or piece. */
struct frame frame_next(struct frame_reader *reader);

/* NULL is fine. */
void frame_reader_free(struct frame_reader *reader);

#endif
