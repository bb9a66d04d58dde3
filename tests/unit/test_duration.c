#include "cli/duration.h"

#include <stdlib.h>

#include "check.h"

static void accepted(void)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"0", 0},
        {"0ms", 0},
        {"0.0h", 0},
        {"1", 1000000},
        {"1us", 1},
        {"1ms", 1000},
        {"1s", 1000000},
        {"1min", 60000000},
        {"1h", INT64_C(3600000000)},
        {"1m", 60000000},
        {"1.5m", 90000000},
        {"1d", INT64_C(86400000000)},
        {"0.5d", INT64_C(43200000000)},
        {"366d", DURATION_MAX_US},
        {"50ms", 50000},
        {"0.05", 50000},
        {".5s", 500000},
        {"5.s", 5000000},
        {"1.5ms", 1500},
        {"0.001ms", 1},
        {"0.1", 100000}, /* not 99 999: binary fractions are rounded, not cut */
        {"0.3", 300000},
        {"1.1min", 66000000},
        {"0.29", 290000},
        {"007", 7000000},
        {"8783h", INT64_C(31618800000000)},
        {"8784h", DURATION_MAX_US},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t us = -1;

        CASE("%s", cases[i].text);
        CHECK(duration_parse(cases[i].text, &us));
        CHECK_INT(us, cases[i].us);
    }
}

static void refused(void)
{
    static const char *const cases[] = {
        /* no number */
        "", " ", "s", "ms", ".", ".s", "..", "x", "one",
        /* signs */
        "-1", "-1s", "+1", "-0", "- 1",
        /* strtod's other forms */
        "1e3", "1E3", "1e", "1e-3s", "0x10", "0x1p4", "inf", "infinity", "nan", "nan(1)",
        /* not quite a number */
        "1.2.3s", "1..2", "1,5", "1_000", "1'000", "\xd9\xa1",
        /* units */
        "1 day", "1days", "1D", "1M", "1sec", "1S", "1MS", "1 x", "1ss", "1ms1s", "1h30min", "1s ",
        "1sx", "1%",
        /* out of range */
        "8785h", "367d", "31622401s", "9999999999999999", "99999999999999999999h", "0.1us",
        "0.0000001", "0.5us", "0.0000000000000000001ms"};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t us = -1;

        CASE("\"%s\"", cases[i]);
        CHECK(!duration_parse(cases[i], &us));
        CHECK_INT(us, -1);
    }
}

/* strtod makes infinity of it. */
static void number_without_end(void)
{
    char *text = malloc(2001);
    int64_t us = -1;

    REQUIRE(text != NULL);
    memset(text, '9', 2000);
    text[2000] = '\0';
    CHECK(!duration_parse(text, &us));
    memset(text, '0', 1999);
    text[1999] = '1';
    CHECK(duration_parse(text, &us));
    CHECK_INT(us, 1000000);
    free(text);
}

static const struct check_test tests[] = {
    {"a number with a unit or without, fractions too", accepted},
    {"everything else is none", refused},
    {"2000 digits", number_without_end},
};

CHECK_MAIN(tests)
