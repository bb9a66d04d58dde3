/* pgnudge: ties the parts together. The only exit is main's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/signals.h"
#include "cli/help.h"
#include "cli/options.h"
#include "doctor/doctor.h"
#include "feed/feed.h"
#include "tls/tls.h"

/* A descriptor below 3 that the parent closed must not become a socket. False: none to be had. */
static bool fill_standard_descriptors(bool *stdout_was_closed)
{
    *stdout_was_closed = fcntl(STDOUT_FILENO, F_GETFD) < 0 && errno == EBADF;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}

static int print(const struct log *log, const char *text)
{
    if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
        log_say(log, LOG_ERROR, "could not write to standard output");
        return FEED_ERROR;
    }
    return FEED_STOPPED;
}

static int run(const struct feed_config *config, const struct doctor_options *doctor)
{
    sigset_t waiting;
    struct feed_outcome outcome;

    signals_install(&waiting);
    outcome =
        doctor->wanted ? doctor_run(config, doctor->json, &waiting) : feed_run(config, &waiting);
    if (outcome.signal != 0) {
        signals_die(outcome.signal);
    }
    return (int)outcome.status;
}

int main(int argc, char **argv)
{
    struct feed_config config;
    struct doctor_options doctor;
    struct error error;
    enum options_action action;
    bool stdout_was_closed;
    int status = FEED_USAGE;

    conninfo_secure_memory();
    options_init(&config);
    if (!fill_standard_descriptors(&stdout_was_closed)) {
        return FEED_ERROR;
    }
    log_open(&config.log);
    action = options_parse(&config, &doctor, argc, argv, &error);
    if (action == OPTIONS_WRONG) {
        log_report(&config.log, LOG_ERROR, &error);
        status = error.kind == ERROR_FATAL ? FEED_ERROR : FEED_USAGE;
    } else if (stdout_was_closed) {
        log_say(&config.log, LOG_ERROR, "standard output is closed");
        status = FEED_ERROR;
    } else if (action == OPTIONS_RUN && !tls_init(&error)) {
        log_report(&config.log, LOG_ERROR, &error);
        status = FEED_ERROR;
    } else if (action == OPTIONS_RUN) {
        status = run(&config, &doctor);
    } else {
        status = print(&config.log, action == OPTIONS_HELP ? help_text : version_text);
    }
    log_close(&config.log);
    options_free(&config);
    return status;
}
