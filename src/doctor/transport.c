/* WAL without decoding: whether --transport physical would work here, and which is better. */
#include <string.h>

#include "doctor/state.h"
#include "wal/format.h"

#define MOSTLY_OTHERS   50   /* percent of the rows written, in other databases */
#define MOSTLY_IMAGES   50   /* percent of WAL that is page images */
#define OWN_SHARE_KNOWN 1000 /* rows: fewer say nothing */

static int major_of(const struct checks *checks)
{
    return conn_server_major(checks_conn(checks, SIDE_SENDER));
}

/* NULL: its WAL can be read. */
static const char *unreadable(const struct checks *checks)
{
    const struct facts *facts = &checks->facts;

    if (strcmp(facts->text[FACT_WAL_LEVEL], "minimal") == 0) {
        return "wal_level = minimal";
    }
    if (facts_number(facts, FACT_BLOCK_SIZE) != WAL_PAGE) {
        return "WAL blocks of another size than 8192 bytes";
    }
    return wal_format_known(major_of(checks)) ? NULL : "WAL of this version is not supported";
}

bool transport_is_worth_trying(const struct checks *checks)
{
    return checks->facts.known[FACT_IDENTITY] && checks->had_sender &&
           checks->facts.known[FACT_BLOCK_SIZE];
}

void transport_report(struct checks *checks, const struct error *error)
{
    enum check_status failed = checks->config->physical ? CHECK_FAIL : CHECK_OK;
    const char *why = error == NULL ? unreadable(checks) : error->message;

    if (why != NULL) {
        report_check(checks->report, failed, "physical WAL", "not available: %s", why);
        if (checks->config->physical) {
            report_fix(checks->report, "Use --transport logical.");
        }
        return;
    }
    checks->has_physical = true;
    report_check(checks->report, CHECK_OK, "physical WAL",
                 "the server streams it; wal_keep_size = %s MB",
                 checks->facts.text[FACT_KEEP_SIZE]);
}

/* An option of this run that WAL alone can't serve; NULL: there is none. */
static const char *needs_decoding(const struct feed_config *config)
{
    if (config->window.max_keys > 0) {
        return "--keys needs logical decoding";
    }
    if (config->style.operations) {
        return "--operations needs logical decoding";
    }
    if (config->publication_count > 0) {
        return "--publication needs logical decoding";
    }
    return config->visibility_check ? NULL : "--no-visibility-check needs logical decoding";
}

/* Why decoding, which both are possible, is cheaper here; NULL: it isn't. */
static const char *favours_decoding(const struct facts *facts)
{
    uint64_t here = facts_number(facts, FACT_ROWS_HERE), all = facts_number(facts, FACT_ROWS);

    if (all >= OWN_SHARE_KNOWN && (all - here) * 100 >= all * MOSTLY_OTHERS) {
        return "other databases of this server write more than this one, and WAL has all of it";
    }
    if (facts_number(facts, FACT_IMAGES) >= MOSTLY_IMAGES) {
        return "most of the WAL here is page images (sparse updates behind checkpoints)";
    }
    return NULL;
}

void transport_recommend(struct checks *checks)
{
    const char *why = needs_decoding(checks->config);
    bool has_logical = checks_chosen(checks) < PLUGINS;

    if (!checks->has_physical || (why != NULL && !checks->config->physical)) {
        return;
    }
    if (!has_logical && !checks->config->physical) {
        report_option(checks->report, "--transport physical",
                      "it works here as it is: no slot, no plugin, no wal_level = logical");
        return;
    }
    why = favours_decoding(&checks->facts);
    if (why != NULL) {
        report_option(checks->report, "--transport logical", "%s", why);
    } else {
        report_option(
            checks->report, "--transport physical",
            "it costs the server less than decoding, needs no slot, and reports TRUNCATE, "
            "REFRESH and rewrites too; after a pause longer than the WAL that is kept "
            "it reconnects");
    }
}
