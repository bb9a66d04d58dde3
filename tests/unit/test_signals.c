/* Signals under a flood: a descriptor that is always ready. */
#include "base/signals.h"

#include <unistd.h>

#include "base/os.h"

#include "check.h"

static void let_in_under_a_flood(void)
{
    sigset_t waiting;
    struct pollfd ready = {.events = POLLIN};
    int64_t last_us = 0;
    int pipes[2];

    REQUIRE(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
    ready.fd = pipes[0];
    signal(SIGHUP, SIG_DFL); /* who runs the tests may ignore it */
    signals_install(&waiting);
    kill(getpid(), SIGTERM);
    CHECK_INT(os_poll(&ready, 1, 0, &waiting), 1);
    signals_let_in(&waiting, &last_us, SIGNALS_EVERY_US - 1); /* not yet */
    CHECK_INT(signals_take(), 0);
    signals_let_in(&waiting, &last_us, SIGNALS_EVERY_US);
    CHECK_INT(signals_take(), SIGTERM);
    CHECK_INT(last_us, SIGNALS_EVERY_US);
    kill(getpid(), SIGHUP);
    CHECK_INT(signals_take(), 0); /* it is blocked again */
    CHECK_INT(os_poll(NULL, 0, 0, &waiting), -1);
    CHECK_INT(signals_take(), SIGHUP);
    close(pipes[0]);
    close(pipes[1]);
}

static const struct check_test tests[] = {
    {"let in while a descriptor is ready", let_in_under_a_flood},
};

CHECK_MAIN(tests)
