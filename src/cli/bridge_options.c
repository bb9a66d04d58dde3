#include "cli/bridge_options.h"

#include "base/clock.h"
#include "bridge/channel.h"
#include "bridge/scope.h"
#include "conninfo/connlayers.h"
#include "conninfo/connstring.h"

#define NOTIFY_HEARTBEAT_US (10 * CLOCK_S)

static bool excludes(const char *one, const char *other, struct error *error)
{
    return error_set(error, ERROR_PERMANENT, "%s and %s exclude each other", one, other);
}

/* What a pgnudge that publishes can't do, or would do in vain. */
static bool check_notify(const struct feed_config *config, const struct bridge_options *options,
                         struct error *error)
{
    if (config->exec != NULL) {
        return excludes("--notify", "--exec", error);
    }
    if (config->style.format != ITEM_JSON) {
        return excludes("--notify", "--format names", error);
    }
    if (config_is_relay(config)) {
        return excludes("--notify", config->from_stdin ? "--from-stdin" : "--listen", error);
    }
    if (!config->visibility_check) {
        return excludes("--notify", "--no-visibility-check", error);
    }
    if (options->partitions) {
        error_set(error, ERROR_PERMANENT, "--notify and --partitions exclude each other");
        error_hint(error,
                   "A publisher names leaves; each reader chooses with its own --partitions.");
        return false;
    }
    if ((config->window.max_keys > 0) != options->notify_keys) {
        error_set(error, ERROR_PERMANENT,
                  "with --notify, --keys and --notify-keys need each other");
        error_hint(error, "Every role that may connect to the database can read the keys.");
        return false;
    }
    return true;
}

static bool finish_notify(struct feed_config *config, const struct bridge_options *options,
                          struct error *error)
{
    bool ok = true;

    if (!channel_check("--notify", config->notify, error) ||
        !check_notify(config, options, error)) {
        return false;
    }
    config->sequence = true;
    config->partitions = PARTITIONS_LEAF;
    if (config->heartbeat_us == CLOCK_NEVER) {
        config->heartbeat_us = NOTIFY_HEARTBEAT_US;
    }
    if (options->notify_to != NULL) {
        ok = conninfo_derive(&config->notify_to, &config->info, options->notify_to, error);
        connstring_hide_secrets(options->notify_to);
        config->has_notify_to = ok;
    }
    if (!ok) {
        error_prefix(error, "--notify-to");
    }
    return ok;
}

/* Items come from another pgnudge. */
static bool finish_relay(struct feed_config *config, const struct bridge_options *options,
                         struct error *error)
{
    const char *relay = config->from_stdin ? "--from-stdin" : "--listen";

    if (config->from_stdin && config->listen != NULL) {
        return excludes("--listen", "--from-stdin", error);
    }
    if (config->listen != NULL && !channel_check("--listen", config->listen, error)) {
        return false;
    }
    if (options->stream_option != NULL) {
        excludes(relay, options->stream_option, error);
        error_hint(error, "It is the publisher that reads the replication stream: give it %s.",
                   options->stream_option);
        return false;
    }
    if (config->from_stdin && options->doctor) {
        return error_set(error, ERROR_PERMANENT,
                         "the doctor checks servers, and --from-stdin connects to none");
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
    if (config->notify == NULL && (options->notify_to != NULL || options->notify_keys)) {
        return error_set(error, ERROR_PERMANENT, "%s needs --notify",
                         options->notify_keys ? "--notify-keys" : "--notify-to");
    }
    if (config->notify != NULL && !finish_notify(config, options, error)) {
        return false;
    }
    if (config_is_relay(config) && !finish_relay(config, options, error)) {
        return false;
    }
    return !config->sequence || finish_scope(config, error);
}
