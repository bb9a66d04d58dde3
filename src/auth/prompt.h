/*
 * One question on the terminal (/dev/tty), answered without echo. Nothing here
 * waits. While the terminal has no echo, Ctrl-Z gives it back before the
 * process stops; whenever it goes on after a stop, it asks anew.
 */
#ifndef PGNUDGE_AUTH_PROMPT_H
#define PGNUDGE_AUTH_PROMPT_H

#include <poll.h>

#define PROMPT_TEXT_MAX   256  /* bytes of a question, NUL included; a longer one is cut */
#define PROMPT_REMARK_MAX 1024 /* bytes of what goes before it, likewise */
#define PROMPT_ANSWER_MAX 4096 /* bytes of an answer, NUL included: what terminals take in a line */

struct prompt;

enum prompt_step {
    PROMPT_WAIT, /* poll, then call again; at each signal too */
    PROMPT_ANSWERED,
    PROMPT_GIVEN_UP /* an empty line, one that is too long, or the terminal is gone */
};

/*
 * Asks, below a line with `remark`, if that isn't "". NULL: there is no
 * terminal, or it is another job's: asking would stop this one.
 */
struct prompt *prompt_open(const char *remark, const char *question);

/* Goes on as far as it can without waiting. */
enum prompt_step prompt_step(struct prompt *prompt);

/* After PROMPT_ANSWERED: the line, in memory that is kept out of core dumps. Borrowed. */
const char *prompt_answer(const struct prompt *prompt);

struct pollfd prompt_pollfd(const struct prompt *prompt);

/* Leaves the terminal as it was, and wipes the answer. NULL is fine. */
void prompt_close(struct prompt *prompt);

#endif
