#include "cli/source_options.h"

#include <string.h>

#include "cli/values.h"

bool source_options_transport(struct feed_config *config, const char *value, struct error *error)
{
    config->physical = strcmp(value, "physical") == 0;
    return config->physical || strcmp(value, "logical") == 0 ||
           value_wrong("--transport", value, "logical or physical", error);
}

/* WAL has no rows, and pgnudge decodes none. */
static bool finish_transport(const struct feed_config *config, const struct source_options *options,
                             struct error *error)
{
    if (!config->physical) {
        return !config->ddl ||
               error_set(error, ERROR_PERMANENT, "--ddl needs --transport physical");
    }
    if (options->decoding_option != NULL) {
        error_set(error, ERROR_PERMANENT, "--transport physical and %s exclude each other",
                  options->decoding_option);
        error_hint(error, "Rows, and what was done to them, are known to logical decoding alone.");
        return false;
    }
    return config->visibility_check ||
           error_set(error, ERROR_PERMANENT,
                     "--transport physical and --no-visibility-check exclude each other");
}

/* Publications are pgoutput's. */
static bool finish_plugin(struct feed_config *config, const struct source_options *options,
                          struct error *error)
{
    if (config->publication_count == 0) {
        return true;
    }
    if (options->plugin && config->plugin != PLUGINS) {
        return error_set(error, ERROR_PERMANENT,
                         "--publication uses the plugin pgoutput, not the one of --plugin");
    }
    config->plugin = PLUGIN_PGOUTPUT;
    return true;
}

bool source_options_finish(struct feed_config *config, const struct source_options *options,
                           struct error *error)
{
    return finish_transport(config, options, error) && finish_plugin(config, options, error);
}
