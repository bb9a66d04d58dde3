/* The options of where changes come from: what goes together, and what follows from them. */
#ifndef PGNUDGE_CLI_SOURCE_OPTIONS_H
#define PGNUDGE_CLI_SOURCE_OPTIONS_H

#include <stdbool.h>

#include "base/error.h"
#include "feed/config.h"

/* What the user has typed of these. */
struct source_options {
    bool plugin;
    const char *decoding_option; /* one that needs logical decoding; NULL: none */
};

/* Takes --transport. False: `error`. */
bool source_options_transport(struct feed_config *config, const char *value, struct error *error);

/* Completes the configuration. False: `error`. */
bool source_options_finish(struct feed_config *config, const struct source_options *options,
                           struct error *error);

#endif
