#include "feed/config.h"

#include "base/clock.h"
#include "catalog/definitions.h"

bool config_is_relay(const struct feed_config *config)
{
    return config->listen != NULL || config->from_stdin;
}

struct verdict_rules config_rules(const struct feed_config *config)
{
    return (struct verdict_rules){
        .tables = &config->tables,
        .exclude = &config->exclude,
        .partitions = config->partitions,
        .ancestors = config->sequence && config->partitions == PARTITIONS_LEAF,
    };
}

struct replication_setup config_source(const struct feed_config *config, bool first,
                                       const struct sink *sink)
{
    return (struct replication_setup){
        .session =
            {
                .info = &config->info,
                .log = &config->log,
                .tables = &config->tables,
                .exclude = &config->exclude,
                .first = first,
                .allow_missing = config->allow_missing,
                .plugin = config->plugin,
                .publications = config->publications,
                .publication_count = config->publication_count,
                .physical = config->physical,
                .keys = config->window.max_keys > 0,
                .wants_timeline = config->visible_on_count > 0,
                .response_timeout_us = config->liveness_us,
            },
        .sink = *sink,
        .status_interval_us = config->status_interval_us,
        .status_interval_given = config->status_interval_given,
        .liveness_us = config->liveness_us,
        .slot_timeout_us = config->slot_timeout_us,
        .debounce_us = config->window.debounce_us,
        .visibility_check = config->visibility_check,
    };
}

struct visconn_setup config_visconn(const struct feed_config *config,
                                    const struct source_facts *facts)
{
    return (struct visconn_setup){
        .info = &config->info,
        .address = facts->address,
        .identity = facts->identity,
        .log = &config->log,
        .prepare = config->window.max_keys > 0 ? definitions_prepare_sql : NULL,
        .visibility_check = config->visibility_check,
        .response_timeout_us = config->liveness_us,
        .interval_us = facts->status_interval_us,
        .backoff_min_us = config->backoff_min_us,
        .backoff_max_us = config->backoff_max_us,
    };
}

struct replica_setup config_replica(const struct feed_config *config, size_t i)
{
    return (struct replica_setup){
        .info = &config->visible_on[i],
        .log = &config->log,
        .response_timeout_us = config->liveness_us,
        .interval_us = config->status_interval_us,
        .backoff_min_us = config->backoff_min_us,
        .backoff_max_us = config->backoff_max_us,
    };
}

struct notify_setup config_notify(const struct feed_config *config, const struct sequence *sequence)
{
    return (struct notify_setup){
        .info = config->has_notify_to ? &config->notify_to : &config->info,
        .log = &config->log,
        .channel = config->notify,
        .style = config->style,
        .sequence = *sequence,
        .response_timeout_us = config->liveness_us,
        .backoff_min_us = config->backoff_min_us,
        .backoff_max_us = config->backoff_max_us,
    };
}

struct listen_setup config_listen(const struct feed_config *config, const struct line_sink *sink)
{
    int64_t third_us = config->liveness_us != CLOCK_NEVER ? config->liveness_us / 3 : CLOCK_NEVER;

    return (struct listen_setup){
        .info = &config->info,
        .log = &config->log,
        .channel = config->listen,
        .sink = *sink,
        .interval_us = clock_earlier(config->status_interval_us, third_us),
        .response_timeout_us = config->liveness_us,
    };
}
