#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "doctor/state.h"
#include "server/syncnames.h"

#define DECODING_ON_DEMAND 19            /* from this version on wal_level = replica can do */
#define SHORT_TIMEOUT_US   (3 * CLOCK_S) /* below that a busy network ends streams */
#define TIMEOUT_CURE       "options='-c wal_sender_timeout=60s' in the connection string"

static int version_of(const struct exam *exam)
{
    enum side side = exam->login[SIDE_ORDINARY] != NULL ? SIDE_ORDINARY : SIDE_SENDER;
    const struct conn *conn = exam_conn(exam, side);

    return conn != NULL ? atoi(conn_server_version(conn)) : 0;
}

static bool decodes(const struct exam *exam)
{
    return strcmp(exam->facts.text[FACT_WAL_LEVEL], "logical") == 0 ||
           strcmp(exam->facts.text[FACT_EFFECTIVE_WAL_LEVEL], "logical") == 0;
}

/* With a restart. */
static void cure_setting(struct exam *exam, const char *name, const char *value)
{
    struct buffer cure = {0};

    platform_fix(exam->platform, name, value, &cure);
    report_cure(exam->report, "%.*s", (int)cure.len, cure.data);
    buffer_free(&cure);
}

static void report_wal_level(struct exam *exam)
{
    const struct facts *facts = &exam->facts;
    const char *level = facts->text[FACT_WAL_LEVEL];

    if (facts->known[FACT_EFFECTIVE_WAL_LEVEL] && strcmp(level, "logical") != 0 && decodes(exam)) {
        report_check(exam->report, CHECK_OK, "wal_level", "%s, effectively logical", level);
    } else if (decodes(exam)) {
        report_check(exam->report, CHECK_OK, "wal_level", "%s", level);
    } else if (version_of(exam) >= DECODING_ON_DEMAND && strcmp(level, "replica") == 0) {
        report_check(exam->report, CHECK_OK, "wal_level",
                     "%s, which this version raises for the first logical slot", level);
    } else {
        report_check(exam->report, CHECK_FAIL, "wal_level", "%s: the log can't be decoded", level);
        cure_setting(exam, "wal_level", "logical");
    }
}

/* Room for one more slot or walsender; ours, if it is there already, is that one. */
static void report_room(struct exam *exam, const char *name, enum fact used_fact,
                        enum fact max_fact, uint64_t own)
{
    unsigned long long all = facts_number(&exam->facts, used_fact);
    unsigned long long used = all > own ? all - own : 0;
    unsigned long long max = facts_number(&exam->facts, max_fact);
    const char *setting = max_fact == FACT_MAX_SLOTS ? "max_replication_slots" : "max_wal_senders";
    char value[24];

    if (used < max) {
        report_check(exam->report, CHECK_OK, name, "%llu of %llu free", max - used, max);
        return;
    }
    report_check(exam->report, CHECK_FAIL, name, "none free: all %llu are in use", max);
    snprintf(value, sizeof(value), "%llu", max < 5 ? 10 : 2 * max);
    cure_setting(exam, setting, value);
    if (max_fact == FACT_MAX_SLOTS && max > 0) {
        report_cure(exam->report, "SELECT * FROM pg_replication_slots WHERE NOT active; "
                                  "-- or drop one that nobody will use again");
    }
}

static void report_sender_timeout(struct exam *exam)
{
    int64_t timeout_us = (int64_t)facts_number(&exam->facts, FACT_SENDER_TIMEOUT) * CLOCK_MS;
    double seconds = (double)timeout_us / (double)CLOCK_S;

    if (timeout_us == 0) {
        report_check(exam->report, CHECK_WARN, "wal_sender_timeout",
                     "off: the walsender of a machine that has died stays, with its slot");
        report_cure(exam->report, TIMEOUT_CURE);
    } else if (timeout_us < SHORT_TIMEOUT_US) {
        report_check(exam->report, CHECK_WARN, "wal_sender_timeout",
                     "%.3g s: a short hiccup of the network ends the stream", seconds);
        report_cure(exam->report, TIMEOUT_CURE);
    } else {
        report_check(exam->report, CHECK_OK, "wal_sender_timeout", "%.3g s", seconds);
    }
}

static void report_synchronous(struct exam *exam)
{
    const char *names = exam->facts.text[FACT_SYNC_NAMES];
    const char *application = conninfo_text(&exam->config->info, CONN_APPLICATION_NAME);

    if (!syncnames_match(names, application)) {
        report_check(exam->report, CHECK_OK, "synchronous_standby_names", "%s",
                     names[0] != '\0' ? names : "none");
    } else if (exam->config->visibility_check) {
        report_check(exam->report, CHECK_WARN, "synchronous_standby_names",
                     "%s, which matches \"%s\": it is not counted as long as --no-gate isn't given",
                     names, application);
        report_cure(exam->report, "Name the real standbys there; where it is no star that "
                                  "matches, another application_name for pgnudge does, too.");
    } else {
        report_check(exam->report, CHECK_WARN, "synchronous_standby_names",
                     "%s, which matches \"%s\": with --no-gate the server counts pgnudge as a "
                     "standby, and confirms COMMITs by it",
                     names, application);
        report_cure(exam->report, "Leave out --no-gate, or name the real standbys there.");
    }
}

static void report_encoding(struct exam *exam)
{
    const char *name = exam->tables.encoding_name;

    if (!encoding_is_known(exam->encoding)) {
        report_check(exam->report, CHECK_WARN, "encoding",
                     "%s: of names only the ASCII letters can be read", name);
        report_cure(exam->report, "Name tables in ASCII.");
    } else if (strcmp(name, "SQL_ASCII") == 0) {
        report_check(exam->report, CHECK_WARN, "encoding",
                     "%s: names are bytes without a meaning, those that are not UTF-8 get lost",
                     name);
        report_cure(exam->report, "Name tables in ASCII or UTF-8.");
    } else {
        report_check(exam->report, CHECK_OK, "encoding", "%s", name);
    }
}

static void report_all_tables(struct exam *exam)
{
    const struct facts *facts = &exam->facts;

    if (exam->config->tables.len == 0) {
        report_check(exam->report, CHECK_OK, "tables",
                     "all, at present %s, of which %s are unlogged (not in the log) and %s have no "
                     "usable replica identity (matters to wal2json)",
                     facts->text[FACT_TABLES], facts->text[FACT_UNLOGGED],
                     facts->text[FACT_KEYLESS]);
    }
}

void server_report_platform(struct exam *exam)
{
    const char *host = conninfo_text(&exam->config->info, CONN_HOST);

    exam->platform = platform_join(exam->platform, platform_of_host(host));
    report_check(exam->report, CHECK_OK, "platform", "%s", platform_name(exam->platform));
}

void server_report(struct exam *exam)
{
    uint64_t own = exam->login[SIDE_SENDER] != NULL ? 1 : 0;

    if (facts_in_recovery(&exam->facts)) {
        report_check(exam->report, CHECK_OK, "standby",
                     "the server is in recovery: slots wait for its primary, and there is no round "
                     "trip");
    }
    report_wal_level(exam);
    report_room(exam, "slots", FACT_SLOTS, FACT_MAX_SLOTS, 0);
    report_room(exam, "walsenders", FACT_SENDERS, FACT_MAX_SENDERS, own);
    report_sender_timeout(exam);
    report_synchronous(exam);
    report_encoding(exam);
    report_all_tables(exam);
}

bool server_takes_slots(const struct exam *exam)
{
    const struct facts *facts = &exam->facts;

    return facts->known[FACT_IDENTITY] &&
           facts_number(facts, FACT_SLOTS) < facts_number(facts, FACT_MAX_SLOTS) &&
           (decodes(exam) || version_of(exam) >= DECODING_ON_DEMAND);
}
