/* What connection parameters do to the socket and to the TLS handshake. */
#define _GNU_SOURCE /* memmem */
#include "pq/transport.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

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
    struct sockaddr_in *in = (struct sockaddr_in *)&fixture->address.storage;

    *fixture = (struct fixture){.address = {.len = sizeof(*in)}};
    conninfo_init(&fixture->info);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fixture->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (!conninfo_set_string(&fixture->info, text, &fixture->error) ||
        !conninfo_set(&fixture->info, CONN_USER, "me", &fixture->error) ||
        !conninfo_finish(&fixture->info, &fixture->error) ||
        bind(fixture->listener, (struct sockaddr *)in, sizeof(*in)) != 0 ||
        listen(fixture->listener, 1) != 0 ||
        getsockname(fixture->listener, (struct sockaddr *)in, &fixture->address.len) != 0) {
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

static const struct check_test tests[] = {
    {"keepalives and the TCP user timeout", tcp_options},
    {"a value that the system doesn't take", tcp_options_refused},
    {"SNI, ALPN and the version bounds in the client's hello", client_hellos},
};

CHECK_MAIN(tests)
