/* Hints: which one an error gets, in whatever language the server speaks. */
#include "server/hints.h"

#include "check.h"
#include "conninfo/conncheck.h"
#include "wire/servererror.h"

static struct conninfo info_of(const char *user, const char *database, const char *sslmode)
{
    struct conninfo info;
    struct error error = {0};

    conninfo_init(&info);
    CHECK(conninfo_set(&info, CONN_USER, user, &error) &&
          conninfo_set(&info, CONN_DBNAME, database, &error) &&
          conninfo_set(&info, CONN_SSLMODE, sslmode, &error) && conninfo_finish(&info, &error));
    return info;
}

/* What a server says: its SQLSTATE, message, DETAIL and HINT, the latter two or "". */
static struct error said(const char *sqlstate, const char *message, const char *detail,
                         const char *hint)
{
    struct buffer body = {0};
    struct error error;

    buffer_format(&body, "SFATAL%cC%s%cM%s%cD%s%cH%s%c%c", 0, sqlstate, 0, message, 0, detail, 0,
                  hint, 0, 0);
    server_error_read(check_content(&body), &error);
    buffer_free(&body);
    return error;
}

static void lines_for_pg_hba(void)
{
    static const struct {
        const char *message;
        const char *line;
    } cases[] = {
        {"no pg_hba.conf entry for host \"10.1.2.3\", user \"nudge\", database \"shop\", no "
         "encryption",
         "host \"shop\" \"nudge\" 10.1.2.3/32"},
        {"kein pg_hba.conf-Eintrag für Host »fe80::1«, Benutzer »nudge«, Datenbank »shop«, keine "
         "Verschlüsselung",
         "host \"shop\" \"nudge\" fe80::1/128"},
        {"ホスト\"::1\"、ユーザー\"nudge\"、データベース\"shop\", SSL暗号化用の"
         "エントリがpg_hba.confにありません",
         "host \"shop\" \"nudge\" ::1/128"},
        {"pg_hba.conf rejects connection for host \"[local]\", user \"nudge\", database \"shop\"",
         "local \"shop\" \"nudge\""},
        {"pg_hba.conf", "host \"shop\" \"nudge\" samenet"},
    };
    struct conninfo info = info_of("nudge", "shop", "prefer");

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = said("28000", cases[i].message, "", "");
        char wanted[200];

        CASE("%s", cases[i].message);
        hint_login(&error, &info);
        snprintf(wanted, sizeof(wanted),
                 "In the server's pg_hba.conf, above the lines that refuse: %s scram-sha-256\n"
                 "Then: SELECT pg_reload_conf();",
                 cases[i].line);
        CHECK_TEXT(error.hint, wanted);
    }
    conninfo_free(&info);
}

/* Our own words in front of the server's name an address too. */
static void the_clients_address(void)
{
    struct conninfo info = info_of("nudge", "shop", "require");
    struct error error = said("28000", "no pg_hba.conf entry for host \"10.1.2.3\"", "", "");

    error_prefix(&error, "connection to server at \"db\" (192.0.2.7), port 5432 failed");
    hint_login(&error, &info);
    CHECK(strstr(error.hint, "hostssl \"shop\" \"nudge\" 10.1.2.3/32 ") != NULL);
    conninfo_free(&info);
}

static void names_are_quoted(void)
{
    char name[100];
    struct error error = said("42501", "Zugriff verweigert", "CONNECT", "");
    struct conninfo info = info_of("a \"b\" $role", "Größe", "prefer");

    hint_login(&error, &info);
    CHECK_TEXT(error.hint, "GRANT CONNECT ON DATABASE \"Größe\" TO \"a \"\"b\"\" $role\";");
    conninfo_free(&info);

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    info = info_of("me", name, "prefer");
    error = said("42501", "m", "CONNECT", "");
    hint_login(&error, &info);
    CHECK_INT(strspn(strchr(error.hint, 'x'), "x"), 63);
    conninfo_free(&info);
}

/* One SQLSTATE, several causes: what is named decides, in the message, DETAIL or HINT. */
static void what_is_named(void)
{
    static const struct {
        bool login;
        const char *sqlstate;
        const char *message;
        const char *detail;
        const char *part; /* of our hint; "": none */
    } cases[] = {
        {true, "42501", "permission denied for database \"shop\"",
         "User does not have CONNECT privilege.", "GRANT CONNECT"},
        {true, "42501", "keine Berechtigung für Datenbank »shop«",
         "Benutzer hat kein CONNECT-Privileg.", "GRANT CONNECT"},
        {true, "42501", "permission denied to start WAL sender",
         "Only roles with the REPLICATION attribute may start a WAL sender process.",
         "ALTER ROLE \"nudge\" REPLICATION;"},
        {true, "42501", "nur Superuser oder Replikationsrollen können WAL-Sender starten", "",
         "ALTER ROLE \"nudge\" REPLICATION;"},
        {true, "28000", "Rolle »nudge« existiert nicht", "", "ALTER ROLE \"nudge\" LOGIN;"},
        {true, "53300",
         "Anzahl angeforderter Standby-Verbindungen überschreitet max_wal_senders (aktuell 10)", "",
         "Raise max_wal_senders"},
        {true, "53300", "zu viele Verbindungen für Rolle »nudge«", "", "two connections"},
        {true, "08P01", "unsupported startup parameter: replication", "", "pooler"},
        {true, "0A000", "replication is not supported", "", "pooler"},
        {true, "3D000", "Datenbank »shop« existiert nicht", "", "psql -l"},
        {true, "57P03", "das Datenbanksystem startet", "", "the server log"},
        {true, "42704", "unrecognized configuration parameter \"x\"", "", ""},
        {true, "57P01", "terminating connection", "", ""},
        {true, "", "", "", ""},
        {false, "42501", "permission denied to use replication slots",
         "Only roles with the REPLICATION attribute may use replication slots.",
         "ALTER ROLE \"nudge\" REPLICATION;"},
        {false, "55000", "logische Dekodierung erfordert wal_level >= logical", "", "wal_level ="},
        {false, "55000", "logical decoding on standby requires wal_level >= logical on the primary",
         "", "its primary needs it too"},
        {false, "55000", "replication slots can only be used if \"max_replication_slots\" > 0", "",
         "max_replication_slots = 10"},
        {false, "55000", "something else", "", ""},
        {false, "53400", "alle Replikations-Slots sind in Benutzung", "", ""},
        {false, "42601", "Syntaxfehler bei »CREATE_REPLICATION_SLOT«", "", "pooler"},
        {false, "0A000", "logische Dekodierung kann nicht während der Wiederherstellung", "",
         "primary"},
        {false, "55P03", "canceling statement due to lock timeout", "", ""},
    };
    struct conninfo info = info_of("nudge", "shop", "prefer");

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = said(cases[i].sqlstate, cases[i].message, cases[i].detail, "");

        CASE("%s %s", cases[i].sqlstate, cases[i].message);
        if (cases[i].login) {
            hint_login(&error, &info);
        } else {
            hint_slot(&error, &info, PLUGIN_WAL2JSON);
        }
        CHECK_TEXT(error.detail, cases[i].detail);
        CHECK(cases[i].part[0] != '\0' ? strstr(error.hint, cases[i].part) != NULL
                                       : error.hint[0] == '\0');
    }
    conninfo_free(&info);
}

static void plugin_refusals(void)
{
    static const char *const servers_hint =
        "If it is safe for all REPLICATION users to use this library as an output plugin, add it "
        "to \"output_plugin_libraries\" and reload the server configuration.";
    struct conninfo info = info_of("nudge", "shop", "prefer");
    struct error error =
        said("42501", "library \"wal2json\" may not be used as an output plugin", "", servers_hint);
    char wanted[ERROR_TEXT_MAX];

    hint_slot(&error, &info, PLUGIN_WAL2JSON);
    snprintf(wanted, sizeof(wanted),
             "%s\nALTER ROLE \"nudge\" SET output_plugin_libraries = 'pgoutput', 'test_decoding', "
             "'wal2json';",
             servers_hint);
    CHECK_TEXT(error.hint, wanted);

    error = said("58P01", "konnte nicht auf Datei »wal2json« zugreifen", "", "");
    hint_slot(&error, &info, PLUGIN_WAL2JSON);
    CHECK(strstr(error.hint, "postgresql-NN-wal2json") != NULL);
    error = said("58P01", "konnte nicht auf Datei »test_decoding« zugreifen", "", "");
    hint_slot(&error, &info, PLUGIN_TEST_DECODING);
    CHECK(strstr(error.hint, "contrib") != NULL);
    conninfo_free(&info);
}

static void slots_in_use(void)
{
    struct conninfo info = info_of("nudge", "shop", "prefer");
    struct error error = said("53400", "all replication slots are in use", "",
                              "Free one or increase max_replication_slots.");

    hint_slot(&error, &info, PLUGIN_WAL2JSON);
    hint_slot(&error, &info, PLUGIN_WAL2JSON);
    CHECK_TEXT(error.hint, "Free one or increase max_replication_slots.\n"
                           "To list them: SELECT slot_name, active_pid FROM pg_replication_slots;");
    conninfo_free(&info);
}

static const struct check_test tests[] = {
    {"the line for pg_hba.conf, with the address that the server names", lines_for_pg_hba},
    {"… and not the server's own", the_clients_address},
    {"names are quoted, and cut where the server cuts them", names_are_quoted},
    {"what the server names decides, in any language", what_is_named},
    {"plugins: not allowed, and not installed", plugin_refusals},
    {"a hint follows the server's, once", slots_in_use},
};

CHECK_MAIN(tests)
