#include "pq/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_AHEAD_BYTES ((size_t)32 * 1024) /* of records, read from the socket at once */

struct tls {
    SSL_CTX *ctx;
    SSL *ssl;
    const struct conninfo *info;
    const char *host;
    short read_events;
    short write_events;
    bool pending;   /* the last read may have left something */
    enum io unsaid; /* what ended that read, if not IO_AGAIN */
    struct error unsaid_error;
    bool usable; /* no fatal error so far: close_notify may be sent */
};

/* OpenSSL's oldest queued reason; it empties the queue. */
static const char *reason(void)
{
    unsigned long code = ERR_get_error();
    const char *text = code == 0                ? NULL
                       : ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                                : ERR_reason_error_string(code);

    ERR_clear_error();
    return text != NULL ? text : "no reason given";
}

/* libpq's protocol versions, to OpenSSL's. */
static int openssl_version(enum tls_bound bound)
{
    static const int version[] = {
        [TLS_UNBOUND] = 0,          [TLS_1_0] = TLS1_VERSION,   [TLS_1_1] = TLS1_1_VERSION,
        [TLS_1_2] = TLS1_2_VERSION, [TLS_1_3] = TLS1_3_VERSION,
    };

    return version[bound];
}

/* Loads what certificates are verified against; true with none where the mode allows that. */
static bool load_roots(struct tls *tls, struct error *error)
{
    const char *path = conninfo_text(tls->info, CONN_SSLROOTCERT);
    bool must_verify = tls->info->sslmode >= SSLMODE_VERIFY_CA;

    if (strcmp(path, "system") == 0) {
        if (SSL_CTX_set_default_verify_paths(tls->ctx) != 1) {
            return error_set(error, ERROR_PERMANENT,
                             "could not load the system's root certificates: %s", reason());
        }
        SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
        return true;
    }
    if (access(path, F_OK) != 0 && errno != EACCES) {
        if (!must_verify) {
            return true; /* as libpq: no roots, no verification */
        }
        error_set(error, ERROR_PERMANENT, "root certificate file \"%s\" does not exist", path);
        error_hint(error, "Put the certificate of the server's CA there, name it with "
                          "PGSSLROOTCERT, or change sslmode to turn verification off.");
        return false;
    }
    if (SSL_CTX_load_verify_locations(tls->ctx, path, NULL) != 1) {
        return error_set(error, ERROR_PERMANENT, "could not read root certificate file \"%s\": %s",
                         path, reason());
    }
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    return true;
}

static bool is_ip_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool configure(struct tls *tls, int fd, struct error *error)
{
    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (tls->ctx == NULL ||
        SSL_CTX_set_min_proto_version(tls->ctx, openssl_version(tls->info->tls_min)) != 1 ||
        SSL_CTX_set_max_proto_version(tls->ctx, openssl_version(tls->info->tls_max)) != 1) {
        return error_set(error, ERROR_FATAL, "could not set up TLS: %s", reason());
    }
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!load_roots(tls, error)) {
        return false;
    }
    tls->ssl = SSL_new(tls->ctx);
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1) {
        return error_set(error, ERROR_FATAL, "could not set up TLS: %s", reason());
    }
    /* SNI names hosts only (RFC 6066, 3). */
    if (tls->info->sni && tls->host[0] != '\0' && !is_ip_address(tls->host) &&
        SSL_set_tlsext_host_name(tls->ssl, tls->host) != 1) {
        return error_set(error, ERROR_FATAL, "could not set up TLS: %s", reason());
    }
    return true;
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
        error_set(error, ERROR_TRANSIENT, "TLS error: %s", reason());
        return IO_ERROR;
    }
}

static bool host_matches(const struct tls *tls, X509 *cert)
{
    return (is_ip_address(tls->host) && X509_check_ip_asc(cert, tls->host, 0) == 1) ||
           X509_check_host(cert, tls->host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* verify-full: the certificate must name the host that the user asked for. */
static enum io verify_host(struct tls *tls, struct error *error)
{
    X509 *cert = SSL_get0_peer_certificate(tls->ssl);
    char name[256] = "?";

    if (tls->info->sslmode != SSLMODE_VERIFY_FULL) {
        return IO_DONE;
    }
    if (tls->host[0] == '\0') {
        error_set(error, ERROR_PERMANENT, "sslmode verify-full needs a host name to verify");
        error_hint(error, "Give host besides hostaddr.");
        return IO_ERROR;
    }
    if (cert != NULL && host_matches(tls, cert)) {
        return IO_DONE;
    }
    if (cert != NULL) {
        X509_NAME_oneline(X509_get_subject_name(cert), name, (int)sizeof(name));
    }
    error_set(error, ERROR_PERMANENT, "server certificate does not match host name \"%s\"",
              tls->host);
    error_detail(error, "The certificate's subject is \"%s\".", name);
    error_hint(error, "Connect by a name that the certificate carries.");
    return IO_ERROR;
}

enum io tls_handshake(struct tls *tls, struct error *error)
{
    enum io io;
    long verdict;
    int status;

    ERR_clear_error();
    errno = 0;
    status = SSL_connect(tls->ssl);
    if (status == 1) {
        tls->read_events = POLLIN;
        tls->write_events = POLLOUT;
        return verify_host(tls, error);
    }
    io = result(tls, status, &tls->read_events, error);
    tls->write_events = tls->read_events;
    verdict = SSL_get_verify_result(tls->ssl);
    if (io == IO_ERROR && verdict != X509_V_OK &&
        SSL_CTX_get_verify_mode(tls->ctx) == SSL_VERIFY_PEER) {
        error_set(error, ERROR_PERMANENT, "server certificate is not trusted: %s",
                  X509_verify_cert_error_string(verdict));
        error_hint(error, "The CA certificates are read from \"%s\".",
                   conninfo_text(tls->info, CONN_SSLROOTCERT));
    } else if (io == IO_EOF) {
        error_set(error, ERROR_TRANSIENT, "the server closed the connection in the TLS handshake");
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
    enum io io = tls->unsaid;
    size_t more;

    *len = 0;
    if (io != IO_DONE) {
        tls->unsaid = IO_DONE;
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
        tls->unsaid = io;
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
    SSL_set_default_read_buffer_len(tls->ssl, READ_AHEAD_BYTES);
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
