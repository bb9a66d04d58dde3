/* Errors: our own, and the server's. */
#include "base/error.h"

#include "check.h"
#include "wire/servererror.h"

static void server_errors(void)
{
    static const struct {
        struct slice body;
        enum error_kind kind;
        const char *sqlstate;
        const char *message;
        const char *detail;
        const char *hint;
    } cases[] = {
        {LITERAL("SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"me\"\0"
                 "Fauth.c\0L326\0Rauth_failed\0\0"),
         ERROR_PERMANENT, "28P01", "FATAL:  password authentication failed for user \"me\"", "",
         ""},
        {LITERAL("SERROR\0VERROR\0C42501\0Mlibrary \"wal2json\" may not be used\0"
                 "Dthe detail\0HSee output_plugin_libraries.\0\0"),
         ERROR_PERMANENT, "42501", "ERROR:  library \"wal2json\" may not be used", "the detail",
         "See output_plugin_libraries."},
        {LITERAL("SFEHLER\0VERROR\0C57P03\0Mdas Datenbanksystem startet\0\0"), ERROR_TRANSIENT,
         "57P03", "FEHLER:  das Datenbanksystem startet", "", ""},
        {LITERAL("SFATAL\0C53300\0Mtoo many\nlines\0\0"), ERROR_TRANSIENT, "53300",
         "FATAL:  too many\nlines", "", ""},
        {LITERAL("MOnly a message\0\0"), ERROR_TRANSIENT, "", "ERROR:  Only a message", "", ""},
        {LITERAL("SPANIC\0\0"), ERROR_TRANSIENT, "", "PANIC:  no message", "", ""},
        {LITERAL("\0"), ERROR_TRANSIENT, "", "ERROR:  no message", "", ""},
        {LITERAL(""), ERROR_TRANSIENT, "", "ERROR:  no message", "", ""},
        {LITERAL("SERROR\0C123456789\0Mm\0\0"), ERROR_TRANSIENT, "12345", "ERROR:  m", "", ""},
        {LITERAL("SERROR\0M%s%n%d\0D%s\0H%s\0\0"), ERROR_TRANSIENT, "", "ERROR:  %s%n%d", "%s",
         "%s"},
        {LITERAL("SERROR\0Mfirst\0\0\0Msecond\0"), ERROR_TRANSIENT, "", "ERROR:  first", "", ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error;

        memset(&error, 'x', sizeof(error)); /* it replaces all of it */
        CASE("%s", cases[i].message);
        server_error_read(cases[i].body, &error);
        CHECK_INT(error.kind, cases[i].kind);
        CHECK_TEXT(error.sqlstate, cases[i].sqlstate);
        CHECK_TEXT(error.message, cases[i].message);
        CHECK_TEXT(error.detail, cases[i].detail);
        CHECK_TEXT(error.hint, cases[i].hint);
    }
}

/* As the frame reader's prefix may cut it: a field counts once it is whole. */
static void cut_anywhere(void)
{
    struct slice body = BYTES("SFATAL\0C3D000\0Mno such database\0Ddetail\0Hhint\0\0");

    for (size_t len = 0; len <= body.len; len++) {
        struct error error;

        CASE("%zu bytes", len);
        server_error_read((struct slice){body.data, len}, &error);
        CHECK_TEXT(error.sqlstate, len < 14 ? "" : "3D000");
        CHECK_INT(error.kind, len < 14 ? ERROR_TRANSIENT : ERROR_PERMANENT);
        CHECK_TEXT(error.message, len < 7    ? "ERROR:  no message"
                                  : len < 32 ? "FATAL:  no message"
                                             : "FATAL:  no such database");
        CHECK_TEXT(error.detail, len < 40 ? "" : "detail");
        CHECK_TEXT(error.hint, len < 46 ? "" : "hint");
    }
}

static void long_texts(void)
{
    struct buffer body = {0};
    struct error error;

    for (const char *field = "SMDHC"; *field != '\0'; field++) {
        buffer_byte(&body, *field);
        for (int i = 0; i < 3000; i++) {
            buffer_byte(&body, 'x');
        }
        buffer_byte(&body, '\0');
    }
    server_error_read(check_content(&body), &error);
    CHECK_INT(strlen(error.message), ERROR_TEXT_MAX - 1);
    CHECK_INT(strlen(error.detail), ERROR_TEXT_MAX - 1);
    CHECK_INT(strlen(error.hint), ERROR_TEXT_MAX - 1);
    CHECK_TEXT(error.sqlstate, "xxxxx");
    buffer_free(&body);
}

static void kinds(void)
{
    static const struct {
        const char *sqlstate;
        enum error_kind kind;
    } cases[] = {
        {"0A000", ERROR_PERMANENT}, /* a pooler, or a standby before 16 */
        {"08P01", ERROR_PERMANENT}, /* a pooler that doesn't know `replication` */
        {"28000", ERROR_PERMANENT}, /* pg_hba.conf */
        {"28P01", ERROR_PERMANENT}, /* wrong password */
        {"3D000", ERROR_PERMANENT}, /* no such database */
        {"42501", ERROR_PERMANENT}, /* no REPLICATION */
        {"42601", ERROR_PERMANENT}, /* a pooler */
        {"55000", ERROR_PERMANENT}, /* wal_level */
        {"58P01", ERROR_PERMANENT}, /* no such plugin */
        {"53300", ERROR_TRANSIENT}, /* walsenders full */
        {"53400", ERROR_TRANSIENT}, /* slots full */
        {"55006", ERROR_TRANSIENT}, /* slot in use */
        {"55P03", ERROR_TRANSIENT}, /* lock_timeout */
        {"57014", ERROR_TRANSIENT}, /* cancelled */
        {"57P01", ERROR_TRANSIENT}, /* terminated by an administrator */
        {"57P02", ERROR_TRANSIENT}, /* crash */
        {"57P03", ERROR_TRANSIENT}, /* starting up */
        {"25P04", ERROR_TRANSIENT}, /* transaction_timeout */
        {"XX000", ERROR_TRANSIENT}, {"28P0", ERROR_TRANSIENT}, {"", ERROR_TRANSIENT},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer body = {0};
        struct error error;

        CASE("%s", cases[i].sqlstate);
        buffer_format(&body, "C%s", cases[i].sqlstate);
        buffer_append(&body, "\0Mm\0", 5);
        server_error_read(check_content(&body), &error);
        CHECK_INT(error.kind, cases[i].kind);
        buffer_free(&body);
    }
}

static void plugin_refusals(void)
{
    static const struct {
        struct slice body;
        bool refused;
    } cases[] = {
        {LITERAL("C58P01\0Mcould not access file \"wal2json\"\0\0"), true},
        {LITERAL("C42501\0Mlibrary \"wal2json\" may not be used as an output plugin\0"
                 "HAdd it to \"output_plugin_libraries\".\0\0"),
         true},
        /* no REPLICATION has the same SQLSTATE, and it is no plugin's fault */
        {LITERAL("C42501\0Mpermission denied to create replication slot\0"
                 "DOnly roles with the REPLICATION attribute may.\0\0"),
         false},
        {LITERAL("C42501\0Moutput_plugin_libraries\0\0"), false},
        {LITERAL("C55000\0Mwal_level\0Houtput_plugin_libraries\0\0"), false},
        {LITERAL("\0"), false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error;

        CASE("case %zu", i);
        server_error_read(cases[i].body, &error);
        CHECK_INT(server_error_refused_plugin(&error), cases[i].refused);
    }
}

static void our_own(void)
{
    struct error error = {0};

    CHECK(!error_set(&error, ERROR_PERMANENT, "no %s", "luck"));
    error_detail(&error, "detail %d", 1);
    error_hint(&error, "hint %d", 2);
    error_prefix(&error, "connection to %s", "x");
    CHECK_INT(error.kind, ERROR_PERMANENT);
    CHECK_TEXT(error.message, "connection to x: no luck");
    CHECK_TEXT(error.detail, "detail 1");
    CHECK_TEXT(error.hint, "hint 2");
    error_add_hint(&error, "100%");
    CHECK_TEXT(error.hint, "hint 2\n100%");
    /* Its own text may be an argument; what was below it is gone. */
    CHECK(!error_set(&error, ERROR_TRANSIENT, "again: %s", error.message));
    CHECK_TEXT(error.message, "again: connection to x: no luck");
    CHECK_TEXT(error.detail, "");
    CHECK_TEXT(error.hint, "");
    error_add_hint(&error, "the only one");
    CHECK_TEXT(error.hint, "the only one");
    CHECK(!error_memory(&error));
    CHECK_INT(error.kind, ERROR_FATAL);
    error_clear(&error);
    CHECK_INT(error.kind, ERROR_NONE);
    CHECK_TEXT(error.message, "");
}

static void our_own_too_long(void)
{
    static char text[3 * ERROR_TEXT_MAX];
    struct error error = {0};

    memset(text, 'x', sizeof(text) - 1);
    error_set(&error, ERROR_TRANSIENT, "%s", text);
    CHECK_INT(strlen(error.message), ERROR_TEXT_MAX - 1);
    error_prefix(&error, "short");
    CHECK_INT(strlen(error.message), ERROR_TEXT_MAX - 1);
    CHECK(strncmp(error.message, "short: xxx", 10) == 0);
    error_prefix(&error, "%s", text);
    CHECK_INT(strlen(error.message), ERROR_TEXT_MAX - 1);
    error_detail(&error, "%s", text);
    error_hint(&error, "%s", text);
    CHECK_INT(strlen(error.detail), ERROR_TEXT_MAX - 1);
    CHECK_INT(strlen(error.hint), ERROR_TEXT_MAX - 1);
    error_add_hint(&error, "x");
    CHECK_INT(strlen(error.hint), ERROR_TEXT_MAX - 1);
}

static const struct check_test tests[] = {
    {"the server's fields, whatever else is there", server_errors},
    {"a body that was cut gives the fields that are whole", cut_anywhere},
    {"texts that are too long are cut", long_texts},
    {"what a retry may mend, by SQLSTATE", kinds},
    {"which errors refuse the plugin", plugin_refusals},
    {"our own: message, detail, hint, prefix", our_own},
    {"… and too long ones", our_own_too_long},
};

CHECK_MAIN(tests)
