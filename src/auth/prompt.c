#include "auth/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/signals.h"

/*
 * 1. `taken`: the terminal has no echo, and `before` is how it is to be left.
 * 2. `answer` lies in memory that is kept out of core dumps, and is wiped with the prompt.
 */
struct prompt {
    int fd;
    struct termios before;
    bool taken; /* the terminal isn't as it was */
    char text[PROMPT_REMARK_MAX + PROMPT_TEXT_MAX];
    const char *unsent; /* the rest of it */
    char *answer;       /* PROMPT_ANSWER_MAX bytes */
    size_t len;         /* of what has come of it */
};

/* At once: to wait until the output has drained would be to wait for whoever pressed Ctrl-S. */
static bool set_mode(const struct prompt *prompt, const struct termios *mode)
{
    return tcsetattr(prompt->fd, TCSANOW, mode) == 0 && tcflush(prompt->fd, TCIFLUSH) == 0;
}

/* To touch another job's terminal would stop this one. */
static bool is_ours(const struct prompt *prompt)
{
    return tcgetpgrp(prompt->fd) == getpgrp();
}

/* Without echo, and without Ctrl-\, which would leave it so. False: it isn't ours to ask on. */
static bool ask(struct prompt *prompt)
{
    struct termios mode = prompt->before;

    if (!is_ours(prompt)) {
        return false;
    }
    mode.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    mode.c_cc[VQUIT] = _POSIX_VDISABLE;
    prompt->unsent = prompt->text;
    prompt->len = 0;
    signals_hold_job_control(true);
    if (!set_mode(prompt, &mode)) {
        signals_hold_job_control(false);
        return false;
    }
    prompt->taken = true;
    return true;
}

static void give_back(struct prompt *prompt)
{
    ssize_t written;

    if (!prompt->taken) {
        return;
    }
    prompt->taken = false;
    if (is_ours(prompt)) {
        set_mode(prompt, &prompt->before);
        written = write(prompt->fd, "\n", 1); /* the one that had no echo */
        (void)written;
    }
    signals_hold_job_control(false);
}

/* Appends a text that is the user's own, or a file's: no control characters of it. */
static void add(struct prompt *prompt, const char *text, size_t max)
{
    char *c = prompt->text + strlen(prompt->text);

    snprintf(c, max, "%s", text);
    for (; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

struct prompt *prompt_open(const char *remark, const char *question)
{
    struct prompt *prompt = calloc(1, sizeof(*prompt));

    if (prompt == NULL) {
        return NULL;
    }
    if (remark[0] != '\0') {
        add(prompt, remark, PROMPT_REMARK_MAX - 1);
        memcpy(prompt->text + strlen(prompt->text), "\n", sizeof("\n"));
    }
    add(prompt, question, PROMPT_TEXT_MAX);
    prompt->answer = OPENSSL_secure_zalloc(PROMPT_ANSWER_MAX);
    prompt->fd = open("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (prompt->answer != NULL && prompt->fd >= 0 && tcgetattr(prompt->fd, &prompt->before) == 0 &&
        ask(prompt)) {
        return prompt;
    }
    if (prompt->fd >= 0) {
        close(prompt->fd);
    }
    OPENSSL_secure_clear_free(prompt->answer, PROMPT_ANSWER_MAX);
    free(prompt);
    return NULL;
}

static void send_text(struct prompt *prompt)
{
    ssize_t sent = write(prompt->fd, prompt->unsent, strlen(prompt->unsent));

    prompt->unsent += sent > 0 ? sent : 0;
}

static enum prompt_step take_line(struct prompt *prompt, size_t len)
{
    char *end = memchr(prompt->answer + prompt->len, '\n', len);

    prompt->len += len;
    if (end == NULL && len > 0 && prompt->len < PROMPT_ANSWER_MAX - 1) {
        return PROMPT_WAIT; /* Ctrl-D sends what has been typed; at the second one it is all */
    }
    if ((end == NULL && len > 0) || prompt->len == 0) {
        return PROMPT_GIVEN_UP;
    }
    prompt->answer[end != NULL ? (size_t)(end - prompt->answer) : prompt->len] = '\0';
    return prompt->answer[0] != '\0' ? PROMPT_ANSWERED : PROMPT_GIVEN_UP;
}

/* False: the terminal is no longer ours. */
static bool obey_job_control(struct prompt *prompt)
{
    int number = signals_take_job_control();

    if (number == SIGTSTP) {
        give_back(prompt);
        raise(SIGTSTP); /* returns when the process is continued */
    }
    /* Whoever had the terminal meanwhile, after a SIGSTOP too, may have left it with an echo. */
    return number == 0 || ask(prompt);
}

enum prompt_step prompt_step(struct prompt *prompt)
{
    ssize_t len;

    if (!obey_job_control(prompt)) {
        return PROMPT_GIVEN_UP;
    }
    send_text(prompt);
    len = read(prompt->fd, prompt->answer + prompt->len, PROMPT_ANSWER_MAX - 1 - prompt->len);
    if (len < 0) {
        return errno == EAGAIN || errno == EINTR ? PROMPT_WAIT : PROMPT_GIVEN_UP;
    }
    return take_line(prompt, (size_t)len);
}

const char *prompt_answer(const struct prompt *prompt)
{
    return prompt->answer;
}

struct pollfd prompt_pollfd(const struct prompt *prompt)
{
    return (struct pollfd){.fd = prompt->fd,
                           .events = (short)(POLLIN | (prompt->unsent[0] != '\0' ? POLLOUT : 0))};
}

void prompt_close(struct prompt *prompt)
{
    if (prompt != NULL) {
        give_back(prompt);
        close(prompt->fd);
        OPENSSL_secure_clear_free(prompt->answer, PROMPT_ANSWER_MAX);
        free(prompt);
    }
}
