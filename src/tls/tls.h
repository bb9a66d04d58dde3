/*
 * TLS on a non-blocking socket, by OpenSSL. Every call returns at once; where
 * it returns IO_AGAIN, wait for what tls_read_events or tls_write_events say.
 */
#ifndef PGNUDGE_TLS_TLS_H
#define PGNUDGE_TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/io.h"
#include "conninfo/conninfo.h"

struct tls;

#define TLS_BINDING_MAX 64 /* bytes of the longest certificate hash, SHA-512 */

/*
 * Sets OpenSSL up, with what it would else set up when it is first needed: if memory ends there it
 * crashes. False: `error` (ERROR_FATAL) says why.
 */
bool tls_init(struct error *error);

/*
 * A TLS client on `fd`, which stays the caller's, to the server that the user
 * calls `host` ("": by its address alone). The certificate is verified as libpq
 * does under the sslmode of `info`, and its own is shown where the server asks
 * for one; both must outlive it. NULL: `error` says why (a root certificate that
 * can't be read, a key that others can read, …).
 */
struct tls *tls_new(int fd, const struct conninfo *info, const char *host, struct error *error);

/* Goes on with the handshake; IO_DONE: it is over and the server verified. */
enum io tls_handshake(struct tls *tls, struct error *error);

/* As transport_read and transport_write. */
enum io tls_read(struct tls *tls, void *data, size_t cap, size_t *len, struct error *error);
enum io tls_write(struct tls *tls, const void *data, size_t len, size_t *done, struct error *error);

/* The poll events that the last IO_AGAIN of a read, or of a write, waits for. */
short tls_read_events(const struct tls *tls);
short tls_write_events(const struct tls *tls);

/* Whether a read may return data without the socket being readable. */
bool tls_pending(const struct tls *tls);

/* As transport_read_ahead. */
void tls_read_ahead(struct tls *tls);

/*
 * The server's "tls-server-end-point" (RFC 5929, 4.1) in `hash`. Returns its
 * length in bytes, or 0 where the certificate's signature names no hash.
 */
size_t tls_server_end_point(const struct tls *tls, unsigned char hash[TLS_BINDING_MAX]);

/* After the handshake: whether the server has asked for a client certificate, and has got one. */
bool tls_client_cert_wanted(const struct tls *tls);
bool tls_client_cert_sent(const struct tls *tls);

/* "TLSv1.3" and the like, for people. */
const char *tls_version(const struct tls *tls);

/* After the handshake: whether the certificate was verified against a CA (else it would have
 * failed), under verify-full also its name. */
bool tls_verified(const struct tls *tls);

/* Sends close_notify if that takes no waiting. NULL is fine. */
void tls_free(struct tls *tls);

#endif
