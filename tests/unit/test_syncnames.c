/* synchronous_standby_names: whom it means. */
#include "server/syncnames.h"

#include "check.h"

static void whom(void)
{
    static const struct {
        const char *names;
        bool matches; /* "pgnudge" */
    } cases[] = {
        {"", false},
        {"pgnudge", true},
        {"a, pgnudge", true},
        {"PgNudge", true},
        {"pgnudge2", false},
        {"my_pgnudge", false},
        {"FIRST 2 (a, pgnudge)", true},
        {"ANY 1 (a, b)", false},
        {"2(a,pgnudge)", true},
        {"\"pgnudge\"", true},
        {"\"pgnudge x\"", false},
        {"\"x, pgnudge\"", false},
        {"*", true},
        {"FIRST 1 (*)", true},
        {"\"a*\"", false},
        {"\"", false},
        {"\"\", pgnudge", true},
        {"\"pgnudge", true},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CASE("%s", cases[i].names);
        CHECK(syncnames_match(cases[i].names, "pgnudge") == cases[i].matches);
    }
    CHECK(!syncnames_match("\"\", a", ""));
}

static const struct check_test tests[] = {
    {"a walsender's name is matched whole and in any case", whom},
};

CHECK_MAIN(tests)
