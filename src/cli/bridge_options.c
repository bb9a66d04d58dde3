#include "cli/bridge_options.h"

#include "bridge/scope.h"

static bool excludes(const char *one, const char *other, struct error *error)
{
    return error_set(error, ERROR_PERMANENT, "%s and %s exclude each other", one, other);
}

/* Items come from another pgnudge. */
static bool finish_relay(struct feed_config *config, const struct bridge_options *options,
                         struct error *error)
{
    const char *relay = config->from_stdin ? "--from-stdin" : "--listen";

    if (options->stream_option != NULL) {
        excludes(relay, options->stream_option, error);
        error_hint(error, "It is the publisher that reads the replication stream: give it %s.",
                   options->stream_option);
        return false;
    }
    if (config->from_stdin && options->login_option != NULL) {
        return error_set(error, ERROR_PERMANENT, "--from-stdin connects to no server, so %s %s",
                         options->login_option, "has no meaning");
    }
    config->visibility_check = false; /* the publisher has done that */
    return true;
}

static bool finish_scope(struct feed_config *config, struct error *error)
{
    struct verdict_rules rules = config_rules(config);

    scope_write(&config->scope, &rules);
    if (config->scope.len > SCOPE_MAX) {
        error_set(error, ERROR_PERMANENT,
                  "--tables and --exclude are longer than a numbered item can say (%d bytes)",
                  SCOPE_MAX);
        error_hint(error, "Use patterns with stars, or let the readers choose.");
        return false;
    }
    buffer_byte(&config->scope, '\0');
    return !config->scope.failed || error_memory(error);
}

bool bridge_options_finish(struct feed_config *config, const struct bridge_options *options,
                           struct error *error)
{
    if (config->sequence && config->style.format != ITEM_JSON) {
        return error_set(error, ERROR_PERMANENT,
                         "--sequence and --heartbeat need --format json: names have no number");
    }
    if (config_is_relay(config) && !finish_relay(config, options, error)) {
        return false;
    }
    return !config->sequence || finish_scope(config, error);
}
