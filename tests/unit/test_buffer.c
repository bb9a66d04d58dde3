#include "base/buffer.h"

#include "check.h"

static void appends(void)
{
    struct buffer buffer = {0};

    buffer_text(&buffer, "a");
    buffer_byte(&buffer, '\0');
    buffer_append(&buffer, "bcd", 2);
    buffer_format(&buffer, "-%d-%s", 42, "x");
    buffer_append(&buffer, NULL, 0);
    CHECK_SLICE(check_content(&buffer), BYTES("a\0bc-42-x"));
    CHECK(!buffer.failed);
    buffer_free(&buffer);
    CHECK(buffer.data == NULL && buffer.len == 0 && buffer.cap == 0);
}

static void grows(void)
{
    struct buffer buffer = {0};

    for (size_t i = 0; i < 100000; i++) {
        buffer_byte(&buffer, (char)(i % 251));
    }
    REQUIRE(!buffer.failed && buffer.len == 100000);
    for (size_t i = 0; i < buffer.len; i++) {
        if (!CHECK_INT(buffer.data[i], (char)(i % 251))) {
            break;
        }
    }
    buffer_free(&buffer);
}

static void big_endian(void)
{
    struct buffer buffer = {0};

    buffer_be16(&buffer, 0x0102);
    buffer_be32(&buffer, 0xfffefdfc);
    buffer_be64(&buffer, 0x8081828384858687);
    CHECK_SLICE(check_content(&buffer),
                BYTES("\x01\x02\xff\xfe\xfd\xfc\x80\x81\x82\x83\x84\x85\x86\x87"));
    buffer_free(&buffer);
}

/* Writers are called one after the other without a look: none may write behind a failed one. */
static void failure_is_latched(void)
{
    struct buffer buffer = {.limit = 8};

    buffer_text(&buffer, "12345");
    buffer_text(&buffer, "6789");
    CHECK(buffer.failed);
    buffer_text(&buffer, "6");
    buffer_byte(&buffer, '7');
    buffer_be16(&buffer, 8);
    buffer_format(&buffer, "%d", 9);
    CHECK(buffer.failed);
    CHECK_BUFFER(buffer, "12345");
    buffer_clear(&buffer);
    CHECK(!buffer.failed && buffer.len == 0);
    buffer_text(&buffer, "12345678");
    CHECK(!buffer.failed);
    CHECK_BUFFER(buffer, "12345678");
    buffer_byte(&buffer, '9');
    CHECK(buffer.failed);
    buffer_free(&buffer);
    CHECK(!buffer.failed);
}

static void default_limit(void)
{
    static char chunk[1 << 20];
    struct buffer buffer = {0};

    for (size_t i = 0; i < BUFFER_LIMIT / sizeof(chunk); i++) {
        buffer_append(&buffer, chunk, sizeof(chunk));
    }
    CHECK(!buffer.failed);
    CHECK_INT(buffer.len, BUFFER_LIMIT);
    buffer_byte(&buffer, 'x');
    CHECK(buffer.failed);
    buffer_free(&buffer);
}

static void absurd_length(void)
{
    struct buffer buffer = {.limit = SIZE_MAX / 2};

    buffer_text(&buffer, "abc");
    buffer_append(&buffer, "x", SIZE_MAX);
    CHECK(buffer.failed);
    CHECK_BUFFER(buffer, "abc");
    buffer_free(&buffer);
}

static void consumes(void)
{
    struct buffer buffer = {0};

    buffer_consume(&buffer, 5);
    buffer_text(&buffer, "abcdef");
    buffer_consume(&buffer, 0);
    buffer_consume(&buffer, 2);
    CHECK_BUFFER(buffer, "cdef");
    buffer_text(&buffer, "gh");
    CHECK_BUFFER(buffer, "cdefgh");
    buffer_consume(&buffer, 100);
    CHECK_INT(buffer.len, 0);
    buffer_free(&buffer);
}

static void decimals(void)
{
    struct buffer buffer = {0};

    buffer_decimal(&buffer, 0, 1);
    buffer_byte(&buffer, ' ');
    buffer_decimal(&buffer, 42, 6);
    buffer_byte(&buffer, ' ');
    buffer_decimal(&buffer, 1234567, 6);
    buffer_byte(&buffer, ' ');
    buffer_decimal(&buffer, UINT64_MAX, 20);
    CHECK_BUFFER(buffer, "0 000042 1234567 18446744073709551615");
    buffer_free(&buffer);
}

static const struct check_test tests[] = {
    {"decimal numbers", decimals},
    {"everything that is appended is there, NULs too", appends},
    {"it grows", grows},
    {"integers are big-endian", big_endian},
    {"a failure is latched until the buffer is cleared", failure_is_latched},
    {"without a limit of its owner it stops at the default", default_limit},
    {"a length near SIZE_MAX fails instead of wrapping", absurd_length},
    {"consuming takes from the front, at most what is there", consumes},
};

CHECK_MAIN(tests)
