/* LSNs, read and written as the server does. */
#include "wire/lsn.h"

#include "check.h"

static void valid(void)
{
    static const struct {
        const char *text;
        uint64_t lsn;
    } cases[] = {
        {"0/0", 0},
        {"0/16B3748", 0x16B3748},
        {"16/B374D848", 0x16B374D848},
        {"1/0", 0x100000000},
        {"FFFFFFFF/FFFFFFFF", UINT64_MAX},
        {"ABCDEF01/23456789", 0xABCDEF0123456789},
        {"0/FFFFFFFF", 0xFFFFFFFF},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[40];
        uint64_t lsn = 42;

        CASE("%s", cases[i].text);
        CHECK(lsn_read(slice_of(cases[i].text), &lsn));
        CHECK(lsn == cases[i].lsn);
        snprintf(text, sizeof(text), LSN_FORMAT, LSN_HALVES(lsn));
        CHECK_TEXT(text, cases[i].text);
    }
}

static void leading_zeros(void)
{
    uint64_t lsn = 0;

    CHECK(lsn_read(slice_of("00000000/016B3748"), &lsn));
    CHECK_INT(lsn, 0x16B3748);
}

static void invalid(void)
{
    static const struct slice cases[] = {
        LITERAL(""),
        LITERAL("/"),
        LITERAL("0"),
        LITERAL("0/"),
        LITERAL("/0"),
        LITERAL("0/0/0"),
        LITERAL("0//0"),
        LITERAL(" 0/0"),
        LITERAL("0/0 "),
        LITERAL("0/0\n"),
        LITERAL("0/G"),
        LITERAL("-1/0"),
        LITERAL("+1/0"),
        LITERAL("0x1/0"),
        LITERAL("0/0\0"),
        LITERAL("123456789/0"),
        LITERAL("0/123456789"),
        LITERAL("0/00000000000000000000"),
        LITERAL("16-B374D848"),
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t lsn;

        CASE("\"%.*s\"", (int)cases[i].len, cases[i].data);
        CHECK(!lsn_read(cases[i], &lsn));
    }
}

/* It must not read on behind the slice. */
static void bounded(void)
{
    uint64_t lsn = 0;

    CHECK(lsn_read((struct slice){"1/23456", 3}, &lsn));
    CHECK_INT(lsn, 0x100000002);
    CHECK(!lsn_read((struct slice){"1/2", 2}, &lsn));
    CHECK(!lsn_read((struct slice){"1/2", 1}, &lsn));
}

static const struct check_test tests[] = {
    {"what the server writes comes back the same", valid},
    {"leading zeros are fine", leading_zeros},
    {"anything else is none", invalid},
    {"only the slice counts", bounded},
};

CHECK_MAIN(tests)
