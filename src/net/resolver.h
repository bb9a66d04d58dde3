/*
 * Looks a host's name up without blocking: getaddrinfo(3) takes as long as it
 * likes, so it runs in a child process, and its answer comes over a pipe. The
 * child has no descriptor of ours but that pipe, so that nothing of ours stays
 * open when we are killed during a lookup.
 */
#ifndef PGNUDGE_NET_RESOLVER_H
#define PGNUDGE_NET_RESOLVER_H

#include <poll.h>

#include "base/error.h"
#include "base/step.h"
#include "conninfo/hosts.h"
#include "net/address.h"

struct resolver;

/* Begins; the host must outlive the resolver and its list. NULL: `error` says why. */
struct resolver *resolver_start(const struct host *host, struct error *error);

/* STEP_DONE: the addresses are in `list`. STEP_FAILED: the error (ERROR_TRANSIENT) says why. */
enum step resolver_step(struct resolver *resolver, struct address_list *list, struct error *error);

/* Readable when there is something to do for resolver_step. */
struct pollfd resolver_pollfd(const struct resolver *resolver);

/* Ends the lookup if it is still under way. NULL is fine. */
void resolver_free(struct resolver *resolver);

#endif
