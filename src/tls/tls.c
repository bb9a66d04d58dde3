#include "tls/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "tls/tlserror.h"
#include "tls/tlsfiles.h"
#include "tls/tlsverify.h"

#define ALPN "postgresql" /* as registered with IANA */
#define DIRECT_HINT                                                                                \
    "sslnegotiation=direct takes PostgreSQL 17 or newer, or a proxy that knows ALPN \"" ALPN "\"."

struct tls {
    SSL_CTX *ctx;
    SSL *ssl;
    const struct conninfo *info;
    const char *host;             /* as the user calls it; "" for none */
    struct tls_flaw flaw;         /* why the server's chain isn't trusted */
    char cert[TLSFILES_PATH_MAX]; /* the client's certificate, or "" */
    bool cert_wanted;             /* the server has asked for one */
    short read_events;
    short write_events;
    bool pending;           /* the last read may have left something */
    enum io deferred_error; /* what ended that read, if not IO_AGAIN */
    struct error unsaid_error;
    bool usable; /* no fatal error so far: close_notify may be sent */
};

/* libpq's protocol versions, to OpenSSL's. */
static int openssl_version(enum tls_bound bound)
{
    static const int version[] = {
        [TLS_UNBOUND] = 0,          [TLS_1_0] = TLS1_VERSION,   [TLS_1_1] = TLS1_1_VERSION,
        [TLS_1_2] = TLS1_2_VERSION, [TLS_1_3] = TLS1_3_VERSION,
    };

    return version[bound];
}

/* Called when the server asks for a certificate; OpenSSL goes on with what there is. */
static int note_cert_wanted(SSL *ssl, void *context)
{
    struct tls *tls = context;

    (void)ssl;
    tls->cert_wanted = true;
    return 1;
}

static bool configure_context(struct tls *tls, bool *verify, struct error *error)
{
    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (tls->ctx == NULL ||
        SSL_CTX_set_min_proto_version(tls->ctx, openssl_version(tls->info->tls_min)) != 1 ||
        SSL_CTX_set_max_proto_version(tls->ctx, openssl_version(tls->info->tls_max)) != 1) {
        return error_set(error, ERROR_FATAL, "could not set up TLS: %s", tlserror_reason());
    }
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_cert_cb(tls->ctx, note_cert_wanted, tls);
    return tlsfiles_load_roots(tls->ctx, tls->info, verify, error) &&
           tlsfiles_load_client(tls->ctx, tls->info, tls->cert, error);
}

static bool configure(struct tls *tls, int fd, struct error *error)
{
    bool names_host = tls->info->sni && tls->host[0] != '\0' && !tlsverify_is_address(tls->host);
    bool verify = false;

    if (!configure_context(tls, &verify, error)) {
        return false;
    }
    tls->ssl = SSL_new(tls->ctx);
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1 ||
        /* SNI names hosts only (RFC 6066, 3). */
        (names_host && SSL_set_tlsext_host_name(tls->ssl, tls->host) != 1) ||
        /* A length byte in front of the name (RFC 7301, 3.1); 0 is success. */
        SSL_set_alpn_protos(tls->ssl, (const unsigned char *)"\12" ALPN, 1 + strlen(ALPN)) != 0) {
        return error_set(error, ERROR_FATAL, "could not set up TLS: %s", tlserror_reason());
    }
    if (verify) {
        tlsverify_chain(tls->ssl, &tls->flaw);
    }
    return true;
}

bool tls_init(struct error *error)
{
    unsigned char random;
    EVP_MAC *hmac = NULL;
    EVP_MD *sha256 = NULL;
    bool ok = OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
                                   OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
                               NULL) == 1 &&
              RAND_bytes(&random, 1) == 1;

    if (ok) {
        hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    }
    ok = hmac != NULL && sha256 != NULL;
    EVP_MAC_free(hmac);
    EVP_MD_free(sha256);
    ERR_clear_error();
    return ok || error_set(error, ERROR_FATAL,
                           "could not set up OpenSSL: out of memory, or no randomness");
}

struct tls *tls_new(int fd, const struct conninfo *info, const char *host, struct error *error)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL) {
        error_memory(error);
        return NULL;
    }
    ERR_clear_error();
    tls->info = info;
    tls->host = host;
    tls->read_events = POLLIN;
    tls->write_events = POLLOUT;
    if (!configure(tls, fd, error)) {
        tls_free(tls);
        return NULL;
    }
    tls->usable = true;
    return tls;
}

/* The one place that reads OpenSSL's result; `events` is where its want goes. */
static enum io result(struct tls *tls, int status, short *events, struct error *error)
{
    int saved_errno = errno;

    switch (SSL_get_error(tls->ssl, status)) {
    case SSL_ERROR_WANT_READ:
        *events = POLLIN;
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *events = POLLOUT;
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF;
    case SSL_ERROR_SYSCALL:
        tls->usable = false;
        if (saved_errno == 0 || saved_errno == EPIPE || saved_errno == ECONNRESET) {
            return IO_EOF;
        }
        error_set(error, ERROR_TRANSIENT, "%s", strerror(saved_errno));
        return IO_ERROR;
    default:
        tls->usable = false;
        /* A server that just drops the connection, as PostgreSQL does when it dies. */
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            ERR_clear_error();
            return IO_EOF;
        }
        tlserror_explain(tls_client_cert_sent(tls) ? tls->cert : "", error);
        return IO_ERROR;
    }
}

/* verify-full: the certificate must name the host that the user asked for. */
static bool verify_host(const struct tls *tls, struct error *error)
{
    X509 *cert = SSL_get0_peer_certificate(tls->ssl);

    if (tls->info->sslmode != SSLMODE_VERIFY_FULL) {
        return true;
    }
    if (tls->host[0] == '\0') {
        error_set(error, ERROR_PERMANENT, "sslmode verify-full needs a host name to verify");
        error_hint(error, "Give host besides hostaddr.");
        return false;
    }
    if (cert == NULL) {
        return error_set(error, ERROR_PERMANENT, "the server sent no certificate");
    }
    return tlsverify_host(cert, tls->host, error);
}

/* Without an SSLRequest nothing else says that the other end speaks PostgreSQL's protocol. */
static bool verify_protocol(const struct tls *tls, struct error *error)
{
    const unsigned char *protocol;
    unsigned len;

    SSL_get0_alpn_selected(tls->ssl, &protocol, &len);
    if (!tls->info->direct_tls || (len == strlen(ALPN) && memcmp(protocol, ALPN, len) == 0)) {
        return true;
    }
    error_set(error, ERROR_PERMANENT,
              "the direct TLS connection was established without the ALPN protocol \"%s\"", ALPN);
    error_hint(error, DIRECT_HINT);
    return false;
}

static void explain_handshake(const struct tls *tls, enum io io, struct error *error)
{
    if (tls->flaw.verdict != X509_V_OK) {
        tlsverify_explain(&tls->flaw, tls->info, error);
    } else if (io == IO_EOF) {
        error_set(error, ERROR_TRANSIENT, "the server closed the connection in the TLS handshake");
    }
    if (tls->info->direct_tls && error->hint[0] == '\0') {
        error_hint(error, DIRECT_HINT);
    }
}

enum io tls_handshake(struct tls *tls, struct error *error)
{
    enum io io;
    int status;

    ERR_clear_error();
    errno = 0;
    status = SSL_connect(tls->ssl);
    if (status == 1) {
        tls->read_events = POLLIN;
        tls->write_events = POLLOUT;
        return verify_protocol(tls, error) && verify_host(tls, error) ? IO_DONE : IO_ERROR;
    }
    io = result(tls, status, &tls->read_events, error);
    tls->write_events = tls->read_events;
    if (io != IO_AGAIN) {
        explain_handshake(tls, io, error);
        io = IO_ERROR;
    }
    return io;
}

static enum io read_record(struct tls *tls, void *data, size_t cap, size_t *len,
                           struct error *error)
{
    int status;

    status = SSL_read_ex(tls->ssl, data, cap, len);
    return status == 1 ? IO_DONE : result(tls, status, &tls->read_events, error);
}

enum io tls_read(struct tls *tls, void *data, size_t cap, size_t *len, struct error *error)
{
    enum io io = tls->deferred_error;
    size_t more;

    *len = 0;
    if (io != IO_DONE) {
        tls->deferred_error = IO_DONE;
        tls->pending = false;
        *error = tls->unsaid_error;
        return io;
    }
    ERR_clear_error();
    errno = 0;
    do { /* one record a call, of those that have been read ahead */
        io = read_record(tls, (char *)data + *len, cap - *len, &more, error);
        *len += io == IO_DONE ? more : 0;
    } while (io == IO_DONE && *len < cap && SSL_has_pending(tls->ssl) == 1);
    tls->pending = io == IO_DONE && SSL_has_pending(tls->ssl) == 1;
    if (io != IO_DONE && io != IO_AGAIN && *len > 0) { /* first what came before it */
        tls->deferred_error = io;
        tls->unsaid_error = *error;
        tls->pending = true;
    }
    return *len > 0 ? IO_DONE : io;
}

enum io tls_write(struct tls *tls, const void *data, size_t len, size_t *done, struct error *error)
{
    int status;

    ERR_clear_error();
    errno = 0;
    status = SSL_write_ex(tls->ssl, data, len, done);
    return status == 1 ? IO_DONE : result(tls, status, &tls->write_events, error);
}

short tls_read_events(const struct tls *tls)
{
    return tls->read_events;
}

short tls_write_events(const struct tls *tls)
{
    return tls->write_events;
}

bool tls_pending(const struct tls *tls)
{
    return tls->pending;
}

void tls_read_ahead(struct tls *tls)
{
    SSL_set_read_ahead(tls->ssl, 1);
}

size_t tls_server_end_point(const struct tls *tls, unsigned char hash[TLS_BINDING_MAX])
{
    X509 *cert = SSL_get0_peer_certificate(tls->ssl);
    int digest_nid = NID_undef;
    const EVP_MD *digest;
    unsigned int len = 0;

    if (cert == NULL || X509_get_signature_info(cert, &digest_nid, NULL, NULL, NULL) != 1) {
        return 0;
    }
    if (digest_nid == NID_md5 || digest_nid == NID_sha1) {
        digest_nid = NID_sha256; /* RFC 5929, 4.1 */
    }
    digest = EVP_get_digestbynid(digest_nid);
    if (digest == NULL || EVP_MD_get_size(digest) > TLS_BINDING_MAX ||
        X509_digest(cert, digest, hash, &len) != 1) {
        return 0;
    }
    return len;
}

bool tls_client_cert_wanted(const struct tls *tls)
{
    return tls->cert_wanted;
}

bool tls_client_cert_sent(const struct tls *tls)
{
    return tls->cert_wanted && tls->cert[0] != '\0';
}

bool tls_verified(const struct tls *tls)
{
    return SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_PEER;
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    ERR_clear_error();
    if (tls->usable && SSL_is_init_finished(tls->ssl)) {
        SSL_shutdown(tls->ssl);
    }
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->ctx);
    free(tls);
}
