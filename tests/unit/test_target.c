/* target_session_attrs: what a server must say of itself. */
#include "conninfo/target.h"

#include "check.h"

static void names(void)
{
    static const struct {
        const char *name;
        enum target target;
    } cases[] = {
        {"any", TARGET_ANY},         {"read-write", TARGET_READ_WRITE},
        {"standby", TARGET_STANDBY}, {"read-only", TARGET_READ_ONLY},
        {"primary", TARGET_PRIMARY}, {"prefer-standby", TARGET_PREFER_STANDBY},
    };
    enum target target;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CASE("%s", cases[i].name);
        CHECK(target_parse(cases[i].name, &target));
        CHECK_INT(target, cases[i].target);
    }
    CHECK(!target_parse("", &target) && !target_parse("Any", &target));
    CHECK(!target_parse("master", &target) && !target_parse("any,any", &target));
}

/* Each target, against what servers of each kind report. */
static void judged_by_reports(void)
{
    static const struct {
        const char *standby, *read_only;
        enum target_verdict verdict[TARGET_PREFER_STANDBY + 1]; /* in the order of the enum */
    } cases[] = {
#define YES TARGET_FITS
#define NO  TARGET_UNFIT
#define ASK TARGET_UNKNOWN
        {"off", "off", {YES, YES, NO, YES, NO, NO}}, {"off", "on", {YES, NO, YES, YES, NO, NO}},
        {"on", "off", {YES, NO, YES, NO, YES, YES}}, {"on", "on", {YES, NO, YES, NO, YES, YES}},
        {"", "", {YES, ASK, ASK, ASK, ASK, ASK}},    {"", "on", {YES, ASK, ASK, ASK, ASK, ASK}},
        {"on", "", {YES, ASK, ASK, NO, YES, YES}},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int target = TARGET_ANY; target <= TARGET_PREFER_STANDBY; target++) {
            struct error error = {0};

            CASE("%s, %s: %d", cases[i].standby, cases[i].read_only, target);
            CHECK_INT(
                target_judge((enum target)target, cases[i].standby, cases[i].read_only, &error),
                cases[i].verdict[target]);
            CHECK_INT(error.kind, cases[i].verdict[target] == NO ? ERROR_TRANSIENT : ERROR_NONE);
        }
    }
}

static void judged_by_answers(void)
{
    static const struct {
        enum target target;
        const char *question, *fits, *unfit, *why;
    } cases[] = {
        {TARGET_READ_WRITE, "SHOW transaction_read_only", "off", "on", "session is read-only"},
        {TARGET_READ_ONLY, "SHOW transaction_read_only", "on", "off", "session is not read-only"},
        {TARGET_PRIMARY, "SELECT pg_catalog.pg_is_in_recovery()", "f", "t",
         "server is in hot standby mode"},
        {TARGET_STANDBY, "SELECT pg_catalog.pg_is_in_recovery()", "t", "f",
         "server is not in hot standby mode"},
    };

    CHECK(target_question(TARGET_ANY) == NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};

        CASE("%d", (int)cases[i].target);
        CHECK_TEXT(target_question(cases[i].target), cases[i].question);
        CHECK_INT(target_answered(cases[i].target, slice_of(cases[i].fits), &error), TARGET_FITS);
        CHECK_INT(target_answered(cases[i].target, slice_of(cases[i].unfit), &error), TARGET_UNFIT);
        CHECK_TEXT(error.message, cases[i].why);
    }
}

static const struct check_test tests[] = {
    {"the names of libpq", names},
    {"by what the server reports at the login", judged_by_reports},
    {"by its answer where it reports nothing", judged_by_answers},
};

CHECK_MAIN(tests)
