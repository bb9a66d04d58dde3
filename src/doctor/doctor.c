#include "doctor/doctor.h"

#include <stdlib.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/signals.h"
#include "doctor/state.h"
#include "out/output.h"

struct doctor {
    struct checks checks;
    struct report *report;
    struct output output;
    int64_t timeout_us;
    int64_t signals_us; /* when they were last let in */
    bool reported;      /* the report's end is in the buffer */
    bool ended;         /* before that: by a signal, --timeout or a failure */
    struct feed_outcome outcome;
};

static void end(struct doctor *doctor, enum feed_status status, int signal, int64_t now_us)
{
    if (!doctor->ended) {
        doctor->ended = true;
        doctor->outcome = (struct feed_outcome){status, signal};
    }
    password_stop(doctor->checks.config->password);
    checks_stop(&doctor->checks, now_us); /* asked twice: at once */
}

static void fail(struct doctor *doctor, const struct error *error, int64_t now_us)
{
    log_report(&doctor->checks.config->log, LOG_ERROR, error);
    end(doctor, FEED_ERROR, 0, now_us);
}

/* ---- the report's way out ---- */

static bool has_text(const struct doctor *doctor)
{
    return output_busy(&doctor->output) || report_text(doctor->report)->len > 0;
}

/* A report that nobody reads to its end has not been given. */
static void step_output(struct doctor *doctor, short revents, int64_t now_us)
{
    struct buffer *text = report_text(doctor->report);
    enum output_result result = output_check(&doctor->output, revents);
    struct error error;

    if (text->failed) {
        error_memory(&error);
        fail(doctor, &error, now_us);
        return;
    }
    if (text->len > 0 && !output_busy(&doctor->output)) {
        buffer_append(output_line(&doctor->output), text->data, text->len);
        buffer_clear(text);
    }
    if (result == OUTPUT_OK && output_busy(&doctor->output) &&
        ((revents & POLLOUT) != 0 || doctor->output.held_up)) {
        doctor->output.held_up = false;
        result = output_write(&doctor->output, &error);
    }
    if (result == OUTPUT_GONE) {
        error_set(&error, ERROR_FATAL,
                  "could not write to standard output: its reader has closed it");
    }
    if (result != OUTPUT_OK) {
        fail(doctor, &error, now_us);
    }
}

/* ---- the loop ---- */

enum { POLL_OUTPUT = CHECKS_FDS, POLL_PASSWORD, POLL_COUNT };

static bool is_over(const struct doctor *doctor)
{
    return doctor->checks.state == CHECKS_OVER &&
           (doctor->ended || (doctor->reported && !has_text(doctor)));
}

static bool wait_for_events(const struct doctor *doctor, struct pollfd fds[POLL_COUNT],
                            const sigset_t *waiting)
{
    int64_t now_us = clock_now_us();
    int64_t deadline_us = clock_earlier(checks_deadline(&doctor->checks), doctor->timeout_us);
    bool text = !doctor->ended && has_text(doctor);
    int64_t timeout_us;
    short events = 0;

    if (doctor->checks.state == CHECKS_OVER && !doctor->reported) {
        deadline_us = 0;
    }
    if (text) {
        deadline_us = clock_earlier(deadline_us, output_deadline(&doctor->output, now_us));
        events = output_events(&doctor->output);
    }
    timeout_us = deadline_us > now_us ? deadline_us - now_us : 0;
    checks_fds(&doctor->checks, fds);
    fds[POLL_OUTPUT] =
        (struct pollfd){.fd = doctor->ended ? -1 : doctor->output.fd, .events = events};
    fds[POLL_PASSWORD] = password_pollfd(doctor->checks.config->password);
    return os_poll(fds, POLL_COUNT, deadline_us == CLOCK_NEVER ? CLOCK_NEVER : timeout_us,
                   waiting) > 0;
}

static void step_signals(struct doctor *doctor, int64_t now_us)
{
    int number = signals_take();

    if (number != 0) {
        end(doctor, FEED_STOPPED, number, now_us); /* 0 would say that a feed works */
    }
}

/* All has been looked at. */
static void finish_report(struct doctor *doctor)
{
    if (doctor->checks.config->listen == NULL) {
        plugins_recommend(&doctor->checks);
        transport_recommend(&doctor->checks);
    }
    report_end(doctor->report);
    doctor->reported = true;
    doctor->outcome.status =
        report_count(doctor->report, CHECK_FAIL) > 0 ? FEED_REFUSED : FEED_STOPPED;
}

static void run(struct doctor *doctor, const sigset_t *waiting)
{
    const struct feed_config *config = doctor->checks.config;
    struct pollfd fds[POLL_COUNT];
    int64_t now_us;
    bool ready;

    while (!is_over(doctor)) {
        ready = wait_for_events(doctor, fds, waiting);
        now_us = clock_now_us();
        if (ready) {
            signals_let_in(waiting, &doctor->signals_us, now_us);
        }
        step_signals(doctor, now_us);
        password_step(config->password);
        if (now_us >= doctor->timeout_us && !doctor->ended) {
            end(doctor, FEED_TIMEOUT, 0, now_us);
        }
        checks_step(&doctor->checks, now_us);
        if (doctor->checks.fatal.kind != ERROR_NONE) {
            fail(doctor, &doctor->checks.fatal, now_us);
            doctor->checks.state = CHECKS_OVER;
        } else if (doctor->checks.state == CHECKS_OVER && !doctor->reported && !doctor->ended) {
            finish_report(doctor);
        }
        if (!doctor->ended) {
            step_output(doctor, fds[POLL_OUTPUT].revents, now_us);
        }
    }
}

static void start(struct doctor *doctor, const struct feed_config *config, const sigset_t *waiting)
{
    int64_t now_us = clock_now_us();
    struct error error;

    error_clear(&error);
    if (output_open(&doctor->output, &error) == OUTPUT_GONE) {
        error_set(&error, ERROR_FATAL,
                  "could not write to standard output: its reader has closed it");
    } else if (doctor->report == NULL) {
        error_memory(&error);
    }
    if (error.kind != ERROR_NONE) {
        log_report(&config->log, LOG_ERROR, &error);
        doctor->outcome.status = FEED_ERROR;
        return;
    }
    doctor->timeout_us = clock_after(now_us, config->timeout_us);
    checks_start(&doctor->checks, config, doctor->report, now_us);
    run(doctor, waiting);
}

struct feed_outcome doctor_run(const struct feed_config *config, bool json, const sigset_t *waiting)
{
    struct doctor *doctor = calloc(1, sizeof(*doctor)); /* large: errors and facts */
    struct feed_outcome outcome = {FEED_ERROR, 0};
    struct error error;

    if (doctor == NULL) {
        error_memory(&error);
        log_report(&config->log, LOG_ERROR, &error);
        return outcome;
    }
    doctor->report = report_new(json                         ? REPORT_JSON
                                : isatty(STDOUT_FILENO) == 1 ? REPORT_TERMINAL
                                                             : REPORT_LINES);
    start(doctor, config, waiting);
    outcome = doctor->outcome;
    checks_free(&doctor->checks);
    output_close(&doctor->output);
    report_free(doctor->report);
    free(doctor);
    return outcome;
}
