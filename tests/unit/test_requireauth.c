/* require_auth: what its lists allow, and which are wrong, as libpq has it. */
#include "conninfo/requireauth.h"

#include "check.h"

#define BIT(method) (1U << AUTH_METHOD_##method)

static void lists(void)
{
    static const struct {
        const char *text;
        unsigned allowed;
    } cases[] = {
        {"", AUTH_ANY_METHOD},
        {"password", BIT(PASSWORD)},
        {"md5", BIT(MD5)},
        {"gss", BIT(GSS)},
        {"sspi", BIT(SSPI)},
        {"scram-sha-256", BIT(SCRAM)},
        {"oauth", BIT(OAUTH)},
        {"none", BIT(NONE)},
        {"scram-sha-256,md5", BIT(SCRAM) | BIT(MD5)},
        {"none,scram-sha-256", BIT(NONE) | BIT(SCRAM)},
        {"password,md5,gss,sspi,scram-sha-256,oauth,none", AUTH_ANY_METHOD},
        {"!password", AUTH_ANY_METHOD & ~BIT(PASSWORD)},
        {"!password,!md5", AUTH_ANY_METHOD & ~(BIT(PASSWORD) | BIT(MD5))},
        {"!none", AUTH_ANY_METHOD & ~BIT(NONE)},
        {"!none,!scram-sha-256", AUTH_ANY_METHOD & ~(BIT(NONE) | BIT(SCRAM))},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};
        unsigned allowed = 0;

        CASE("%s", cases[i].text);
        CHECK(requireauth_read(cases[i].text, &allowed, &error));
        CHECK_INT(allowed, cases[i].allowed);
        CHECK_INT(error.kind, ERROR_NONE);
    }
}

static void mistakes(void)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"scram", "require_auth method \"scram\" is unknown"},
        {"MD5", "require_auth method \"…\" is unknown"},
        {"!", "require_auth method \"!\" is unknown"},
        {"!!md5", "require_auth method \"!!md5\" is unknown"},
        {",", "require_auth method \"\" is unknown"},
        {"md5,", "require_auth method \"\" is unknown"},
        {",md5", "require_auth method \"\" is unknown"},
        {"md5, none", "require_auth method \"…\" is unknown"},
        {"md5,md5", "require_auth method \"md5\" is specified more than once"},
        {"none,md5,none", "require_auth method \"none\" is specified more than once"},
        {"!none,!none", "require_auth method \"!none\" is specified more than once"},
        {"!md5,none", "require_auth method \"none\" cannot be mixed with negative methods"},
        {"md5,!none",
         "require_auth method \"!none\" cannot be mixed with methods that are allowed"},
        {"md5,x password=secret", "require_auth method \"…\" is unknown"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "require_auth method \"…\" is unknown"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};
        unsigned allowed;

        CASE("%s", cases[i].text);
        CHECK(!requireauth_read(cases[i].text, &allowed, &error));
        CHECK_TEXT(error.message, cases[i].message);
        CHECK_INT(error.kind, ERROR_PERMANENT);
    }
}

static const struct check_test tests[] = {
    {"lists, and what they allow", lists},
    {"lists that are wrong", mistakes},
};

CHECK_MAIN(tests)
