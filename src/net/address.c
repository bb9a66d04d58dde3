#include "net/address.h"

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

static bool resolve_unix(const struct host *host, struct address_list *list, struct error *error)
{
    struct address *address = &list->at[0];
    struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;
    int len;

    memset(address, 0, sizeof(*address));
    address->host = host;
    un->sun_family = AF_UNIX;
    len = snprintf(un->sun_path, sizeof(un->sun_path), "%s/.s.PGSQL.%s", host->name, host->port);
    if (len < 0 || (size_t)len >= sizeof(un->sun_path)) {
        return error_set(
            error, ERROR_PERMANENT,
            "Unix-domain socket path \"%s/.s.PGSQL.%s\" is too long (maximum %zu bytes)",
            host->name, host->port, sizeof(un->sun_path) - 1);
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

static void add(struct address_list *list, const struct addrinfo *info, const struct host *host)
{
    struct address *address = &list->at[list->count++];
    const char *label = host_label(host);
    char number[NI_MAXHOST];

    memset(address, 0, sizeof(*address));
    address->host = host;
    memcpy(&address->storage, info->ai_addr, info->ai_addrlen);
    address->len = info->ai_addrlen;
    if (getnameinfo(info->ai_addr, info->ai_addrlen, number, sizeof(number), NULL, 0,
                    NI_NUMERICHOST) != 0) {
        strcpy(number, "?");
    }
    if (strcmp(number, label) == 0) {
        snprintf(address->text, sizeof(address->text), "server at \"%.80s\", port %s", label,
                 host->port);
    } else {
        snprintf(address->text, sizeof(address->text), "server at \"%.60s\" (%.60s), port %s",
                 label, number, host->port);
    }
}

bool address_is_given(const struct host *host)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;

    if (host_is_unix(host) || host->addr[0] != '\0') {
        return true;
    }
    if (getaddrinfo(host->name, NULL, &hints, &found) != 0) {
        return false;
    }
    freeaddrinfo(found);
    return true;
}

bool address_resolve(const struct host *host, struct address_list *list, struct error *error)
{
    bool numeric = host->addr[0] != '\0';
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int status;

    list->count = 0;
    if (host_is_unix(host)) {
        return resolve_unix(host, list, error);
    }
    hints.ai_flags = numeric ? AI_NUMERICHOST : 0;
    status = getaddrinfo(numeric ? host->addr : host->name, host->port, &hints, &found);
    if (status != 0) {
        error_set(error, ERROR_TRANSIENT, "could not translate host name \"%s\" to address: %s",
                  host_label(host), status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status));
        error_hint(error, "Check the name given as host (-h, PGHOST), and this machine's DNS.");
        return false;
    }
    for (const struct addrinfo *next = found; next != NULL; next = next->ai_next) {
        if (list->count < ADDRESSES_MAX && next->ai_addrlen <= sizeof(list->at[0].storage)) {
            add(list, next, host);
        }
    }
    freeaddrinfo(found);
    return true;
}
