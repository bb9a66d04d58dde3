/* Lists of hosts, addresses and ports, matched up. */
#include "conninfo/hosts.h"

#include "base/buffer.h"
#include "check.h"

/* The list as text: "name|addr|port" for each, separated by blanks. */
static void check_list(const char *names, const char *addrs, const char *ports,
                       const char *expected)
{
    struct host_list list;
    struct error error = {0};
    struct buffer text = {0};

    CASE("host=%s hostaddr=%s port=%s", names, addrs, ports);
    CHECK(hosts_make(&list, names, addrs, ports, &error));
    for (size_t i = 0; i < list.count; i++) {
        buffer_format(&text, "%s%s|%s|%s", i > 0 ? " " : "", list.at[i].name, list.at[i].addr,
                      list.at[i].port);
    }
    CHECK_BUFFER(text, expected);
    buffer_free(&text);
    hosts_free(&list);
}

static void matched(void)
{
    static const struct {
        const char *names, *addrs, *ports, *expected;
    } cases[] = {
        {"a", "", "", "a||5432"},
        {"", "", "", DEFAULT_SOCKET_DIR "||5432"},
        {"a,b", "", "", "a||5432 b||5432"},
        {"a,b", "", "1", "a||1 b||1"},
        {"a,b", "", "1,2", "a||1 b||2"},
        {"a,,c", "", "1,,3", "a||1 " DEFAULT_SOCKET_DIR "||5432 c||3"},
        {",", "", ",", DEFAULT_SOCKET_DIR "||5432 " DEFAULT_SOCKET_DIR "||5432"},
        {"a,", "", "", "a||5432 " DEFAULT_SOCKET_DIR "||5432"},
        {"", "::1", "7", "|::1|7"},
        {"", "::1,127.0.0.1", "7", "|::1|7 |127.0.0.1|7"},
        {"a,b", "::1,127.0.0.1", "7,8", "a|::1|7 b|127.0.0.1|8"},
        {"a,b", "::1,", "", "a|::1|5432 b||5432"},
        {",", ",::1", "", DEFAULT_SOCKET_DIR "||5432 |::1|5432"},
        {"/a,@b", "", " 1 ,0002", "/a||1 @b||2"},
        {"a", "", "65535", "a||65535"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_list(cases[i].names, cases[i].addrs, cases[i].ports, cases[i].expected);
    }
}

static void refused(void)
{
    static const struct {
        const char *names, *addrs, *ports, *why;
    } cases[] = {
        {"a,b", "::1", "", "could not match 2 host names to 1 hostaddr values"},
        {"a", "::1,::2,::3", "", "could not match 1 host names to 3 hostaddr values"},
        {"a,b", "", "1,2,3", "could not match 3 port numbers to 2 hosts"},
        {"a,b,c", "", "1,2", "could not match 2 port numbers to 3 hosts"},
        {"", "", "1,2", "could not match 2 port numbers to 1 hosts"},
        {"a,b", "", "1,0", "invalid port \"0\""},
        {"a,b", "", "65536", "invalid port \"65536\""},
        {"a,b", "", "1, ", "invalid port \" \""},
        {"a,b", "", "1,x password=secret", "invalid port \"…\""},
        {"", "::1,b", "", "invalid hostaddr \"b\""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct host_list list;
        struct error error = {0};

        CASE("host=%s hostaddr=%s port=%s", cases[i].names, cases[i].addrs, cases[i].ports);
        CHECK(!hosts_make(&list, cases[i].names, cases[i].addrs, cases[i].ports, &error));
        CHECK_INT(error.kind, ERROR_PERMANENT);
        CHECK(strstr(error.message, cases[i].why) != NULL);
        CHECK(list.at == NULL && list.count == 0);
    }
}

static void unix_sockets(void)
{
    static const struct {
        const char *name, *addr;
        bool is_unix;
    } cases[] = {
        {"/tmp", "", true},       {"@abstract", "", true}, {"", "", true},
        {"localhost", "", false}, {"::1", "", false},      {"./tmp", "", false},
        {"/tmp", "::1", false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct host_list list;
        struct error error;

        CASE("%s %s", cases[i].name, cases[i].addr);
        REQUIRE(hosts_make(&list, cases[i].name, cases[i].addr, "", &error));
        CHECK_INT(host_is_unix(&list.at[0]), cases[i].is_unix);
        hosts_free(&list);
    }
}

static const struct check_test tests[] = {
    {"names, addresses and ports are matched up, and what is left out is the default", matched},
    {"counts that don't match, ports and addresses that are none", refused},
    {"which hosts are Unix sockets", unix_sockets},
};

CHECK_MAIN(tests)
