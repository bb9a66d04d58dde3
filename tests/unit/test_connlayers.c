/* Where connection parameters come from, which of them wins, and what is derived from them. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "conninfo/conninfo.h"
#include "conninfo/connlayers.h"
#include "conninfo/passfile.h"

static const char *const variables[] = {"PGHOST",     "PGHOSTADDR", "PGPORT",       "PGUSER",
                                        "PGDATABASE", "PGPASSWORD", "PGREQUIRESSL", "PGSSLMODE",
                                        "PGSERVICE",  "PGPASSFILE", "PGSERVICEFILE"};

/* Whoever runs the tests has settings of their own. */
static void clean_environment(void)
{
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        unsetenv(variables[i]);
    }
    setenv("HOME", "/home/me", 1);
}

static bool write_file(char *path, const char *text, mode_t mode)
{
    int fd = mkstemp(path);
    bool ok =
        fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0;

    close(fd);
    return ok;
}

static bool complete(struct conninfo *info, const char *text, struct error *error)
{
    conninfo_init(info);
    return conninfo_set_dbname(info, text, error) && conninfo_complete(info, error);
}

static void given_wins(void)
{
    struct conninfo info, options;
    struct error error;

    clean_environment();
    setenv("PGHOST", "variable", 1);
    setenv("PGPORT", "1", 1);
    setenv("PGUSER", "", 1);
    conninfo_init(&options);
    conninfo_init(&info);
    CHECK(conninfo_set_string(&info, "dbname=string port=''", &error));
    CHECK(conninfo_set(&options, CONN_DBNAME, "option", &error));
    CHECK(conninfo_set(&options, CONN_USER, "option", &error));
    CHECK(conninfo_fill(&info, &options, &error));
    CHECK(conninfo_complete(&info, &error));
    CHECK_TEXT(conninfo_text(&info, CONN_HOST), "variable");
    CHECK_TEXT(conninfo_text(&info, CONN_PORT), "5432"); /* given as empty: the default */
    CHECK_TEXT(conninfo_text(&info, CONN_DBNAME), "string");
    CHECK_TEXT(conninfo_text(&info, CONN_USER), "option");
    conninfo_free(&info);
    conninfo_free(&options);
    clean_environment();
}

static void connect_timeout_option(void)
{
    struct conninfo info, options;
    struct error error;

    clean_environment();
    conninfo_init(&options);
    options.connect_timeout_us = 250 * CLOCK_MS;
    CHECK(conninfo_set(&options, CONN_CONNECT_TIMEOUT, "", &error));
    setenv("PGCONNECT_TIMEOUT", "9", 1);
    conninfo_init(&info);
    CHECK(conninfo_fill(&info, &options, &error));
    CHECK(conninfo_complete(&info, &error));
    CHECK_INT(info.connect_timeout_us, 250 * CLOCK_MS);
    conninfo_free(&info);

    conninfo_init(&info);
    CHECK(conninfo_set_string(&info, "connect_timeout=3", &error));
    CHECK(conninfo_fill(&info, &options, &error));
    CHECK(conninfo_complete(&info, &error));
    CHECK_INT(info.connect_timeout_us, 3 * CLOCK_S);
    conninfo_free(&info);
    conninfo_free(&options);
    unsetenv("PGCONNECT_TIMEOUT");
}

static void values_are_read(void)
{
    struct conninfo info;
    struct error error;

    clean_environment();
    CHECK(complete(&info,
                   "keepalives=0 keepalives_idle=1 keepalives_interval=2 keepalives_count=3 "
                   "tcp_user_timeout=4 port=' 007 ' sslsni=0 channel_binding=disable "
                   "ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=tlsv1.3 "
                   "hostaddr=::1 user=me password=secret",
                   &error));
    CHECK(!info.keepalives && !info.sni);
    CHECK_INT(info.keepalives_idle, 1);
    CHECK_INT(info.keepalives_interval, 2);
    CHECK_INT(info.keepalives_count, 3);
    CHECK_INT(info.tcp_user_timeout, 4);
    CHECK_INT(info.tls_min, TLS_1_0);
    CHECK_INT(info.tls_max, TLS_1_3);
    CHECK_INT(info.channel_binding, CHANNEL_BINDING_DISABLE);
    CHECK_TEXT(conninfo_text(&info, CONN_HOST), ""); /* nobody may take it for a socket */
    CHECK_TEXT(info.hosts.at[0].port, "7");
    CHECK(!host_is_unix(&info.hosts.at[0]));
    conninfo_free(&info);

    setenv("PGREQUIRESSL", "1", 1);
    CHECK(complete(&info, "shop", &error));
    CHECK_INT(info.sslmode, SSLMODE_REQUIRE);
    CHECK_TEXT(conninfo_text(&info, CONN_DBNAME), "shop");
    conninfo_free(&info);
    clean_environment();
    CHECK(complete(&info, "sslrootcert=system", &error));
    CHECK_INT(info.sslmode, SSLMODE_VERIFY_FULL);
    conninfo_free(&info);
}

static void derived(void)
{
    struct conninfo base, out;
    struct error error = {0};

    clean_environment();
    REQUIRE(complete(&base,
                     "host=primary hostaddr=127.0.0.1 port=1 user=me dbname=shop password=secret "
                     "sslmode=require connect_timeout=3 keepalives_idle=4 "
                     "target_session_attrs=primary load_balance_hosts=random",
                     &error));
    REQUIRE(conninfo_derive(&out, &base, "host=replica user=you", &error));
    CHECK_TEXT(conninfo_text(&out, CONN_HOST), "replica");
    CHECK_TEXT(conninfo_text(&out, CONN_HOSTADDR), "");
    CHECK_TEXT(conninfo_text(&out, CONN_PORT), "5432");
    CHECK_TEXT(conninfo_text(&out, CONN_USER), "you");
    CHECK_TEXT(conninfo_text(&out, CONN_DBNAME), "shop");
    CHECK_TEXT(conninfo_text(&out, CONN_PASSWORD), "secret");
    CHECK_INT(out.sslmode, SSLMODE_REQUIRE);
    CHECK_INT(out.connect_timeout_us, 3 * CLOCK_S);
    CHECK_INT(out.keepalives_idle, 4);
    CHECK_INT(out.target, TARGET_ANY);
    CHECK(!out.load_balance);
    conninfo_free(&out);

    /* The variables speak of every connection, as they do to psql. */
    setenv("PGPORT", "6", 1);
    REQUIRE(conninfo_derive(&out, &base, "postgresql://replica/other?sslmode=disable", &error));
    CHECK_TEXT(conninfo_text(&out, CONN_PORT), "6");
    CHECK_TEXT(conninfo_text(&out, CONN_DBNAME), "other");
    CHECK_INT(out.sslmode, SSLMODE_DISABLE);
    conninfo_free(&out);

    CHECK(!conninfo_derive(&out, &base, "port=x", &error));
    CHECK_INT(error.kind, ERROR_PERMANENT);
    CHECK(out.value[CONN_PASSWORD] == NULL);
    CHECK(!conninfo_derive(&out, &base, "service=none", &error));
    conninfo_free(&base);
    clean_environment();
}

static void derived_from_a_service(void)
{
    char path[] = "/tmp/test_connlayers.XXXXXX";
    struct conninfo base, out;
    struct error error;

    clean_environment();
    REQUIRE(
        write_file(path, "[main]\nhost=/main\nport=1\nuser=main\n[two]\nport=2\nport=3\n", 0600));
    setenv("PGSERVICEFILE", path, 1);
    setenv("PGSERVICE", "main", 1);
    REQUIRE(complete(&base, "", &error));
    CHECK_TEXT(conninfo_text(&base, CONN_HOST), "/main");
    REQUIRE(conninfo_derive(&out, &base, "service=two", &error));
    CHECK_TEXT(conninfo_text(&out, CONN_HOST), DEFAULT_SOCKET_DIR);
    CHECK_TEXT(conninfo_text(&out, CONN_PORT), "2");
    CHECK_TEXT(conninfo_text(&out, CONN_USER), "main");
    conninfo_free(&out);
    /* The service of the main connection doesn't place this one. */
    REQUIRE(conninfo_derive(&out, &base, "port=9", &error));
    CHECK_TEXT(conninfo_text(&out, CONN_HOST), DEFAULT_SOCKET_DIR);
    conninfo_free(&out);
    conninfo_free(&base);
    unlink(path);
    clean_environment();
}

static void check_password(const char *text, mode_t mode, const char *string, const char *expected)
{
    char path[] = "/tmp/test_connlayers.XXXXXX";
    struct conninfo info;
    struct error error;
    char *password;

    CASE("%s for %s", text, string);
    REQUIRE(write_file(path, text, mode));
    setenv("PGPASSFILE", path, 1);
    REQUIRE(complete(&info, string, &error));
    password = passfile_lookup(&info, &info.hosts.at[0], &error);
    CHECK_TEXT(password != NULL ? password : "(none)", expected);
    CHECK_INT(error.kind, (mode & 077) != 0 ? ERROR_PERMANENT : ERROR_NONE);
    passfile_free(password);
    conninfo_free(&info);
    unlink(path);
}

static void passwords(void)
{
    static const struct {
        const char *file, *string, *expected;
    } cases[] = {
        {"h:1:d:u:p", "host=h port=1 dbname=d user=u", "p"},
        {"h:1:d:u:p\n", "host=h port=1 dbname=d user=v", "(none)"},
        {"*:*:*:*:p\r\n", "user=u", "p"},
        {"*:*:*:*:first\n*:*:*:*:second\n", "user=u", "first"},
        {"*:*:*:*:\n*:*:*:*:second\n", "user=u", ""},
        {"#*:*:*:*:x\n\n::\n*:*:*:*:p", "user=u", "p"},
        {"a\\:b:*:*:\\\\u:p", "host=a:b user='\\\\u'", "p"},
        {"*:*:*:*:a\\:b\\\\c\\d", "user=u", "a:b\\cd"},
        {"*:*:*:*:a:b", "user=u", "a"},
        {"*:*:*:*:a\\", "user=u", "a\\"},
        {"localhost:*:*:*:p", "user=u", "p"},
        {"/var/run/postgresql:*:*:*:p", "user=u", "(none)"},
        {"/tmp:*:*:*:p", "host=/tmp user=u", "p"},
        {"::1:*:*:*:p", "host=::1 user=u", "p"}, /* a colon that isn't protected is one, too */
        {"\\:\\:1:*:*:*:p", "hostaddr=::1 user=u", "p"},
        {"**:*:*:*:p", "host=h user=u", "(none)"},
        {"h*:*:*:*:p", "host=hh user=u", "(none)"},
        {"h:5432:*:*:p", "host=h user=u", "p"},
        {"h:*:*", "host=h user=u", "(none)"},
        {"h\\", "host=h user=u", "(none)"},
        {"", "host=h user=u", "(none)"},
    };

    clean_environment();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_password(cases[i].file, 0600, cases[i].string, cases[i].expected);
        check_password(cases[i].file, 0400, cases[i].string, cases[i].expected);
    }
    check_password("*:*:*:*:p", 0640, "user=u", "(none)");
    check_password("*:*:*:*:p", 0601, "user=u", "(none)");
    clean_environment();
}

static void long_lines(void)
{
    char *text = malloc(3 * PASSFILE_LINE_MAX);

    REQUIRE(text != NULL);
    clean_environment();
    memset(text, 'x', 3 * PASSFILE_LINE_MAX);
    memcpy(text, "*:*:*:*:", 8);
    /* The tail of a line that is too long isn't a line. */
    strcpy(text + PASSFILE_LINE_MAX - 1, "*:*:*:*:tail\n*:*:*:*:p");
    check_password(text, 0600, "user=u", "p");
    memset(text + 8, 'x', 2 * PASSFILE_LINE_MAX);
    text[2 * PASSFILE_LINE_MAX] = '\0';
    check_password(text, 0600, "user=u", "(none)");
    free(text);
    clean_environment();
}

/* What a child of this process finds of the word. */
static int found_by_child(const char *word)
{
    char command[100];

    snprintf(command, sizeof(command), "env | grep -q %s", word);
    return system(command);
}

static void children_get_no_password(void)
{
    struct conninfo info;
    struct error error;

    clean_environment();
    setenv("PGUSER", "me", 1);
    setenv("PGPASSWORD", "sesame", 1);
    CHECK_INT(found_by_child("sesame"), 0);
    CHECK(complete(&info, "", &error));
    CHECK_TEXT(conninfo_text(&info, CONN_PASSWORD), "sesame");
    CHECK(found_by_child("sesame") != 0);
    CHECK(found_by_child("PGPASSWORD") != 0);
    conninfo_free(&info);
}

static const struct check_test tests[] = {
    {"children get no password", children_get_no_password},
    {"strings, options, variables, defaults", given_wins},
    {"--connect-timeout is finer than seconds, and a string wins over it", connect_timeout_option},
    {"numbers and choices", values_are_read},
    {"a derived connection has its own place, and the rest of its base", derived},
    {"a derived connection may have a service of its own", derived_from_a_service},
    {"password files: fields, stars, escapes, permissions", passwords},
    {"password files: long lines", long_lines},
};

CHECK_MAIN(tests)
