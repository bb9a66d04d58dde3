/* From an address to a stream that messages can go over: connect, and TLS where asked. */
#ifndef PGNUDGE_NET_DIAL_H
#define PGNUDGE_NET_DIAL_H

#include <poll.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/io.h"
#include "conninfo/conninfo.h"
#include "net/address.h"
#include "net/transport.h"

enum encryption {
    ENCRYPT_NO,
    ENCRYPT_IF_OFFERED, /* stays plain where the server answers that it has no TLS */
    ENCRYPT_YES
};

struct dial;

/* Begins. `address` and `info` must outlive the transport. NULL: `error` says why. */
struct dial *dial_start(const struct address *address, const struct conninfo *info,
                        enum encryption encryption, struct error *error);

/* Goes on, as far as it can without waiting. IO_DONE: dial_take may be called. */
enum io dial_step(struct dial *dial, struct error *error);

/* Whether the network part succeeded, so that a failure is about TLS. */
bool dial_reached(const struct dial *dial);

struct pollfd dial_pollfd(const struct dial *dial);

/* The finished stream, which is the caller's from now on. */
struct transport *dial_take(struct dial *dial);

/* Closes what was not taken. NULL is fine. */
void dial_free(struct dial *dial);

#endif
