/* From an address to a stream, with a server that may not play by the rules. */
#include "conninfo/conncheck.h"
#include "net/dial.h"

#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "loopback.h"

#define SSL_REQUEST BYTES("\0\0\0\10\4\xd2\x16\x2f")
#define WAIT_MS     10000

/* Ours at one end, the test as the server at the other. */
struct fixture {
    struct conninfo info;
    struct host host;
    struct address address;
    struct error error;
    int listener, server;
    struct dial *dial;
};

static bool set_up(struct fixture *fixture, const char *text, enum encryption encryption)
{
    *fixture = (struct fixture){.server = -1};
    fixture->host = (struct host){.name = "localhost", .addr = ""};
    fixture->address.host = &fixture->host;
    conninfo_init(&fixture->info);
    fixture->listener = loopback_listen(&fixture->address);
    if (!conninfo_set_string(&fixture->info, text, &fixture->error) ||
        !conninfo_set(&fixture->info, CONN_USER, "me", &fixture->error) ||
        !conninfo_set(&fixture->info, CONN_HOST, "localhost", &fixture->error) ||
        !conninfo_finish(&fixture->info, &fixture->error) || fixture->listener < 0) {
        return false;
    }
    fixture->dial = dial_start(&fixture->address, &fixture->info, encryption, &fixture->error);
    fixture->server = accept(fixture->listener, NULL, NULL);
    return fixture->dial != NULL && fixture->server >= 0;
}

static void tear_down(struct fixture *fixture)
{
    dial_free(fixture->dial);
    close(fixture->server);
    close(fixture->listener);
    conninfo_free(&fixture->info);
}

/* Goes on, once the socket is ready. */
static enum io step(struct fixture *fixture)
{
    struct pollfd ready = dial_pollfd(fixture->dial);

    poll(&ready, 1, WAIT_MS);
    return dial_step(fixture->dial, &fixture->error);
}

/* What the server gets: exactly so many bytes, in `data`. */
static struct slice sent(struct fixture *fixture, char *data, size_t len)
{
    ssize_t got = recv(fixture->server, data, len, MSG_WAITALL);

    return (struct slice){data, got > 0 ? (size_t)got : 0};
}

static void answers(void)
{
    static const struct {
        const char *what;
        enum encryption encryption;
        struct slice answer;
        enum io io;
        const char *message;
    } cases[] = {
        {"yes, and it waits for the server's hello", ENCRYPT_YES, LITERAL("S"), IO_AGAIN, ""},
        {"no, where that will do", ENCRYPT_IF_OFFERED, LITERAL("N"), IO_DONE, ""},
        {"no, where it won't", ENCRYPT_YES, LITERAL("N"), IO_ERROR,
         "the server does not support TLS, but sslmode is \"require\""},
        /* CVE-2021-23222: bytes that somebody in the middle would have us take for the server's */
        {"yes, with more behind it", ENCRYPT_YES, LITERAL("SR\0\0\0\10\0\0\0\0"), IO_ERROR,
         "received unencrypted data after the answer to the TLS request"},
        {"no, with more behind it", ENCRYPT_IF_OFFERED, LITERAL("NR\0\0\0\10\0\0\0\0"), IO_ERROR,
         "received unencrypted data after the answer to the TLS request"},
        {"an error", ENCRYPT_YES, LITERAL("E"), IO_ERROR,
         "received an invalid answer to the TLS request"},
        {"nonsense", ENCRYPT_IF_OFFERED, LITERAL("x"), IO_ERROR,
         "received an invalid answer to the TLS request"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture fixture;
        char data[8];

        CASE("%s", cases[i].what);
        REQUIRE(set_up(&fixture, "sslmode=require", cases[i].encryption));
        CHECK_INT(step(&fixture), IO_AGAIN);
        CHECK_SLICE(sent(&fixture, data, sizeof(data)), SSL_REQUEST);
        CHECK_INT(send(fixture.server, cases[i].answer.data, cases[i].answer.len, 0),
                  cases[i].answer.len);
        CHECK_INT(step(&fixture), cases[i].io);
        CHECK_TEXT(fixture.error.message, cases[i].message);
        tear_down(&fixture);
    }
}

static void closed_instead_of_an_answer(void)
{
    struct fixture fixture;
    char data[8];

    REQUIRE(set_up(&fixture, "sslmode=require", ENCRYPT_YES));
    CHECK_INT(step(&fixture), IO_AGAIN);
    sent(&fixture, data, sizeof(data));
    shutdown(fixture.server, SHUT_RDWR);
    CHECK_INT(step(&fixture), IO_ERROR);
    CHECK_TEXT(fixture.error.message, "the server closed the connection unexpectedly");
    CHECK_INT(fixture.error.kind, ERROR_TRANSIENT);
    tear_down(&fixture);
}

static void in_clear(void)
{
    struct fixture fixture;
    char data[1];

    REQUIRE(set_up(&fixture, "sslmode=disable", ENCRYPT_NO));
    CHECK_INT(step(&fixture), IO_DONE);
    CHECK_INT(recv(fixture.server, data, sizeof(data), MSG_DONTWAIT), -1);
    tear_down(&fixture);
}

/* The client's hello (RFC 8446, 5.1: a handshake record, version 3.1) comes first. */
static void direct(void)
{
    struct fixture fixture;
    char data[2];

    REQUIRE(set_up(&fixture, "sslmode=require sslnegotiation=direct", ENCRYPT_YES));
    CHECK_INT(step(&fixture), IO_AGAIN);
    CHECK_SLICE(sent(&fixture, data, sizeof(data)), BYTES("\x16\3"));
    /* What isn't a server's hello ends it. */
    CHECK_INT(send(fixture.server, "E\0\0\0\10FATL\0\0", 11, 0), 11);
    CHECK_INT(step(&fixture), IO_ERROR);
    CHECK(strstr(fixture.error.message, "TLS error: ") != NULL);
    tear_down(&fixture);

    REQUIRE(set_up(&fixture, "sslmode=require sslnegotiation=direct", ENCRYPT_YES));
    CHECK_INT(step(&fixture), IO_AGAIN);
    shutdown(fixture.server, SHUT_RDWR);
    CHECK_INT(step(&fixture), IO_ERROR);
    CHECK_TEXT(fixture.error.message, "the server closed the connection in the TLS handshake");
    CHECK(strstr(fixture.error.hint, "PostgreSQL 17") != NULL);
    tear_down(&fixture);
}

/* requirepeer, at a socket of the test's own. */
static void peer(const char *wanted, const char *message)
{
    struct fixture fixture = {0};
    struct sockaddr_un *un = (struct sockaddr_un *)&fixture.address.storage;
    int len;

    CASE("%s", wanted);
    un->sun_family = AF_UNIX;
    len = snprintf(un->sun_path, sizeof(un->sun_path), "/tmp/pgnudge-dial.%ld", (long)getpid());
    fixture.address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len + 1);
    fixture.host = (struct host){.name = "/tmp", .addr = ""};
    fixture.address.host = &fixture.host;
    conninfo_init(&fixture.info);
    unlink(un->sun_path);
    fixture.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (CHECK(bind(fixture.listener, (struct sockaddr *)un, fixture.address.len) == 0 &&
              listen(fixture.listener, 1) == 0 &&
              conninfo_set(&fixture.info, CONN_REQUIREPEER, wanted, &fixture.error))) {
        fixture.dial = dial_start(&fixture.address, &fixture.info, ENCRYPT_NO, &fixture.error);
        fixture.server = accept(fixture.listener, NULL, NULL);
        CHECK_INT(step(&fixture), message == NULL ? IO_DONE : IO_ERROR);
        CHECK(message == NULL || strstr(fixture.error.message, message) != NULL);
        CHECK_INT(fixture.error.kind, message == NULL ? ERROR_NONE : ERROR_PERMANENT);
    }
    unlink(un->sun_path);
    tear_down(&fixture);
}

static void peers(void)
{
    const struct passwd *me = getpwuid(geteuid());

    REQUIRE(me != NULL);
    peer("", NULL);
    peer(me->pw_name, NULL);
    peer("somebody", "requirepeer specifies \"somebody\", but the server runs as user \"");
}

static const struct check_test tests[] = {
    {"the server's answers to an SSLRequest", answers},
    {"a server that closes instead of answering", closed_instead_of_an_answer},
    {"in clear nothing is asked", in_clear},
    {"direct TLS begins with the handshake", direct},
    {"requirepeer", peers},
};

CHECK_MAIN(tests)
