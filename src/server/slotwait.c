#include "server/slotwait.h"

#define SLOTWAIT_SQL                                                                               \
    "SELECT w.transactionid::text, coalesce(h.pid::text, ''), coalesce(a.usename::text, ''),"      \
    " coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::bigint::text, "    \
    "''),"                                                                                         \
    " coalesce(p.gid, '')"                                                                         \
    " FROM pg_catalog.pg_locks w LEFT JOIN pg_catalog.pg_locks h"                                  \
    " ON h.locktype = 'transactionid' AND h.transactionid = w.transactionid AND h.granted"         \
    " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = h.pid"                                    \
    " LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = w.transactionid"                 \
    " WHERE w.pid = %u AND w.locktype = 'transactionid' AND NOT w.granted"

void slotwait_query(struct buffer *sql, uint32_t pid)
{
    buffer_format(sql, SLOTWAIT_SQL, pid);
}

bool slotwait_row(const struct log *log, struct query_row *row)
{
    struct slice xid, pid, user, seconds, gid;

    if (!query_row_next(row, &xid) || !query_row_next(row, &pid) || !query_row_next(row, &user) ||
        !query_row_next(row, &seconds) || !query_row_next(row, &gid)) {
        return false;
    }
    if (gid.len > 0) {
        log_say(log, LOG_WARNING,
                "the replication slot waits for the prepared transaction %.*s, \"%.*s\"",
                (int)xid.len, xid.data, (int)gid.len, gid.data);
        log_hint(log, LOG_WARNING, "COMMIT PREPARED or ROLLBACK PREPARED ends it.");
        return true;
    }
    log_say(
        log, LOG_WARNING,
        "the replication slot waits for transaction %.*s of process %.*s, user \"%.*s\"%s%.*s%s",
        (int)xid.len, xid.data, (int)pid.len, pid.data, (int)user.len, user.data,
        seconds.len > 0 ? ", open for " : "", (int)seconds.len, seconds.data,
        seconds.len > 0 ? " s" : "");
    return true;
}
