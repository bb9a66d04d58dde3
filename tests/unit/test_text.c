/* The forms of RFC 3629, and what replaces the rest. */
#include "base/text.h"

#include "check.h"

static void lengths(void)
{
    static const struct {
        struct slice bytes;
        size_t len;
    } cases[] = {
        {LITERAL(""), 0},
        {LITERAL("a"), 1},
        {LITERAL("\0"), 1},
        {LITERAL("\x7f"), 1},
        {LITERAL("\xc3\xa4"), 2},         /* U+00E4 */
        {LITERAL("\xc2\x80"), 2},         /* the first of two bytes */
        {LITERAL("\xdf\xbf"), 2},         /* the last */
        {LITERAL("\xe0\xa0\x80"), 3},     /* the first of three */
        {LITERAL("\xed\x9f\xbf"), 3},     /* the last before the surrogates */
        {LITERAL("\xee\x80\x80"), 3},     /* the first behind them */
        {LITERAL("\xef\xbf\xbf"), 3},     /* the last */
        {LITERAL("\xf0\x90\x80\x80"), 4}, /* the first of four */
        {LITERAL("\xf4\x8f\xbf\xbf"), 4}, /* the last there is */
        {LITERAL("\x80"), 0},             /* a continuation alone */
        {LITERAL("\xbf"), 0},
        {LITERAL("\xc0\x80"), 0}, /* overlong */
        {LITERAL("\xc1\xbf"), 0},
        {LITERAL("\xe0\x9f\xbf"), 0},
        {LITERAL("\xf0\x8f\xbf\xbf"), 0},
        {LITERAL("\xed\xa0\x80"), 0}, /* surrogates */
        {LITERAL("\xed\xbf\xbf"), 0},
        {LITERAL("\xf4\x90\x80\x80"), 0}, /* beyond U+10FFFF */
        {LITERAL("\xf5\x80\x80\x80"), 0},
        {LITERAL("\xff"), 0},
        {LITERAL("\xc3"), 0}, /* cut */
        {LITERAL("\xe2\x82"), 0},
        {LITERAL("\xf0\x9f\x90"), 0},
        {LITERAL("\xc3("), 0}, /* no continuation */
        {LITERAL("\xe2(\xa1"), 0},
        {LITERAL("\xe2\x82("), 0},
        {LITERAL("\xf0\x9f\x90("), 0},
        {LITERAL("\xc3\xa4z"), 2}, /* only the first sequence counts */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CASE("case %zu", i);
        CHECK_INT(utf8_sequence(cases[i].bytes), cases[i].len);
    }
}

/* Independent of the code under test: encode every code point, then decode none of the others. */
static void every_code_point(void)
{
    for (uint32_t c = 0x80; c < 0x110000; c++) {
        char bytes[4];
        size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        bool surrogate = c >= 0xd800 && c < 0xe000;

        for (size_t i = 1; i < len; i++) {
            bytes[i] = (char)(0x80 | (c >> (6 * (len - 1 - i)) & 0x3f));
        }
        bytes[0] = (char)((0xf00u >> len & 0xf0) | c >> (6 * (len - 1)));
        if (utf8_sequence((struct slice){bytes, len}) != (surrogate ? 0 : len)) {
            CASE("U+%04X", (unsigned)c);
            CHECK_INT(utf8_sequence((struct slice){bytes, len}), surrogate ? 0 : len);
        }
    }
}

static void replacement(void)
{
    static const struct {
        struct slice bytes;
        const char *text;
    } cases[] = {
        {LITERAL(""), ""},
        {LITERAL("plain"), "plain"},
        {LITERAL("Tr\xc3\xa4nen \xf0\x9f\x90\x98"), "Tr\xc3\xa4nen \xf0\x9f\x90\x98"},
        {LITERAL("Tr\xe4nen"), "Tr\xef\xbf\xbdnen"}, /* Latin-1 */
        {LITERAL("\xff\xfe"), "\xef\xbf\xbd\xef\xbf\xbd"},
        {LITERAL("a\xed\xa0\x80z"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"},
        {LITERAL("cut \xe2\x82"), "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {LITERAL("\xc3\xc3\xa4"), "\xef\xbf\xbd\xc3\xa4"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out = {0};

        CASE("case %zu", i);
        utf8_append(&out, cases[i].bytes);
        CHECK_BUFFER(out, cases[i].text);
        buffer_free(&out);
    }
}

static void slices(void)
{
    CHECK(slice_equal(slice_of("ab"), BYTES("ab")));
    CHECK(!slice_equal(slice_of("ab"), slice_of("abc")));
    CHECK(!slice_equal(slice_of("ab"), slice_of("aB")));
    CHECK(slice_equal((struct slice){NULL, 0}, slice_of("")));
    CHECK(slice_starts(slice_of("table x"), "table "));
    CHECK(!slice_starts(slice_of("tab"), "table "));
    CHECK(slice_starts(slice_of("x"), ""));
}

static void numbers(void)
{
    static const struct {
        struct slice text;
        uint64_t number;
    } valid[] = {
        {LITERAL("0"), 0},
        {LITERAL("7"), 7},
        {LITERAL("0042"), 42},
        {LITERAL("4294967295"), UINT32_MAX},
        {LITERAL("4294967296"), (uint64_t)UINT32_MAX + 1},
        {LITERAL("18446744073709551609"), UINT64_MAX - 6},
        {LITERAL("18446744073709551615"), UINT64_MAX},
        {LITERAL("00000000000000000000000018446744073709551615"), UINT64_MAX},
    };
    static const struct slice invalid[] = {
        LITERAL(""),    LITERAL(" 1"),   LITERAL("1 "), LITERAL("-1"), LITERAL("+1"),
        LITERAL("0x1"), LITERAL("1.0"),  LITERAL("a"),  LITERAL("1a"), LITERAL("1\0"),
        LITERAL(":"),   LITERAL("\xb2"), LITERAL("/"),
    };
    static const struct slice too_large[] = {
        LITERAL("18446744073709551616"), LITERAL("18446744073709551620"),
        LITERAL("18446744073709551700"), LITERAL("20000000000000000000"),
        LITERAL("99999999999999999999"), LITERAL("184467440737095516150"),
        LITERAL("36893488147419103232"), /* 2^65: it must not wrap to 0 */
    };
    uint64_t number;

    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        CASE("%s", valid[i].text.data);
        CHECK(slice_number(valid[i].text, &number) && number == valid[i].number);
    }
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        CASE("\"%s\"", invalid[i].data);
        CHECK(!slice_number(invalid[i], &number));
    }
    for (size_t i = 0; i < COUNT_OF(too_large); i++) {
        CASE("%s", too_large[i].data);
        CHECK(!slice_number(too_large[i], &number));
    }
    check_state.context[0] = '\0';
    CHECK(slice_number((struct slice){"123456", 3}, &number));
    CHECK_INT(number, 123);
    CHECK(!slice_number((struct slice){NULL, 0}, &number));
}

static void disarmed(void)
{
    char text[] = "a\033[1m\nb\tc\177d\xc2\x9b"
                  "e\xff\xc3\xa4\xc2\xa0";

    utf8_disarm(text);
    CHECK_TEXT(text, "a?[1m b c?d??e?\xc3\xa4\xc2\xa0");
}

static const struct check_test tests[] = {
    {"the length of the sequence in front, or 0 where there is none", lengths},
    {"every code point is valid but for the surrogates", every_code_point},
    {"each byte that isn't UTF-8 becomes U+FFFD", replacement},
    {"control characters and what isn't UTF-8 don't reach a terminal", disarmed},
    {"slices: equal, starts, ends", slices},
    {"whole decimal numbers up to 2^64 - 1, and nothing else", numbers},
};

CHECK_MAIN(tests)
