/*
 * The files that TLS goes by: at the places and under the rules of libpq's
 * "SSL Support". What they say goes into an OpenSSL context.
 */
#ifndef PGNUDGE_TLS_TLSFILES_H
#define PGNUDGE_TLS_TLSFILES_H

#include <limits.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/error.h"
#include "conninfo/conninfo.h"

/* Enough for a path; longer ones count as absent. */
#define TLSFILES_PATH_MAX PATH_MAX

/*
 * Loads the CA certificates and revocation lists that the server is verified
 * against. *found: there are some; without any, true where sslmode allows it.
 */
bool tlsfiles_load_roots(SSL_CTX *ctx, const struct conninfo *info, bool *found,
                         struct error *error);

/*
 * Loads the client's certificate and key, if there is a certificate to show;
 * its file's name is then in `path`, else "" is. A key that others can read
 * is refused, and OpenSSL never asks for a passphrase: sslpassword is it.
 */
bool tlsfiles_load_client(SSL_CTX *ctx, const struct conninfo *info, char path[TLSFILES_PATH_MAX],
                          struct error *error);

#endif
