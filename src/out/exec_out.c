#include "out/exec_out.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "out/child.h"
#include "out/environment.h"

#define RETRY_MIN_US  (1 * CLOCK_S)
#define RETRY_MAX_US  (30 * CLOCK_S)
#define LONG_RUN_US   (60 * CLOCK_S)
#define STOP_GRACE_US (5 * CLOCK_S)
#define STOP_LOOK_US                                                                               \
    (20 * CLOCK_MS)     /* how often: the group's last process is not ours to wait for */
#define FAILURE_MAX 160 /* bytes of what is said of one */

enum exec_state {
    EXEC_IDLE,
    EXEC_STARTING, /* it has begun in this turn, or has failed to */
    EXEC_RUNNING,
    EXEC_PAUSED, /* after a failure */
    EXEC_ENDING  /* SIGTERM has been passed on; the group may outlive the command */
};

/* The child is there from EXEC_STARTING to EXEC_RUNNING's end, and in EXEC_ENDING. */
struct exec_out {
    struct out out;
    struct exec_setup setup;
    enum exec_state state;
    struct child child;
    int start_error; /* errno: why there is no child */
    pid_t group;
    struct buffer text; /* the item, as the command reads it */
    size_t sent;
    int64_t long_us;  /* when it has run for long */
    int64_t until_us; /* EXEC_PAUSED */
    int64_t retry_us; /* how long the last pause was, 0 after a success */
};

static struct exec_out *exec(struct out *out)
{
    return (struct exec_out *)out;
}

static const struct exec_out *const_exec(const struct out *out)
{
    return (const struct exec_out *)out;
}

static bool can_take(struct out *out)
{
    return exec(out)->state == EXEC_IDLE;
}

/* An errno, or 0. */
static int start(struct exec_out *self, const struct item *item)
{
    struct environment environment;
    int result;

    if (self->text.failed || !environment_make(&environment, item, self->setup.style.keys)) {
        return ENOMEM;
    }
    result = child_start(&self->child, self->setup.command, environment.variables) ? 0 : errno;
    environment_free(&environment);
    return result;
}

static void begin(struct out *out, const struct item *item)
{
    struct exec_out *self = exec(out);

    buffer_clear(&self->text);
    self->sent = 0;
    item_write(&self->text, item, &self->setup.style);
    self->start_error = start(self, item);
    self->group = self->child.pid;
    self->state = EXEC_STARTING;
}

static bool busy(const struct out *out)
{
    enum exec_state state = const_exec(out)->state;

    return state != EXEC_IDLE && state != EXEC_PAUSED;
}

/* ---- its end ---- */

static enum out_event succeeded(struct exec_out *self)
{
    self->retry_us = 0;
    self->state = EXEC_IDLE;
    return OUT_DONE;
}

static enum out_event pause_after(struct exec_out *self, const char *failure, int64_t now_us)
{
    self->retry_us = self->retry_us == 0 ? RETRY_MIN_US : self->retry_us * 2;
    if (self->retry_us > RETRY_MAX_US) {
        self->retry_us = RETRY_MAX_US;
    }
    self->until_us = clock_after(now_us, self->retry_us);
    self->state = EXEC_PAUSED;
    log_say(self->setup.log, LOG_WARNING, "--exec: %s; running it again in %d s", failure,
            (int)(self->retry_us / CLOCK_S));
    return OUT_FAILED;
}

static enum out_event failed(struct exec_out *self, const char *failure, int64_t now_us,
                             struct error *error)
{
    switch (self->setup.fail) {
    case EXEC_RETRY:
        return pause_after(self, failure, now_us);
    case EXEC_WARN:
        log_say(self->setup.log, LOG_WARNING, "--exec: %s", failure);
        self->state = EXEC_IDLE;
        return OUT_DONE;
    case EXEC_EXIT:
        break;
    }
    self->state = EXEC_IDLE;
    error_set(error, ERROR_FATAL, "--exec: %s", failure);
    return OUT_BROKEN;
}

static enum out_event ended(struct exec_out *self, int status, int64_t now_us, struct error *error)
{
    char failure[FAILURE_MAX];

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return succeeded(self);
    }
    if (WIFEXITED(status)) {
        snprintf(failure, sizeof(failure), "the command failed with status %d",
                 WEXITSTATUS(status));
    } else {
        snprintf(failure, sizeof(failure), "the command was ended by signal %d: %s",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    return failed(self, failure, now_us, error);
}

static enum out_event not_started(struct exec_out *self, int64_t now_us, struct error *error)
{
    char failure[FAILURE_MAX];

    snprintf(failure, sizeof(failure), "the command could not be started: %s",
             strerror(self->start_error));
    return failed(self, failure, now_us, error);
}

/* ---- its turns ---- */

static enum out_event run(struct exec_out *self, int64_t now_us, struct error *error)
{
    int status;

    child_write(&self->child, &self->text, &self->sent);
    if (child_ended(&self->child, &status)) {
        return ended(self, status, now_us, error);
    }
    if (now_us >= self->long_us) {
        self->long_us = CLOCK_NEVER;
        log_say(self->setup.log, LOG_WARNING,
                "--exec: the command has been running for %d s; changes wait for its end",
                (int)(LONG_RUN_US / CLOCK_S));
    }
    return OUT_NOTHING;
}

static enum out_event end(struct exec_out *self)
{
    int status;

    child_ended(&self->child, &status);
    if (self->child.pid != 0 || child_group_lives(self->group)) {
        return OUT_NOTHING;
    }
    self->state = EXEC_IDLE;
    return OUT_DONE;
}

static enum out_event step(struct out *out, short revents, int64_t now_us, struct error *error)
{
    struct exec_out *self = exec(out);

    (void)revents; /* to write when there is no room costs nothing */
    switch (self->state) {
    case EXEC_IDLE:
        break;
    case EXEC_STARTING:
        if (self->start_error != 0) {
            return not_started(self, now_us, error);
        }
        self->long_us = clock_after(now_us, LONG_RUN_US);
        self->state = EXEC_RUNNING;
        return run(self, now_us, error);
    case EXEC_RUNNING:
        return run(self, now_us, error);
    case EXEC_PAUSED:
        self->state = now_us >= self->until_us ? EXEC_IDLE : EXEC_PAUSED;
        break;
    case EXEC_ENDING:
        return end(self);
    }
    return OUT_NOTHING;
}

static struct pollfd pollfd(const struct out *out, bool wanted)
{
    (void)wanted;
    return (struct pollfd){.fd = const_exec(out)->child.input, .events = POLLOUT};
}

/* The command's end comes as SIGCHLD. */
static int64_t deadline(const struct out *out, bool wanted, int64_t now_us)
{
    const struct exec_out *self = const_exec(out);

    switch (self->state) {
    case EXEC_IDLE:
        return wanted ? now_us : CLOCK_NEVER;
    case EXEC_STARTING:
        return now_us;
    case EXEC_RUNNING:
        return self->long_us;
    case EXEC_PAUSED:
        return self->until_us;
    case EXEC_ENDING:
        break;
    }
    return clock_after(now_us, STOP_LOOK_US);
}

static int64_t stop(struct out *out)
{
    struct exec_out *self = exec(out);

    if (self->child.pid == 0) {
        self->state = EXEC_IDLE;
        return 0;
    }
    kill(-self->group, SIGTERM);
    self->state = EXEC_ENDING;
    return STOP_GRACE_US;
}

static void exec_out_free(struct out *out)
{
    struct exec_out *self = exec(out);

    if (self->state == EXEC_ENDING) {
        kill(-self->group, SIGKILL);
    }
    child_kill(&self->child);
    buffer_free(&self->text);
    free(self);
}

struct out *exec_out_new(const struct exec_setup *setup)
{
    static const struct out_ops ops = {can_take, begin,    busy, step,
                                       pollfd,   deadline, stop, exec_out_free};
    struct exec_out *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        return NULL;
    }
    self->out.ops = &ops;
    self->setup = *setup;
    self->child.input = -1;
    self->text.limit = SIZE_MAX / 2; /* --max-pending bounds it */
    return (struct out *)self;       /* gcc's analyzer takes &self->out for a leak */
}
