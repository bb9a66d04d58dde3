#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "doctor/state.h"
#include "server/syncnames.h"

#define DECODING_ON_DEMAND 19            /* from this version on wal_level = replica can do */
#define SHORT_TIMEOUT_US   (3 * CLOCK_S) /* below that a busy network ends streams */
#define TIMEOUT_FIX        "options='-c wal_sender_timeout=60s' in the connection string"

int checks_major(const struct checks *checks)
{
    enum side side = checks->login[SIDE_ORDINARY] != NULL ? SIDE_ORDINARY : SIDE_SENDER;
    const struct conn *conn = checks_conn(checks, side);

    return conn != NULL ? conn_server_major(conn) : 0;
}

static bool decodes(const struct checks *checks)
{
    return strcmp(checks->facts.text[FACT_WAL_LEVEL], "logical") == 0 ||
           strcmp(checks->facts.text[FACT_EFFECTIVE_WAL_LEVEL], "logical") == 0;
}

/* With a restart. */
static void fix_setting(struct checks *checks, const char *name, const char *value)
{
    struct buffer fix = {0};

    platform_fix(checks->platform, name, value, &fix);
    report_fix(checks->report, "%.*s", (int)fix.len, fix.data);
    buffer_free(&fix);
}

static void report_wal_level(struct checks *checks)
{
    const struct facts *facts = &checks->facts;
    const char *level = facts->text[FACT_WAL_LEVEL];

    if (checks->config->physical && strcmp(level, "minimal") != 0) {
        report_check(checks->report, CHECK_OK, "wal_level", "%s, which is enough", level);
    } else if (facts->known[FACT_EFFECTIVE_WAL_LEVEL] && strcmp(level, "logical") != 0 &&
               decodes(checks)) {
        report_check(checks->report, CHECK_OK, "wal_level", "%s, effectively logical", level);
    } else if (decodes(checks)) {
        report_check(checks->report, CHECK_OK, "wal_level", "%s", level);
    } else if (checks_major(checks) >= DECODING_ON_DEMAND && strcmp(level, "replica") == 0) {
        report_check(checks->report, CHECK_OK, "wal_level",
                     "%s, which this version raises for the first logical slot", level);
    } else {
        report_check(checks->report, CHECK_FAIL, "wal_level", "%s: WAL can't be decoded", level);
        fix_setting(checks, "wal_level", "logical");
    }
}

/* Room for one more slot or walsender; ours, if it is there already, is that one. */
static void report_room(struct checks *checks, const char *name, enum fact used_fact,
                        enum fact max_fact, uint64_t own)
{
    unsigned long long all = facts_number(&checks->facts, used_fact);
    unsigned long long used = all > own ? all - own : 0;
    unsigned long long max = facts_number(&checks->facts, max_fact);
    const char *setting = max_fact == FACT_MAX_SLOTS ? "max_replication_slots" : "max_wal_senders";
    char value[24];

    if (used < max) {
        report_check(checks->report, CHECK_OK, name, "%llu of %llu free", max - used, max);
        return;
    }
    report_check(checks->report, max > 0 ? CHECK_WARN : CHECK_FAIL, name,
                 "none free: all %llu are in use%s", max, max > 0 ? "; pgnudge waits for one" : "");
    snprintf(value, sizeof(value), "%llu", max < 5 ? 10 : 2 * max);
    fix_setting(checks, setting, value);
    if (max_fact == FACT_MAX_SLOTS && max > 0) {
        report_fix(checks->report, "SELECT * FROM pg_replication_slots WHERE NOT active; "
                                   "-- or drop one that nobody will use again");
    }
}

static void report_sender_timeout(struct checks *checks)
{
    int64_t timeout_us = (int64_t)facts_number(&checks->facts, FACT_SENDER_TIMEOUT) * CLOCK_MS;
    double seconds = (double)timeout_us / (double)CLOCK_S;

    if (timeout_us == 0) {
        report_check(checks->report, CHECK_WARN, "wal_sender_timeout",
                     "off: after a client machine fails, its walsender and slot remain");
        report_fix(checks->report, TIMEOUT_FIX);
    } else if (timeout_us < SHORT_TIMEOUT_US) {
        report_check(checks->report, CHECK_WARN, "wal_sender_timeout",
                     "%.3g s: a short hiccup of the network ends the stream", seconds);
        report_fix(checks->report, TIMEOUT_FIX);
    } else {
        report_check(checks->report, CHECK_OK, "wal_sender_timeout", "%.3g s", seconds);
    }
}

static void report_synchronous(struct checks *checks)
{
    const char *names = checks->facts.text[FACT_SYNC_NAMES];
    const char *application = conninfo_text(&checks->config->info, CONN_APPLICATION_NAME);

    if (!syncnames_match(names, application)) {
        report_check(checks->report, CHECK_OK, "synchronous_standby_names", "%s",
                     names[0] != '\0' ? names : "none");
    } else if (checks->config->visibility_check) {
        report_check(
            checks->report, CHECK_WARN, "synchronous_standby_names",
            "%s, which matches \"%s\": it is not counted unless --no-visibility-check is given",
            names, application);
        report_fix(checks->report, "Name the real standbys there; unless a star matches, another "
                                   "application_name for pgnudge works too.");
    } else {
        report_check(
            checks->report, CHECK_WARN, "synchronous_standby_names",
            "%s, which matches \"%s\": with --no-visibility-check the server counts pgnudge as a "
            "standby, and confirms COMMITs by it",
            names, application);
        report_fix(checks->report,
                   "Remove --no-visibility-check, or name the real standbys there.");
    }
}

static void report_encoding(struct checks *checks)
{
    const char *name = checks->tables.encoding_name;

    if (!encoding_is_known(checks->encoding)) {
        report_check(checks->report, CHECK_WARN, "encoding",
                     "%s: of names only the ASCII letters can be read", name);
        report_fix(checks->report, "Name tables in ASCII.");
    } else if (strcmp(name, "SQL_ASCII") == 0) {
        report_check(checks->report, CHECK_WARN, "encoding",
                     "%s: names are bytes without a meaning, those that are not UTF-8 get lost",
                     name);
        report_fix(checks->report, "Name tables in ASCII or UTF-8.");
    } else {
        report_check(checks->report, CHECK_OK, "encoding", "%s", name);
    }
}

static void report_all_tables(struct checks *checks)
{
    const struct facts *facts = &checks->facts;

    if (checks->config->tables.len == 0) {
        report_check(checks->report, CHECK_OK, "tables",
                     "all, at present %s, of which %s are unlogged (not in the WAL) and %s have no "
                     "usable replica identity (matters to wal2json)",
                     facts->text[FACT_TABLES], facts->text[FACT_UNLOGGED],
                     facts->text[FACT_KEYLESS]);
    }
}

void server_report_platform(struct checks *checks)
{
    const char *host = conninfo_text(&checks->config->info, CONN_HOST);

    checks->platform = platform_join(checks->platform, platform_of_host(host));
    report_check(checks->report, CHECK_OK, "platform", "%s", platform_name(checks->platform));
}

void server_report(struct checks *checks)
{
    uint64_t own = checks->login[SIDE_SENDER] != NULL ? 1 : 0;

    if (facts_in_recovery(&checks->facts)) {
        report_check(checks->report, CHECK_OK, "standby",
                     "the server is in recovery: slots wait for its primary, and there is no round "
                     "trip");
    }
    report_wal_level(checks);
    if (!checks->config->physical) {
        report_room(checks, "slots", FACT_SLOTS, FACT_MAX_SLOTS, 0);
    }
    report_room(checks, "walsenders", FACT_SENDERS, FACT_MAX_SENDERS, own);
    report_sender_timeout(checks);
    report_synchronous(checks);
    report_encoding(checks);
    report_all_tables(checks);
}

bool server_takes_slots(const struct checks *checks)
{
    const struct facts *facts = &checks->facts;

    return facts->known[FACT_IDENTITY] &&
           facts_number(facts, FACT_SLOTS) < facts_number(facts, FACT_MAX_SLOTS) &&
           (decodes(checks) || checks_major(checks) >= DECODING_ON_DEMAND);
}
