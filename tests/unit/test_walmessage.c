#include "repl/walmessage.h"

#include "check.h"

#define LSN_BYTES "\x00\x00\x00\x01\x02\x03\x04\x05" /* 1/2030405 */
#define LSN       UINT64_C(0x102030405)
#define TIME      "\x00\x02\xf1\x11\x22\x33\x44\x55"

static void xlogdata(void)
{
    struct slice body = BYTES("w" LSN_BYTES "\xff\xff\xff\xff\xff\xff\xff\xff" TIME "BEGIN 7");
    struct wal_message message;

    REQUIRE(wal_message_read(body, &message));
    CHECK_INT(message.kind, WAL_DATA);
    CHECK_INT(message.lsn, LSN);
    CHECK_SLICE(message.payload, slice_of("BEGIN 7"));
    body.len = 25; /* a header alone: an empty payload */
    REQUIRE(wal_message_read(body, &message));
    CHECK_INT(message.payload.len, 0);
}

static void keepalive(void)
{
    static const struct slice cases[] = {
        LITERAL("k" LSN_BYTES TIME "\0"),
        LITERAL("k" LSN_BYTES TIME "\1"),
        LITERAL("k" LSN_BYTES TIME "\1more"),
    };
    struct wal_message message;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CASE("case %zu", i);
        CHECK(wal_message_read(cases[i], &message));
        CHECK_INT(message.kind, WAL_KEEPALIVE);
        CHECK_INT(message.lsn, LSN);
        CHECK_INT(message.payload.len, 0);
        CHECK_INT(message.reply_requested, i > 0);
    }
}

static void cut_anywhere(void)
{
    struct slice data = BYTES("w" LSN_BYTES LSN_BYTES TIME);
    struct slice alive = BYTES("k" LSN_BYTES TIME "\1");
    struct wal_message message;

    for (size_t len = 0; len < data.len; len++) {
        CASE("XLogData of %zu", len);
        CHECK(!wal_message_read((struct slice){data.data, len}, &message));
    }
    for (size_t len = 0; len < alive.len; len++) {
        CASE("keepalive of %zu", len);
        CHECK(!wal_message_read((struct slice){alive.data, len}, &message));
    }
}

static void another_kind(void)
{
    struct wal_message message;

    REQUIRE(wal_message_read(BYTES("z" LSN_BYTES), &message));
    CHECK_INT(message.kind, WAL_UNKNOWN);
    CHECK_INT(message.lsn, 0); /* nothing to acknowledge */
}

static void status(void)
{
    struct standby_status status = {
        .written = LSN,
        .flushed = 2,
        .applied = UINT64_C(0xf000000000000003),
        .wall_us = INT64_C(946684800000000) + 0x10203, /* 2000-01-01 and a bit */
        .reply_requested = true,
    };
    struct buffer out = {0};

    buffer_text(&out, "before");
    standby_status_write(&out, &status);
    CHECK_SLICE(check_content(&out), BYTES("before"
                                           "d\0\0\0\x26"
                                           "r" LSN_BYTES "\0\0\0\0\0\0\0\2"
                                           "\xf0\0\0\0\0\0\0\3"
                                           "\0\0\0\0\0\1\2\3"
                                           "\1"));
    buffer_clear(&out);
    status.reply_requested = false;
    standby_status_write(&out, &status);
    CHECK_INT(out.len, 39);
    CHECK_INT(out.data[38], 0);
    buffer_free(&out);
}

static const struct check_test tests[] = {
    {"XLogData: its record's position, and what the plugin wrote", xlogdata},
    {"keepalive, with and without a wish for an answer", keepalive},
    {"one that is cut at any byte is malformed", cut_anywhere},
    {"another kind is neither an error nor a position", another_kind},
    {"a standby status, byte for byte", status},
};

CHECK_MAIN(tests)
