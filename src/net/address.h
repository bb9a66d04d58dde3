/* The addresses of one host: a Unix socket, or what its name resolves to. */
#ifndef PGNUDGE_NET_ADDRESS_H
#define PGNUDGE_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/bounds.h"
#include "base/error.h"
#include "conninfo/hosts.h"

#define ADDRESS_TEXT_MAX 160 /* bytes of an address for people, NUL included */

struct address {
    const struct host *host; /* borrowed from the conninfo */
    struct sockaddr_storage storage;
    socklen_t len;
    char text[ADDRESS_TEXT_MAX]; /* as libpq writes it: `server at "h" (a), port 5432` */
};

struct address_list {
    struct address at[ADDRESSES_MAX];
    size_t count;
};

/* Whether it is a Unix socket: there TLS is not used, and no wire to listen on. */
bool address_is_unix(const struct address *address);

/*
 * Whether the host is a Unix socket or given by number: then address_resolve doesn't block. Else
 * see resolver.h.
 */
bool address_is_given(const struct host *host);

/*
 * Resolves the host's name (or takes its address), in the resolver's order; the host must outlive
 * the list. False: `error` (ERROR_TRANSIENT) says why.
 */
bool address_resolve(const struct host *host, struct address_list *list, struct error *error);

#endif
