#include "repl/stream.h"

#include <stdlib.h>

#include "base/clock.h"
#include "repl/walmessage.h"
#include "wire/servererror.h"

/*
 * 1. Nothing above `received` is ever told to the server.
 * 2. answer_us is CLOCK_NEVER exactly while the server knows `received`.
 * 3. `asked` is false after each byte that came.
 */
struct stream {
    struct stream_setup setup;
    uint64_t received;       /* the highest LSN that came: LSNs go back between transactions */
    uint64_t settled;        /* see stream_settled */
    uint64_t settled_told;   /* how much of `settled` the server knows */
    int64_t answer_us;       /* when what is owed is due; CLOCK_NEVER: nothing is */
    int64_t last_receive_us; /* for liveness */
    int64_t next_request_us; /* when the next status asks for a reply */
    bool asked;              /* a reply has been requested since last_receive_us */
    char copy_kind;          /* of the CopyData whose pieces are coming */
    uint64_t wal_at;         /* physical: LSN of the next piece of it */
};

struct stream *stream_new(const struct stream_setup *setup, int64_t now_us)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream != NULL) {
        stream->setup = *setup;
        conn_read_ahead(setup->conn);
        stream->last_receive_us = now_us;
        stream->next_request_us = clock_after(now_us, setup->status_interval_us);
        stream->answer_us = CLOCK_NEVER;
    }
    return stream;
}

bool stream_receive(struct stream *stream, int64_t now_us, struct error *error)
{
    enum io io = conn_receive(stream->setup.conn, error);

    if (io == IO_DONE) {
        stream->last_receive_us = now_us;
        stream->asked = false;
    }
    if (io == IO_EOF) {
        error_set(error, ERROR_TRANSIENT, "the server closed the connection unexpectedly");
    }
    return io == IO_DONE || io == IO_AGAIN;
}

static void owe_answer(struct stream *stream, int64_t after_us)
{
    stream->answer_us =
        clock_earlier(stream->answer_us, clock_after(stream->last_receive_us, after_us));
}

static void moved_to(struct stream *stream, uint64_t lsn)
{
    if (lsn > stream->received) {
        stream->received = lsn;
        owe_answer(stream, stream->setup.ack_delay_us);
    }
}

/* Of WAL itself, what has been received is what has come of it. */
static void moved_by(struct stream *stream, const struct slice *wal)
{
    if (stream->setup.physical) {
        stream->wal_at += wal->len;
        moved_to(stream, stream->wal_at);
    }
}

/* STREAM_NOTHING here: taken, nothing for the caller. */
static enum stream_event take_copy_data(struct stream *stream, const struct frame *frame,
                                        struct stream_message *message, struct error *error)
{
    struct wal_message wal;

    if (!wal_message_read(frame->body, &wal)) {
        error_set(error, ERROR_TRANSIENT, "received a malformed replication message");
        return STREAM_FAILED;
    }
    moved_to(stream, wal.lsn);
    if (wal.kind != WAL_DATA) {
        if (wal.kind == WAL_KEEPALIVE) {
            /* Asked or not: the keepalive may stand for a transaction without changes for us, whose
             * COMMIT waits for this answer. */
            owe_answer(stream, wal.reply_requested ? 0 : stream->setup.ack_delay_us);
        }
        stream->copy_kind = 'k';
        return STREAM_NOTHING;
    }
    stream->copy_kind = 'w';
    stream->wal_at = wal.lsn;
    moved_by(stream, &wal.payload);
    message->payload = wal.payload;
    message->more = frame->left > 0;
    message->lsn = wal.lsn;
    return STREAM_BEGIN;
}

static enum stream_event take_begin(struct stream *stream, const struct frame *frame,
                                    struct stream_message *message, struct error *error)
{
    switch (frame->type) {
    case 'd':
        return take_copy_data(stream, frame, message, error);
    case 'N':
        message->payload = frame->body;
        return STREAM_NOTICE;
    case 'E':
        server_error_read(frame->body, error);
        return STREAM_FAILED;
    case 'c': /* CopyDone, CommandComplete: the server shuts down */
    case 'C':
        error_set(error, ERROR_TRANSIENT, "the server ended the stream");
        return STREAM_FAILED;
    default:
        error_set(error, ERROR_TRANSIENT, "received an unexpected message in the stream");
        return STREAM_FAILED;
    }
}

enum stream_event stream_next(struct stream *stream, struct stream_message *message,
                              struct error *error)
{
    enum stream_event event = STREAM_NOTHING;

    while (event == STREAM_NOTHING) {
        struct frame frame = conn_next(stream->setup.conn);

        switch (frame.kind) {
        case FRAME_NONE:
            return STREAM_NOTHING;
        case FRAME_BEGIN:
            event = take_begin(stream, &frame, message, error);
            break;
        case FRAME_MORE:
            if (frame.type == 'd' && stream->copy_kind == 'w') {
                moved_by(stream, &frame.body);
                message->payload = frame.body;
                message->more = frame.left > 0;
                event = STREAM_MORE;
            }
            break;
        case FRAME_BAD:
            error_set(error, ERROR_TRANSIENT, "received a message of an impossible length");
            event = STREAM_FAILED;
            break;
        }
    }
    return event;
}

static void write_status(struct stream *stream, uint64_t flushed, bool reply_requested)
{
    struct standby_status status = {
        .written = stream->received,
        .flushed = flushed,
        .applied = flushed,
        .wall_us = clock_wall_us(),
        .reply_requested = reply_requested,
    };

    standby_status_write(conn_out(stream->setup.conn), &status);
}

/*
 * Acknowledging before the item is out loses nothing: the slot is never read a second time,
 * and whatever a lost connection takes along is covered by the next resync.
 *
 * A walsender that reports a flush position is a candidate for a synchronous
 * standby, by which COMMITs would be confirmed; one with none never is. So the
 * flush position, which moves the slot, is told only now and then, only up to
 * where no commit waits, and is taken back in the same write.
 */
static void write_statuses(struct stream *stream, bool reply_requested)
{
    if (!stream->setup.never_synchronous) {
        write_status(stream, stream->received, reply_requested);
    } else {
        if (reply_requested && stream->settled > stream->settled_told) {
            write_status(stream, stream->settled, false);
            stream->settled_told = stream->settled;
        }
        write_status(stream, 0, reply_requested);
    }
    stream->answer_us = CLOCK_NEVER;
}

/* Writes and sends one status, unless an older one is still on its way. */
static bool send_status(struct stream *stream, bool reply_requested, struct error *error)
{
    if (conn_out(stream->setup.conn)->len == 0) {
        write_statuses(stream, reply_requested);
    }
    return conn_flush(stream->setup.conn, error) != IO_ERROR;
}

bool stream_answer(struct stream *stream, int64_t now_us, struct error *error)
{
    bool due = now_us >= stream->next_request_us;

    if (now_us >= clock_after(stream->last_receive_us, stream->setup.liveness_us)) {
        if (stream->asked) {
            return error_set(error, ERROR_TRANSIENT, "the server has been silent for %.1f s",
                             (double)(now_us - stream->last_receive_us) / (double)CLOCK_S);
        }
        stream->last_receive_us = now_us; /* we have been stopped: it starts anew */
    }
    /* What was held up goes first; what is owed since then right behind it. */
    if (conn_flush(stream->setup.conn, error) == IO_ERROR) {
        return false;
    }
    if (due) {
        stream->next_request_us = clock_after(now_us, stream->setup.status_interval_us);
        stream->asked = true; /* also where what is held up keeps it from being sent */
    }
    return (!due && now_us < stream->answer_us) || send_status(stream, due, error);
}

uint64_t stream_position(const struct stream *stream)
{
    return stream->received;
}

void stream_settled(struct stream *stream, uint64_t lsn)
{
    stream->settled = lsn < stream->received ? lsn : stream->received;
}

int64_t stream_deadline(const struct stream *stream)
{
    bool held_up = conn_out(stream->setup.conn)->len > 0; /* goes on when the socket takes more */
    int64_t answer_us = held_up ? CLOCK_NEVER : stream->answer_us;
    int64_t due_us = clock_earlier(stream->next_request_us, answer_us);

    return clock_earlier(due_us, clock_after(stream->last_receive_us, stream->setup.liveness_us));
}

void stream_free(struct stream *stream)
{
    free(stream);
}
