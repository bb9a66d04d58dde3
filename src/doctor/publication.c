#include <string.h>

#include "catalog/publications.h"
#include "doctor/state.h"
#include "server/facts.h"

#define KEYLESS_MAX 10 /* shown */

/* One column: published tables on which the server refuses UPDATE and DELETE, quoted. */
#define KEYLESS_SQL                                                                                \
    "SELECT DISTINCT pg_catalog.format('%I.%I', t.schemaname, t.tablename)"                        \
    " FROM pg_catalog.pg_publication_tables t"                                                     \
    " JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname"                                  \
    " JOIN pg_catalog.pg_class k ON k.relnamespace = n.oid AND k.relname = t.tablename"            \
    " WHERE k.relkind = 'r' AND " SQL_KEYLESS " AND t.pubname IN ("

void publication_init(struct checks *checks)
{
    const struct feed_config *config = checks->config;

    checks->publications = (struct publications){.names = config->publications,
                                                 .len = config->publication_count,
                                                 .tables = &config->tables,
                                                 .encoding = checks->encoding,
                                                 .keys = config->window.max_keys > 0};
}

void publication_query(struct checks *checks, struct buffer *sql)
{
    enum side side = checks_conn(checks, SIDE_ORDINARY) != NULL ? SIDE_ORDINARY : SIDE_SENDER;

    checks->publications.major = conn_server_major(checks_conn(checks, side));
    publications_query(&checks->publications, sql);
}

void publication_report(struct checks *checks)
{
    struct error error;

    error_clear(&error);
    if (publications_check(&checks->publications, &error)) {
        report_check(checks->report, CHECK_OK, "publication",
                     "%zu, with all that is watched and all four actions",
                     checks->publications.len);
    } else {
        report_error(checks->report, CHECK_FAIL, "publication", &error, "");
    }
}

void publication_keyless_query(struct checks *checks, struct buffer *sql)
{
    const struct feed_config *config = checks->config;

    buffer_text(sql, KEYLESS_SQL);
    for (size_t i = 0; i < config->publication_count; i++) {
        buffer_text(sql, i > 0 ? ", " : "");
        sql_name_literal(sql, checks->encoding, slice_of(config->publications[i]));
    }
    buffer_text(sql, ") ORDER BY 1");
}

bool publication_keyless_row(void *context, struct query_row *row)
{
    struct checks *checks = context;
    struct buffer name = {0};
    struct slice value;

    if (!query_row_next(row, &value)) {
        return false;
    }
    if (checks->keyless++ < KEYLESS_MAX) {
        encoding_to_utf8(checks->encoding, value, &name);
        report_check(checks->report, CHECK_WARN, "publication",
                     "table %.*s has no usable replica identity: the server rejects UPDATE and "
                     "DELETE on it while it is published",
                     (int)name.len, name.len > 0 ? name.data : "");
        report_fix(checks->report,
                   "ALTER TABLE %.*s REPLICA IDENTITY FULL; -- or give it a primary key",
                   (int)name.len, name.len > 0 ? name.data : "");
        buffer_free(&name);
    }
    return true;
}

void publication_keyless_report(struct checks *checks)
{
    if (checks->keyless > KEYLESS_MAX) {
        report_check(checks->report, CHECK_WARN, "publication", "%zu more such tables",
                     checks->keyless - KEYLESS_MAX);
        report_fix(checks->report, "Publish no tables without a replica identity.");
    }
}
