#include "doctor/state.h"

#define HOLDS_XID "locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted"

/*
 * Who holds an xid, and still does a second later, the oldest first: what is
 * over by then holds nobody up, and not every role can see its age. The age in
 * seconds and the state are NULL or hidden then.
 */
const char blockers_sql[] =
    "SELECT l.transactionid::text, coalesce(l.pid::text, ''), coalesce(a.usename::text, ''),"
    " coalesce(a.application_name, ''), coalesce(a.datname::text, p.database::text, ''),"
    " coalesce(a.state, ''), coalesce(extract(epoch FROM pg_catalog.clock_timestamp()"
    " - coalesce(a.xact_start, p.prepared))::bigint::text, ''), coalesce(p.gid, '')"
    " FROM (SELECT xids, pg_catalog.pg_sleep(CASE xids WHEN '{}' THEN 0 ELSE 1 END)"
    " FROM (SELECT ARRAY(SELECT transactionid FROM pg_catalog.pg_locks WHERE " HOLDS_XID
    ") AS xids)"
    " held) looked, LATERAL (SELECT * FROM pg_catalog.pg_locks"
    " WHERE " HOLDS_XID " AND transactionid = ANY (looked.xids) OFFSET 0) l"
    " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
    " LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = l.transactionid"
    " ORDER BY pg_catalog.age(l.transactionid) DESC LIMIT 1000";

enum column { XID, PID, USER, APPLICATION, DATABASE, STATE, SECONDS, GID, COLUMNS };

static void report_prepared(struct checks *checks, char *const text[COLUMNS])
{
    struct buffer gid = {0};

    report_check(checks->report, CHECK_WARN, "transactions",
                 "a slot waits for the prepared transaction %s, \"%s\", of database \"%s\", "
                 "prepared %s s ago",
                 text[XID], text[GID], text[DATABASE], text[SECONDS]);
    sql_literal(&gid, slice_of(text[GID]));
    report_fix(checks->report, "ROLLBACK PREPARED %.*s; -- or COMMIT PREPARED; in database \"%s\"",
               (int)gid.len, gid.data, text[DATABASE]);
    buffer_free(&gid);
}

static void report_running(struct checks *checks, char *const text[COLUMNS])
{
    report_check(checks->report, CHECK_WARN, "transactions",
                 "a slot waits for transaction %s of process %s, user \"%s\", application \"%s\", "
                 "database \"%s\", %s%s%s%s",
                 text[XID], text[PID], text[USER], text[APPLICATION], text[DATABASE],
                 text[SECONDS][0] != '\0' ? text[STATE] : "state and age not visible to this role",
                 text[SECONDS][0] != '\0' ? ", open for " : "", text[SECONDS],
                 text[SECONDS][0] != '\0' ? " s" : "");
    report_fix(checks->report, "SELECT pg_terminate_backend(%s); -- unless it will end soon",
               text[PID]);
}

bool blockers_row(void *context, struct query_row *row)
{
    struct checks *checks = context;
    struct buffer buffers[COLUMNS] = {{0}};
    char *text[COLUMNS];
    struct slice value;
    bool ok = true, read = true;

    for (int i = 0; i < COLUMNS && read; i++) {
        read = query_row_next(row, &value);
        if (read) {
            encoding_to_utf8(checks->encoding, value, &buffers[i]);
        }
        buffer_byte(&buffers[i], '\0');
        ok = ok && read && !buffers[i].failed;
        text[i] = buffers[i].data;
    }
    if (ok && checks->blockers++ < BLOCKERS_MAX) {
        if (text[GID][0] != '\0') {
            report_prepared(checks, text);
        } else {
            report_running(checks, text);
        }
    }
    for (int i = 0; i < COLUMNS; i++) {
        buffer_free(&buffers[i]);
    }
    return read;
}

void blockers_report(struct checks *checks)
{
    if (checks->blockers == 0) {
        report_check(checks->report, CHECK_OK, "transactions",
                     "none open that a slot would wait for");
    } else if (checks->blockers > BLOCKERS_MAX) {
        report_check(checks->report, CHECK_WARN, "transactions", "%u more",
                     checks->blockers - BLOCKERS_MAX);
        report_fix(checks->report,
                   "SELECT * FROM pg_locks WHERE locktype = 'transactionid' AND granted;");
    }
}
