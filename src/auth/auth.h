/* Authentication: answers the server's requests ("Message Flow", Start-up). No I/O. */
#ifndef PGNUDGE_AUTH_AUTH_H
#define PGNUDGE_AUTH_AUTH_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "conninfo/conninfo.h"
#include "tls/tls.h"

enum auth_step {
    AUTH_GOES_ON, /* the answer, if any, is in the buffer */
    AUTH_PASSED,  /* AuthenticationOk, and rightly so */
    AUTH_REFUSED  /* the error says why */
};

struct auth;

struct auth_setup {
    const struct conninfo *info; /* borrowed, as all here */
    const char *password;        /* what stands in for one that `info` lacks; NULL: none */
    const char *no_password;     /* more on why there is none; NULL or "": no more to say */
    const struct tls *tls;       /* NULL: the stream is plain */
    bool unix_socket;            /* nobody listens: a password may cross in clear */
};

/* NULL: out of memory. */
struct auth *auth_new(const struct auth_setup *setup);

/* Takes the body of an Authentication message ('R'), appends the answer. */
enum auth_step auth_take(struct auth *auth, struct slice body, struct buffer *out,
                         struct error *error);

/* Whether the answer to the last message is still being computed: auth_work, again and again. */
bool auth_is_working(const struct auth *auth);

/* Goes on with that, for some milliseconds. */
enum auth_step auth_work(struct auth *auth, struct buffer *out, struct error *error);

/* After AUTH_REFUSED: whether it was for want of a password. */
bool auth_lacks_password(const struct auth *auth);

/* How the server lets us in: "scram-sha-256" and the like, for people. */
const char *auth_method(const struct auth *auth);

/* Wipes and frees. NULL is fine. */
void auth_free(struct auth *auth);

#endif
