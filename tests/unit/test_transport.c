/* What connection parameters do to the socket and to the TLS handshake, and how TLS is read. */
#define _GNU_SOURCE /* memmem */
#include "conninfo/conncheck.h"
#include "net/transport.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "loopback.h"

/* Takes the text, and connects to a port on which nobody need accept. */
struct fixture {
    struct conninfo info;
    struct address address;
    struct error error;
    int listener;
    struct transport *transport;
};

static bool set_up(struct fixture *fixture, const char *text)
{
    *fixture = (struct fixture){0};
    conninfo_init(&fixture->info);
    fixture->listener = loopback_listen(&fixture->address);
    if (!conninfo_set_string(&fixture->info, text, &fixture->error) ||
        !conninfo_set(&fixture->info, CONN_USER, "me", &fixture->error) ||
        !conninfo_finish(&fixture->info, &fixture->error) || fixture->listener < 0) {
        return false;
    }
    fixture->transport = transport_open(&fixture->address, &fixture->info, &fixture->error);
    return true;
}

static void tear_down(struct fixture *fixture)
{
    transport_close(fixture->transport);
    close(fixture->listener);
    conninfo_free(&fixture->info);
}

static int option(const struct fixture *fixture, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    getsockopt(transport_fd(fixture->transport), level, name, &value, &size);
    return value;
}

static void tcp_options(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, ""));
    REQUIRE(fixture.transport != NULL);
    CHECK(option(&fixture, SOL_SOCKET, SO_KEEPALIVE) > 0);
    CHECK(option(&fixture, IPPROTO_TCP, TCP_NODELAY) > 0);
    tear_down(&fixture);

    REQUIRE(set_up(&fixture, "keepalives=0 keepalives_idle=7"));
    REQUIRE(fixture.transport != NULL);
    CHECK_INT(option(&fixture, SOL_SOCKET, SO_KEEPALIVE), 0);
    tear_down(&fixture);

    REQUIRE(set_up(&fixture, "keepalives_idle=7 keepalives_interval=8 keepalives_count=9 "
                             "tcp_user_timeout=1234"));
    REQUIRE(fixture.transport != NULL);
#ifdef TCP_KEEPIDLE
    CHECK_INT(option(&fixture, IPPROTO_TCP, TCP_KEEPIDLE), 7);
    CHECK_INT(option(&fixture, IPPROTO_TCP, TCP_KEEPINTVL), 8);
    CHECK_INT(option(&fixture, IPPROTO_TCP, TCP_KEEPCNT), 9);
#endif
#ifdef TCP_USER_TIMEOUT
    CHECK_INT(option(&fixture, IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
#endif
    tear_down(&fixture);
}

static void tcp_options_refused(void)
{
#if defined(__linux__) && defined(TCP_KEEPIDLE)
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "keepalives_idle=99999"));
    CHECK(fixture.transport == NULL);
    CHECK(strstr(fixture.error.message, "could not set keepalives_idle to 99999: ") != NULL);
    tear_down(&fixture);
#endif
}

static bool readable(const struct fixture *fixture)
{
    struct pollfd entry = {.fd = transport_fd(fixture->transport), .events = POLLIN};

    return poll(&entry, 1, 0) == 1;
}

static void low_water(void)
{
#ifdef __linux__
    char data[1000] = "";
    struct fixture fixture;
    int server;

    REQUIRE(set_up(&fixture, ""));
    REQUIRE(fixture.transport != NULL);
    server = accept(fixture.listener, NULL, NULL);
    CHECK(transport_low_water(fixture.transport, 2000));
    CHECK_INT(send(server, data, 1000, 0), 1000);
    CHECK(!readable(&fixture));
    CHECK_INT(send(server, data, 1000, 0), 1000);
    CHECK(readable(&fixture));
    CHECK(transport_low_water(fixture.transport, 2001));
    CHECK(!readable(&fixture));
    CHECK(transport_low_water(fixture.transport, 1));
    CHECK(readable(&fixture));
    close(server);
    tear_down(&fixture);
#endif
}

/* What the server is told before it can answer; the handshake needn't end. */
struct hello {
    char name[100]; /* of SNI; "" for none */
    bool offers_1_3;
    bool offers_postgresql; /* as the one protocol of ALPN */
};

static int take_hello(SSL *ssl, int *alert, void *context)
{
    struct hello *hello = context;
    const unsigned char *data;
    size_t len;

    (void)alert;
    hello->name[0] = '\0';
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) == 1 && len > 5 &&
        len < sizeof(hello->name)) {
        memcpy(hello->name, data + 5, len - 5); /* two lengths and a type */
        hello->name[len - 5] = '\0';
    }
    hello->offers_1_3 =
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &data, &len) == 1 &&
        memmem(data, len, "\3\4", 2) != NULL;
    hello->offers_postgresql =
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
                                  &len) == 1 &&
        len == 13 && memcmp(data, "\0\13\12postgresql", len) == 0;
    return SSL_CLIENT_HELLO_ERROR;
}

static void check_hello(const char *text, const char *name, bool offers_1_3)
{
    struct hello hello = {.name = "none came"};
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL *server = SSL_new(ctx);
    struct conninfo info;
    struct error error;
    struct tls *tls;
    int fds[2];

    CASE("%s", text);
    SSL_CTX_set_client_hello_cb(ctx, take_hello, &hello);
    conninfo_init(&info);
    REQUIRE(conninfo_set_string(&info, text, &error) && conninfo_finish(&info, &error));
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    REQUIRE(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0 && SSL_set_fd(server, fds[1]) == 1);
    tls = tls_new(fds[0], &info, info.hosts.at[0].name, &error);
    REQUIRE(tls != NULL);
    CHECK_INT(tls_handshake(tls, &error), IO_AGAIN);
    SSL_accept(server);
    CHECK_TEXT(hello.name, name);
    CHECK_INT(hello.offers_1_3, offers_1_3);
    CHECK(hello.offers_postgresql);
    tls_free(tls);
    SSL_free(server);
    SSL_CTX_free(ctx);
    close(fds[0]);
    close(fds[1]);
    conninfo_free(&info);
}

static void client_hellos(void)
{
    check_hello("user=me host=db.example", "db.example", true);
    check_hello("user=me host=db.example hostaddr=127.0.0.1", "db.example", true);
    check_hello("user=me host=db.example sslsni=0", "", true);
    check_hello("user=me host=127.0.0.1", "", true);
    check_hello("user=me host=::1", "", true);
    check_hello("user=me hostaddr=::1", "", true);
    check_hello("user=me host=h ssl_max_protocol_version=TLSv1.2", "h", false);
    check_hello("user=me host=h ssl_min_protocol_version=TLSv1.3", "h", true);
}

/* ---- reading TLS ---- */

/* A client that reads ahead, and a server whose records `sent` holds until they are passed on. */
struct pair {
    struct conninfo info;
    int fds[2]; /* the client's end, the server's */
    SSL_CTX *ctx;
    SSL *server;
    BIO *sent;
    struct tls *tls;
    struct error error;
};

static bool certify(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool ok = X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(cert), 3600) != NULL &&
              X509_set_pubkey(cert, key) == 1 && X509_sign(cert, key, EVP_sha256()) > 0 &&
              SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;

    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

static bool shake_hands(struct pair *pair)
{
    enum io io = IO_AGAIN;
    int accepted = 0;

    for (int i = 0; i < 10 && (io != IO_DONE || accepted != 1); i++) {
        io = io == IO_AGAIN ? tls_handshake(pair->tls, &pair->error) : io;
        accepted = accepted == 1 ? 1 : SSL_accept(pair->server);
    }
    return io == IO_DONE && accepted == 1;
}

static bool set_up_pair(struct pair *pair)
{
    char none[1];
    size_t len;

    *pair = (struct pair){.ctx = SSL_CTX_new(TLS_server_method()), .sent = BIO_new(BIO_s_mem())};
    conninfo_init(&pair->info);
    if (!certify(pair->ctx) ||
        !conninfo_set_string(&pair->info, "user=me host=h sslmode=require sslrootcert=/nowhere",
                             &pair->error) ||
        !conninfo_finish(&pair->info, &pair->error) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair->fds) != 0 ||
        fcntl(pair->fds[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(pair->fds[1], F_SETFL, O_NONBLOCK) != 0) {
        return false;
    }
    pair->server = SSL_new(pair->ctx);
    SSL_set_fd(pair->server, pair->fds[1]);
    pair->tls = tls_new(pair->fds[0], &pair->info, "h", &pair->error);
    if (pair->tls == NULL || !shake_hands(pair)) {
        return false;
    }
    SSL_set0_wbio(pair->server, pair->sent);
    tls_read_ahead(pair->tls);
    /* The server's session tickets. */
    return tls_read(pair->tls, none, sizeof(none), &len, &pair->error) == IO_AGAIN;
}

static void tear_down_pair(struct pair *pair)
{
    tls_free(pair->tls);
    SSL_free(pair->server);
    SSL_CTX_free(pair->ctx);
    close(pair->fds[0]);
    close(pair->fds[1]);
    conninfo_free(&pair->info);
}

/* The server makes `count` records of 100 bytes. */
static void make_records(struct pair *pair, int count)
{
    char text[100];

    memset(text, 'x', sizeof(text));
    while (count-- > 0) {
        CHECK_INT(SSL_write(pair->server, text, sizeof(text)), sizeof(text));
    }
}

/* Passes on all that it has made but the last `held` bytes. */
static void pass_on(struct pair *pair, size_t held)
{
    char data[4096];
    size_t len = (size_t)BIO_pending(pair->sent) - held;

    CHECK_INT(BIO_read(pair->sent, data, (int)len), len);
    CHECK_INT(send(pair->fds[1], data, len, 0), len);
}

/* A read that has room for `cap` bytes. */
static void check_read(struct pair *pair, size_t cap, enum io io, size_t len, bool pending)
{
    char data[4096];
    size_t got;

    CHECK_INT(tls_read(pair->tls, data, cap, &got, &pair->error), io);
    CHECK_INT(got, len);
    CHECK_INT(tls_pending(pair->tls), pending);
    CHECK_INT(tls_read_events(pair->tls), POLLIN);
}

static void many_records_in_one_read(void)
{
    struct pair pair;

    REQUIRE(set_up_pair(&pair));
    make_records(&pair, 5);
    pass_on(&pair, 0);
    check_read(&pair, 4096, IO_DONE, 500, false);
    check_read(&pair, 4096, IO_AGAIN, 0, false);
    tear_down_pair(&pair);
}

/* What doesn't fit is nothing that poll tells. */
static void records_that_do_not_fit(void)
{
    struct pair pair;

    REQUIRE(set_up_pair(&pair));
    make_records(&pair, 3);
    pass_on(&pair, 0);
    check_read(&pair, 100, IO_DONE, 100, true);
    check_read(&pair, 150, IO_DONE, 150, true);
    check_read(&pair, 50, IO_DONE, 50, false);
    tear_down_pair(&pair);
}

/* For the rest of which poll waits: a pending one would be asked for again and again. */
static void a_record_in_pieces(void)
{
    struct pair pair;

    REQUIRE(set_up_pair(&pair));
    make_records(&pair, 2);
    pass_on(&pair, 10);
    check_read(&pair, 4096, IO_DONE, 100, false);
    check_read(&pair, 4096, IO_AGAIN, 0, false);
    pass_on(&pair, 0);
    check_read(&pair, 4096, IO_DONE, 100, false);
    make_records(&pair, 1);
    pass_on(&pair, (size_t)BIO_pending(pair.sent) - 3); /* not even its header */
    check_read(&pair, 4096, IO_AGAIN, 0, false);
    pass_on(&pair, 0);
    check_read(&pair, 4096, IO_DONE, 100, false);
    tear_down_pair(&pair);
}

static void an_end_behind_records(void)
{
    struct pair pair;

    CASE("with close_notify");
    REQUIRE(set_up_pair(&pair));
    make_records(&pair, 2);
    SSL_shutdown(pair.server);
    pass_on(&pair, 0);
    check_read(&pair, 4096, IO_DONE, 200, true);
    check_read(&pair, 4096, IO_EOF, 0, false);
    tear_down_pair(&pair);

    CASE("without, in the midst of a record");
    REQUIRE(set_up_pair(&pair));
    make_records(&pair, 3);
    pass_on(&pair, 10);
    shutdown(pair.fds[1], SHUT_WR);
    check_read(&pair, 4096, IO_DONE, 200, true);
    check_read(&pair, 4096, IO_EOF, 0, false);
    tear_down_pair(&pair);
}

static void a_broken_record_behind_others(void)
{
    struct pair pair;
    size_t done;

    REQUIRE(set_up_pair(&pair));
    make_records(&pair, 2);
    pass_on(&pair, 0);
    make_records(&pair, 1);
    pass_on(&pair, 1);
    CHECK_INT(send(pair.fds[1], "?", 1, 0), 1);
    check_read(&pair, 4096, IO_DONE, 200, true);
    CHECK_INT(tls_write(pair.tls, "x", 1, &done, &pair.error), IO_EOF); /* the read says why */
    check_read(&pair, 4096, IO_ERROR, 0, false);
    CHECK(strstr(pair.error.message, "bad record mac") != NULL);
    tear_down_pair(&pair);
}

static const struct check_test tests[] = {
    {"keepalives and the TCP user timeout", tcp_options},
    {"a value that the system doesn't take", tcp_options_refused},
    {"data that wait for more of them", low_water},
    {"SNI, ALPN and the version bounds in the client's hello", client_hellos},
    {"many TLS records in one read", many_records_in_one_read},
    {"records for which there is no room", records_that_do_not_fit},
    {"a record that comes in pieces", a_record_in_pieces},
    {"what came before the end is read first", an_end_behind_records},
    {"what came before a broken record is read first", a_broken_record_behind_others},
};

CHECK_MAIN(tests)
