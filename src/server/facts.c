#include "server/facts.h"

#include <stdio.h>
#include <string.h>

#include "server/serversql.h"

/* The names of settings are the server's, the others the query's own. */
static const char *const names[FACTS] = {
    [FACT_WAL_LEVEL] = "wal_level",
    [FACT_EFFECTIVE_WAL_LEVEL] = "effective_wal_level",
    [FACT_MAX_SLOTS] = "max_replication_slots",
    [FACT_SLOTS] = "slots",
    [FACT_MAX_SENDERS] = "max_wal_senders",
    [FACT_SENDERS] = "senders",
    [FACT_STANDBYS] = "standbys",
    [FACT_SENDER_TIMEOUT] = "wal_sender_timeout",
    [FACT_SYNC_NAMES] = "synchronous_standby_names",
    [FACT_LIBRARIES] = "output_plugin_libraries",
    [FACT_RECOVERY] = "recovery",
    [FACT_IDENTITY] = "identity",
    [FACT_SYSTEM_ID] = "system_id",
    [FACT_OLDEST_XID] = "oldest_xid",
    [FACT_DATABASE] = "database",
    [FACT_BLOCK_SIZE] = "wal_block_size",
    [FACT_SEGMENT_SIZE] = "wal_segment_size",
    [FACT_KEEP_SIZE] = "wal_keep_size",
    [FACT_ROWS_HERE] = "rows_here",
    [FACT_ROWS] = "rows",
    [FACT_IMAGES] = "images",
    [FACT_TABLES] = "tables",
    [FACT_UNLOGGED] = "unlogged",
    [FACT_KEYLESS] = "keyless",
};

#define SETTINGS_SQL                                                                               \
    "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('wal_level',"                 \
    " 'effective_wal_level', 'max_replication_slots', 'max_wal_senders', 'wal_sender_timeout',"    \
    " 'synchronous_standby_names', 'output_plugin_libraries', 'wal_block_size',"                   \
    " 'wal_segment_size', 'wal_keep_size')"                                                        \
    " UNION ALL SELECT 'database', oid::text FROM pg_catalog.pg_database"                          \
    " WHERE datname = pg_catalog.current_database()"                                               \
    " UNION ALL SELECT 'recovery', pg_catalog.pg_is_in_recovery()::text"                           \
    " UNION ALL SELECT 'identity', " SQL_IDENTITY " UNION ALL SELECT 'system_id', " SQL_SYSTEM_ID  \
    " UNION ALL SELECT 'oldest_xid',"                                                              \
    " pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text"

#define COUNTS_SQL                                                                                 \
    " UNION ALL SELECT 'slots', count(*)::text FROM pg_catalog.pg_replication_slots"               \
    " UNION ALL SELECT 'senders', count(*)::text FROM pg_catalog.pg_stat_replication"

#define ROWS_SQL                                                                                   \
    " UNION ALL SELECT v.name, v.value::text FROM (SELECT sum(d.written) AS rows,"                 \
    " sum(d.written) FILTER (WHERE d.datname = pg_catalog.current_database()) AS rows_here"        \
    " FROM (SELECT datname, tup_inserted + tup_updated + tup_deleted AS written"                   \
    " FROM pg_catalog.pg_stat_database) d) s, LATERAL"                                             \
    " (VALUES ('rows', s.rows), ('rows_here', s.rows_here)) v(name, value)"
#define IMAGES_SQL                                                                                 \
    " UNION ALL SELECT 'images',"                                                                  \
    " least(100, (wal_fpi * 819200 / nullif(wal_bytes, 0))::int)::text"                            \
    " FROM pg_catalog.pg_stat_wal"
#define IMAGES_SINCE 14

#define STANDBYS_SQL                                                                               \
    " UNION ALL SELECT 'standbys', count(*)::text FROM pg_catalog.pg_stat_replication r"           \
    " WHERE r.pid <> %u AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s"             \
    " WHERE s.active_pid = r.pid AND s.slot_type = 'logical')"

#define TABLES_SQL                                                                                 \
    " UNION ALL SELECT v.name, v.value::text FROM (SELECT count(*) AS tables,"                     \
    " count(*) FILTER (WHERE k.relpersistence = 'u') AS unlogged,"                                 \
    " count(*) FILTER (WHERE k.relpersistence = 'p' AND " SQL_KEYLESS ") AS keyless"               \
    " FROM pg_catalog.pg_class k JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace"         \
    " WHERE k.relkind = 'r' AND k.relpersistence <> 't' AND n.nspname !~ '^pg_'"                   \
    " AND n.nspname <> 'information_schema') t, LATERAL"                                           \
    " (VALUES ('tables', t.tables), ('unlogged', t.unlogged), ('keyless', t.keyless))"             \
    " v(name, value)"

void facts_query(struct buffer *sql)
{
    buffer_text(sql, SETTINGS_SQL);
}

void facts_counts(struct buffer *sql, uint32_t sender_pid, int major)
{
    buffer_text(sql, COUNTS_SQL ROWS_SQL);
    buffer_text(sql, major >= IMAGES_SINCE ? IMAGES_SQL : "");
    buffer_format(sql, STANDBYS_SQL, sender_pid);
    buffer_text(sql, TABLES_SQL);
}

static void keep(struct facts *facts, enum fact fact, const char *value)
{
    snprintf(facts->text[fact], FACT_MAX, "%s", value);
    facts->known[fact] = true;
}

bool facts_take(struct facts *facts, struct slice name, struct slice value)
{
    struct buffer text = {0};
    bool ok;

    encoding_to_utf8(facts->encoding, value, &text);
    buffer_byte(&text, '\0');
    ok = !text.failed;
    for (int i = 0; ok && i < FACTS; i++) {
        if (slice_equal(name, slice_of(names[i]))) {
            keep(facts, (enum fact)i, text.data);
        }
    }
    buffer_free(&text);
    return ok;
}

bool facts_row(void *context, struct query_row *row)
{
    struct slice name, value;

    return query_row_next(row, &name) && query_row_next(row, &value) &&
           facts_take(context, name, value);
}

uint64_t facts_number(const struct facts *facts, enum fact fact)
{
    uint64_t number;

    return slice_number(slice_of(facts->text[fact]), &number) ? number : 0;
}

bool facts_in_recovery(const struct facts *facts)
{
    return strcmp(facts->text[FACT_RECOVERY], "true") == 0;
}
