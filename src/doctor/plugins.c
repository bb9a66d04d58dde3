#include <stdio.h>
#include <string.h>

#include "catalog/pushdown.h"
#include "decode/plugins.h"
#include "doctor/state.h"
#include "server/hints.h"
#include "server/syncnames.h"

static bool is_wanted(const struct checks *checks, enum plugin plugin)
{
    return checks->config->plugin == PLUGINS ? plugin < PLUGINS_AUTO
                                             : checks->config->plugin == plugin;
}

enum plugin plugins_next(const struct checks *checks, enum plugin plugin)
{
    bool last = plugin + 1 == PLUGINS_AUTO && checks->config->publication_count == 0;

    return last ? PLUGINS : (enum plugin)(plugin + 1);
}

bool plugins_have_messages(const struct checks *checks, enum plugin plugin)
{
    return !plugins[plugin].publications || checks->publications.major >= PUBLICATIONS_MESSAGES;
}

void plugins_options(const struct checks *checks, enum plugin plugin, struct buffer *options)
{
    buffer_text(options, plugins[plugin].options);
    if (plugins[plugin].publications) {
        publications_option(&checks->publications, options);
    }
}

static bool is_taken(const struct checks *checks, enum plugin plugin)
{
    return checks->verdicts[plugin] == PLUGIN_USABLE || checks->verdicts[plugin] == PLUGIN_WAITED;
}

enum plugin checks_chosen(const struct checks *checks)
{
    enum plugin plugin = (enum plugin)0;

    while (plugin < PLUGINS && !(is_wanted(checks, plugin) && is_taken(checks, plugin))) {
        plugin++;
    }
    return plugin;
}

const char *plugins_waiting_fix(const struct checks *checks)
{
    return facts_in_recovery(&checks->facts)
               ? "SELECT pg_log_standby_snapshot(); -- on the primary"
               : "End the transactions that a slot waits for; pgnudge waits until they have ended.";
}

static void report_waited(struct checks *checks, const char *name)
{
    report_check(
        checks->report, CHECK_WARN, name,
        "the server accepts it, but had not created the slot when the doctor gave up waiting");
    report_fix(checks->report, "%s", plugins_waiting_fix(checks));
}

static void report_refused(struct checks *checks, enum plugin plugin, const char *name)
{
    struct error *error = &checks->refusals[plugin];
    bool needed = is_wanted(checks, plugin) && checks_chosen(checks) == PLUGINS;

    hint_slot(error, &checks->config->info, plugin);
    if (!needed) {
        error_detail(error, "It is not needed here.");
    }
    report_error(checks->report, needed ? CHECK_FAIL : CHECK_WARN, name, error,
                 "Check the server log.");
}

static bool is_forbidden(const struct checks *checks, enum plugin plugin)
{
    return checks->verdicts[plugin] == PLUGIN_REFUSED &&
           strcmp(checks->refusals[plugin].sqlstate, "42501") == 0;
}

/* The setting, or, where the role may not read it, what the attempts have shown of it. */
static void report_libraries(struct checks *checks)
{
    bool any = false;

    if (checks->facts.known[FACT_LIBRARIES]) {
        report_check(checks->report, CHECK_OK, "output_plugin_libraries", "%s",
                     checks->facts.text[FACT_LIBRARIES]);
        return;
    }
    for (int i = 0; i < PLUGINS; i++) {
        any = any || is_forbidden(checks, (enum plugin)i);
    }
    if (any) {
        report_check(checks->report, CHECK_OK, "output_plugin_libraries",
                     "not readable by this role; it does not list %s%s%s",
                     is_forbidden(checks, PLUGIN_TEST_DECODING) ? "test_decoding" : "",
                     is_forbidden(checks, PLUGIN_TEST_DECODING) &&
                             is_forbidden(checks, PLUGIN_WAL2JSON)
                         ? " or "
                         : "",
                     is_forbidden(checks, PLUGIN_WAL2JSON) ? "wal2json" : "");
    } else {
        report_check(checks->report, CHECK_OK, "output_plugin_libraries",
                     "not readable by this role; no plugin was refused");
    }
}

void plugins_report(struct checks *checks)
{
    char name[64];

    if (!checks->slot_failed) {
        report_libraries(checks);
    }

    for (int i = 0; i < PLUGINS; i++) {
        snprintf(name, sizeof(name), "plugin %s", plugins[(enum plugin)i].name);
        switch (checks->verdicts[i]) {
        case PLUGIN_UNTRIED:
            break;
        case PLUGIN_USABLE:
            report_check(checks->report, CHECK_OK, name, "the server creates a slot with it");
            break;
        case PLUGIN_WAITED:
            report_waited(checks, name);
            break;
        case PLUGIN_REFUSED:
            report_refused(checks, (enum plugin)i, name);
            break;
        }
    }
}

/* ---- what to use ---- */

static bool was_named(const struct checks *checks)
{
    return checks->config->plugin != PLUGINS;
}

/* Whether wal2json could leave out in the server what isn't watched. */
static bool can_filter(const struct checks *checks)
{
    return is_taken(checks, PLUGIN_WAL2JSON) && checks->config->tables.len > 0 &&
           checks->config->tables.len <= PUSHDOWN_MAX && checks->tables.all_ordinary;
}

static void recommend_plugin(struct checks *checks)
{
    struct report *report = checks->report;
    enum plugin chosen = checks_chosen(checks);

    if (checks->config->physical) {
        report_plugin(report, NULL, "none is needed: --transport physical decodes nothing");
    } else if (chosen == PLUGINS) {
        report_plugin(report, NULL,
                      report_count(report, CHECK_FAIL) > 0
                          ? "fix what failed first"
                          : "none was tried, as there is no room for it");
    } else if (chosen == PLUGIN_PGOUTPUT) {
        report_plugin(report, plugins[chosen].name,
                      "it is part of PostgreSQL, and --publication uses it; it filters in the "
                      "server; where test_decoding is allowed, that needs no publication");
    } else if (chosen == PLUGIN_WAL2JSON && is_taken(checks, PLUGIN_TEST_DECODING)) {
        report_plugin(report, plugins[chosen].name,
                      can_filter(checks)
                          ? "it filters in the server, which is cheaper where most changes are in "
                            "other tables; test_decoding needs no replica identities"
                          : "it was requested; here it filters nothing in the server, so "
                            "test_decoding, which needs no replica identities, works as well");
    } else if (chosen == PLUGIN_WAL2JSON) {
        report_plugin(
            report, plugins[chosen].name,
            "the server refuses test_decoding; --plugin auto uses it too%s",
            checks->tables.keyless
                ? "; the server log gets a line for each UPDATE and DELETE of a table without a "
                  "usable replica identity"
                : "");
    } else if (can_filter(checks) && !checks->tables.keyless) {
        report_plugin(report, plugins[chosen].name,
                      "it is part of PostgreSQL, needs no replica identities, and %s; --plugin "
                      "wal2json would filter in the server, which is cheaper where most changes "
                      "are in other tables",
                      was_named(checks) ? "it was requested" : "--plugin auto uses it");
    } else {
        report_plugin(report, plugins[chosen].name,
                      "it is part of PostgreSQL, needs no replica identities, and %s; wal2json has "
                      "no advantage here",
                      was_named(checks) ? "it was requested" : "--plugin auto uses it");
    }
}

void plugins_recommend(struct checks *checks)
{
    const struct feed_config *config = checks->config;
    const char *application = conninfo_text(&config->info, CONN_APPLICATION_NAME);

    recommend_plugin(checks);
    if (facts_number(&checks->facts, FACT_STANDBYS) > 0 && config->visible_on_count == 0) {
        report_option(checks->report, "--visible-on host=REPLICA",
                      "the server has replicas: if readers use one, items should wait for it");
    }
    if (!config->visibility_check &&
        syncnames_match(checks->facts.text[FACT_SYNC_NAMES], application)) {
        report_option(checks->report, "no --no-visibility-check",
                      "it makes the server count pgnudge as a synchronous standby");
    } else if (!config->visibility_check) {
        report_option(checks->report, "no --no-visibility-check",
                      "with it items may come before their changes are visible, and a client that "
                      "refetches too early gets no further event");
    }
    if (checks->blockers > 0 && config->slot_timeout_us != INT64_MAX) {
        report_option(checks->report, "no --slot-timeout",
                      "each retry waits from the start again for the transactions that are open");
    }
}
