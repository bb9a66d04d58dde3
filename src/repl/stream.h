/*
 * A live replication stream: what the plugin writes comes out, positions go
 * back, silence is noticed.
 *
 * One turn, when the connection is readable: stream_receive, stream_next until
 * STREAM_NOTHING, stream_answer. And stream_answer at stream_deadline.
 */
#ifndef PGNUDGE_REPL_STREAM_H
#define PGNUDGE_REPL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "pq/conn.h"

struct stream;

struct stream_setup {
    struct conn *conn;          /* after CopyBothResponse; borrowed, and read ahead from now on */
    int64_t status_interval_us; /* between status updates that ask for a reply */
    int64_t liveness_us;        /* silence that means a dead link; CLOCK_NEVER: none does */
    int64_t ack_delay_us;       /* how long a position that isn't asked for may stay untold */
    bool never_synchronous;     /* never be counted as a synchronous standby */
    bool physical;              /* messages are WAL as it is, not what a plugin writes */
};

enum stream_event {
    STREAM_NOTHING, /* all that was received has been taken */
    STREAM_BEGIN,   /* one message of the plugin or of WAL, or its first bytes */
    STREAM_MORE,    /* the next bytes of it */
    STREAM_NOTICE,  /* a NoticeResponse */
    STREAM_FAILED   /* the stream is over: the error says why */
};

struct stream_message {
    struct slice payload; /* borrowed until the next call: of the plugin, WAL, or a notice's body */
    bool more;            /* the rest comes as STREAM_MORE */
    uint64_t lsn; /* STREAM_BEGIN: of the record, a COMMIT's its end; physical: of the first byte */
};

/* NULL: out of memory. */
struct stream *stream_new(const struct stream_setup *setup, int64_t now_us);

/* Reads once. False: the connection is gone, and `error` says how. */
bool stream_receive(struct stream *stream, int64_t now_us, struct error *error);

enum stream_event stream_next(struct stream *stream, struct stream_message *message,
                              struct error *error);

/*
 * Sends what is due: the newest position if it has moved, an answer to a
 * keepalive, the regular update. False: the connection failed, or has been
 * silent for too long although it was asked.
 */
bool stream_answer(struct stream *stream, int64_t now_us, struct error *error);

/* The newest position received. */
uint64_t stream_position(const struct stream *stream);

/*
 * If never_synchronous: no commit up to `lsn` waits for a standby any more, so that the
 * slot may advance to it.
 */
void stream_settled(struct stream *stream, uint64_t lsn);

/* When stream_answer must be called at the latest. */
int64_t stream_deadline(const struct stream *stream);

/* NULL is fine. The connection stays. */
void stream_free(struct stream *stream);

#endif
