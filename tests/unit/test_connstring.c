/* Connection strings: parameters in their order, where errors are, and that none shows a secret. */
#include "conninfo/connstring.h"

#include <stdlib.h>

#include "check.h"

/* What came, as `keyword@position=value;`, the position only where asked for. */
struct collected {
    char text[2000];
    bool positions;
};

static bool collect(void *context, const struct connstring_item *item, struct error *error)
{
    struct collected *collected = context;
    size_t len = strlen(collected->text);
    char position[32] = "";

    (void)error;
    if (collected->positions) {
        snprintf(position, sizeof(position), "@%zu", item->position);
    }
    snprintf(collected->text + len, sizeof(collected->text) - len, "%s%s=%s;", item->keyword,
             position, item->value);
    return true;
}

/* tests/conninfo.bats compares many more with libpq; here is what it can't see. */
static void in_order(void)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"host=a host='b' port=1", "host=a;host=b;port=1;"},
        {"host\t=\n'a\\\\b\\'c'port=1", "host=a\\b'c;port=1;"},
        {"dbname=a\\", "dbname=a;"},
        {"nonsense=1", "nonsense=1;"},
        {"requiressl=1 requiressl=", "sslmode=require;sslmode=prefer;"},
        {"postgresql://", ""},
        {"postgres://u:p@h:1/d?a=b&c=d", "user=u;password=p;host=h;port=1;dbname=d;a=b;c=d;"},
        {"postgresql://[::1],b:2,[::3]:4?host=c", "host=::1,b,::3;port=,2,4;host=c;"},
        {"postgresql://%2ftmp%2C/?%61=%3D%26", "host=/tmp,;a==&;"},
        {"postgresql://a@@b/?ssl=true&ssl=x", "user=a;host=@b;sslmode=require;ssl=x;"},
        /* libpq's from 17 on */
        {"postgresql:// u : p @ h : 1 / d ? a = b ",
         "user=u;password=p;host=h;port=1;dbname=d;a=b;"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct collected collected = {.text = ""};
        struct error error;

        CASE("%s", cases[i].text);
        CHECK(connstring_parse(cases[i].text, collect, &collected, &error));
        CHECK_TEXT(collected.text, cases[i].expected);
    }
}

static void positions(void)
{
    struct collected collected = {.text = "", .positions = true};
    struct error error;

    CHECK(connstring_parse(" host=a  port =1", collect, &collected, &error));
    CHECK(connstring_parse("postgres://u@h/d?a=b&c=d", collect, &collected, &error));
    CHECK_TEXT(collected.text, "host@2=a;port@10=1;user@12=u;host@14=h;dbname@16=d;a@18=b;c@22=d;");
}

static void refused(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"host", "missing \"=\" after a parameter's name at position 1, in \"host\""},
        {"host=a port", "missing \"=\" after a parameter's name at position 8, in \"port\""},
        {"host='a b", "unterminated quoted value at position 6, in \"'a b\""},
        {"dbname=x password=a b", "missing \"=\" after a parameter's name at position 21"},
        {"a='0123456789012345678901234567890123456789012",
         "unterminated quoted value at position 3, in "
         "\"'012345678901234567890123456789012345678\""},
        {"postgresql://[::1", "missing \"]\" after an IPv6 address at position 14, in \"[::1\""},
        {"postgresql://[]", "empty IPv6 address at position 14, in \"[]\""},
        {"postgresql://[::1]x",
         "unexpected character after an IPv6 address at position 19, in \"x\""},
        {"postgresql://h?a", "missing \"=\" in a parameter at position 16, in \"a\""},
        {"postgresql://u:p@h?a", "missing \"=\" in a parameter at position 20, in \"a\""},
        {"postgresql://u:p@h?a@b", "missing \"=\" in a parameter at position 20"},
        {"postgresql://h?a=b=c", "a second \"=\" in a parameter at position 16, in \"a=b=c\""},
        {"postgresql://h/%zz", "\"%\" without two hexadecimal digits after it at position 16"},
        {"postgresql://h/%0", "\"%\" without two hexadecimal digits after it at position 16"},
        {"postgresql://h/a%00", "forbidden value %00 at position 17"},
        {"postgresql://h/a b", "unexpected space, which is written %20 in a URI, at position 17"},
        {"postgresql://u:p@w@h", "a second \"@\" at position 19"},
        {"postgresql://u:p/w@h", "what should be a port and is no number at position 16"},
        {"host=a;password=x",
         "a \"password=\" inside the value of another parameter at position 1"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct collected collected = {.text = ""};
        struct error error = {0};

        CASE("%s", cases[i].text);
        CHECK(!connstring_parse(cases[i].text, collect, &collected, &error));
        CHECK_INT(error.kind, ERROR_PERMANENT);
        REQUIRE(strncmp(error.message, "invalid connection string: ", 27) == 0);
        CHECK_TEXT(error.message + 27, cases[i].message);
    }
}

static bool refuse(void *context, const struct connstring_item *item, struct error *error)
{
    (void)context;
    return error_set(error, ERROR_PERMANENT, "not %s", item->keyword);
}

static void the_callback_ends_it(void)
{
    struct error error;

    CHECK(!connstring_parse("a=1 b", refuse, NULL, &error));
    CHECK_TEXT(error.message, "not a");
    CHECK(!connstring_parse("postgresql://h?b", refuse, NULL, &error));
    CHECK_TEXT(error.message, "not host");
}

static void longest(void)
{
    char *text = malloc(CONNSTRING_MAX + 2);
    struct collected collected = {.text = ""};
    struct error error;

    REQUIRE(text != NULL);
    memset(text, 'a', CONNSTRING_MAX + 1);
    memcpy(text, "host=", 5);
    text[CONNSTRING_MAX + 1] = '\0';
    CHECK(!connstring_parse(text, collect, &collected, &error));
    CHECK(strstr(error.message, "longer than 16384 bytes") != NULL);
    text[CONNSTRING_MAX] = '\0';
    CHECK(connstring_parse(text, collect, &collected, &error));
    memset(text, ',', CONNSTRING_MAX);
    memcpy(text, "postgresql://", 13);
    CHECK(connstring_parse(text, collect, &collected, &error));
    free(text);
}

static void recognized(void)
{
    static const char *const strings[] = {"a=b", "=", "postgresql://", "postgres://x"};
    static const char *const names[] = {"", "shop", "postgresql:/"};

    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        CHECK(connstring_recognize(strings[i]));
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CHECK(!connstring_recognize(names[i]));
    }
}

static void secrets_are_hidden(void)
{
    static const struct {
        const char *text, *hidden;
    } cases[] = {
        {"host=a password=bcd port=1", "host=a password=*** port=1"},
        {"password='b\\'d' sslpassword = x", "password=****** sslpassword = *"},
        {"host=password passfile=/x", "host=password passfile=/x"},
        {"postgresql://u:p%40w@h/d?sslpassword=x&%70assword=yz",
         "postgresql://u:*****@h/d?sslpassword=*&%70assword=**"},
        {"password=a nonsense", "password=* nonsense"},
        {"postgress://u:se@h/d?sslmode=require", "postgress://************************"},
        {"mysql://u:se@h/d", "mysql://********"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[100];

        CASE("%s", cases[i].text);
        strcpy(text, cases[i].text);
        connstring_hide_secrets(text);
        CHECK_TEXT(text, cases[i].hidden);
    }
}

/* A slip in the scheme: neither a database's name nor keywords, and nothing of it is shown. */
static void other_schemes(void)
{
    static const char *const texts[] = {"postgress://u:sesame@h/d?sslmode=require",
                                        "postgresq://u:sesame@h/d", "://sesame", "sesame://x=y"};
    struct error error;

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        CASE("%s", texts[i]);
        CHECK(connstring_recognize(texts[i]));
        CHECK(!connstring_parse(texts[i], NULL, NULL, &error));
        CHECK(strstr(error.message, "sesame") == NULL && error.detail[0] == '\0');
        CHECK(strstr(error.message, "postgresql://") != NULL);
    }
    CHECK(connstring_recognize("application_name=a://b")); /* keywords */
}

/* Whatever it is: no crash (the sanitizers look), and if refused, nothing of the password. */
static void anything(void)
{
    static const char alphabet[] = "aah=='\\ @:/?&%%[],,20Z\t";
    static const char *const heads[] = {"postgresql://", "postgres://u:sesame@", "",
                                        "password=sesame ", "host='x' password = 'sesame"};
    uint64_t seed = 88172645463325252u;
    unsigned good = 0;

    for (int i = 0; i < 200000; i++) {
        const char *head = heads[check_random(&seed) % COUNT_OF(heads)];
        size_t len = strlen(head);
        char text[64];
        struct collected collected = {.text = ""};
        struct error error = {0};

        strcpy(text, head);
        for (size_t more = check_random(&seed) % 24; more > 0; more--) {
            text[len++] = alphabet[check_random(&seed) % (sizeof(alphabet) - 1)];
        }
        text[len] = '\0';
        if (connstring_parse(text, collect, &collected, &error)) {
            good++;
        } else if (strstr(error.message, "sesame") != NULL ||
                   (strstr(error.message, " at position ") == NULL &&
                    strstr(error.message, "a URI begins with") == NULL)) {
            CASE("%s", text);
            CHECK_TEXT(error.message, "");
        }
    }
    CHECK(good > 1000);
}

static const struct check_test tests[] = {
    {"a URI of another scheme", other_schemes},
    {"parameters come decoded and in order", in_order},
    {"each with its position", positions},
    {"errors say where, and repeat what is no secret", refused},
    {"what takes the parameters may end it", the_callback_ends_it},
    {"strings have a longest length", longest},
    {"what is a connection string, and what a database name", recognized},
    {"secrets are overwritten in place", secrets_are_hidden},
    {"any bytes at all", anything},
};

CHECK_MAIN(tests)
