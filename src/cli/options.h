/* What the user typed, checked before anything is touched. */
#ifndef PGNUDGE_CLI_OPTIONS_H
#define PGNUDGE_CLI_OPTIONS_H

#include <stdbool.h>

#include "base/error.h"
#include "feed/feed.h"

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_WRONG };

/* The first argument is the word "doctor", and what only that has. */
struct doctor_options {
    bool wanted;
    bool json;
};

/* Sets the defaults that --help names. */
void options_init(struct feed_config *config);

/*
 * Reads the PG* variables and the command line into `config` and `doctor`.
 * OPTIONS_WRONG: `error` says what is wrong.
 */
enum options_action options_parse(struct feed_config *config, struct doctor_options *doctor,
                                  int argc, char **argv, struct error *error);

void options_free(struct feed_config *config);

#endif
