/*
 * A fake peer on a port of 127.0.0.1, which it prints: server [FAULT AT [CONNECTION]].
 * Connection CONNECTION (0) has the fault at its message AT. On stderr, a line
 * for each message of a connection: what a test waits for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake/peer.h"

#define CONNECTIONS_MAX 64
#define TICK_MS         20

struct connection {
    int fd;
    struct peer *peer;
    unsigned told; /* messages */
};

static struct connection connections[CONNECTIONS_MAX];
static size_t count;
static struct peer_setup setup = {.transactions = 1000000, .iterations = 4096};
static size_t faulty;

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("server");
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void take_connection(int listener)
{
    int fd = accept(listener, NULL, NULL);
    struct peer_setup mine = setup;

    if (fd < 0 || count == CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    if (count != faulty) {
        mine.fault = FAULT_NONE;
    }
    connections[count] = (struct connection){.fd = fd, .peer = peer_new(&mine)};
    count++;
}

static void end(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
}

static void tell(struct connection *connection)
{
    while (connection->told < peer_said(connection->peer)) {
        fprintf(stderr, "connection %td, message %u\n", connection - connections,
                connection->told++);
    }
}

static void step(struct connection *connection, short revents)
{
    struct buffer *out = peer_out(connection->peer);
    char piece[65536];
    ssize_t len;

    if ((revents & (POLLIN | POLLHUP)) != 0) {
        len = recv(connection->fd, piece, sizeof(piece), 0);
        if (len <= 0) {
            end(connection);
            return;
        }
        peer_take(connection->peer, piece, (size_t)len);
    }
    peer_tick(connection->peer);
    peer_more(connection->peer);
    tell(connection);
    if (out->len > 0) {
        len = send(connection->fd, out->data, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (len < 0 && errno != EAGAIN) {
            end(connection);
            return;
        }
        buffer_consume(out, len > 0 ? (size_t)len : 0);
    }
    if (out->len == 0 && peer_closed(connection->peer)) {
        end(connection);
    }
}

static void serve(int listener)
{
    struct pollfd fds[CONNECTIONS_MAX + 1];

    for (;;) {
        size_t now = count;

        for (size_t i = 0; i < now; i++) {
            bool writes = connections[i].fd >= 0 && peer_out(connections[i].peer)->len > 0;

            fds[i] = (struct pollfd){.fd = connections[i].fd,
                                     .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
        }
        fds[now] = (struct pollfd){.fd = listener, .events = POLLIN};
        if (poll(fds, now + 1, TICK_MS) < 0) {
            exit(1);
        }
        for (size_t i = 0; i < now; i++) {
            if (connections[i].fd >= 0) {
                step(&connections[i], fds[i].revents);
            }
        }
        if (fds[now].revents != 0) {
            take_connection(listener);
        }
    }
}

int main(int argc, char **argv)
{
    for (int fault = 0; argc > 2 && fault < FAULTS; fault++) {
        if (strcmp(argv[1], fault_names[fault]) == 0) {
            setup.fault = (enum fault)fault;
        }
    }
    if (argc == 2 || argc > 4 || (argc > 2 && setup.fault == FAULT_NONE)) {
        fprintf(stderr, "usage: server [FAULT AT [CONNECTION]]\n");
        return 2;
    }
    setup.at = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    faulty = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    serve(listen_somewhere());
}
