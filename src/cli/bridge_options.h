/*
 * The options of items that go from one pgnudge to others: what goes together, and what follows
 * from them.
 */
#ifndef PGNUDGE_CLI_BRIDGE_OPTIONS_H
#define PGNUDGE_CLI_BRIDGE_OPTIONS_H

#include <stdbool.h>

#include "base/error.h"
#include "feed/config.h"

/* What the user has typed of these; the texts are borrowed, the secrets in them made illegible. */
struct bridge_options {
    const char *stream_option; /* one of the replication stream alone; NULL: none */
    const char *login_option;  /* one that says where to connect; NULL: none */
    char *notify_to;           /* NULL: nothing */
    bool notify_keys;
    bool doctor;     /* it is to check, not to run */
    bool partitions; /* how to name them */
};

/* Completes the configuration. False: `error`. */
bool bridge_options_finish(struct feed_config *config, const struct bridge_options *options,
                           struct error *error);

#endif
