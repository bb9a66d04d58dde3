#include "conninfo/hosts.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conninfo/connstring.h"

/* Elements of a list, which has one where it is empty. */
static size_t elements(const char *list)
{
    size_t count = 1;

    for (; *list != '\0'; list++) {
        count += *list == ',' ? 1 : 0;
    }
    return count;
}

/* The next element, NUL-terminated in place; at the end of the list "" again and again. */
static char *next_element(char **rest)
{
    char *element = *rest;

    *rest += strcspn(*rest, ",");
    if (**rest == ',') {
        *(*rest)++ = '\0';
    }
    return element;
}

/* As libpq takes it: blanks around it are fine. */
static bool read_port(const char *text, char port[sizeof("65535")], struct error *error)
{
    long number;
    char *end;

    errno = 0;
    number = strtol(text[0] != '\0' ? text : DEFAULT_PORT, &end, 10);
    while (isspace((unsigned char)*end)) {
        end++;
    }
    if (*end != '\0' || errno != 0 || number < 1 || number > 65535) {
        return error_set(error, ERROR_PERMANENT,
                         "invalid port \"%s\": expected a whole number from 1 to 65535",
                         connstring_shown(text));
    }
    snprintf(port, sizeof("65535"), "%u", (unsigned)number);
    return true;
}

static bool check_addr(const char *addr, struct error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;

    if (addr[0] == '\0') {
        return true;
    }
    if (getaddrinfo(addr, NULL, &hints, &found) != 0) {
        return error_set(error, ERROR_PERMANENT,
                         "invalid hostaddr \"%s\": expected an IPv4 or IPv6 address",
                         connstring_shown(addr));
    }
    freeaddrinfo(found);
    return true;
}

/* libpq's words, by which people look for help. */
static bool match_counts(const char *names, const char *addrs, const char *ports, size_t count,
                         struct error *error)
{
    if (names[0] != '\0' && elements(names) != count) {
        return error_set(error, ERROR_PERMANENT,
                         "could not match %zu host names to %zu hostaddr values", elements(names),
                         elements(addrs));
    }
    if (elements(ports) != 1 && elements(ports) != count) {
        return error_set(error, ERROR_PERMANENT, "could not match %zu port numbers to %zu hosts",
                         elements(ports), count);
    }
    return true;
}

/* Copies the three lists, each with its NUL, into the one text. */
static bool allocate(struct host_list *list, const char *names, const char *addrs,
                     const char *ports, size_t count)
{
    size_t names_size = strlen(names) + 1;
    size_t addrs_size = strlen(addrs) + 1;
    size_t ports_size = strlen(ports) + 1;

    list->at = calloc(count, sizeof(*list->at));
    list->text = malloc(names_size + addrs_size + ports_size);
    if (list->at == NULL || list->text == NULL) {
        return false;
    }
    list->count = count;
    memcpy(list->text, names, names_size);
    memcpy(list->text + names_size, addrs, addrs_size);
    memcpy(list->text + names_size + addrs_size, ports, ports_size);
    return true;
}

static bool split(struct host_list *list, struct error *error)
{
    char *names = list->text;
    char *addrs = names + strlen(names) + 1;
    char *ports = addrs + strlen(addrs) + 1;
    bool one_port = elements(ports) == 1;
    const char *port = "";

    for (size_t i = 0; i < list->count; i++) {
        struct host *host = &list->at[i];

        host->name = next_element(&names);
        host->addr = next_element(&addrs);
        if (i == 0 || !one_port) {
            port = next_element(&ports);
        }
        if (host->name[0] == '\0' && host->addr[0] == '\0') {
            host->name = DEFAULT_SOCKET_DIR;
        }
        if (!check_addr(host->addr, error) || !read_port(port, host->port, error)) {
            return false;
        }
    }
    return true;
}

bool hosts_make(struct host_list *list, const char *names, const char *addrs, const char *ports,
                struct error *error)
{
    size_t count = elements(addrs[0] != '\0' ? addrs : names);
    bool ok;

    *list = (struct host_list){0};
    if (!match_counts(names, addrs, ports, count, error)) {
        return false;
    }
    ok = allocate(list, names, addrs, ports, count) ? split(list, error) : error_memory(error);
    if (!ok) {
        hosts_free(list);
    }
    return ok;
}

bool host_is_unix(const struct host *host)
{
    return host->addr[0] == '\0' && (host->name[0] == '/' || host->name[0] == '@');
}

const char *host_label(const struct host *host)
{
    return host->name[0] != '\0' ? host->name : host->addr;
}

void hosts_free(struct host_list *list)
{
    free(list->at);
    free(list->text);
    *list = (struct host_list){0};
}
