/* A port of 127.0.0.1 on which nobody need accept. */
#ifndef PGNUDGE_TESTS_LOOPBACK_H
#define PGNUDGE_TESTS_LOOPBACK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "pq/address.h"

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

#endif
