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

static void report_prepared(struct exam *exam, char *const text[COLUMNS])
{
    struct buffer gid = {0};

    report_check(exam->report, CHECK_WARN, "transactions",
                 "a slot waits for the prepared transaction %s, \"%s\", of database \"%s\", "
                 "prepared %s s ago",
                 text[XID], text[GID], text[DATABASE], text[SECONDS]);
    sql_literal(&gid, slice_of(text[GID]));
    report_cure(exam->report, "ROLLBACK PREPARED %.*s; -- or COMMIT PREPARED; in database \"%s\"",
                (int)gid.len, gid.data, text[DATABASE]);
    buffer_free(&gid);
}

static void report_running(struct exam *exam, char *const text[COLUMNS])
{
    report_check(exam->report, CHECK_WARN, "transactions",
                 "a slot waits for transaction %s of process %s, user \"%s\", application \"%s\", "
                 "database \"%s\", %s%s%s%s",
                 text[XID], text[PID], text[USER], text[APPLICATION], text[DATABASE],
                 text[SECONDS][0] != '\0' ? text[STATE]
                                          : "of a state and age that this role can't see",
                 text[SECONDS][0] != '\0' ? ", open for " : "", text[SECONDS],
                 text[SECONDS][0] != '\0' ? " s" : "");
    report_cure(exam->report, "SELECT pg_terminate_backend(%s); -- unless it will end soon",
                text[PID]);
}

bool blockers_row(void *context, struct query_row *row)
{
    struct exam *exam = context;
    struct buffer buffers[COLUMNS] = {{0}};
    char *text[COLUMNS];
    struct slice value;
    bool ok = true, read = true;

    for (int i = 0; i < COLUMNS && read; i++) {
        read = query_row_next(row, &value);
        if (read) {
            encoding_to_utf8(exam->encoding, value, &buffers[i]);
        }
        buffer_byte(&buffers[i], '\0');
        ok = ok && read && !buffers[i].failed;
        text[i] = buffers[i].data;
    }
    if (ok && exam->blockers++ < BLOCKERS_MAX) {
        if (text[GID][0] != '\0') {
            report_prepared(exam, text);
        } else {
            report_running(exam, text);
        }
    }
    for (int i = 0; i < COLUMNS; i++) {
        buffer_free(&buffers[i]);
    }
    return read;
}

void blockers_report(struct exam *exam)
{
    if (exam->blockers == 0) {
        report_check(exam->report, CHECK_OK, "transactions", "none that a slot would wait for");
    } else if (exam->blockers > BLOCKERS_MAX) {
        report_check(exam->report, CHECK_WARN, "transactions", "%u more",
                     exam->blockers - BLOCKERS_MAX);
        report_cure(exam->report,
                    "SELECT * FROM pg_locks WHERE locktype = 'transactionid' AND granted;");
    }
}
