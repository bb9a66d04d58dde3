#include "server/hints.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "decode/plugins.h"

#define NAME_MAX_BYTES 63 /* of a role or a database; the server cuts longer ones */

#define POOLER                                                                                     \
    "A pooler in between doesn't support replication: connect to the server itself, at its own "   \
    "host and port."

/* The first that fits counts. */
struct fix {
    const char *sqlstate;
    const char *named; /* in the message, DETAIL or HINT; "" fits any */
    const char *hint;  /* with $role, $database and $hba: see append_word */
};

static const struct fix login_fixes[] = {
    {"28000", "pg_hba.conf",
     "In the server's pg_hba.conf, above the lines that refuse: $hba\n"
     "Then: SELECT pg_reload_conf();"},
    {"28000", "",
     "Check that the role exists and may log in (ALTER ROLE $role LOGIN;), and what pg_hba.conf "
     "requires of it: peer requires the system user of that name, cert a client certificate for "
     "it."},
    {"28P01", "",
     "Check the user name and the password; in psql, \\password $role sets a new one."},
    {"3D000", "", "psql -l lists the databases; without -d, the user name is the database name."},
    {"42501", "CONNECT", "GRANT CONNECT ON DATABASE $database TO $role;"},
    {"42501", "", "ALTER ROLE $role REPLICATION; (on Amazon RDS: GRANT rds_replication TO $role;)"},
    {"53300", "max_wal_senders",
     "Raise max_wal_senders and restart the server; who has them: SELECT * FROM "
     "pg_stat_replication;"},
    {"53300", "",
     "pgnudge needs two connections: raise max_connections, or the limit of the role (ALTER ROLE "
     "$role CONNECTION LIMIT -1;) or the database."},
    {"55000", "DROP DATABASE", ""}, /* its creation was cut short: the server's own hint will do */
    {"55000", "", "ALTER DATABASE $database ALLOW_CONNECTIONS true;"},
    {"57P03", "", "It is starting, stopping or in recovery: the server log shows its progress."},
    {"08P01", "", POOLER},
    {"0A000", "", POOLER},
};

static const struct fix slot_fixes[] = {
    {"42501", "output_plugin_libraries",
     "ALTER ROLE $role SET output_plugin_libraries = 'pgoutput', 'test_decoding', 'wal2json';"},
    {"42501", "", "ALTER ROLE $role REPLICATION; (on Amazon RDS: GRANT rds_replication TO $role;)"},
    {"55000", "max_replication_slots",
     "ALTER SYSTEM SET max_replication_slots = 10; and restart the server."},
    {"55000", "wal_level",
     "ALTER SYSTEM SET wal_level = logical; and restart the server; managed services have a "
     "setting of their own, see pgnudge-setup(7). On a standby, its primary needs it too."},
    {"53400", "max_replication_slots",
     "To list them: SELECT slot_name, active_pid FROM pg_replication_slots;"},
    {"42601", "", POOLER},
    {"0A000", "",
     "Connect to the primary: a standby creates logical slots from PostgreSQL 16 on. If this is "
     "the primary, "
     "a pooler may be in between."},
};

static bool fits(const struct fix *fix, const struct error *error)
{
    return strcmp(error->sqlstate, fix->sqlstate) == 0 &&
           (strstr(error->message, fix->named) != NULL ||
            strstr(error->detail, fix->named) != NULL || strstr(error->hint, fix->named) != NULL);
}

/* As SQL has it, and pg_hba.conf, where no keyword is meant then. */
static void append_quoted(struct buffer *out, const char *name)
{
    buffer_byte(out, '"');
    for (size_t i = 0; i < NAME_MAX_BYTES && name[i] != '\0'; i++) {
        buffer_text(out, name[i] == '"' ? "\"" : "");
        buffer_byte(out, name[i]);
    }
    buffer_byte(out, '"');
}

/*
 * The client's address as a message about pg_hba.conf names it; "": it doesn't.
 * The last one, since our own prefix names the server's.
 */
static void find_address(const char *message, char found[INET6_ADDRSTRLEN])
{
    unsigned char binary[sizeof(struct in6_addr)];
    char run[INET6_ADDRSTRLEN];
    size_t len;

    found[0] = '\0';
    for (; *message != '\0'; message += len > 0 ? len : 1) {
        len = strspn(message, "0123456789abcdefABCDEF.:");
        snprintf(run, sizeof(run), "%.*s", (int)len, message);
        if (inet_pton(AF_INET, run, binary) == 1 || inet_pton(AF_INET6, run, binary) == 1) {
            memcpy(found, run, sizeof(run));
        }
    }
}

/* The line that lets the role in to the database from where the server sees us. */
static void append_hba_line(struct buffer *out, const struct error *error,
                            const struct conninfo *info)
{
    bool local = strstr(error->message, "[local]") != NULL;
    char address[INET6_ADDRSTRLEN];

    buffer_text(out, local ? "local " : info->sslmode >= SSLMODE_REQUIRE ? "hostssl " : "host ");
    append_quoted(out, conninfo_text(info, CONN_DBNAME));
    buffer_byte(out, ' ');
    append_quoted(out, conninfo_text(info, CONN_USER));
    find_address(error->message, address);
    if (!local) {
        buffer_format(out, " %s%s", address[0] != '\0' ? address : "samenet",
                      address[0] == '\0'             ? ""
                      : strchr(address, ':') != NULL ? "/128"
                                                     : "/32");
    }
    buffer_text(out, " scram-sha-256");
}

/* What the word stands for that begins `hint`; returns the word's length. */
static size_t append_word(struct buffer *out, struct slice hint, const struct error *error,
                          const struct conninfo *info)
{
    if (slice_starts(hint, "$role")) {
        append_quoted(out, conninfo_text(info, CONN_USER));
        return strlen("$role");
    }
    if (slice_starts(hint, "$database")) {
        append_quoted(out, conninfo_text(info, CONN_DBNAME));
        return strlen("$database");
    }
    append_hba_line(out, error, info);
    return strlen("$hba");
}

static void give(const char *hint, struct error *error, const struct conninfo *info)
{
    struct buffer text = {0};

    while (*hint != '\0') {
        if (*hint == '$') {
            hint += append_word(&text, slice_of(hint), error, info);
        } else {
            buffer_byte(&text, *hint++);
        }
    }
    buffer_byte(&text, '\0');
    if (!text.failed && strstr(error->hint, text.data) == NULL) {
        error_add_hint(error, text.data);
    }
    buffer_free(&text);
}

static void fix(const struct fix *fixes, size_t count, struct error *error,
                const struct conninfo *info)
{
    for (size_t i = 0; i < count; i++) {
        if (fits(&fixes[i], error)) {
            give(fixes[i].hint, error, info);
            return;
        }
    }
}

void hint_login(struct error *error, const struct conninfo *info)
{
    if (strcmp(conninfo_text(info, CONN_DBNAME), "doctor") == 0) {
        error_add_hint(error, "To run the doctor, put the word first: pgnudge doctor [OPTION]...");
    }
    fix(login_fixes, sizeof(login_fixes) / sizeof(login_fixes[0]), error, info);
}

void hint_slot(struct error *error, const struct conninfo *info, enum plugin plugin)
{
    if (strcmp(error->sqlstate, "58P01") == 0) {
        give(plugins[plugin].install, error, info);
    } else {
        fix(slot_fixes, sizeof(slot_fixes) / sizeof(slot_fixes[0]), error, info);
    }
}
