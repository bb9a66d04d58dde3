/* What a login tries, in which order, and what is said when nothing is left. */
#include <poll.h>
#include <sys/wait.h>

#include "conninfo/conncheck.h"
#include "pq/attempts.h"

#include "check.h"

struct fixture {
    struct conninfo info;
    struct attempts *attempts;
    struct error error;
};

static bool set_up(struct fixture *fixture, const char *text)
{
    *fixture = (struct fixture){0};
    conninfo_init(&fixture->info);
    if (!conninfo_set_string(&fixture->info, text, &fixture->error) ||
        !conninfo_set(&fixture->info, CONN_USER, "me", &fixture->error) ||
        !conninfo_finish(&fixture->info, &fixture->error)) {
        return false;
    }
    fixture->attempts = attempts_new(&fixture->info, NULL);
    return fixture->attempts != NULL;
}

static void tear_down(struct fixture *fixture)
{
    attempts_free(fixture->attempts);
    conninfo_free(&fixture->info);
}

/* It failed, by the server's error of that SQLSTATE where it isn't "". */
static enum attempts_next failed(struct fixture *fixture, const char *sqlstate,
                                 const struct attempt_failure *failure)
{
    error_set(&fixture->error, strncmp(sqlstate, "28", 2) == 0 ? ERROR_PERMANENT : ERROR_TRANSIENT,
              "no %s", attempts_address(fixture->attempts)->host->port);
    strcpy(fixture->error.sqlstate, sqlstate);
    return attempts_failed(fixture->attempts, failure, &fixture->error);
}

static enum attempts_next refused(struct fixture *fixture)
{
    return failed(fixture, "", &(struct attempt_failure){0});
}

static const char *port(const struct fixture *fixture)
{
    return attempts_address(fixture->attempts)->host->port;
}

static void in_order(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "host=/a,127.0.0.1,/c port=1,2,3 sslmode=require"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_TEXT(attempts_address(fixture.attempts)->text, "server on socket \"/a/.s.PGSQL.1\"");
    CHECK_INT(attempts_encryption(fixture.attempts), ENCRYPT_NO);
    CHECK_INT(refused(&fixture), ATTEMPTS_ADDRESS);
    CHECK_TEXT(attempts_address(fixture.attempts)->text, "server at \"127.0.0.1\", port 2");
    CHECK_INT(attempts_encryption(fixture.attempts), ENCRYPT_YES);
    CHECK_INT(refused(&fixture), ATTEMPTS_ADDRESS);
    CHECK_TEXT(port(&fixture), "3");
    CHECK_INT(refused(&fixture), ATTEMPTS_OVER);
    CHECK_TEXT(fixture.error.message,
               "connection to server on socket \"/c/.s.PGSQL.3\" failed: no 3");
    CHECK_TEXT(fixture.error.detail,
               "Before that, connection to server on socket \"/a/.s.PGSQL.1\" failed: no 1; "
               "connection to server at \"127.0.0.1\", port 2 failed: no 2");
    CHECK_INT(fixture.error.kind, ERROR_TRANSIENT);
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_TEXT(port(&fixture), "1");
    tear_down(&fixture);
}

/* Waits until a lookup is over. */
static enum attempts_next looked_up(struct fixture *fixture, enum attempts_next next)
{
    while (next == ATTEMPTS_LOOKUP) {
        struct pollfd fd = attempts_pollfd(fixture->attempts);

        poll(&fd, 1, 10000);
        next = attempts_look_up(fixture->attempts, false, &fixture->error);
    }
    return next;
}

static void by_name(void)
{
    struct fixture fixture;
    enum attempts_next next;

    REQUIRE(set_up(&fixture, "host=localhost port=1"));
    next = attempts_start(fixture.attempts, &fixture.error);
    CHECK_INT(next, ATTEMPTS_LOOKUP);
    CHECK_INT(attempts_lookups(fixture.attempts), 1);
    CHECK_INT(looked_up(&fixture, next), ATTEMPTS_ADDRESS);
    CHECK(strncmp(attempts_address(fixture.attempts)->text, "server at \"localhost\" (", 23) == 0);
    CHECK_TEXT(port(&fixture), "1");
    tear_down(&fixture);
}

/* No time is left for it: on to the next one, and no child stays. */
static void too_late(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "host=localhost,/b port=1,2"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_LOOKUP);
    if (attempts_look_up(fixture.attempts, true, &fixture.error) == ATTEMPTS_ADDRESS &&
        strcmp(port(&fixture), "1") == 0) {
        CHECK_INT(refused(&fixture), ATTEMPTS_ADDRESS); /* it was there already */
    }
    tear_down(&fixture);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0);
}

static void unresolved(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "host=no.invalid,/b,no.invalid port=1,2,3"));
    CHECK_INT(looked_up(&fixture, attempts_start(fixture.attempts, &fixture.error)),
              ATTEMPTS_ADDRESS);
    CHECK_TEXT(port(&fixture), "2");
    CHECK_INT(looked_up(&fixture, refused(&fixture)), ATTEMPTS_OVER);
    CHECK(strstr(fixture.error.message, "could not translate host name \"no.invalid\"") != NULL);
    CHECK(strstr(fixture.error.detail, "could not translate host name \"no.invalid\"") != NULL);
    CHECK(strstr(fixture.error.detail, "; connection to server on socket \"/b") != NULL);
    tear_down(&fixture);
}

static void too_long(void)
{
    struct fixture fixture;
    char text[512];

    snprintf(text, sizeof(text), "host=/%0200d,/b,/%0200d port=1,2,3", 1, 1);
    REQUIRE(set_up(&fixture, text));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_TEXT(port(&fixture), "2");
    CHECK_INT(refused(&fixture), ATTEMPTS_OVER);
    CHECK(strstr(fixture.error.message, "is too long") != NULL);
    CHECK(strstr(fixture.error.detail, "is too long") != NULL);
    tear_down(&fixture);
}

static void refused_login(void)
{
    struct fixture fixture;
    struct attempt_failure talked = {.reached = true, .talked = true};

    REQUIRE(set_up(&fixture, "host=/a,/b,/c port=1,2,3"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(failed(&fixture, "57P03", &talked), ATTEMPTS_ADDRESS);
    CHECK_INT(failed(&fixture, "28P01", &talked), ATTEMPTS_OVER);
    CHECK_INT(fixture.error.kind, ERROR_PERMANENT);
    CHECK_TEXT(fixture.error.sqlstate, "28P01");
    CHECK(strstr(fixture.error.detail, "no 1") != NULL);
    tear_down(&fixture);
}

static void encryption(void)
{
    struct fixture fixture;
    struct attempt_failure tls = {.reached = true, .tls = true, .talked = true};
    struct attempt_failure plain = {.reached = true, .talked = true};

    REQUIRE(set_up(&fixture, "hostaddr=127.0.0.1,127.0.0.2 port=1,2 sslmode=prefer"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(attempts_encryption(fixture.attempts), ENCRYPT_IF_OFFERED);
    CHECK_INT(failed(&fixture, "28000", &tls), ATTEMPTS_AGAIN);
    CHECK_INT(attempts_encryption(fixture.attempts), ENCRYPT_NO);
    CHECK_INT(refused(&fixture), ATTEMPTS_ADDRESS);
    CHECK_INT(attempts_encryption(fixture.attempts), ENCRYPT_IF_OFFERED);
    /* Starting up: neither in clear nor at another address. */
    CHECK_INT(failed(&fixture, "57P03", &tls), ATTEMPTS_OVER);
    tear_down(&fixture);

    REQUIRE(set_up(&fixture, "hostaddr=127.0.0.1 sslmode=allow"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(attempts_encryption(fixture.attempts), ENCRYPT_NO);
    CHECK_INT(failed(&fixture, "28000", &plain), ATTEMPTS_AGAIN);
    CHECK_INT(attempts_encryption(fixture.attempts), ENCRYPT_YES);
    plain.late = true;
    tear_down(&fixture);

    REQUIRE(set_up(&fixture, "hostaddr=127.0.0.1 sslmode=allow"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(failed(&fixture, "", &plain), ATTEMPTS_OVER); /* no time is left */
    tear_down(&fixture);

    plain.late = false;
    plain.no_password = true;
    REQUIRE(set_up(&fixture, "hostaddr=127.0.0.1 sslmode=allow"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(failed(&fixture, "", &plain), ATTEMPTS_OVER);
    tear_down(&fixture);
}

static void prefer_standby(void)
{
    struct fixture fixture;
    struct attempt_failure unfit = {.reached = true, .talked = true, .let_in = true, .unfit = true};

    REQUIRE(set_up(&fixture, "host=/a,/b port=1,2 target_session_attrs=prefer-standby"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(attempts_target(fixture.attempts), TARGET_PREFER_STANDBY);
    CHECK_INT(refused(&fixture), ATTEMPTS_ADDRESS);
    CHECK_TEXT(port(&fixture), "2");
    CHECK_INT(failed(&fixture, "", &unfit), ATTEMPTS_ADDRESS);
    CHECK_TEXT(port(&fixture), "1");
    CHECK_INT(attempts_target(fixture.attempts), TARGET_ANY);
    CHECK_INT(refused(&fixture), ATTEMPTS_ADDRESS);
    CHECK_TEXT(port(&fixture), "2");
    CHECK_INT(refused(&fixture), ATTEMPTS_OVER);
    CHECK_TEXT(fixture.error.detail,
               "Before that, connection to server on socket \"/a/.s.PGSQL.1\" failed: no 1");
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(attempts_target(fixture.attempts), TARGET_PREFER_STANDBY);
    tear_down(&fixture);
}

/* The visibility connection's connection goes where the stream's has gone, whatever that server has become. */
static void one_address(void)
{
    struct fixture fixture;
    struct attempts *visconn;

    REQUIRE(set_up(&fixture, "host=/a,/b port=1,2 target_session_attrs=primary"));
    CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(refused(&fixture), ATTEMPTS_ADDRESS);
    visconn = attempts_new(&fixture.info, attempts_address(fixture.attempts));
    REQUIRE(visconn != NULL);
    CHECK_INT(attempts_start(visconn, &fixture.error), ATTEMPTS_ADDRESS);
    CHECK_INT(attempts_target(visconn), TARGET_ANY);
    CHECK_TEXT(attempts_address(visconn)->host->port, "2");
    error_set(&fixture.error, ERROR_TRANSIENT, "refused");
    CHECK_INT(attempts_failed(visconn, &(struct attempt_failure){0}, &fixture.error),
              ATTEMPTS_OVER);
    CHECK_TEXT(fixture.error.detail, "");
    attempts_free(visconn);
    tear_down(&fixture);
}

/* 40 orders of three hosts: each host comes once, and is the first at times. */
static void by_chance(void)
{
    unsigned first[3] = {0};

    for (int i = 0; i < 40; i++) {
        struct fixture fixture;
        unsigned seen = 0;

        REQUIRE(set_up(&fixture, "host=/a,/b,/c port=1,2,3 load_balance_hosts=random"));
        CHECK_INT(attempts_start(fixture.attempts, &fixture.error), ATTEMPTS_ADDRESS);
        first[port(&fixture)[0] - '1']++;
        do {
            seen |= 1U << (port(&fixture)[0] - '1');
        } while (refused(&fixture) == ATTEMPTS_ADDRESS);
        CHECK_INT(seen, 7);
        tear_down(&fixture);
    }
    CHECK(first[0] > 0 && first[1] > 0 && first[2] > 0);
}

static const struct check_test tests[] = {
    {"a name is looked up while others are served", by_name},
    {"… and given up when its time is over", too_late},
    {"host by host, each reason told", in_order},
    {"a name that doesn't resolve is a failed attempt", unresolved},
    {"so is a socket's path that is too long", too_long},
    {"a server that is starting up leads on, a refused login ends it", refused_login},
    {"both ways of encryption on each address", encryption},
    {"prefer-standby goes through the hosts twice", prefer_standby},
    {"one address, not judged", one_address},
    {"load_balance_hosts: another order each time", by_chance},
};

CHECK_MAIN(tests)
