/* A port of 127.0.0.1 on which nobody need accept, and a connection to one. */
#ifndef PGNUDGE_TESTS_LOOPBACK_H
#define PGNUDGE_TESTS_LOOPBACK_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conninfo/conncheck.h"
#include "pq/conn.h"

/* Listens there, and sets where that is. The caller closes it. -1: it can't be had. */
static inline int loopback_listen(struct address *address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&address->storage;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->len = sizeof(*in);
    return bind(listener, (struct sockaddr *)in, sizeof(*in)) == 0 && listen(listener, 1) == 0 &&
                   getsockname(listener, (struct sockaddr *)in, &address->len) == 0
               ? listener
               : -1;
}

/* A connection as if it had just been made, and the other end of it. */
struct loopback {
    struct conninfo info;
    struct address address;
    int server;
    struct conn *conn;
};

static inline void loopback_close(struct loopback *loopback)
{
    conn_close(loopback->conn);
    close(loopback->server);
    conninfo_free(&loopback->info);
}

static inline bool loopback_open(struct loopback *loopback, struct error *error)
{
    int listener = loopback_listen(&loopback->address);
    struct transport *transport = NULL;

    loopback->server = -1;
    loopback->conn = NULL;
    conninfo_init(&loopback->info);
    if (conninfo_set(&loopback->info, CONN_USER, "me", error) &&
        conninfo_finish(&loopback->info, error) && listener >= 0) {
        transport = transport_open(&loopback->address, &loopback->info, error);
    }
    if (transport != NULL) {
        loopback->server = accept(listener, NULL, NULL);
        loopback->conn = conn_new(transport, &loopback->address);
    }
    close(listener);
    if (loopback->server < 0 || loopback->conn == NULL) {
        loopback_close(loopback);
        return false;
    }
    return true;
}

#endif
