/* The servers that host, hostaddr and port name: libpq's comma-separated lists, matched up. */
#ifndef PGNUDGE_CONNINFO_HOSTS_H
#define PGNUDGE_CONNINFO_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Debian's libpq looks here, and so does its server; upstream's own default is /tmp. */
#ifndef DEFAULT_SOCKET_DIR
#define DEFAULT_SOCKET_DIR "/var/run/postgresql"
#endif

#define DEFAULT_PORT "5432"

struct host {
    const char *name; /* for people, TLS and the password file; "" where there is only `addr` */
    const char *addr; /* connect here, whatever the name resolves to; "": none */
    char port[sizeof("65535")];
};

struct host_list {
    struct host *at;
    size_t count;
    char *text; /* what the hosts' texts are parts of */
};

/*
 * Makes the list of the three parameters, "" for one that isn't given. An empty
 * element stands for the default. One port is for all hosts; otherwise there
 * must be as many elements. False: `error` (ERROR_PERMANENT) says what is
 * wrong, and the list is empty.
 */
bool hosts_make(struct host_list *list, const char *names, const char *addrs, const char *ports,
                struct error *error);

/* Whether the host is a directory with a Unix socket, as libpq decides it. */
bool host_is_unix(const struct host *host);

/* Its name, or the address that stands in for one. */
const char *host_label(const struct host *host);

/* Frees and empties the list. */
void hosts_free(struct host_list *list);

#endif
