/* Framing: the same messages must come out however the bytes arrive, and nothing impossible. */
#include "wire/frame.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "check.h"

#define BIG (FRAME_BUFFER + 3 * FRAME_PREFIX + 7) /* bytes of a body that no buffer holds */

static void put_message(struct buffer *wire, char type, const void *body, size_t len)
{
    buffer_byte(wire, type);
    buffer_be32(wire, (uint32_t)(len + 4));
    buffer_append(wire, body, len);
}

/* Hands bytes in as a socket does: as many as there is room for. Returns how many were taken. */
static size_t feed(struct frame_reader *reader, struct slice bytes)
{
    size_t cap;
    char *space = frame_space(reader, &cap);
    size_t len = bytes.len < cap ? bytes.len : cap;

    CHECK(cap > 0);
    memcpy(space, bytes.data, len);
    frame_filled(reader, len);
    return len;
}

/* Writes down all that comes out, until more bytes are needed: "T[body]". */
static void drain(struct frame_reader *reader, struct buffer *log)
{
    struct frame frame;

    while ((frame = frame_next(reader)).kind == FRAME_BEGIN || frame.kind == FRAME_MORE) {
        if (frame.kind == FRAME_BEGIN) {
            buffer_byte(log, frame.type);
            buffer_byte(log, '[');
        }
        buffer_append(log, frame.body.data, frame.body.len);
        if (frame.left == 0) {
            buffer_byte(log, ']');
        }
    }
    CHECK_INT(frame.kind, FRAME_NONE);
}

/* A login's end, in short: R, S, Z, an empty body, D. */
static void recorded(struct buffer *wire)
{
    put_message(wire, 'R', "\0\0\0\0", 4);
    put_message(wire, 'S', "server_version\00017.6\0", 20);
    put_message(wire, 'n', "", 0);
    put_message(wire, 'Z', "I", 1);
    put_message(wire, 'd', "wal", 3);
}

static const char expected[] = "R[\0\0\0\0]S[server_version\00017.6\0]n[]Z[I]d[wal]";

static void split_everywhere(void)
{
    struct buffer wire = {0};

    recorded(&wire);
    for (size_t cut = 0; cut <= wire.len; cut++) {
        struct frame_reader *reader = frame_reader_new();
        struct buffer log = {0};

        REQUIRE(reader != NULL);
        CASE("cut at %zu", cut);
        if (cut > 0) {
            CHECK_INT(feed(reader, (struct slice){wire.data, cut}), cut);
        }
        drain(reader, &log);
        feed(reader, (struct slice){wire.data + cut, wire.len - cut});
        drain(reader, &log);
        CHECK_SLICE(check_content(&log), BYTES(expected));
        buffer_free(&log);
        frame_reader_free(reader);
    }
    buffer_free(&wire);
}

static void byte_by_byte(void)
{
    struct frame_reader *reader = frame_reader_new();
    struct buffer wire = {0}, log = {0};

    REQUIRE(reader != NULL);
    recorded(&wire);
    for (size_t i = 0; i < wire.len; i++) {
        feed(reader, (struct slice){wire.data + i, 1});
        drain(reader, &log);
    }
    CHECK_SLICE(check_content(&log), BYTES(expected));
    buffer_free(&wire);
    buffer_free(&log);
    frame_reader_free(reader);
}

/* One message of `len` bytes between two small ones, in reads of at most `step`. */
static void pass_body(size_t len, size_t step)
{
    struct frame_reader *reader = frame_reader_new();
    struct buffer wire = {0}, log = {0}, want = {0};
    char *body = malloc(len);
    struct slice rest;

    REQUIRE(reader != NULL && body != NULL);
    CASE("a body of %zu bytes in steps of %zu", len, step);
    for (size_t i = 0; i < len; i++) {
        body[i] = (char)('a' + i % 23);
    }
    put_message(&wire, 'Z', "I", 1);
    put_message(&wire, 'd', body, len);
    put_message(&wire, 'Z', "T", 1);
    buffer_text(&want, "Z[I]d[");
    buffer_append(&want, body, len);
    buffer_text(&want, "]Z[T]");
    rest = check_content(&wire);
    while (rest.len > 0) {
        size_t taken = feed(reader, (struct slice){rest.data, rest.len < step ? rest.len : step});

        rest.data += taken;
        rest.len -= taken;
        drain(reader, &log);
    }
    CHECK_SLICE(check_content(&log), check_content(&want));
    free(body);
    buffer_free(&wire);
    buffer_free(&log);
    buffer_free(&want);
    frame_reader_free(reader);
}

static void bodies_of_every_size(void)
{
    static const size_t lens[] = {
        FRAME_PREFIX - 1, FRAME_PREFIX, FRAME_PREFIX + 1, FRAME_BUFFER - 5,
        FRAME_BUFFER - 4, FRAME_BUFFER, FRAME_BUFFER + 1, BIG};
    static const size_t steps[] = {1, 7, 4096, FRAME_BUFFER};

    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        for (size_t j = 0; j < COUNT_OF(steps); j++) {
            pass_body(lens[i], steps[j]);
        }
    }
}

/* What a decoder relies on: the prefix is whole, and `left` counts down to the byte. */
static void long_body_begins_with_its_prefix(void)
{
    struct frame_reader *reader = frame_reader_new();
    char header[] = {'d', 0, 1, 0, 0}; /* 65536, itself included */
    size_t left = 65536 - 4 - FRAME_PREFIX;
    char chunk[1000] = {0};
    struct frame frame;

    REQUIRE(reader != NULL);
    feed(reader, (struct slice){header, sizeof(header)});
    for (size_t fed = 0; fed + sizeof(chunk) <= FRAME_PREFIX; fed += sizeof(chunk)) {
        feed(reader, (struct slice){chunk, sizeof(chunk)});
        CHECK_INT(frame_next(reader).kind, FRAME_NONE);
    }
    feed(reader, (struct slice){chunk, sizeof(chunk)});
    frame = frame_next(reader);
    CHECK_INT(frame.kind, FRAME_BEGIN);
    CHECK_INT(frame.body.len, FRAME_PREFIX);
    CHECK_INT(frame.left, left);
    while ((frame = frame_next(reader)).kind == FRAME_MORE) {
        CHECK_INT(frame.type, 'd');
        left -= frame.body.len;
        CHECK_INT(frame.left, left);
    }
    frame_reader_free(reader);
}

static void impossible_lengths(void)
{
    static const struct {
        struct slice header;
        enum frame_kind kind;
    } cases[] = {
        {LITERAL("R\0\0\0\0"), FRAME_BAD},
        {LITERAL("R\0\0\0\3"), FRAME_BAD},
        {LITERAL("R\0\0\0\4"), FRAME_BEGIN},
        {LITERAL("R\0\0\0\5"), FRAME_NONE},
        {LITERAL("R\x7f\xff\xff\xff"), FRAME_NONE},
        {LITERAL("R\x80\0\0\0"), FRAME_BAD},
        {LITERAL("R\xff\xff\xff\xff"), FRAME_BAD},
        {LITERAL("HTTP/1.1"), FRAME_NONE}, /* "TTP/": 1.4 GB, which is possible */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct frame_reader *reader = frame_reader_new();

        REQUIRE(reader != NULL);
        CASE("case %zu", i);
        feed(reader, cases[i].header);
        CHECK_INT(frame_next(reader).kind, cases[i].kind);
        frame_reader_free(reader);
    }
}

/* The pieces of a long body stand where the socket has put them. */
static void pieces_are_not_copied(void)
{
    struct frame_reader *reader = frame_reader_new();
    size_t left = (size_t)1 << 30, cap;
    struct frame frame;
    char *space;

    REQUIRE(reader != NULL);
    space = frame_space(reader, &cap);
    memset(space, 0, cap);
    memcpy(space, "d\x40\0\0\4", 5); /* 1 GB */
    frame_filled(reader, cap);
    CHECK_INT(frame_next(reader).kind, FRAME_BEGIN);
    left -= cap - 5;
    while (left > 0) {
        frame_next(reader);
        CHECK_INT(frame_next(reader).kind, FRAME_NONE);
        space = frame_space(reader, &cap);
        CHECK_INT(cap, FRAME_BUFFER);
        cap = cap < left ? cap : left;
        frame_filled(reader, cap);
        left -= cap;
        frame = frame_next(reader);
        REQUIRE(frame.kind == FRAME_MORE && frame.body.data == space);
        CHECK_INT(frame.body.len, cap);
        CHECK_INT(frame.left, left);
    }
    frame_reader_free(reader);
}

static void bad_stays_bad(void)
{
    struct frame_reader *reader = frame_reader_new();

    REQUIRE(reader != NULL);
    feed(reader, BYTES("Z\0\0\0\5IR\0\0\0\0"));
    CHECK_INT(frame_next(reader).kind, FRAME_BEGIN);
    CHECK_INT(frame_next(reader).kind, FRAME_BAD);
    CHECK_INT(frame_next(reader).kind, FRAME_BAD);
    feed(reader, BYTES("Z\0\0\0\5I"));
    CHECK_INT(frame_next(reader).kind, FRAME_BAD);
    frame_reader_free(reader);
}

/* Until the server has proved itself, what it may send is short. */
static void limit_of_its_owner(void)
{
    struct frame_reader *reader = frame_reader_new();

    REQUIRE(reader != NULL);
    frame_limit(reader, 3);
    feed(reader, BYTES("d\0\0\0\7abc"));
    CHECK_INT(frame_next(reader).kind, FRAME_BEGIN);
    frame_limit(reader, FRAME_BODY_MAX);
    feed(reader, BYTES("d\0\0\0\10abcd"));
    CHECK_INT(frame_next(reader).kind, FRAME_BEGIN);
    frame_limit(reader, 3);
    feed(reader, BYTES("d\0\0\0\10"));
    CHECK_INT(frame_next(reader).kind, FRAME_BAD);
    frame_limit(reader, FRAME_BODY_MAX);
    CHECK_INT(frame_next(reader).kind, FRAME_BAD); /* the limit that it broke was in force */
    frame_reader_free(reader);
}

static const struct check_test tests[] = {
    {"a sequence of messages comes out alike when split at any byte", split_everywhere},
    {"… and when it comes byte by byte", byte_by_byte},
    {"bodies around and far beyond the buffers add up to exactly themselves", bodies_of_every_size},
    {"a long body begins with its whole prefix and counts down what is left",
     long_body_begins_with_its_prefix},
    {"the rest of 1 GB is handed out where it was read", pieces_are_not_copied},
    {"lengths below 4 and above an int32 are refused", impossible_lengths},
    {"its owner may allow less", limit_of_its_owner},
    {"an error sticks", bad_stays_bad},
};

CHECK_MAIN(tests)
