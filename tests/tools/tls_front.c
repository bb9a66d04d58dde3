/*
 * A TLS proxy in front of a PostgreSQL server, as for sslnegotiation=direct:
 * tls_front CERT KEY ALPN PORT takes TLS on a port of 127.0.0.1, which it
 * prints, selects the protocol ALPN where a client offers it (any: the
 * client's first; "": none), and relays in clear to 127.0.0.1:PORT.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in at_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *len,
                           const unsigned char *offered, unsigned offered_len, void *context)
{
    const char *wanted = context;

    (void)ssl;
    for (unsigned at = 0; at < offered_len; at += 1U + offered[at]) {
        if (strcmp(wanted, "any") == 0 ||
            (offered[at] == strlen(wanted) && memcmp(offered + at + 1, wanted, offered[at]) == 0)) {
            *out = offered + at + 1;
            *len = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool relay_in(SSL *ssl, int server)
{
    char data[16384];
    int len;

    do {
        len = SSL_read(ssl, data, sizeof(data));
        if (len <= 0 || write(server, data, (size_t)len) != len) {
            return false;
        }
    } while (SSL_pending(ssl) > 0);
    return true;
}

static bool relay_out(int server, SSL *ssl)
{
    char data[16384];
    ssize_t len = read(server, data, sizeof(data));

    return len > 0 && SSL_write(ssl, data, (int)len) > 0;
}

static void relay(SSL *ssl, int port)
{
    struct sockaddr_in address = at_port(port);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct pollfd fds[] = {{.fd = SSL_get_fd(ssl), .events = POLLIN},
                           {.fd = server, .events = POLLIN}};
    bool going = connect(server, (struct sockaddr *)&address, sizeof(address)) == 0;

    while (going && poll(fds, 2, -1) > 0) {
        going = (fds[0].revents == 0 || relay_in(ssl, server)) &&
                (fds[1].revents == 0 || relay_out(server, ssl));
    }
    SSL_shutdown(ssl);
}

int main(int argc, char **argv)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct sockaddr_in address = at_port(0);
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (argc != 5 || SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) != 1 ||
        bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        return 2;
    }
    if (argv[3][0] != '\0') {
        SSL_CTX_set_alpn_select_cb(ctx, select_protocol, argv[3]);
    }
    signal(SIGCHLD, SIG_IGN);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);

        if (client >= 0 && fork() == 0) {
            SSL *ssl = SSL_new(ctx);

            SSL_set_fd(ssl, client);
            if (SSL_accept(ssl) == 1) {
                relay(ssl, atoi(argv[4]));
            }
            _exit(0);
        }
        close(client);
    }
}
