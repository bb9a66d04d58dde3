/* A command for each item, by a clock of the test's own. */
#include "out/exec_out.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

#include "check.h"

#define REAL_WAIT_MS 10000 /* for a command that ends at once */

struct fixture {
    struct log log;
    int said[2]; /* a pipe */
    char text[4096];
    size_t text_len;
    struct out *out;
};

static bool set_up(struct fixture *fixture, const char *command, enum exec_fail fail)
{
    struct exec_setup setup = {.command = command, .fail = fail, .log = &fixture->log};

    signal(SIGPIPE, SIG_IGN); /* as signals_install has it */
    *fixture = (struct fixture){.log = {.level = LOG_WARNING}};
    if (pipe(fixture->said) != 0) {
        return false;
    }
    fixture->log.fd = fixture->said[1];
    fixture->out = exec_out_new(&setup);
    return fixture->out != NULL;
}

static void tear_down(struct fixture *fixture)
{
    fixture->out->ops->free(fixture->out);
    close(fixture->said[0]);
    close(fixture->said[1]);
}

static void begin(struct fixture *fixture, enum resync reason)
{
    struct item item = {.resync = reason, .lsn = 7};

    fixture->out->ops->begin(fixture->out, &item);
}

static enum out_event step(struct fixture *fixture, int64_t now_us)
{
    struct error error;

    return fixture->out->ops->step(fixture->out, 0, now_us, &error);
}

/* Steps until the command, which ends soon, has ended. The out's own clock stands still. */
static enum out_event run(struct fixture *fixture, enum resync reason, int64_t now_us)
{
    enum out_event event = OUT_NOTHING;

    begin(fixture, reason);
    for (int i = 0; event == OUT_NOTHING && i < REAL_WAIT_MS; i++) {
        event = step(fixture, now_us);
        poll(NULL, 0, event == OUT_NOTHING ? 1 : 0);
    }
    return event;
}

/* What has been said since the last look. */
static const char *said(struct fixture *fixture)
{
    struct pollfd entry = {.fd = fixture->said[0], .events = POLLIN};
    ssize_t len = poll(&entry, 1, 0) == 1
                      ? read(fixture->said[0], fixture->text, sizeof(fixture->text) - 1)
                      : 0;

    fixture->text[len > 0 ? len : 0] = '\0';
    return fixture->text;
}

static void pauses(void)
{
    static const int seconds[] = {1, 2, 4, 8, 16, 30, 30};
    struct fixture fixture;
    int64_t now_us = 1000;

    CHECK(set_up(&fixture, "exit 1", EXEC_RETRY));
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        int64_t until_us = now_us + seconds[i] * CLOCK_S;
        const struct out_ops *ops = fixture.out->ops;

        CHECK(run(&fixture, RESYNC_CONNECTED, now_us) == OUT_FAILED);
        CHECK(!ops->busy(fixture.out));
        CHECK_INT(ops->deadline(fixture.out, true, now_us), until_us);
        CHECK(step(&fixture, until_us - 1) == OUT_NOTHING && !ops->can_take(fixture.out));
        CHECK(step(&fixture, until_us) == OUT_NOTHING && ops->can_take(fixture.out));
        now_us = until_us;
    }
    CHECK(strstr(said(&fixture), "again in 30 s") != NULL);
    tear_down(&fixture);
}

static void success_ends_the_doubling(void)
{
    struct fixture fixture;

    CHECK(set_up(&fixture, "grep -q requested", EXEC_RETRY));
    CHECK(run(&fixture, RESYNC_CONNECTED, 0) == OUT_FAILED);
    CHECK(run(&fixture, RESYNC_CONNECTED, 0) == OUT_FAILED);
    CHECK(strstr(said(&fixture), "again in 2 s") != NULL);
    CHECK(run(&fixture, RESYNC_REQUESTED, 0) == OUT_DONE);
    CHECK(run(&fixture, RESYNC_CONNECTED, 0) == OUT_FAILED);
    CHECK(strstr(said(&fixture), "again in 1 s") != NULL);
    tear_down(&fixture);
}

static void long_run(void)
{
    struct fixture fixture;
    const struct out_ops *ops;

    CHECK(set_up(&fixture, "exec sleep 1000", EXEC_RETRY));
    ops = fixture.out->ops;
    begin(&fixture, RESYNC_CONNECTED);
    CHECK(step(&fixture, 0) == OUT_NOTHING);
    CHECK_INT(ops->deadline(fixture.out, true, 0), 60 * CLOCK_S);
    CHECK(step(&fixture, 60 * CLOCK_S - 1) == OUT_NOTHING && said(&fixture)[0] == '\0');
    CHECK(step(&fixture, 60 * CLOCK_S) == OUT_NOTHING);
    CHECK(strstr(said(&fixture), "running for 60 s") != NULL);
    CHECK(step(&fixture, 600 * CLOCK_S) == OUT_NOTHING && said(&fixture)[0] == '\0');
    CHECK_INT(ops->deadline(fixture.out, true, 0), CLOCK_NEVER);
    tear_down(&fixture);
}

static void stop_all(void)
{
    struct fixture fixture;
    const struct out_ops *ops;

    CHECK(set_up(&fixture, "sleep 1000 & sleep 1000", EXEC_RETRY));
    ops = fixture.out->ops;
    CHECK_INT(ops->stop(fixture.out), 0);
    begin(&fixture, RESYNC_CONNECTED);
    CHECK(step(&fixture, 0) == OUT_NOTHING);
    CHECK_INT(ops->stop(fixture.out), 5 * CLOCK_S);
    for (int i = 0; ops->busy(fixture.out) && i < REAL_WAIT_MS; i++) {
        step(&fixture, 0);
        poll(NULL, 0, 1);
    }
    CHECK(!ops->busy(fixture.out));
    CHECK(said(&fixture)[0] == '\0'); /* it was our own doing */
    tear_down(&fixture);
}

static void not_started(void)
{
    struct fixture fixture;
    struct rlimit before;

    CHECK(set_up(&fixture, "true", EXEC_RETRY));
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1, before.rlim_max}) == 0);
    CHECK(run(&fixture, RESYNC_CONNECTED, 0) == OUT_FAILED);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(strstr(said(&fixture), "could not be started: Too many open files") != NULL);
    CHECK(run(&fixture, RESYNC_CONNECTED, 0) == OUT_DONE);
    tear_down(&fixture);
}

static const struct check_test tests[] = {
    {"the pause after a failure doubles, up to 30 s", pauses},
    {"a success ends the doubling", success_ends_the_doubling},
    {"one that runs for long is said once", long_run},
    {"stopping ends the whole group", stop_all},
    {"one that can't be started is a failure", not_started},
};

CHECK_MAIN(tests)
