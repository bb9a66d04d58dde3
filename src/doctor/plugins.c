#include <string.h>

#include "catalog/pushdown.h"
#include "decode/plugins.h"
#include "doctor/state.h"
#include "server/hints.h"
#include "server/syncnames.h"

static bool is_wanted(const struct exam *exam, enum plugin plugin)
{
    return exam->config->plugin == PLUGINS || exam->config->plugin == plugin;
}

static bool is_taken(const struct exam *exam, enum plugin plugin)
{
    return exam->verdicts[plugin] == PLUGIN_USABLE || exam->verdicts[plugin] == PLUGIN_WAITED;
}

enum plugin exam_chosen(const struct exam *exam)
{
    enum plugin plugin = (enum plugin)0;

    while (plugin < PLUGINS && !(is_wanted(exam, plugin) && is_taken(exam, plugin))) {
        plugin++;
    }
    return plugin;
}

const char *plugins_waiting_cure(const struct exam *exam)
{
    return facts_in_recovery(&exam->facts)
               ? "SELECT pg_log_standby_snapshot(); -- on the primary"
               : "End the transactions that a slot waits for; pgnudge waits until they have ended.";
}

static void report_waited(struct exam *exam, const char *name)
{
    report_check(exam->report, CHECK_WARN, name,
                 "the server takes it, but had made no slot when the doctor gave up waiting");
    report_cure(exam->report, "%s", plugins_waiting_cure(exam));
}

static void report_refused(struct exam *exam, enum plugin plugin, const char *name)
{
    struct error *error = &exam->refusals[plugin];
    bool needed = is_wanted(exam, plugin) && exam_chosen(exam) == PLUGINS;

    hint_slot(error, &exam->config->info, plugin);
    if (!needed) {
        error_detail(error, "It is not needed here.");
    }
    report_error(exam->report, needed ? CHECK_FAIL : CHECK_WARN, name, error,
                 "Look into the server's log.");
}

static bool is_forbidden(const struct exam *exam, enum plugin plugin)
{
    return exam->verdicts[plugin] == PLUGIN_REFUSED &&
           strcmp(exam->refusals[plugin].sqlstate, "42501") == 0;
}

/* The setting, or, where the role may not read it, what the attempts have shown of it. */
static void report_libraries(struct exam *exam)
{
    bool any = false;

    if (exam->facts.known[FACT_LIBRARIES]) {
        report_check(exam->report, CHECK_OK, "output_plugin_libraries", "%s",
                     exam->facts.text[FACT_LIBRARIES]);
        return;
    }
    for (int i = 0; i < PLUGINS; i++) {
        any = any || is_forbidden(exam, (enum plugin)i);
    }
    if (any) {
        report_check(exam->report, CHECK_OK, "output_plugin_libraries",
                     "this role can't read it; as the attempts show, %s%s%s is not in it",
                     is_forbidden(exam, PLUGIN_TEST_DECODING) ? "test_decoding" : "",
                     is_forbidden(exam, PLUGIN_TEST_DECODING) && is_forbidden(exam, PLUGIN_WAL2JSON)
                         ? " or "
                         : "",
                     is_forbidden(exam, PLUGIN_WAL2JSON) ? "wal2json" : "");
    } else {
        report_check(
            exam->report, CHECK_OK, "output_plugin_libraries",
            "none that this role can read; as the attempts show, neither plugin is forbidden");
    }
}

void plugins_report(struct exam *exam)
{
    char name[64] = "plugin ";

    if (!exam->slot_failed) {
        report_libraries(exam);
    }

    for (int i = 0; i < PLUGINS; i++) {
        strcpy(name + strlen("plugin "), plugins[(enum plugin)i].name);
        switch (exam->verdicts[i]) {
        case PLUGIN_UNTRIED:
            break;
        case PLUGIN_USABLE:
            report_check(exam->report, CHECK_OK, name, "the server makes a slot with it");
            break;
        case PLUGIN_WAITED:
            report_waited(exam, name);
            break;
        case PLUGIN_REFUSED:
            report_refused(exam, (enum plugin)i, name);
            break;
        }
    }
}

/* ---- what to use ---- */

static bool was_named(const struct exam *exam)
{
    return exam->config->plugin != PLUGINS;
}

/* Whether wal2json could leave out in the server what isn't watched. */
static bool can_filter(const struct exam *exam)
{
    return is_taken(exam, PLUGIN_WAL2JSON) && exam->config->tables.len > 0 &&
           exam->config->tables.len <= PUSHDOWN_MAX && exam->tables.all_ordinary;
}

static void recommend_plugin(struct exam *exam)
{
    struct report *report = exam->report;
    enum plugin chosen = exam_chosen(exam);

    if (chosen == PLUGINS) {
        report_plugin(report, NULL, "mend what failed first");
    } else if (chosen == PLUGIN_WAL2JSON && is_taken(exam, PLUGIN_TEST_DECODING)) {
        report_plugin(report, plugins[chosen].name,
                      can_filter(exam)
                          ? "it filters in the server, which is cheaper where most changes are in "
                            "other tables; test_decoding needs no replica identities"
                          : "you asked for it; here it filters nothing in the server, so "
                            "test_decoding, which needs no replica identities, would do as well");
    } else if (chosen == PLUGIN_WAL2JSON) {
        report_plugin(report, plugins[chosen].name,
                      "the server doesn't take test_decoding; --plugin auto takes it, too%s",
                      exam->tables.keyless
                          ? "; its log gets a line for each UPDATE and DELETE of a table without a "
                            "usable replica identity"
                          : "");
    } else if (can_filter(exam) && !exam->tables.keyless) {
        report_plugin(report, plugins[chosen].name,
                      "it is part of PostgreSQL, needs no replica identities, and %s; --plugin "
                      "wal2json would filter in the server, which is cheaper where most changes "
                      "are in other tables",
                      was_named(exam) ? "you asked for it" : "--plugin auto takes it");
    } else {
        report_plugin(report, plugins[chosen].name,
                      "it is part of PostgreSQL, needs no replica identities, and %s; wal2json "
                      "would gain nothing here",
                      was_named(exam) ? "you asked for it" : "--plugin auto takes it");
    }
}

void plugins_recommend(struct exam *exam)
{
    const struct feed_config *config = exam->config;
    const char *application = conninfo_text(&config->info, CONN_APPLICATION_NAME);

    recommend_plugin(exam);
    if (facts_number(&exam->facts, FACT_STANDBYS) > 0 && config->visible_on_count == 0) {
        report_option(exam->report, "--visible-on host=REPLICA",
                      "the server has replicas: if you read from one, items should wait for it");
    }
    if (!config->visibility_check &&
        syncnames_match(exam->facts.text[FACT_SYNC_NAMES], application)) {
        report_option(exam->report, "no --no-gate",
                      "with it the server would count pgnudge as a synchronous standby");
    } else if (!config->visibility_check) {
        report_option(exam->report, "no --no-gate",
                      "with it items may come before their changes can be seen, and a reader that "
                      "refetches too early is not told again");
    }
    if (exam->blockers > 0 && config->slot_timeout_us != INT64_MAX) {
        report_option(exam->report, "no --slot-timeout",
                      "each new try waits from the start again for the transactions that are open");
    }
}
