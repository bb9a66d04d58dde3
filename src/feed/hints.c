#include "feed/hints.h"

#include <string.h>

#include "base/buffer.h"
#include "pq/servererror.h"

static bool is(const struct error *error, const char *sqlstate)
{
    return strcmp(error->sqlstate, sqlstate) == 0;
}

/* The role as an SQL identifier, always quoted: the hint is there to be copied. */
static const char *quoted_user(struct buffer *out, const struct conninfo *info)
{
    buffer_byte(out, '"');
    for (const char *c = conninfo_text(info, CONN_USER); *c != '\0'; c++) {
        buffer_text(out, *c == '"' ? "\"" : "");
        buffer_byte(out, *c);
    }
    buffer_text(out, "\"");
    buffer_byte(out, '\0');
    return out->failed ? "\"…\"" : out->data;
}

static void hint_role(struct error *error, const struct conninfo *info)
{
    struct buffer user = {0};

    error_hint(error, "Let the role start a walsender: ALTER ROLE %s REPLICATION;",
               quoted_user(&user, info));
    buffer_free(&user);
}

void hint_login(struct error *error, const struct conninfo *info)
{
    if (error->hint[0] != '\0') {
        return;
    }
    if (is(error, "42501") && error->detail[0] != '\0') { /* it says that CONNECT is lacking */
        error_hint(error, "Let the role connect: GRANT CONNECT ON DATABASE … TO …;");
    } else if (is(error, "42501")) {
        hint_role(error, info);
    } else if (is(error, "28P01")) {
        error_hint(error, "Check the user name and the password.");
    } else if (is(error, "28000")) {
        error_hint(error,
                   "Check the user name; and the server's pg_hba.conf must let it in to this "
                   "database (\"replication\" lines don't count here).");
    } else if (is(error, "53300")) {
        error_hint(error, "Every walsender is taken: raise max_wal_senders.");
    } else if (is(error, "08P01") || is(error, "0A000")) {
        error_hint(error, "A pooler that passes no replication may be in between: connect to the "
                          "server itself.");
    }
}

static void hint_plugin(struct error *error, const struct conninfo *info, enum plugin plugin)
{
    struct buffer user = {0};

    if (is(error, "58P01") && plugin == PLUGIN_WAL2JSON) {
        error_hint(error, "Install it on the server (Debian: postgresql-NN-wal2json).");
    } else if (is(error, "58P01")) {
        error_hint(error, "Install it on the server: it is part of PostgreSQL's contrib.");
    } else {
        error_hint(error,
                   "Allow it for this role: ALTER ROLE %s SET output_plugin_libraries = "
                   "'pgoutput', 'test_decoding', 'wal2json';",
                   quoted_user(&user, info));
    }
    buffer_free(&user);
}

void hint_slot(struct error *error, const struct conninfo *info, enum plugin plugin)
{
    if (server_error_refused_plugin(error)) {
        hint_plugin(error, info, plugin);
    } else if (error->hint[0] != '\0') {
        return;
    } else if (is(error, "42501")) {
        hint_role(error, info);
    } else if (is(error, "55000") && strstr(error->message, "max_replication_slots") != NULL) {
        error_hint(error, "ALTER SYSTEM SET max_replication_slots = 10; and restart the server.");
    } else if (is(error, "55000")) {
        error_hint(error, "ALTER SYSTEM SET wal_level = logical; and restart the server.");
    } else if (is(error, "53400")) {
        error_hint(error, "Every slot is taken: drop one, or raise max_replication_slots.");
    } else if (is(error, "42601") || is(error, "0A000")) {
        error_hint(error, "A pooler may be in between, or this is a standby before 16: connect to "
                          "the primary itself.");
    }
}
