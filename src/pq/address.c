#include "pq/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

bool address_is_unix(const struct address *address)
{
    return address->storage.ss_family == AF_UNIX;
}

static bool resolve_unix(const struct conninfo *info, struct address_list *list,
                         struct error *error)
{
    const char *dir = conninfo_text(info, CONN_HOST);
    struct address *address = &list->at[0];
    struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;
    int len;

    memset(address, 0, sizeof(*address));
    un->sun_family = AF_UNIX;
    len = snprintf(un->sun_path, sizeof(un->sun_path), "%s/.s.PGSQL.%s", dir,
                   conninfo_text(info, CONN_PORT));
    if (len < 0 || (size_t)len >= sizeof(un->sun_path)) {
        return error_set(
            error, ERROR_PERMANENT,
            "Unix-domain socket path \"%s/.s.PGSQL.%s\" is too long (maximum %zu bytes)", dir,
            conninfo_text(info, CONN_PORT), sizeof(un->sun_path) - 1);
    }
    snprintf(address->text, sizeof(address->text), "server on socket \"%s\"", un->sun_path);
    address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len + 1);
    if (un->sun_path[0] == '@') { /* Linux's abstract namespace: length counts, no NUL */
        un->sun_path[0] = '\0';
        address->len--;
    }
    list->count = 1;
    return true;
}

static void add(struct address_list *list, const struct addrinfo *info, const char *host,
                const char *port)
{
    struct address *address = &list->at[list->count++];
    char number[NI_MAXHOST];

    memset(address, 0, sizeof(*address));
    memcpy(&address->storage, info->ai_addr, info->ai_addrlen);
    address->len = info->ai_addrlen;
    if (getnameinfo(info->ai_addr, info->ai_addrlen, number, sizeof(number), NULL, 0,
                    NI_NUMERICHOST) != 0) {
        strcpy(number, "?");
    }
    if (strcmp(number, host) == 0) {
        snprintf(address->text, sizeof(address->text), "server at \"%.80s\", port %.6s", host,
                 port);
    } else {
        snprintf(address->text, sizeof(address->text), "server at \"%.60s\" (%.60s), port %.6s",
                 host, number, port);
    }
}

bool address_resolve(const struct conninfo *info, struct address_list *list, struct error *error)
{
    const char *hostaddr = conninfo_text(info, CONN_HOSTADDR);
    const char *host = conninfo_text(info, CONN_HOST);
    const char *port = conninfo_text(info, CONN_PORT);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int status;

    list->count = 0;
    if (conninfo_is_unix(info)) {
        return resolve_unix(info, list, error);
    }
    host = host[0] != '\0' ? host : hostaddr;
    hints.ai_flags = hostaddr[0] != '\0' ? AI_NUMERICHOST : 0;
    status = getaddrinfo(hostaddr[0] != '\0' ? hostaddr : host, port, &hints, &found);
    if (status != 0) {
        error_set(error, ERROR_TRANSIENT, "could not translate host name \"%s\" to address: %s",
                  host, status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status));
        error_hint(error, "Check the name given as host (-h, PGHOST), and this machine's DNS.");
        return false;
    }
    for (const struct addrinfo *next = found; next != NULL; next = next->ai_next) {
        if (list->count < ADDRESSES_MAX && next->ai_addrlen <= sizeof(list->at[0].storage)) {
            add(list, next, host, port);
        }
    }
    freeaddrinfo(found);
    return true;
}
