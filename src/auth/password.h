/*
 * The password that the user types: asked for once in a run, for every
 * connection that has none otherwise. A login waits for it; whoever polls
 * drives it. NULL in place of one: nobody is asked.
 */
#ifndef PGNUDGE_AUTH_PASSWORD_H
#define PGNUDGE_AUTH_PASSWORD_H

#include <poll.h>
#include <stdbool.h>

struct password;

enum password_asking {
    PASSWORD_WHEN_NEEDED, /* when a server wants one and none is known */
    PASSWORD_FIRST        /* before connecting; it is then used instead of any other */
};

/* NULL: out of memory. */
struct password *password_new(enum password_asking asking);

/* Whether it is to be asked for whatever a server wants. */
bool password_comes_first(const struct password *password);

/*
 * Asks on the terminal, and says why above the question unless `remark` is "".
 * True: that is under way, wait while password_waits; false: it has been
 * before, or there is no terminal.
 */
bool password_ask(struct password *password, const char *user, const char *remark);

bool password_waits(const struct password *password);

/* What has been typed; NULL while nothing has. Borrowed. */
const char *password_text(const struct password *password);

/* None while nobody is asked. */
struct pollfd password_pollfd(const struct password *password);

/* Goes on, when poll has returned. */
void password_step(struct password *password);

/* Gives up asking: the terminal is as it was. */
void password_stop(struct password *password);

/* Wipes and frees. */
void password_free(struct password *password);

#endif
