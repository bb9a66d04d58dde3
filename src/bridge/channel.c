#include "bridge/channel.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "repl/command.h"
#include "wire/lsn.h"

#define USAGE_SQL "pg_catalog.pg_notification_queue_usage()::text"

/* The lock: a bigint, whose halves pg_locks shows. */
struct lock_key {
    uint32_t high;
    uint32_t low;
};

bool channel_check(const char *option, const char *channel, struct error *error)
{
    if (channel[0] == '\0') {
        return error_set(error, ERROR_PERMANENT, "%s needs the name of a channel", option);
    }
    return strlen(channel) <= CHANNEL_MAX ||
           error_set(error, ERROR_PERMANENT, "%s: a channel's name has %d bytes at most", option,
                     CHANNEL_MAX);
}

/* Made of a hash: two channels don't share one by chance. */
static struct lock_key key_of(const char *channel)
{
    static const char prefix[] = "pgnudge channel ";
    char text[sizeof(prefix) + CHANNEL_MAX];
    unsigned char hash[SHA256_DIGEST_LENGTH];
    uint64_t key = 0;

    snprintf(text, sizeof(text), "%s%s", prefix, channel);
    SHA256((const unsigned char *)text, strlen(text), hash);
    for (size_t i = 0; i < sizeof(key); i++) {
        key = key << 8 | hash[i];
    }
    return (struct lock_key){(uint32_t)(key >> 32), (uint32_t)key};
}

/* ---- the publisher ---- */

const char channel_settings_sql[] =
    "SELECT pg_catalog.set_config(s.name, v.value, false) FROM (VALUES"
    " ('client_encoding', 'UTF8'), ('lock_timeout', '1s'), ('synchronous_commit', 'off'),"
    " ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'),"
    " ('tcp_keepalives_count', '4'), ('tcp_user_timeout', '30000')"
    ") v(name, value) JOIN pg_catalog.pg_settings s USING (name)";

/* The holder of the lock, as l and a. */
static void append_holder(struct buffer *sql, const char *channel)
{
    struct lock_key key = key_of(channel);

    buffer_format(sql,
                  " pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)"
                  " WHERE l.locktype = 'advisory' AND l.classid = %" PRIu32
                  " AND l.objid = %" PRIu32
                  " AND l.objsubid = 1 AND l.granted AND l.mode = 'ExclusiveLock' AND l.database ="
                  " (SELECT d.oid FROM pg_catalog.pg_database d"
                  " WHERE d.datname = pg_catalog.current_database())",
                  key.high, key.low);
}

/* Behind what gives t.got: whether we have it. */
static void append_look(struct buffer *sql, const char *channel)
{
    buffer_text(sql, " SELECT pg_catalog.pg_is_in_recovery()::text, t.got, " USAGE_SQL
                     ", h.pid::text, (h.usename = session_user)::text, h.usename"
                     " FROM t LEFT JOIN (SELECT l.pid, a.usename FROM");
    append_holder(sql, channel);
    buffer_text(sql, " LIMIT 1) h ON true");
    buffer_byte(sql, '\0');
}

void channel_lock_sql(struct buffer *sql, const char *channel)
{
    struct lock_key key = key_of(channel);

    buffer_format(sql,
                  "WITH t AS MATERIALIZED (SELECT pg_catalog.pg_try_advisory_lock(%" PRId64
                  ")::text AS got)",
                  (int64_t)((uint64_t)key.high << 32 | key.low));
    append_look(sql, channel);
}

void channel_look_sql(struct buffer *sql, const char *channel)
{
    buffer_text(sql, "WITH t AS (SELECT 'false'::text AS got)");
    append_look(sql, channel);
}

static bool is_true(struct slice text)
{
    return slice_equal(text, slice_of("true"));
}

static bool read_usage(struct slice text, double *usage)
{
    char copy[64];
    char *end;

    if (text.len == 0 || text.len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *usage = strtod(copy, &end);
    return *end == '\0';
}

/* A process; NULL is 0. */
static bool read_pid(struct slice text, uint32_t *pid)
{
    uint64_t number = 0;

    if (text.data != NULL && (!slice_number(text, &number) || number > UINT32_MAX)) {
        return false;
    }
    *pid = (uint32_t)number;
    return true;
}

bool channel_lock_row(void *context, struct query_row *row)
{
    struct channel_lock *lock = context;
    struct slice recovery, got, usage, pid, same, role;

    if (!query_row_next(row, &recovery) || !query_row_next(row, &got) ||
        !query_row_next(row, &usage) || !query_row_next(row, &pid) || !query_row_next(row, &same) ||
        !query_row_next(row, &role) || !read_usage(usage, &lock->usage) ||
        !read_pid(pid, &lock->holder)) {
        return false;
    }
    lock->in_recovery = is_true(recovery);
    lock->ours = is_true(got);
    lock->same_role = is_true(same);
    snprintf(lock->role, sizeof(lock->role), "%.*s", (int)role.len,
             role.data != NULL ? role.data : "");
    return true;
}

void channel_usage_sql(struct buffer *sql)
{
    buffer_text(sql, "SELECT " USAGE_SQL);
    buffer_byte(sql, '\0');
}

void channel_notify_sql(struct buffer *sql, const char *channel, const struct parts *parts)
{
    buffer_text(sql, "SELECT ");
    for (size_t i = 0; i < parts->len; i++) {
        buffer_text(sql, "pg_catalog.pg_notify(");
        sql_literal(sql, slice_of(channel));
        buffer_byte(sql, ',');
        sql_literal(sql, parts_at(parts, i));
        buffer_text(sql, ")::text,");
    }
    buffer_text(sql, USAGE_SQL);
    buffer_byte(sql, '\0');
}

/* The last column. */
bool channel_usage_row(void *context, struct query_row *row)
{
    struct slice value = {NULL, 0};

    while (query_row_next(row, &value)) {
    }
    return read_usage(value, context);
}

/* ---- the reader ---- */

void channel_listen_sql(struct buffer *sql, const char *channel)
{
    buffer_text(sql, "SELECT pg_catalog.set_config('client_encoding', 'UTF8', false); LISTEN ");
    sql_identifier(sql, slice_of(channel));
    buffer_byte(sql, '\0');
}

void channel_holder_sql(struct buffer *sql, const char *channel)
{
    buffer_text(sql, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text,"
                     " pg_catalog.current_setting('wal_block_size'), pg_catalog.pg_size_bytes("
                     "pg_catalog.current_setting('wal_segment_size'))::text,"
                     " (SELECT l.pid || ' ' || coalesce(a.usename, '') FROM");
    append_holder(sql, channel);
    buffer_text(sql, " LIMIT 1)");
    buffer_byte(sql, '\0');
}

/* The process, a blank, its role; NULL where nobody publishes. */
static bool read_publisher(struct slice text, struct channel_holder *holder)
{
    const char *blank = text.data != NULL ? memchr(text.data, ' ', text.len) : NULL;
    struct slice pid = {text.data, blank != NULL ? (size_t)(blank - text.data) : 0};

    holder->role[0] = '\0';
    if (blank != NULL) {
        snprintf(holder->role, sizeof(holder->role), "%.*s", (int)(text.len - pid.len - 1),
                 blank + 1);
    }
    return (text.data == NULL || blank != NULL) && read_pid(pid, &holder->pid);
}

/* Bytes at the front of a page of WAL, and of a segment's first one, that belong to no record. */
#define PAGE_HEADER    24
#define SEGMENT_HEADER 40

/*
 * The next record begins, at the front of a page, behind its header. A replica counts to the end of
 * the last record, which is the page's own front then.
 */
static uint64_t end_of_record(uint64_t lsn, uint64_t block_size, uint64_t segment_size)
{
    if (lsn % segment_size == SEGMENT_HEADER) {
        return lsn - SEGMENT_HEADER;
    }
    return lsn % block_size == PAGE_HEADER ? lsn - PAGE_HEADER : lsn;
}

bool channel_holder_row(void *context, struct query_row *row)
{
    struct channel_holder *holder = context;
    struct slice lsn, block, segment, publisher;
    uint64_t block_size, segment_size;

    if (!query_row_next(row, &lsn) || !query_row_next(row, &block) ||
        !query_row_next(row, &segment) || !query_row_next(row, &publisher) ||
        !lsn_read(lsn, &holder->lsn) || !slice_number(block, &block_size) || block_size == 0 ||
        !slice_number(segment, &segment_size) || segment_size == 0 ||
        !read_publisher(publisher, holder)) {
        return false;
    }
    holder->lsn = end_of_record(holder->lsn, block_size, segment_size);
    return true;
}
