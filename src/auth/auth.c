#include "auth/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "auth/scram.h"
#include "wire/cursor.h"
#include "wire/message.h"

enum auth_request {
    REQUEST_OK = 0,
    REQUEST_CLEARTEXT = 3,
    REQUEST_MD5 = 5,
    REQUEST_SASL = 10,
    REQUEST_SASL_CONTINUE = 11,
    REQUEST_SASL_FINAL = 12
};

/* What has been shown so far: SASL must reach its end before an Ok counts. */
enum auth_state { AUTH_BEGUN, AUTH_PASSWORD_SENT, AUTH_SASL, AUTH_SASL_VERIFIED };

struct auth {
    struct auth_setup setup;
    enum auth_state state;
    bool lacks_password;
    bool bound; /* the SASL exchange under way, or verified, covers the TLS connection */
    struct scram *scram;
    bool working; /* the answer to the last message takes more of auth_work */
    const char *method;
};

struct auth *auth_new(const struct auth_setup *setup)
{
    struct auth *auth = OPENSSL_zalloc(sizeof(*auth));

    if (auth != NULL) {
        auth->setup = *setup;
        auth->method = "no password requested"; /* trust, peer, … */
    }
    return auth;
}

static enum auth_step refuse(struct error *error, const char *why)
{
    error_set(error, ERROR_PERMANENT, "%s", why);
    return AUTH_REFUSED;
}

static const char *password_of(const struct auth *auth)
{
    const char *password = conninfo_text(auth->setup.info, CONN_PASSWORD);

    return password[0] == '\0' && auth->setup.password != NULL ? auth->setup.password : password;
}

static bool has_password(struct auth *auth, struct error *error)
{
    if (password_of(auth)[0] != '\0') {
        return true;
    }
    auth->lacks_password = true;
    error_set(error, ERROR_PERMANENT, "the server requests a password, but none is known");
    if (auth->setup.no_password != NULL && auth->setup.no_password[0] != '\0') {
        error_detail(error, "%s", auth->setup.no_password);
    }
    error_hint(error, "Put it in the password file (~/.pgpass), or set PGPASSWORD.");
    return false;
}

/* Whether require_auth leaves out what the server wants, which `what` describes. */
static bool rules_out(const struct auth *auth, enum auth_method method, const char *what,
                      struct error *error)
{
    const struct conninfo *info = auth->setup.info;

    if ((info->auth_allowed & 1U << method) != 0) {
        return false;
    }
    error_set(error, ERROR_PERMANENT, "require_auth is \"%s\", but the server wants %s",
              conninfo_text(info, CONN_REQUIRE_AUTH), what);
    error_hint(error, "The method is set in the server's pg_hba.conf.");
    return true;
}

/* The same for channel_binding, which only SCRAM over TLS has. */
static bool must_bind(const struct auth *auth, const char *what, struct error *error)
{
    if (auth->setup.info->channel_binding != CHANNEL_BINDING_REQUIRE) {
        return false;
    }
    error_set(error, ERROR_PERMANENT, "channel_binding is \"require\", but the server wants %s",
              what);
    error_hint(error, "It requires TLS, and scram-sha-256 in the server's pg_hba.conf.");
    return true;
}

static enum auth_step send_password(struct auth *auth, const char *password, struct buffer *out)
{
    size_t mark = message_begin(out, 'p');

    message_string(out, password);
    message_end(out, mark);
    auth->state = AUTH_PASSWORD_SENT;
    return AUTH_GOES_ON;
}

static enum auth_step answer_cleartext(struct auth *auth, struct buffer *out, struct error *error)
{
    if (rules_out(auth, AUTH_METHOD_PASSWORD, "a cleartext password", error) ||
        must_bind(auth, "a cleartext password", error)) {
        return AUTH_REFUSED;
    }
    if (auth->setup.tls == NULL && !auth->setup.unix_socket) {
        refuse(error, "the server requests a cleartext password over an unencrypted connection");
        error_hint(error, "Use TLS (PGSSLMODE=require), or scram-sha-256 in the server's "
                          "pg_hba.conf.");
        return AUTH_REFUSED;
    }
    if (!has_password(auth, error)) {
        return AUTH_REFUSED;
    }
    auth->method = "a cleartext password";
    return send_password(auth, password_of(auth), out);
}

/* Appends MD5(a || b) in lower-case hex. */
static bool md5_hex(struct slice a, struct slice b, char hex[33])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok;

    ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
         EVP_DigestUpdate(ctx, a.data, a.len) == 1 && EVP_DigestUpdate(ctx, b.data, b.len) == 1 &&
         EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    for (int i = 0; ok && i < 16; i++) {
        snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    OPENSSL_cleanse(digest, sizeof(digest));
    return ok;
}

/* "md5" || md5(md5(password || user) || salt) */
static enum auth_step answer_md5(struct auth *auth, struct slice body, struct buffer *out,
                                 struct error *error)
{
    const struct conninfo *info = auth->setup.info;
    enum auth_step step = AUTH_REFUSED;
    char inner[33], answer[3 + 33] = "md5";
    struct slice salt;

    if (!cursor_bytes(&body, 4, &salt)) {
        return refuse(error, "malformed MD5 authentication request");
    }
    if (rules_out(auth, AUTH_METHOD_MD5, "an MD5 password", error) ||
        must_bind(auth, "an MD5 password", error) || !has_password(auth, error)) {
        return AUTH_REFUSED;
    }
    if (md5_hex(slice_of(password_of(auth)), slice_of(conninfo_text(info, CONN_USER)), inner) &&
        md5_hex(slice_of(inner), salt, answer + 3)) {
        auth->method = "md5";
        step = send_password(auth, answer, out);
    } else {
        refuse(error, "the server requests an MD5 password, which this OpenSSL can't compute");
    }
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(answer, sizeof(answer));
    return step;
}

static bool offers(struct slice mechanisms, const char *wanted)
{
    struct slice name;

    while (cursor_string(&mechanisms, &name) && name.len > 0) {
        if (slice_equal(name, slice_of(wanted))) {
            return true;
        }
    }
    return false;
}

static enum auth_step answer_sasl(struct auth *auth, struct slice mechanisms, struct buffer *out,
                                  struct error *error)
{
    unsigned char hash[TLS_BINDING_MAX];
    struct scram_setup setup = {.hash = "SHA256", .username = "", .gs2 = "n,,"};
    const char *mechanism = "SCRAM-SHA-256";
    bool plus = offers(mechanisms, "SCRAM-SHA-256-PLUS");
    bool bind = auth->setup.info->channel_binding != CHANNEL_BINDING_DISABLE;
    size_t hash_len =
        bind && auth->setup.tls != NULL ? tls_server_end_point(auth->setup.tls, hash) : 0;
    struct buffer first = {0};
    size_t mark;

    if (rules_out(auth, AUTH_METHOD_SCRAM, "SCRAM", error)) {
        return AUTH_REFUSED;
    }
    if (hash_len > 0 && plus) {
        mechanism = "SCRAM-SHA-256-PLUS";
        setup.gs2 = "p=tls-server-end-point,,";
        setup.binding = (struct slice){(const char *)hash, hash_len};
        auth->bound = true;
    } else if (must_bind(auth, "SCRAM without it", error)) {
        return AUTH_REFUSED;
    } else if (!offers(mechanisms, mechanism)) {
        return refuse(error, "the server offers no SASL mechanism that pgnudge supports");
    } else if (hash_len > 0) {
        setup.gs2 = "y,,"; /* we could bind, the server seems not to: it checks that claim */
    }
    if (!has_password(auth, error)) {
        return AUTH_REFUSED;
    }
    setup.password = password_of(auth);
    auth->scram = scram_new(&setup, error);
    if (auth->scram == NULL) {
        return AUTH_REFUSED;
    }
    scram_first(auth->scram, &first);
    mark = message_begin(out, 'p');
    message_string(out, mechanism);
    buffer_be32(out, (uint32_t)first.len);
    buffer_append(out, first.data, first.len);
    message_end(out, mark);
    out->failed |= first.failed;
    buffer_free(&first);
    auth->state = AUTH_SASL;
    auth->method = mechanism;
    return AUTH_GOES_ON;
}

enum auth_step auth_work(struct auth *auth, struct buffer *out, struct error *error)
{
    struct buffer final = {0};
    enum scram_progress progress = scram_work(auth->scram, &final, error);
    size_t mark;

    if (progress == SCRAM_READY) {
        mark = message_begin(out, 'p');
        buffer_append(out, final.data, final.len);
        message_end(out, mark);
        out->failed |= final.failed;
    }
    auth->working = progress == SCRAM_WORKING;
    buffer_free(&final);
    return progress == SCRAM_FAILED ? AUTH_REFUSED : AUTH_GOES_ON;
}

bool auth_is_working(const struct auth *auth)
{
    return auth->working;
}

static enum auth_step answer_sasl_continue(struct auth *auth, struct slice body, struct buffer *out,
                                           struct error *error)
{
    return scram_continue(auth->scram, body, error) ? auth_work(auth, out, error) : AUTH_REFUSED;
}

/* sslcertmode=require: the server must have asked for our certificate, and so have got it. */
static bool has_shown_cert(const struct auth *auth, struct error *error)
{
    const struct tls *tls = auth->setup.tls;

    if (auth->setup.info->sslcertmode != SSLCERTMODE_REQUIRE ||
        (tls != NULL && tls_client_cert_sent(tls))) {
        return true;
    }
    error_set(error, ERROR_PERMANENT, "sslcertmode is \"require\", but the server did not %s",
              tls != NULL && tls_client_cert_wanted(tls) ? "get a client certificate"
                                                         : "ask for a client certificate");
    error_hint(error, "It requires TLS, and ssl_ca_file on the server.");
    return false;
}

static enum auth_step take_ok(const struct auth *auth, struct error *error)
{
    if (auth->state == AUTH_SASL) {
        return refuse(error, "the server ended the SCRAM exchange without proving itself");
    }
    if (auth->state == AUTH_BEGUN && rules_out(auth, AUTH_METHOD_NONE, "no proof at all", error)) {
        return AUTH_REFUSED;
    }
    if (!has_shown_cert(auth, error)) {
        return AUTH_REFUSED;
    }
    if (!auth->bound && must_bind(auth, "no proof at all", error)) {
        return AUTH_REFUSED;
    }
    return AUTH_PASSED;
}

enum auth_step auth_take(struct auth *auth, struct slice body, struct buffer *out,
                         struct error *error)
{
    bool first = auth->state == AUTH_BEGUN;
    bool in_sasl = auth->state == AUTH_SASL;
    uint32_t request;

    if (!cursor_be32(&body, &request)) {
        return refuse(error, "malformed authentication request");
    }
    switch (request) {
    case REQUEST_OK:
        return take_ok(auth, error);
    case REQUEST_CLEARTEXT:
        return first ? answer_cleartext(auth, out, error)
                     : refuse(error, "the server requests a password twice");
    case REQUEST_MD5:
        return first ? answer_md5(auth, body, out, error)
                     : refuse(error, "the server requests a password twice");
    case REQUEST_SASL:
        return first ? answer_sasl(auth, body, out, error)
                     : refuse(error, "the server requests a password twice");
    case REQUEST_SASL_CONTINUE:
        return in_sasl ? answer_sasl_continue(auth, body, out, error)
                       : refuse(error, "a SASL challenge came out of turn");
    case REQUEST_SASL_FINAL:
        if (!in_sasl) {
            return refuse(error, "a SASL outcome came out of turn");
        }
        if (!scram_finish(auth->scram, body, error)) {
            return AUTH_REFUSED;
        }
        auth->state = AUTH_SASL_VERIFIED;
        return AUTH_GOES_ON;
    default:
        error_set(error, ERROR_PERMANENT,
                  "the server requests authentication method %u, which is not supported", request);
        error_hint(error, "Supported are trust, peer, scram-sha-256, md5 and password.");
        return AUTH_REFUSED;
    }
}

bool auth_lacks_password(const struct auth *auth)
{
    return auth->lacks_password;
}

const char *auth_method(const struct auth *auth)
{
    return auth->method;
}

void auth_free(struct auth *auth)
{
    if (auth != NULL) {
        scram_free(auth->scram);
        OPENSSL_clear_free(auth, sizeof(*auth));
    }
}
