/* The doctor without a server: signs of platforms, and the report. */
#include <cjson/cJSON.h>
#include <string.h>

#include "doctor/report.h"
#include "server/platform.h"

#include "check.h"

static void signs(void)
{
    static const struct {
        const char *sign;
        enum platform platform;
    } cases[] = {
        {"role rds_superuser", PLATFORM_RDS},
        {"setting rds.extensions", PLATFORM_RDS},
        {"function aurora_version", PLATFORM_AURORA},
        {"role azure_pg_admin", PLATFORM_AZURE},
        {"setting cloudsql.iam_authentication", PLATFORM_CLOUD_SQL},
        {"role supabase_admin", PLATFORM_SUPABASE},
        {"setting neon.tenant_id", PLATFORM_NEON},
        {"archive /controller/manager wal-archive %p", PLATFORM_CLOUDNATIVEPG},
        {"archive cp %p /backup", PLATFORM_PLAIN},
        {"", PLATFORM_PLAIN},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CASE("%s", cases[i].sign);
        CHECK_INT(platform_of_sign(cases[i].sign), cases[i].platform);
    }
}

static void hosts(void)
{
    CHECK_INT(platform_of_host("db.x1.eu-west-1.rds.amazonaws.com"), PLATFORM_RDS);
    CHECK_INT(platform_of_host("db.POSTGRES.database.azure.com"), PLATFORM_AZURE);
    CHECK_INT(platform_of_host("ep-x.eu.aws.neon.tech"), PLATFORM_NEON);
    CHECK_INT(platform_of_host("rds.amazonaws.com.example"), PLATFORM_PLAIN);
    CHECK_INT(platform_of_host(".neon.tech"), PLATFORM_PLAIN);
    CHECK_INT(platform_of_host(""), PLATFORM_PLAIN);
    CHECK_INT(platform_join(PLATFORM_RDS, PLATFORM_AURORA), PLATFORM_AURORA);
    CHECK_INT(platform_join(PLATFORM_PLAIN, PLATFORM_NEON), PLATFORM_NEON);
    CHECK_INT(platform_join(PLATFORM_NEON, PLATFORM_PLAIN), PLATFORM_NEON);
}

static void fixes(void)
{
    static const struct {
        enum platform platform;
        const char *name, *value, *fix;
    } cases[] = {
        {PLATFORM_PLAIN, "wal_level", "logical",
         "ALTER SYSTEM SET wal_level = logical; -- then restart the server"},
        {PLATFORM_RDS, "wal_level", "logical",
         "Set wal_level = logical as pgnudge-setup(7) says for Amazon RDS, and restart the "
         "server."},
    };
    struct buffer fix = {0};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CASE("%s", cases[i].fix);
        buffer_clear(&fix);
        platform_fix(cases[i].platform, cases[i].name, cases[i].value, &fix);
        CHECK_BUFFER(fix, cases[i].fix);
    }
    for (int i = 0; i < PLATFORMS; i++) {
        CASE("%s", platform_name((enum platform)i));
        buffer_clear(&fix);
        platform_fix((enum platform)i, "max_wal_senders", "10", &fix);
        buffer_byte(&fix, '\0');
        CHECK(strstr(fix.data, "max_wal_senders = 10") != NULL);
        CHECK(strstr(fix.data, "(null)") == NULL);
    }
    buffer_free(&fix);
}

static void fill(struct report *report)
{
    struct error error;

    report_check(report, CHECK_OK, "one", "%s", "found\n\033[1m\xff");
    report_check(report, CHECK_WARN, "table a\tb", "x");
    report_fix(report, "first");
    report_fix(report, "second");
    error_set(&error, ERROR_PERMANENT, "message");
    error_detail(&error, "detail");
    report_error(report, CHECK_FAIL, "three", &error, "fallback");
    error_hint(&error, "hint\nanother");
    report_error(report, CHECK_FAIL, "four", &error, "fallback");
    report_plugin(report, NULL, "why");
    report_option(report, "--option", "because");
    report_end(report);
}

#define FAILURES                                                                                   \
    "FAIL  three: message; detail\n      fallback\n"                                               \
    "FAIL  four: message; detail\n      hint\n      another\n"
#define FILLED                                                                                     \
    "ok    one: found ?[1m?\nwarn  table a b: x\n      first\n      second\n" FAILURES             \
    "use   no plugin: why\nuse   --option: because\n"

static void lines(void)
{
    struct report *report = report_new(REPORT_LINES);

    REQUIRE(report != NULL);
    fill(report);
    CHECK_BUFFER(*report_text(report), FILLED "result: NOT READY, 2 checks failed\n");
    CHECK_INT(report_count(report, CHECK_FAIL), 2);
    CHECK_INT(report_count(report, CHECK_OK), 1);
    report_free(report);
}

static void again_on_a_terminal(void)
{
    struct report *report = report_new(REPORT_TERMINAL);

    REQUIRE(report != NULL);
    fill(report);
    CHECK_BUFFER(*report_text(report), FILLED FAILURES "result: NOT READY, 2 checks failed\n");
    report_free(report);
}

static void document(void)
{
    struct report *report = report_new(REPORT_JSON);
    struct buffer *text;
    cJSON *json, *checks;
    cJSON *expected = cJSON_Parse("{\"check\":\"table\",\"object\":\"a b\",\"status\":\"warn\","
                                  "\"text\":\"x\",\"fixes\":[\"first\",\"second\"]}");

    REQUIRE(report != NULL);
    text = report_text(report);
    fill(report);
    buffer_byte(text, '\0');
    json = cJSON_Parse(text->data);
    buffer_clear(text);
    report_free(report);
    REQUIRE(json != NULL);
    checks = cJSON_GetObjectItem(json, "checks");
    CHECK(cJSON_Compare(cJSON_GetArrayItem(checks, 1), expected, true));
    CHECK_INT(cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetArrayItem(checks, 0), "fixes")), 0);
    CHECK(cJSON_IsFalse(cJSON_GetObjectItem(json, "ready")));
    CHECK(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "plugin"), "use")));
    cJSON_Delete(expected);
    cJSON_Delete(json);
}

static const struct check_test tests[] = {
    {"signs tell the platform", signs},
    {"so do hosts' names", hosts},
    {"each has its own way to change a setting", fixes},
    {"the report as lines, fit for a terminal", lines},
    {"… where failures come again at the end", again_on_a_terminal},
    {"the report as a document", document},
};

CHECK_MAIN(tests)
