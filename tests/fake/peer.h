/*
 * A PostgreSQL server as far as pgnudge needs one, without I/O: it takes what a
 * client sends and says what a server would, the login by SCRAM, the answers of
 * both connections, a stream of small transactions; or it misbehaves, at one
 * message, in one way.
 */
#ifndef FAKE_PEER_H
#define FAKE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

#define PEER_USER     "pgnudge"
#define PEER_PASSWORD "correct-horse-battery" /* it must be seen nowhere */

/* What becomes of the message with the fault's number. */
enum fault {
    FAULT_NONE,
    /* instead of it, or of what is in it */
    FAULT_DROP,
    FAULT_CUT,     /* half of it, then the end */
    FAULT_CLOSE,   /* the end */
    FAULT_SILENCE, /* nothing more, and no end */
    FAULT_HUGE,    /* its length: 2 GB */
    FAULT_NEGATIVE,
    FAULT_SHORT,  /* its length: 3 */
    FAULT_LONGER, /* its length: one more than there is */
    FAULT_SHORTER,
    FAULT_TYPE, /* of an unknown type */
    FAULT_EMPTY,
    FAULT_HALF,      /* its body ends in the middle, its length is right */
    FAULT_NUL,       /* its body is all zero */
    FAULT_ONES,      /* its body is all 0xff */
    FAULT_LETTERS,   /* its body is text, without an end */
    FAULT_MEGABYTES, /* its body is 4 MB longer */
    FAULT_JUNK,
    FAULT_HTTP,
    /* beside it */
    FAULT_DOUBLE,
    FAULT_SWAP, /* with the next one */
    FAULT_AUTHENTICATED,
    FAULT_ASKED, /* for a password, in the clear */
    FAULT_READY,
    FAULT_FATAL,
    FAULT_ERROR_ESCAPES, /* an error whose fields have control characters */
    FAULT_ERROR_ENDLESS, /* of 2 MB, without an end to its fields */
    FAULT_NEGOTIATE,
    FAULT_COPY_BOTH,
    FAULT_COPY_DONE,
    FAULT_KEY,
    FAULT_NOTICES, /* many */
    FAULT_PARAMETERS,
    FAULT_ROWS,         /* of no query's */
    FAULT_ROWS_LIKE_IT, /* the same one, many times */
    FAULT_STREAM,       /* a change and a commit of no transaction, positions that go back */
    /* from there on, without an end */
    FAULT_ENDLESS, /* the same one */
    FAULT_ENDLESS_ROWS,
    FAULT_ENDLESS_NOTICES,
    FAULT_ENDLESS_ERRORS,
    FAULT_ENDLESS_PARAMETERS,
    FAULT_ENDLESS_BYTES, /* of its body */
    /* as the setup says */
    FAULT_BODY, /* its body */
    FAULT_RAW,  /* bytes in its place */
    /* instead of the stream's start, whatever the number */
    FAULT_REMOVED,
    FAULTS
};

extern const char *const fault_names[FAULTS];

struct peer_setup {
    enum fault fault;
    unsigned at;           /* the message's number, from 0 on */
    unsigned transactions; /* to stream */
    unsigned iterations;   /* of SCRAM */
    const uint8_t *body;   /* of FAULT_BODY and FAULT_RAW */
    size_t body_len;
};

struct peer;

/* NULL: out of memory. The setup is copied. */
struct peer *peer_new(const struct peer_setup *setup);

/* What the client has sent. */
void peer_take(struct peer *peer, const char *data, size_t len);

/* Nothing else happens: it streams a transaction, or a keepalive. Whether it did. */
bool peer_tick(struct peer *peer);

/* All that it has said has been read: more of what has no end. */
void peer_more(struct peer *peer);

/* What the server says; the caller consumes it. */
struct buffer *peer_out(struct peer *peer);

/* It has closed the connection behind that. */
bool peer_closed(const struct peer *peer);

/* Messages so far. */
unsigned peer_said(const struct peer *peer);

/* Whether this is the connection that streams. */
bool peer_streams(const struct peer *peer);

void peer_free(struct peer *peer);

#endif
