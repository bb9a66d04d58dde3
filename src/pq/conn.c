#include "pq/conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/cursor.h"
#include "wire/message.h"

struct conn {
    struct transport *transport;
    const struct address *address;
    struct frame_reader *frames;
    struct buffer out;
    uint64_t received; /* bytes */
    struct cancel_key cancel_key;
    bool leaving;                         /* Terminate has been said */
    const struct conn_listener *listener; /* NULL: there is none */
    char server_version[64];
    char server_encoding[32];
    char in_hot_standby[8];
    char default_read_only[8];
};

struct conn *conn_new(struct transport *transport, const struct address *address)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (conn != NULL) {
        conn->transport = transport;
        conn->address = address;
        conn->frames = frame_reader_new();
    } else {
        transport_close(transport);
    }
    if (conn != NULL && conn->frames == NULL) {
        conn_close(conn);
        conn = NULL;
    }
    if (conn != NULL) {
        frame_limit(conn->frames, LOGIN_BODY_MAX);
    }
    return conn;
}

void conn_lift_limit(struct conn *conn)
{
    frame_limit(conn->frames, FRAME_BODY_MAX - 4);
}

struct buffer *conn_out(struct conn *conn)
{
    return &conn->out;
}

enum io conn_flush(struct conn *conn, struct error *error)
{
    enum io io = IO_DONE;
    size_t done;

    if (conn->out.failed) {
        error_memory(error);
        return IO_ERROR;
    }
    while (io == IO_DONE && conn->out.len > 0) {
        io = transport_write(conn->transport, conn->out.data, conn->out.len, &done, error);
        if (io == IO_DONE) {
            buffer_consume(&conn->out, done);
        }
    }
    if (io == IO_EOF) {
        buffer_clear(&conn->out);
        io = IO_DONE;
    }
    return io;
}

enum io conn_receive(struct conn *conn, struct error *error)
{
    size_t cap, len;
    void *space = frame_space(conn->frames, &cap);
    enum io io = transport_read(conn->transport, space, cap, &len, error);

    if (io == IO_DONE) {
        frame_filled(conn->frames, len);
        conn->received += len;
    }
    return io;
}

static void keep_parameter(struct conn *conn, struct slice body)
{
    const struct {
        const char *name;
        char *value;
        size_t size;
    } kept[] = {
        {"server_version", conn->server_version, sizeof(conn->server_version)},
        {"server_encoding", conn->server_encoding, sizeof(conn->server_encoding)},
        {"in_hot_standby", conn->in_hot_standby, sizeof(conn->in_hot_standby)},
        {"default_transaction_read_only", conn->default_read_only, sizeof(conn->default_read_only)},
    };
    struct slice name, value;

    if (!cursor_string(&body, &name) || !cursor_string(&body, &value)) {
        return;
    }
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (slice_equal(name, slice_of(kept[i].name))) {
            snprintf(kept[i].value, kept[i].size, "%.*s", (int)value.len, value.data);
        }
    }
}

void conn_listen(struct conn *conn, const struct conn_listener *listener)
{
    conn->listener = listener;
}

/* NotificationResponse: the notifying process, the channel, the payload. */
static void take_notification(const struct conn_listener *listener, struct slice body)
{
    uint32_t pid;
    struct slice channel, payload;

    if (cursor_be32(&body, &pid) && cursor_string(&body, &channel) &&
        cursor_string(&body, &payload)) {
        listener->notification(listener->context, pid, channel, payload);
    }
}

/* Whether the message belongs to no answer, and has been taken care of. */
static bool take_aside(struct conn *conn, const struct frame *frame)
{
    const struct conn_listener *listener = conn->listener;
    bool begins = frame->kind == FRAME_BEGIN;

    switch (frame->type) {
    case 'S':
        if (begins) {
            keep_parameter(conn, frame->body);
        }
        return true;
    case 'A':
        if (listener == NULL || listener->notification == NULL) {
            return false;
        }
        if (begins && frame->left == 0) { /* a longer one isn't PostgreSQL's */
            take_notification(listener, frame->body);
        }
        return true;
    case 'N':
        if (listener == NULL || listener->notice == NULL) {
            return false;
        }
        if (begins) {
            listener->notice(listener->context, frame->body);
        }
        return true;
    default:
        return false;
    }
}

struct frame conn_next(struct conn *conn)
{
    struct frame frame = frame_next(conn->frames);

    while ((frame.kind == FRAME_BEGIN || frame.kind == FRAME_MORE) && take_aside(conn, &frame)) {
        frame = frame_next(conn->frames);
    }
    return frame;
}

struct pollfd conn_pollfd(const struct conn *conn)
{
    /* conn_flush says that it has failed. */
    return transport_pollfd(conn->transport, conn->out.len > 0 || conn->out.failed);
}

bool conn_pending(const struct conn *conn)
{
    return transport_pending(conn->transport);
}

uint64_t conn_received(const struct conn *conn)
{
    return conn->received;
}

void conn_read_ahead(struct conn *conn)
{
    transport_read_ahead(conn->transport);
}

bool conn_low_water(struct conn *conn, size_t bytes)
{
    return transport_low_water(conn->transport, bytes);
}

const struct address *conn_address(const struct conn *conn)
{
    return conn->address;
}

const struct tls *conn_tls(const struct conn *conn)
{
    return transport_tls(conn->transport);
}

const char *conn_server_version(const struct conn *conn)
{
    return conn->server_version;
}

int conn_server_major(const struct conn *conn)
{
    long major = strtol(conn->server_version, NULL, 10);

    return major > 0 && major < 1000 ? (int)major : 0;
}

const char *conn_server_encoding(const struct conn *conn)
{
    return conn->server_encoding;
}

const char *conn_in_hot_standby(const struct conn *conn)
{
    return conn->in_hot_standby;
}

const char *conn_default_read_only(const struct conn *conn)
{
    return conn->default_read_only;
}

struct cancel_key *conn_cancel_key(struct conn *conn)
{
    return &conn->cancel_key;
}

enum step conn_leave(struct conn *conn)
{
    struct error ignored;
    struct frame frame;
    enum io io;

    if (!conn->leaving) {
        message_terminate(&conn->out);
        conn->leaving = true;
    }
    do {
        io = conn_flush(conn, &ignored);
        if (io != IO_ERROR) {
            io = conn_receive(conn, &ignored);
        }
        do {
            frame = conn_next(conn);
        } while (frame.kind == FRAME_BEGIN || frame.kind == FRAME_MORE);
    } while (io == IO_DONE && conn_pending(conn));
    return io == IO_EOF || io == IO_ERROR || frame.kind == FRAME_BAD ? STEP_DONE : STEP_WAIT;
}

void conn_close(struct conn *conn)
{
    struct error ignored;

    if (conn == NULL) {
        return;
    }
    if (!conn->leaving) {
        message_terminate(&conn->out);
    }
    conn_flush(conn, &ignored);
    buffer_free(&conn->out);
    frame_reader_free(conn->frames);
    transport_close(conn->transport);
    free(conn);
}
