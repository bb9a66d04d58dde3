#include "base/signals.h"

#include <stddef.h>

/* The only globals: a handler has nothing else. */
static volatile sig_atomic_t received;
static volatile sig_atomic_t asked_to_stop;

static void note(int number)
{
    received = number;
}

static void note_stop(int number)
{
    (void)number;
    asked_to_stop = 1;
}

static void install(int number, sigset_t *blocked)
{
    struct sigaction action;

    sigaction(number, NULL, &action);
    if (action.sa_handler == SIG_IGN && number != SIGTERM) {
        return;
    }
    action.sa_handler = note;
    action.sa_flags = 0;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    sigaddset(blocked, number);
}

void signals_install(sigset_t *waiting)
{
    sigset_t blocked;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    install(SIGTERM, &blocked);
    install(SIGINT, &blocked);
    install(SIGHUP, &blocked);
    sigprocmask(SIG_BLOCK, &blocked, waiting);
    /* A parent may have blocked them: waiting lets them in all the same. */
    sigdelset(waiting, SIGTERM);
    sigdelset(waiting, SIGINT);
    sigdelset(waiting, SIGHUP);
}

int signals_take(void)
{
    int number = received;

    received = 0;
    return number;
}

void signals_hold_stop(bool hold)
{
    struct sigaction action;
    sigset_t only;

    asked_to_stop = 0;
    sigaction(SIGTSTP, NULL, &action);
    if (action.sa_handler == SIG_IGN) {
        return;
    }
    action.sa_handler = hold ? note_stop : SIG_DFL;
    action.sa_flags = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTSTP, &action, NULL);
    sigemptyset(&only);
    sigaddset(&only, SIGTSTP);
    sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &only, NULL);
}

bool signals_take_stop(void)
{
    bool asked = asked_to_stop != 0;

    asked_to_stop = 0;
    return asked;
}

void signals_die(int number)
{
    sigset_t only;

    signal(number, SIG_DFL);
    sigemptyset(&only);
    sigaddset(&only, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
}
