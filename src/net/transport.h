/*
 * A byte stream to one address: a non-blocking socket, plain or, once
 * transport_start_tls has been called, TLS.
 */
#ifndef PGNUDGE_NET_TRANSPORT_H
#define PGNUDGE_NET_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/io.h"
#include "conninfo/conninfo.h"
#include "net/address.h"
#include "tls/tls.h"

struct transport;

/* Begins to connect, with the keepalives that `info` asks for. NULL: `error` says why. */
struct transport *transport_open(const struct address *address, const struct conninfo *info,
                                 struct error *error);

/* Goes on with it, when the socket is writable. IO_DONE: connected. */
enum io transport_connect(struct transport *transport, struct error *error);

/* Begins a TLS handshake on the connected stream, as tls_new does. */
bool transport_start_tls(struct transport *transport, const struct conninfo *info, const char *host,
                         struct error *error);

/* Goes on with it. IO_DONE: encrypted from here, and the server verified. */
enum io transport_handshake(struct transport *transport, struct error *error);

/* Reads at most `cap` bytes; IO_DONE: *len of them are in `data`. */
enum io transport_read(struct transport *transport, void *data, size_t cap, size_t *len,
                       struct error *error);

/* Writes at most `len` bytes; IO_DONE: *done of them are gone. IO_EOF: the peer is. */
enum io transport_write(struct transport *transport, const void *data, size_t len, size_t *done,
                        struct error *error);

int transport_fd(const struct transport *transport);

/* The poll events that a read that returned IO_AGAIN waits for, or a write. */
struct pollfd transport_pollfd(const struct transport *transport, bool writes);

/* Whether a read may return data although the socket isn't readable. */
bool transport_pending(const struct transport *transport);

/*
 * From now on a read takes all that is there, several TLS records at once, so
 * that transport_pending must be asked before the socket is waited for.
 */
void transport_read_ahead(struct transport *transport);

/* os_receive_low_water, for what isn't a Unix socket. */
bool transport_low_water(struct transport *transport, size_t bytes);

/* The TLS client, or NULL while the stream is plain. Borrowed. */
const struct tls *transport_tls(const struct transport *transport);

/* Closes it. NULL is fine. */
void transport_close(struct transport *transport);

#endif
