#include "base/signals.h"

#include <stddef.h>

/* The only globals: a handler has nothing else. */
static volatile sig_atomic_t received;
static volatile sig_atomic_t job_control;
static volatile sig_atomic_t report;

static void note(int number)
{
    received = number;
}

static void note_job_control(int number)
{
    job_control = number;
}

static void note_report(int number)
{
    (void)number;
    report = 1;
}

/* It only ends a wait. */
static void ignore(int number)
{
    (void)number;
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
    signal(SIGCHLD, ignore);
    sigaddset(&blocked, SIGCHLD);
    signal(SIGUSR1, note_report);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, waiting);
    /* A parent may have blocked them: waiting lets them in all the same. */
    sigdelset(waiting, SIGTERM);
    sigdelset(waiting, SIGINT);
    sigdelset(waiting, SIGHUP);
    sigdelset(waiting, SIGCHLD);
    sigdelset(waiting, SIGUSR1);
}

void signals_let_in(const sigset_t *waiting, int64_t *last_us, int64_t now_us)
{
    sigset_t blocked;

    if (now_us < *last_us + SIGNALS_EVERY_US) {
        return;
    }
    *last_us = now_us;
    sigprocmask(SIG_SETMASK, waiting, &blocked);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

int signals_take(void)
{
    int number = received;

    received = 0;
    return number;
}

bool signals_take_report(void)
{
    bool asked = report != 0;

    report = 0;
    return asked;
}

static void hold(int number, bool held)
{
    struct sigaction action;
    sigset_t only;

    sigaction(number, NULL, &action);
    if (action.sa_handler == SIG_IGN) {
        return;
    }
    action.sa_handler = held ? note_job_control : SIG_DFL;
    action.sa_flags = 0;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    sigemptyset(&only);
    sigaddset(&only, number);
    sigprocmask(held ? SIG_BLOCK : SIG_UNBLOCK, &only, NULL);
}

void signals_hold_job_control(bool held)
{
    job_control = 0;
    hold(SIGTSTP, held);
    hold(SIGCONT, held);
}

int signals_take_job_control(void)
{
    int number = job_control;

    job_control = 0;
    return number;
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
