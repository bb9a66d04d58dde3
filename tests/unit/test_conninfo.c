/* Connection parameters: libpq's defaults, the PG* variables, and what is refused. */
#include "conninfo/conncheck.h"
#include "conninfo/conninfo.h"
#include "conninfo/connlayers.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"

static const char *const variables[] = {
    "PGHOST",
    "PGPORT",
    "PGUSER",
    "PGDATABASE",
    "PGPASSWORD",
    "PGAPPNAME",
    "PGCONNECT_TIMEOUT",
    "PGSSLMODE",
    "PGSSLROOTCERT",
};

/* Whoever runs the tests has settings of their own. */
static void clean_environment(void)
{
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        unsetenv(variables[i]);
    }
    setenv("HOME", "/home/me", 1);
}

static void defaults(void)
{
    const struct passwd *entry = getpwuid(geteuid());
    struct conninfo info;
    struct error error;

    REQUIRE(entry != NULL);
    clean_environment();
    conninfo_init(&info);
    CHECK(conninfo_from_environment(&info, &error));
    CHECK(conninfo_finish(&info, &error));
    CHECK_TEXT(conninfo_text(&info, CONN_HOST), "/var/run/postgresql");
    CHECK_TEXT(conninfo_text(&info, CONN_PORT), "5432");
    CHECK_TEXT(conninfo_text(&info, CONN_USER), entry->pw_name);
    CHECK_TEXT(conninfo_text(&info, CONN_DBNAME), entry->pw_name);
    CHECK_TEXT(conninfo_text(&info, CONN_APPLICATION_NAME), "pgnudge");
    CHECK_TEXT(conninfo_text(&info, CONN_SSLROOTCERT), "/home/me/.postgresql/root.crt");
    CHECK_INT(info.sslmode, SSLMODE_PREFER);
    CHECK(info.value[CONN_PASSWORD] == NULL);
    CHECK_TEXT(conninfo_text(&info, CONN_PASSWORD), "");
    CHECK_INT(info.connect_timeout_us, 10 * CLOCK_S);
    CHECK(host_is_unix(&info.hosts.at[0]));
    conninfo_free(&info);
}

static void environment(void)
{
    struct conninfo info;
    struct error error;

    clean_environment();
    setenv("PGHOST", "db.example", 1);
    setenv("PGPORT", "6000", 1);
    setenv("PGUSER", "me", 1);
    setenv("PGDATABASE", "shop", 1);
    setenv("PGAPPNAME", "the shop", 1);
    setenv("PGCONNECT_TIMEOUT", "3", 1);
    setenv("PGSSLMODE", "verify-full", 1);
    setenv("PGSSLROOTCERT", "/ca.crt", 1);
    conninfo_init(&info);
    CHECK(conninfo_from_environment(&info, &error));
    /* What comes later wins; an empty one is as good as none. */
    CHECK(conninfo_set(&info, CONN_PORT, "6001", &error));
    CHECK(conninfo_set(&info, CONN_APPLICATION_NAME, "", &error));
    CHECK(conninfo_finish(&info, &error));
    CHECK_TEXT(conninfo_text(&info, CONN_HOST), "db.example");
    CHECK_TEXT(conninfo_text(&info, CONN_PORT), "6001");
    CHECK_TEXT(conninfo_text(&info, CONN_USER), "me");
    CHECK_TEXT(conninfo_text(&info, CONN_DBNAME), "shop");
    CHECK_TEXT(conninfo_text(&info, CONN_APPLICATION_NAME), "pgnudge");
    CHECK_TEXT(conninfo_text(&info, CONN_SSLROOTCERT), "/ca.crt");
    CHECK_INT(info.sslmode, SSLMODE_VERIFY_FULL);
    CHECK_INT(info.connect_timeout_us, 3 * CLOCK_S);
    CHECK(!host_is_unix(&info.hosts.at[0]));
    conninfo_free(&info);
    clean_environment();
}

static void dbname_follows_user(void)
{
    struct conninfo info;
    struct error error;

    clean_environment();
    conninfo_init(&info);
    CHECK(conninfo_set(&info, CONN_USER, "me", &error));
    CHECK(conninfo_finish(&info, &error));
    CHECK_TEXT(conninfo_text(&info, CONN_DBNAME), "me");
    conninfo_free(&info);
}

/* The process's environment is that memory: other processes of the user can read it. */
static void password_is_wiped(void)
{
    static char variable[] = "PGPASSWORD=open sesame";
    static const char wiped[sizeof(variable) - 11] = {0};
    struct conninfo info;
    struct error error;

    clean_environment();
    REQUIRE(putenv(variable) == 0);
    conninfo_init(&info);
    CHECK(conninfo_from_environment(&info, &error));
    CHECK_TEXT(conninfo_text(&info, CONN_PASSWORD), "open sesame");
    CHECK(getenv("PGPASSWORD") == NULL);
    CHECK(memcmp(variable + 11, wiped, sizeof(wiped)) == 0);
    conninfo_free(&info);
    CHECK(info.value[CONN_PASSWORD] == NULL);
}

static void refused(void)
{
    static const struct {
        enum conn_param param;
        const char *value;
        const char *why;
    } cases[] = {
        {CONN_PORT, "0", "invalid port \"0\""},
        {CONN_PORT, "-1", "invalid port"},
        {CONN_PORT, "65536", "invalid port"},
        {CONN_PORT, "x", "invalid port"},
        {CONN_PORT, "5432x", "invalid port"},
        {CONN_PORT, "54.32", "invalid port"},
        {CONN_PORT, "0x1538", "invalid port"},
        {CONN_PORT, "99999999999999999999", "invalid port"},
        {CONN_SSLMODE, "sometimes", "invalid sslmode \"sometimes\""},
        {CONN_SSLMODE, "Require", "invalid sslmode"},
        {CONN_SSLMODE, "verify", "invalid sslmode"},
        {CONN_SSLMODE, " require", "invalid sslmode"},
        {CONN_CONNECT_TIMEOUT, "soon", "invalid connect_timeout"},
        {CONN_CONNECT_TIMEOUT, "1.5", "invalid connect_timeout"},
        {CONN_CONNECT_TIMEOUT, "3s", "invalid connect_timeout"},
        {CONN_CONNECT_TIMEOUT, "99999999999999999999", "invalid connect_timeout"},
    };

    clean_environment();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct conninfo info;
        struct error error = {0};

        CASE("%s", cases[i].value);
        conninfo_init(&info);
        CHECK(conninfo_set(&info, cases[i].param, cases[i].value, &error));
        CHECK(!conninfo_finish(&info, &error));
        CHECK_INT(error.kind, ERROR_PERMANENT);
        CHECK(strstr(error.message, cases[i].why) != NULL);
        conninfo_free(&info);
    }
}

static void every_sslmode(void)
{
    static const struct {
        const char *name;
        enum sslmode mode;
    } cases[] = {
        {"disable", SSLMODE_DISABLE},     {"allow", SSLMODE_ALLOW},
        {"prefer", SSLMODE_PREFER},       {"require", SSLMODE_REQUIRE},
        {"verify-ca", SSLMODE_VERIFY_CA}, {"verify-full", SSLMODE_VERIFY_FULL},
    };

    clean_environment();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct conninfo info;
        struct error error;

        CASE("%s", cases[i].name);
        conninfo_init(&info);
        CHECK(conninfo_set(&info, CONN_SSLMODE, cases[i].name, &error));
        CHECK(conninfo_finish(&info, &error));
        CHECK_INT(info.sslmode, cases[i].mode);
        CHECK_TEXT(sslmode_name(cases[i].mode), cases[i].name);
        conninfo_free(&info);
    }
}

static void connect_timeouts(void)
{
    static const struct {
        const char *value;
        int64_t us;
    } cases[] = {
        {"1", CLOCK_S},      {"10", 10 * CLOCK_S}, {"2147483647", 2147483647 * CLOCK_S},
        {"0", CLOCK_NEVER}, /* as in libpq */
        {"-1", CLOCK_NEVER},
    };

    clean_environment();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct conninfo info;
        struct error error;

        CASE("%s", cases[i].value);
        conninfo_init(&info);
        CHECK(conninfo_set(&info, CONN_CONNECT_TIMEOUT, cases[i].value, &error));
        CHECK(conninfo_finish(&info, &error));
        CHECK_INT(info.connect_timeout_us, cases[i].us);
        conninfo_free(&info);
    }
}

static const struct check_test tests[] = {
    {"libpq's defaults", defaults},
    {"the PG* variables, and what wins over them", environment},
    {"the database is named like the user", dbname_follows_user},
    {"PGPASSWORD is wiped from the environment", password_is_wiped},
    {"a port, sslmode or timeout that is none is refused", refused},
    {"every sslmode", every_sslmode},
    {"connect_timeout: seconds, 0 and less for ever", connect_timeouts},
};

CHECK_MAIN(tests)
