/*
 * When the server is told what, and when its silence means that it is gone. Times are made up, the
 * connection is real.
 */
#include "repl/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "check.h"
#include "loopback.h"
#include "wire/message.h"

#define INTERVAL (10 * CLOCK_S)
#define LIVENESS (30 * CLOCK_S)
#define PATIENCE (1 * CLOCK_MS) /* a position's that isn't asked for */

struct fixture {
    struct loopback link;
    struct stream *stream;
    struct error error;
};

/* A stream that goes live at 0. */
static bool set_up(struct fixture *fixture)
{
    struct stream_setup setup = {
        .status_interval_us = INTERVAL,
        .liveness_us = LIVENESS,
        .ack_delay_us = PATIENCE,
    };

    *fixture = (struct fixture){0};
    if (!loopback_open(&fixture->link, &fixture->error)) {
        return false;
    }
    setup.conn = fixture->link.conn;
    fixture->stream = stream_new(&setup, 0);
    return fixture->stream != NULL;
}

static void tear_down(struct fixture *fixture)
{
    stream_free(fixture->stream);
    loopback_close(&fixture->link);
}

/* A turn of the feed's. False: the connection is given up. */
static bool turn(struct fixture *fixture, int64_t now_us)
{
    struct stream_message message;

    CHECK(stream_receive(fixture->stream, now_us, &fixture->error));
    CHECK_INT(stream_next(fixture->stream, &message, &fixture->error), STREAM_NOTHING);
    return stream_answer(fixture->stream, now_us, &fixture->error);
}

/* How many bytes of statuses have reached the server. */
static ssize_t told(const struct fixture *fixture)
{
    char data[4096];

    return recv(fixture->link.server, data, sizeof(data), MSG_DONTWAIT);
}

static void say_keepalive(const struct fixture *fixture, char reply_requested)
{
    struct buffer bytes = {0};
    size_t mark = message_begin(&bytes, 'd');

    buffer_byte(&bytes, 'k');
    buffer_be64(&bytes, 1000);
    buffer_be64(&bytes, 0);
    buffer_byte(&bytes, reply_requested);
    message_end(&bytes, mark);
    CHECK_INT(send(fixture->link.server, bytes.data, bytes.len, 0), bytes.len);
    buffer_free(&bytes);
}

static void silence(void)
{
    struct fixture fixture;
    int64_t now_us;

    REQUIRE(set_up(&fixture));
    for (now_us = INTERVAL; now_us < LIVENESS; now_us += INTERVAL) {
        CHECK_INT(stream_deadline(fixture.stream), now_us);
        CHECK(turn(&fixture, now_us));
        CHECK(told(&fixture) > 0);
    }
    CHECK(turn(&fixture, LIVENESS - 1));
    CHECK(!turn(&fixture, LIVENESS));
    CHECK_TEXT(fixture.error.message, "the server has been silent for 30.0 s");
    tear_down(&fixture);
}

static void an_answer_ends_it(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture));
    CHECK(turn(&fixture, INTERVAL));
    say_keepalive(&fixture, 0);
    CHECK(turn(&fixture, 2 * INTERVAL));
    CHECK(turn(&fixture, 2 * INTERVAL + LIVENESS - 1));
    CHECK(!turn(&fixture, 2 * INTERVAL + LIVENESS));
    tear_down(&fixture);
}

/* By SIGSTOP or a debugger, say: the server may have had nothing to say unasked. */
static void one_who_was_stopped_asks_first(void)
{
    struct fixture fixture;
    int64_t now_us = 10 * LIVENESS;

    REQUIRE(set_up(&fixture));
    CHECK(turn(&fixture, now_us));
    CHECK(told(&fixture) > 0);
    CHECK(turn(&fixture, now_us + LIVENESS - 1));
    CHECK(!turn(&fixture, now_us + LIVENESS));
    tear_down(&fixture);
}

static void what_came_while_stopped_counts(void)
{
    struct fixture fixture;
    int64_t now_us = 10 * LIVENESS;

    REQUIRE(set_up(&fixture));
    CHECK(turn(&fixture, INTERVAL));
    say_keepalive(&fixture, 0);
    CHECK(turn(&fixture, now_us));
    tear_down(&fixture);
}

static void an_answer_waits_a_moment(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture));
    say_keepalive(&fixture, 0);
    CHECK(turn(&fixture, 1000));
    say_keepalive(&fixture, 0); /* which puts nothing off */
    CHECK(turn(&fixture, 1001));
    CHECK(told(&fixture) < 0);
    CHECK_INT(stream_deadline(fixture.stream), 1000 + PATIENCE);
    CHECK(turn(&fixture, 1000 + PATIENCE));
    CHECK(told(&fixture) > 0);
    CHECK(turn(&fixture, 1001 + PATIENCE));
    CHECK(told(&fixture) < 0);
    CHECK_INT(stream_deadline(fixture.stream), INTERVAL);
    tear_down(&fixture);
}

static void unless_it_is_asked_for(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture));
    say_keepalive(&fixture, 1);
    CHECK(turn(&fixture, 1000));
    CHECK(told(&fixture) > 0);
    tear_down(&fixture);
}

/* By a server that doesn't read: poll says when it does, until then there is nothing to do. */
static void or_held_up(void)
{
    static const char much[32 << 20]; /* more than the kernel takes */
    struct fixture fixture;

    REQUIRE(set_up(&fixture));
    say_keepalive(&fixture, 1);
    buffer_append(conn_out(fixture.link.conn), much, sizeof(much));
    CHECK(turn(&fixture, 1000));
    CHECK((conn_pollfd(fixture.link.conn).events & POLLOUT) != 0);
    CHECK_INT(stream_deadline(fixture.stream), INTERVAL);
    while (conn_out(fixture.link.conn)->len > 0 && CHECK(turn(&fixture, 1000))) {
        while (told(&fixture) > 0) {
        }
    }
    CHECK_INT(stream_deadline(fixture.stream), INTERVAL);
    tear_down(&fixture);
}

static const struct check_test tests[] = {
    {"silence, although asked, is the end", silence},
    {"an answer ends the silence", an_answer_ends_it},
    {"one who was stopped asks first", one_who_was_stopped_asks_first},
    {"what came while one was stopped counts", what_came_while_stopped_counts},
    {"an answer waits a moment", an_answer_waits_a_moment},
    {"… unless it is asked for", unless_it_is_asked_for},
    {"… or held up", or_held_up},
};

CHECK_MAIN(tests)
