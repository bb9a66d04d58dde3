/*
 * One connection after its dial: messages out through a buffer, messages in
 * through the frame reader. Nothing here waits.
 */
#ifndef PGNUDGE_PQ_CONN_H
#define PGNUDGE_PQ_CONN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/io.h"
#include "base/step.h"
#include "net/address.h"
#include "net/transport.h"
#include "wire/frame.h"

#define CANCEL_KEY_MAX 256 /* bytes; 4 before protocol 3.2 */

/* What BackendKeyData says: needed to cancel what the connection is doing. */
struct cancel_key {
    uint32_t pid;
    unsigned char key[CANCEL_KEY_MAX];
    size_t len; /* 0: the server gave none */
};

/* Takes what belongs to no answer; each function may be NULL. All text is borrowed for the call. */
struct conn_listener {
    void *context;
    void (*notification)(void *context, uint32_t pid, struct slice channel, struct slice payload);
    void (*notice)(void *context, struct slice body); /* of a NoticeResponse */
};

struct conn;

/* Takes the transport over, also on failure. `address` must outlive it. NULL: out of memory. */
struct conn *conn_new(struct transport *transport, const struct address *address);

/* Takes messages of any length from now on; before the login is done, at most LOGIN_BODY_MAX. */
void conn_lift_limit(struct conn *conn);

/* The bytes to send: append whole messages, then call conn_flush. */
struct buffer *conn_out(struct conn *conn);

/*
 * Sends what it can without waiting. IO_DONE: all of it. Once the server has
 * closed its end, the rest is dropped and the call succeeds: what it said last
 * is still to be read. IO_ERROR: `error` says why.
 */
enum io conn_flush(struct conn *conn, struct error *error);

/* One read, of at most FRAME_BUFFER bytes; conn_next then gives what came. */
enum io conn_receive(struct conn *conn, struct error *error);

/* Who takes notifications and notices from now on, from within conn_next; borrowed. */
void conn_listen(struct conn *conn, const struct conn_listener *listener);

/*
 * The next message that conn_receive brought; a ParameterStatus is kept and not shown, nor is what
 * a listener takes.
 */
struct frame conn_next(struct conn *conn);

/* The poll events that the connection waits for. */
struct pollfd conn_pollfd(const struct conn *conn);

/* Whether conn_receive may have data without the socket being readable. */
bool conn_pending(const struct conn *conn);

/* The bytes that conn_receive has brought so far. */
uint64_t conn_received(const struct conn *conn);

/* As transport_read_ahead and transport_low_water. */
void conn_read_ahead(struct conn *conn);
bool conn_low_water(struct conn *conn, size_t bytes);

const struct address *conn_address(const struct conn *conn);

/* The TLS client, or NULL on a plain stream. Borrowed. */
const struct tls *conn_tls(const struct conn *conn);

/* The server's version as it reports it ("17.2 (Debian …)"), "" before the login. */
const char *conn_server_version(const struct conn *conn);

/* The number in front of that; 0: there is none. */
int conn_server_major(const struct conn *conn);

/* The database's encoding as it reports it ("UTF8"), "" before the login. */
const char *conn_server_encoding(const struct conn *conn);

/* "on" or "off" as it reports them from 14 on, "" before the login and below. */
const char *conn_in_hot_standby(const struct conn *conn);
const char *conn_default_read_only(const struct conn *conn);

/* Filled in by the login. */
struct cancel_key *conn_cancel_key(struct conn *conn);

/*
 * Ends the session: Terminate, at the first call, and then all that comes is dropped. DONE once the
 * server has closed, which it does when it holds nothing for the session any more.
 */
enum step conn_leave(struct conn *conn);

/* Sends Terminate if that takes no waiting, and closes. NULL is fine. */
void conn_close(struct conn *conn);

#endif
