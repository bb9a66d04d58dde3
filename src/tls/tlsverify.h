/* Whether it is the right server: its chain of certificates, and the name in the first of them. */
#ifndef PGNUDGE_TLS_TLSVERIFY_H
#define PGNUDGE_TLS_TLSVERIFY_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/error.h"
#include "conninfo/conninfo.h"

#define TLSVERIFY_NAME_MAX 256 /* bytes of a name for people, NUL included; longer ones are cut */

/* What was wrong with a certificate of the chain. */
struct tls_flaw {
    int verdict; /* X509_V_OK: nothing, so far */
    int depth;   /* 0: the server's own; above: its CAs */
    char subject[TLSVERIFY_NAME_MAX];
    char issuer[TLSVERIFY_NAME_MAX];
    char from[32], until[32]; /* its time, as text */
};

/* Has the handshake of `ssl` verify the chain, and write down in `flaw`, which must outlive it,
 * why that failed. */
void tlsverify_chain(SSL *ssl, struct tls_flaw *flaw);

/* Makes an ERROR_PERMANENT of it. */
void tlsverify_explain(const struct tls_flaw *flaw, const struct conninfo *info,
                       struct error *error);

/*
 * Whether the certificate is for `host`, by libpq's rules: a name or a "*." in
 * place of its first label, in the subjectAltName or, where that has none of
 * the kind, the subject's common name; an address as an address, or as text
 * in place of a name. False: `error` (ERROR_PERMANENT) says whose it is.
 */
bool tlsverify_host(X509 *cert, const char *host, struct error *error);

/* Whether the text is a numeric address. */
bool tlsverify_is_address(const char *host);

#endif
