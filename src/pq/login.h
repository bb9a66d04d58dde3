/*
 * From connection parameters to a connection that takes queries: every host and
 * address in turn, encryption as sslmode wants it, authentication, and a server
 * as target_session_attrs wants it.
 */
#ifndef PGNUDGE_PQ_LOGIN_H
#define PGNUDGE_PQ_LOGIN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/step.h"
#include "conninfo/conninfo.h"
#include "pq/conn.h"

struct login;

/* How far an attempt got. */
enum login_stage {
    LOGIN_REACHING,   /* no connection to the address */
    LOGIN_ENCRYPTING, /* connected; no TLS */
    LOGIN_ANSWERED    /* the server has answered, or was asked, in PostgreSQL's protocol */
};

/*
 * Begins with the first host, or the one address `only`, which is fine whatever
 * target_session_attrs says. With `replication` the server's end is
 * a walsender. A password that is lacking, or wanted first, is waited for if it
 * can be typed. `info` must outlive the login and the connection. NULL: `error`
 * says why.
 */
struct login *login_start(const struct conninfo *info, const struct address *only, bool replication,
                          int64_t now_us, struct error *error);

/* Goes on as far as it can without waiting, and gives up an address at its deadline. */
enum step login_step(struct login *login, int64_t now_us, struct error *error);

/* None while a password is typed. */
struct pollfd login_pollfd(const struct login *login);

/* When login_step must be called again whatever the socket does. */
int64_t login_deadline(const struct login *login);

/* After STEP_FAILED: how far the last attempt got. */
enum login_stage login_failed_at(const struct login *login);

/* After STEP_DONE: how the server let us in, for people. */
const char *login_method(const struct login *login);

/* After STEP_DONE: the connection, valid until login_free, which ends it. */
struct conn *login_conn(struct login *login);

/* Closes the connection and frees all. NULL is fine. */
void login_free(struct login *login);

#endif
