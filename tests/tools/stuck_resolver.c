/*
 * For LD_PRELOAD: a resolver that never answers for names that begin with "stuck", and leaves the
 * others to the real one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int resolve_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found);

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    resolve_fn *real;

    while (name != NULL && strncmp(name, "stuck", 5) == 0 &&
           (hints == NULL || (hints->ai_flags & AI_NUMERICHOST) == 0)) {
        pause();
    }
    memcpy(&real, &symbol, sizeof(real));
    return real(name, service, hints, found);
}
