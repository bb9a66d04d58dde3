/* What the server may ask for, when, and what it gets. */
#include "auth/auth.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#define SHA256_BYTES 32

#define OK           BYTES("\0\0\0\0")
#define CLEARTEXT    BYTES("\0\0\0\3")
#define MD5          BYTES("\0\0\0\5\x01\xff\x00\x7f")
#define SASL         BYTES("\0\0\0\12SCRAM-SHA-256\0")
#define SASL_PLUS    BYTES("\0\0\0\12SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0")
#define SASL_GO_ON   "\0\0\0\13"
#define SASL_OUTCOME "\0\0\0\14"

struct fixture {
    struct conninfo info;
    struct auth *auth;
    struct buffer out;
    struct error error;
};

static bool set_up(struct fixture *fixture, const char *password, const struct tls *tls,
                   bool unix_socket)
{
    struct auth_setup setup = {.tls = tls, .unix_socket = unix_socket};

    *fixture = (struct fixture){0};
    conninfo_init(&fixture->info);
    if (!conninfo_set(&fixture->info, CONN_USER, "me", &fixture->error) ||
        !conninfo_set(&fixture->info, CONN_PASSWORD, password, &fixture->error)) {
        return false;
    }
    setup.info = &fixture->info;
    fixture->auth = auth_new(&setup);
    return fixture->auth != NULL;
}

static void tear_down(struct fixture *fixture)
{
    auth_free(fixture->auth);
    buffer_free(&fixture->out);
    conninfo_free(&fixture->info);
}

static enum auth_step take(struct fixture *fixture, struct slice body)
{
    buffer_clear(&fixture->out);
    return auth_take(fixture->auth, body, &fixture->out, &fixture->error);
}

/* --- requests --- */

static void first_requests(void)
{
    static const struct {
        const char *what;
        struct slice request;
        const char *password;
        bool unix_socket;
        enum auth_step step;
        struct slice answer;
    } cases[] = {
        {"trust", LITERAL("\0\0\0\0"), "", false, AUTH_PASSED, LITERAL("")},
        {"cleartext on TCP", LITERAL("\0\0\0\3"), "secret", false, AUTH_REFUSED, LITERAL("")},
        {"cleartext on a Unix socket", LITERAL("\0\0\0\3"), "secret", true, AUTH_GOES_ON,
         LITERAL("p\0\0\0\13secret\0")},
        {"cleartext without a password", LITERAL("\0\0\0\3"), "", true, AUTH_REFUSED, LITERAL("")},
        /* printf '%s\1\377\0\177' "$(printf secretme | md5sum | cut -c 1-32)" | md5sum */
        {"MD5", LITERAL("\0\0\0\5\x01\xff\x00\x7f"), "secret", false, AUTH_GOES_ON,
         LITERAL("p\0\0\0\50md55839fea9c1679b2941055bede442e8cf\0")},
        {"MD5 without a password", LITERAL("\0\0\0\5salt"), "", false, AUTH_REFUSED, LITERAL("")},
        {"MD5 with half a salt", LITERAL("\0\0\0\5sa"), "secret", false, AUTH_REFUSED, LITERAL("")},
        {"SASL without a password", LITERAL("\0\0\0\12SCRAM-SHA-256\0"), "", false, AUTH_REFUSED,
         LITERAL("")},
        {"SASL with nothing that we know", LITERAL("\0\0\0\12SCRAM-SHA-512\0OAUTHBEARER\0"),
         "secret", false, AUTH_REFUSED, LITERAL("")},
        {"SASL with channel binding alone, without TLS", LITERAL("\0\0\0\12SCRAM-SHA-256-PLUS\0"),
         "secret", false, AUTH_REFUSED, LITERAL("")},
        {"SASL with a name that begins like ours", LITERAL("\0\0\0\12SCRAM-SHA-2567\0"), "secret",
         false, AUTH_REFUSED, LITERAL("")},
        {"SASL with a name that was cut", LITERAL("\0\0\0\12SCRAM-SHA-256"), "secret", false,
         AUTH_REFUSED, LITERAL("")},
        {"SASL with an empty list", LITERAL("\0\0\0\12\0"), "secret", false, AUTH_REFUSED,
         LITERAL("")},
        {"a challenge out of turn", LITERAL("\0\0\0\13r=abc"), "secret", false, AUTH_REFUSED,
         LITERAL("")},
        {"an outcome out of turn", LITERAL("\0\0\0\14v=abc"), "secret", false, AUTH_REFUSED,
         LITERAL("")},
        {"Kerberos", LITERAL("\0\0\0\2"), "secret", false, AUTH_REFUSED, LITERAL("")},
        {"GSSAPI", LITERAL("\0\0\0\7"), "secret", false, AUTH_REFUSED, LITERAL("")},
        {"a request of the future", LITERAL("\x7f\xff\xff\xff"), "secret", false, AUTH_REFUSED,
         LITERAL("")},
        {"a cut request", LITERAL("\0\0\0"), "secret", false, AUTH_REFUSED, LITERAL("")},
        {"an empty request", LITERAL(""), "secret", false, AUTH_REFUSED, LITERAL("")},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture fixture;

        CASE("%s", cases[i].what);
        REQUIRE(set_up(&fixture, cases[i].password, NULL, cases[i].unix_socket));
        CHECK_INT(take(&fixture, cases[i].request), cases[i].step);
        CHECK_SLICE(check_content(&fixture.out), cases[i].answer);
        CHECK_INT(fixture.error.kind, cases[i].step == AUTH_REFUSED ? ERROR_PERMANENT : ERROR_NONE);
        tear_down(&fixture);
    }
    auth_free(NULL);
}

/* What require_auth leaves out gets no answer, and an Ok that comes at once is a method too. */
static void required_methods(void)
{
    static const struct slice requests[] = {LITERAL("\0\0\0\0"), LITERAL("\0\0\0\3"),
                                            LITERAL("\0\0\0\5salt"),
                                            LITERAL("\0\0\0\12SCRAM-SHA-256\0")};
    static const struct {
        const char *list;
        bool fine[COUNT_OF(requests)]; /* none, password, md5, scram-sha-256 */
    } cases[] = {
        {"", {true, true, true, true}},
        {"none", {true, false, false, false}},
        {"password", {false, true, false, false}},
        {"md5", {false, false, true, false}},
        {"scram-sha-256", {false, false, false, true}},
        {"gss,sspi,oauth", {false, false, false, false}},
        {"scram-sha-256,md5", {false, false, true, true}},
        {"scram-sha-256,none", {true, false, false, true}},
        {"!none", {false, true, true, true}},
        {"!password,!md5", {true, false, false, true}},
        {"!gss", {true, true, true, true}},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t j = 0; j < COUNT_OF(requests); j++) {
            struct fixture fixture;
            enum auth_step fine = j == 0 ? AUTH_PASSED : AUTH_GOES_ON;

            CASE("%s, request %zu", cases[i].list, j);
            REQUIRE(set_up(&fixture, "secret", NULL, true));
            CHECK(requireauth_read(cases[i].list, &fixture.info.auth_allowed, &fixture.error));
            CHECK_INT(take(&fixture, requests[j]), cases[i].fine[j] ? fine : AUTH_REFUSED);
            CHECK(cases[i].fine[j] || fixture.out.len == 0);
            CHECK(cases[i].fine[j] ||
                  strstr(fixture.error.message, ", but the server wants ") != NULL);
            tear_down(&fixture);
        }
    }
}

/* With "none" among the methods, an exchange that was begun must still end. */
static void forged_ok(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK(requireauth_read("scram-sha-256,none", &fixture.info.auth_allowed, &fixture.error));
    CHECK_INT(take(&fixture, SASL), AUTH_GOES_ON);
    CHECK_INT(take(&fixture, OK), AUTH_REFUSED);
    tear_down(&fixture);
}

/* A second question would let a man in the middle fish for weaker answers. */
static void one_question_only(void)
{
    const struct slice first[] = {CLEARTEXT, MD5, SASL};
    const struct slice second[] = {CLEARTEXT, MD5, SASL};

    for (size_t i = 0; i < COUNT_OF(first); i++) {
        for (size_t j = 0; j < COUNT_OF(second); j++) {
            struct fixture fixture;

            CASE("%zu, then %zu", i, j);
            REQUIRE(set_up(&fixture, "secret", NULL, true));
            CHECK_INT(take(&fixture, first[i]), AUTH_GOES_ON);
            CHECK_INT(take(&fixture, second[j]), AUTH_REFUSED);
            CHECK_INT(fixture.out.len, 0);
            tear_down(&fixture);
        }
    }
}

static void password_then_ok(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK_INT(take(&fixture, MD5), AUTH_GOES_ON);
    CHECK_INT(take(&fixture, OK), AUTH_PASSED);
    tear_down(&fixture);
    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK_INT(take(&fixture, MD5), AUTH_GOES_ON);
    CHECK_INT(take(&fixture, BYTES(SASL_GO_ON "r=abc")), AUTH_REFUSED);
    tear_down(&fixture);
}

/* --- a server that knows the password --- */

static struct slice digest_of(const unsigned char *key, struct slice text, unsigned char *out)
{
    HMAC(EVP_sha256(), key, SHA256_BYTES, (const unsigned char *)text.data, text.len, out, NULL);
    return (struct slice){(const char *)out, SHA256_BYTES};
}

/* The client-first-message in what the fixture would send: behind the mechanism and two lengths. */
static struct slice client_first(const struct fixture *fixture)
{
    size_t at = 5 + strlen(fixture->out.data + 5) + 1 + 4;

    return (struct slice){fixture->out.data + at, fixture->out.len - at};
}

/* Goes up to the client-final-message, and writes down the outcome that is owed for it. */
static bool challenge(struct fixture *fixture, struct buffer *outcome)
{
    unsigned char salted[SHA256_BYTES], server_key[SHA256_BYTES], signature[SHA256_BYTES];
    unsigned char text[48];
    struct buffer message = {0}, request = {0};
    struct slice first = client_first(fixture);
    const char *proof;
    bool ok = slice_starts(first, "n,,n=,r=");

    buffer_append(&message, first.data + 3, first.len - 3);
    buffer_format(&message, ",r=%.*sXYZ,s=c2FsdA==,i=2,", (int)first.len - 8, first.data + 8);
    buffer_append(&request, SASL_GO_ON, 4);
    buffer_append(&request, message.data + first.len - 3 + 1, message.len - (first.len - 3) - 2);
    ok = CHECK_INT(take(fixture, check_content(&request)), AUTH_GOES_ON) && ok;
    buffer_byte(&fixture->out, '\0');
    proof = fixture->out.len > 6 ? strstr(fixture->out.data + 5, ",p=") : NULL;
    if (CHECK(proof != NULL)) {
        buffer_append(&message, fixture->out.data + 5, (size_t)(proof - fixture->out.data) - 5);
    }
    PKCS5_PBKDF2_HMAC("secret", 6, (const unsigned char *)"salt", 4, 2, EVP_sha256(), SHA256_BYTES,
                      salted);
    digest_of(salted, slice_of("Server Key"), server_key);
    digest_of(server_key, check_content(&message), signature);
    EVP_EncodeBlock(text, signature, SHA256_BYTES);
    buffer_append(outcome, SASL_OUTCOME "v=", 6);
    buffer_text(outcome, (const char *)text);
    buffer_free(&message);
    buffer_free(&request);
    return ok && proof != NULL;
}

static void scram_to_its_end(void)
{
    struct buffer outcome = {0};
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK_INT(take(&fixture, SASL), AUTH_GOES_ON);
    CHECK_INT(fixture.out.data[0], 'p');
    CHECK_INT((unsigned char)fixture.out.data[4], fixture.out.len - 1);
    CHECK_TEXT(fixture.out.data + 5, "SCRAM-SHA-256");
    CHECK(challenge(&fixture, &outcome));
    CHECK_INT(take(&fixture, check_content(&outcome)), AUTH_GOES_ON);
    CHECK_INT(fixture.out.len, 0);
    CHECK_INT(take(&fixture, OK), AUTH_PASSED);
    buffer_free(&outcome);
    tear_down(&fixture);
}

/* A forger who can't sign may just say that all is well. */
static void ok_in_the_middle(void)
{
    struct buffer outcome = {0};
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK_INT(take(&fixture, SASL), AUTH_GOES_ON);
    CHECK_INT(take(&fixture, OK), AUTH_REFUSED);
    CHECK_INT(fixture.error.kind, ERROR_PERMANENT);
    tear_down(&fixture);

    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK_INT(take(&fixture, SASL), AUTH_GOES_ON);
    CHECK(challenge(&fixture, &outcome));
    CHECK_INT(take(&fixture, OK), AUTH_REFUSED);
    buffer_free(&outcome);
    tear_down(&fixture);
}

static void wrong_outcome(void)
{
    struct buffer outcome = {0};
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK_INT(take(&fixture, SASL), AUTH_GOES_ON);
    CHECK(challenge(&fixture, &outcome));
    REQUIRE(!outcome.failed && outcome.len > 10);
    outcome.data[8] = outcome.data[8] == 'A' ? 'B' : 'A';
    CHECK_INT(take(&fixture, check_content(&outcome)), AUTH_REFUSED);
    CHECK_INT(take(&fixture, OK), AUTH_REFUSED);
    buffer_free(&outcome);
    tear_down(&fixture);
}

static void outcome_before_its_challenge(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK_INT(take(&fixture, SASL), AUTH_GOES_ON);
    CHECK_INT(take(&fixture, BYTES(SASL_OUTCOME "v=AAAA")), AUTH_REFUSED);
    tear_down(&fixture);
}

/* Without TLS there is nothing to bind to, and no claim that we would have. */
static void plus_without_tls(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "secret", NULL, false));
    CHECK_INT(take(&fixture, SASL_PLUS), AUTH_GOES_ON);
    CHECK_TEXT(fixture.out.data + 5, "SCRAM-SHA-256");
    CHECK(slice_starts(client_first(&fixture), "n,,n=,r="));
    tear_down(&fixture);
}

/* --- over TLS: a server at the other end of a socket pair --- */

struct link {
    int fds[2];
    struct conninfo info;
    struct tls *tls;
    SSL_CTX *ctx;
    SSL *server;
    EVP_PKEY *key;
    X509 *cert;
};

static bool self_signed(struct link *link)
{
    link->key = EVP_EC_gen("P-256");
    link->cert = X509_new();
    return link->key != NULL && link->cert != NULL &&
           X509_gmtime_adj(X509_getm_notBefore(link->cert), 0) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(link->cert), 3600) != NULL &&
           X509_set_pubkey(link->cert, link->key) == 1 &&
           X509_sign(link->cert, link->key, EVP_sha256()) > 0;
}

static bool link_up(struct link *link, struct error *error)
{
    enum io io = IO_AGAIN;

    *link = (struct link){0};
    conninfo_init(&link->info);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, link->fds) != 0 ||
        fcntl(link->fds[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(link->fds[1], F_SETFL, O_NONBLOCK) != 0 || !self_signed(link)) {
        return false;
    }
    link->ctx = SSL_CTX_new(TLS_server_method());
    if (link->ctx == NULL || SSL_CTX_use_certificate(link->ctx, link->cert) != 1 ||
        SSL_CTX_use_PrivateKey(link->ctx, link->key) != 1) {
        return false;
    }
    link->server = SSL_new(link->ctx);
    link->tls = tls_new(link->fds[0], &link->info, "localhost", error);
    if (link->server == NULL || link->tls == NULL || SSL_set_fd(link->server, link->fds[1]) != 1) {
        return false;
    }
    for (int i = 0; i < 20 && io == IO_AGAIN; i++) {
        io = tls_handshake(link->tls, error);
        SSL_accept(link->server);
    }
    return io == IO_DONE;
}

static void link_down(struct link *link)
{
    tls_free(link->tls);
    SSL_free(link->server);
    SSL_CTX_free(link->ctx);
    X509_free(link->cert);
    EVP_PKEY_free(link->key);
    close(link->fds[0]);
    close(link->fds[1]);
    conninfo_free(&link->info);
}

static void over_tls(void)
{
    struct {
        const char *what;
        struct slice request;
        const char *mechanism;
        const char *header;
    } cases[] = {
        {"binding offered: used", SASL_PLUS, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r="},
        {"binding alone", BYTES("\0\0\0\12SCRAM-SHA-256-PLUS\0"), "SCRAM-SHA-256-PLUS",
         "p=tls-server-end-point,,n=,r="},
        /* A man in the middle may have taken the offer away: the server learns that we could. */
        {"binding not offered: y", SASL, "SCRAM-SHA-256", "y,,n=,r="},
    };
    struct fixture fixture;
    struct error error = {0};
    struct link link;

    if (CHECK(link_up(&link, &error))) {
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            CASE("%s", cases[i].what);
            REQUIRE(set_up(&fixture, "secret", link.tls, false));
            CHECK_INT(take(&fixture, cases[i].request), AUTH_GOES_ON);
            CHECK_TEXT(fixture.out.data + 5, cases[i].mechanism);
            CHECK(slice_starts(client_first(&fixture), cases[i].header));
            tear_down(&fixture);
        }
        CASE("cleartext");
        REQUIRE(set_up(&fixture, "secret", link.tls, false));
        CHECK_INT(take(&fixture, CLEARTEXT), AUTH_GOES_ON);
        CHECK_SLICE(check_content(&fixture.out), BYTES("p\0\0\0\13secret\0"));
        tear_down(&fixture);
    }
    link_down(&link);
}

/* sslcertmode=require: no Ok counts unless the server has seen a certificate of ours. */
static void without_a_client_certificate(void)
{
    struct error error = {0};
    struct fixture fixture;
    struct link link;

    REQUIRE(set_up(&fixture, "", NULL, false));
    fixture.info.sslcertmode = SSLCERTMODE_REQUIRE;
    CHECK_INT(take(&fixture, OK), AUTH_REFUSED);
    tear_down(&fixture);
    if (CHECK(link_up(&link, &error))) {
        CHECK(!tls_client_cert_wanted(link.tls));
        REQUIRE(set_up(&fixture, "", link.tls, false));
        fixture.info.sslcertmode = SSLCERTMODE_REQUIRE;
        CHECK_INT(take(&fixture, OK), AUTH_REFUSED);
        CHECK_TEXT(fixture.error.message,
                   "sslcertmode is \"require\", but the server did not ask for a client "
                   "certificate");
        tear_down(&fixture);
    }
    link_down(&link);
}

/* What is bound to is the certificate that the server showed. */
static void binds_to_the_certificate(void)
{
    unsigned char hash[TLS_BINDING_MAX], expected[EVP_MAX_MD_SIZE];
    struct error error = {0};
    unsigned int len = 0;
    struct link link;
    size_t got;

    if (CHECK(link_up(&link, &error))) {
        got = tls_server_end_point(link.tls, hash);
        CHECK_INT(X509_digest(link.cert, EVP_sha256(), expected, &len), 1);
        CHECK_SLICE(((struct slice){(char *)hash, got}), ((struct slice){(char *)expected, len}));
    }
    link_down(&link);
}

static const struct check_test tests[] = {
    {"the server's first request gets its answer or is refused", first_requests},
    {"require_auth: what it leaves out is refused, unanswered", required_methods},
    {"require_auth: none is no excuse for half an exchange", forged_ok},
    {"sslcertmode=require without a client certificate", without_a_client_certificate},
    {"a second question is refused", one_question_only},
    {"after a password an Ok counts, and a challenge does not", password_then_ok},
    {"SCRAM to its end, then Ok", scram_to_its_end},
    {"AuthenticationOk in the middle of SCRAM is refused", ok_in_the_middle},
    {"a wrong signature is refused, and an Ok after it", wrong_outcome},
    {"a SASL outcome before its challenge is refused", outcome_before_its_challenge},
    {"without TLS channel binding is neither used nor claimed", plus_without_tls},
    {"over TLS it binds where it can and says where it could have", over_tls},
    {"the binding is the certificate's hash", binds_to_the_certificate},
};

CHECK_MAIN(tests)
