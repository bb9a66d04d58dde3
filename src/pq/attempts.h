/*
 * What a login tries, in which order: the hosts, the addresses of each, and on
 * each address the ways of encryption that sslmode has. A host's name is
 * looked up when its turn comes.
 */
#ifndef PGNUDGE_PQ_ATTEMPTS_H
#define PGNUDGE_PQ_ATTEMPTS_H

#include <poll.h>
#include <stdbool.h>

#include "base/error.h"
#include "conninfo/conninfo.h"
#include "conninfo/target.h"
#include "net/address.h"
#include "net/dial.h"

enum attempts_next {
    ATTEMPTS_LOOKUP,  /* a host's name is being looked up: attempts_look_up */
    ATTEMPTS_ADDRESS, /* try attempts_address, which has not been tried */
    ATTEMPTS_AGAIN,   /* try the same one, with the other encryption */
    ATTEMPTS_OVER     /* nothing is left: the error says why, of all that was tried */
};

/* How far an attempt came that failed. */
struct attempt_failure {
    bool reached;     /* the network part succeeded */
    bool tls;         /* by TLS, or while asking for it */
    bool talked;      /* the encryption was settled, and messages of the protocol followed */
    bool no_password; /* the server wants one, and none is known */
    bool let_in;      /* authentication was over */
    bool unfit;       /* the server isn't what target_session_attrs wants */
    bool late;        /* no time is left for this address */
};

struct attempts;

/* All hosts of `info`, or the one address `only`; both are borrowed. NULL: out of memory. */
struct attempts *attempts_new(const struct conninfo *info, const struct address *only);

/* The first one, also after others. */
enum attempts_next attempts_start(struct attempts *attempts, struct error *error);

/*
 * After ATTEMPTS_LOOKUP: goes on with the lookup, ATTEMPTS_LOOKUP again while it takes its time;
 * attempts_lookup_fd is readable when there is news. `late`: no time is left for it.
 */
enum attempts_next attempts_look_up(struct attempts *attempts, bool late, struct error *error);
struct pollfd attempts_pollfd(const struct attempts *attempts);

/* How many lookups have begun so far. */
unsigned attempts_lookups(const struct attempts *attempts);

/* The next one. `error` is why the last one failed, and is completed where nothing is left. */
enum attempts_next attempts_failed(struct attempts *attempts, const struct attempt_failure *failure,
                                   struct error *error);

/* What is being tried. The address is borrowed and stays where it is until the next one. */
const struct address *attempts_address(const struct attempts *attempts);
enum encryption attempts_encryption(const struct attempts *attempts);

/* What the server must be: TARGET_ANY in the second pass of TARGET_PREFER_STANDBY. */
enum target attempts_target(const struct attempts *attempts);

/* NULL is fine. */
void attempts_free(struct attempts *attempts);

#endif
