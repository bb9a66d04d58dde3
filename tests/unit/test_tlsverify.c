/* Whose a certificate is. */
#include "tls/tlsverify.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "check.h"

#define ALT_NAMES_MAX 4

/* One alternative name: text, or the bytes of an address. */
struct alt_name {
    int kind; /* GEN_DNS or GEN_IPADD; 0: none */
    struct slice value;
};

#define DNS(text)                                                                                  \
    {                                                                                              \
        GEN_DNS, LITERAL(text)                                                                     \
    }
#define IP(bytes)                                                                                  \
    {                                                                                              \
        GEN_IPADD, LITERAL(bytes)                                                                  \
    }
#define V4 "\x7f\0\0\1"
#define V6 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"

static bool add_names(X509 *cert, const struct alt_name *names)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    bool ok;

    for (size_t i = 0; i < ALT_NAMES_MAX && names[i].kind != 0; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_STRING *string =
            ASN1_STRING_type_new(names[i].kind == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);

        ASN1_STRING_set(string, names[i].value.data, (int)names[i].value.len);
        GENERAL_NAME_set0_value(name, names[i].kind, string);
        sk_GENERAL_NAME_push(list, name);
    }
    ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0) == 1;
    GENERAL_NAMES_free(list);
    return ok;
}

/* Nobody has signed it, which doesn't matter here. */
static X509 *make_cert(struct slice common_name, const struct alt_name *names)
{
    X509 *cert = X509_new();
    bool ok = cert != NULL &&
              (common_name.len == 0 ||
               X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName,
                                          MBSTRING_UTF8, (const unsigned char *)common_name.data,
                                          (int)common_name.len, -1, 0) == 1) &&
              (names[0].kind == 0 || add_names(cert, names));

    if (!ok) {
        X509_free(cert);
        cert = NULL;
    }
    return cert;
}

struct name_case {
    const char *what;
    const char *host;
    struct slice common_name;
    struct alt_name names[ALT_NAMES_MAX];
    const char *message; /* NULL: it is the host's */
};

static void check_case(const struct name_case *c)
{
    X509 *cert = make_cert(c->common_name, c->names);
    struct error error = {0};

    CASE("%s", c->what);
    if (CHECK(cert != NULL)) {
        CHECK_INT(tlsverify_host(cert, c->host, &error), c->message == NULL);
        CHECK_TEXT(error.message, c->message != NULL ? c->message : "");
        CHECK_INT(error.kind, c->message != NULL ? ERROR_PERMANENT : ERROR_NONE);
    }
    X509_free(cert);
}

#define OTHER(name, host) "server certificate for " name " does not match host name \"" host "\""

static void names(void)
{
    static const struct name_case cases[] = {
        {"its name", "db.example", LITERAL(""), {DNS("db.example")}, NULL},
        {"in capitals", "DB.example", LITERAL(""), {DNS("db.EXAMPLE")}, NULL},
        {"the second name", "b", LITERAL(""), {DNS("a"), DNS("b")}, NULL},
        {"another's", "b", LITERAL(""), {DNS("a")}, OTHER("\"a\"", "b")},
        {"a name that begins alike",
         "db.example",
         LITERAL(""),
         {DNS("db.example.com")},
         OTHER("\"db.example.com\"", "db.example")},
        {"two others'",
         "c",
         LITERAL(""),
         {DNS("a"), DNS("b")},
         OTHER("\"a\" (and 1 other name)", "c")},
        {"three others'",
         "d",
         LITERAL(""),
         {DNS("a"), DNS("b"), IP(V4)},
         OTHER("\"a\" (and 2 other names)", "d")},
        {"nobody's",
         "a",
         LITERAL(""),
         {{0}},
         "server certificate without a name does not match host name \"a\""},
        {"the common name", "a", LITERAL("a"), {{0}}, NULL},
        {"the common name beside an address", "a", LITERAL("a"), {IP(V4)}, NULL},
        {"the common name beside another name", "a", LITERAL("a"), {DNS("b")}, OTHER("\"b\"", "a")},
        {"a wildcard", "db.example.com", LITERAL(""), {DNS("*.example.com")}, NULL},
        {"a wildcard of one label", "db.local", LITERAL(""), {DNS("*.local")}, NULL},
        {"a wildcard as the common name", "db.local", LITERAL("*.local"), {{0}}, NULL},
        {"a wildcard, two labels down",
         "a.db.example.com",
         LITERAL(""),
         {DNS("*.example.com")},
         OTHER("\"*.example.com\"", "a.db.example.com")},
        {"a wildcard, the domain itself",
         "example.com",
         LITERAL(""),
         {DNS("*.example.com")},
         OTHER("\"*.example.com\"", "example.com")},
        {"a wildcard, an empty label",
         ".example.com",
         LITERAL(""),
         {DNS("*.example.com")},
         OTHER("\"*.example.com\"", ".example.com")},
        {"a star inside",
         "db.example.com",
         LITERAL(""),
         {DNS("d*.example.com")},
         OTHER("\"d*.example.com\"", "db.example.com")},
        {"a star alone", "db", LITERAL(""), {DNS("*")}, OTHER("\"*\"", "db")},
        {"a star and a dot", "db.", LITERAL(""), {DNS("*.")}, OTHER("\"*.\"", "db.")},
        {"a NUL inside",
         "db.example",
         LITERAL(""),
         {DNS("db.example\0.evil")},
         "server certificate has a malformed name"},
        {"a NUL inside, before the right name",
         "db",
         LITERAL(""),
         {DNS("x\0"), DNS("db")},
         "server certificate has a malformed name"},
        {"a NUL inside the common name",
         "db",
         LITERAL("db\0.evil"),
         {{0}},
         "server certificate has a malformed name"},
        {"an empty name", "db", LITERAL(""), {DNS("")}, OTHER("\"\"", "db")},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_case(&cases[i]);
    }
}

static void addresses(void)
{
    static const struct name_case cases[] = {
        {"an address", "127.0.0.1", LITERAL(""), {IP(V4)}, NULL},
        {"one of IPv6", "::1", LITERAL(""), {IP(V6)}, NULL},
        {"one of IPv6, at length", "0:0:0:0:0:0:0:1", LITERAL(""), {IP(V6)}, NULL},
        {"another",
         "127.0.0.2",
         LITERAL(""),
         {IP(V4), IP(V6)},
         OTHER("\"127.0.0.1\" (and 1 other name)", "127.0.0.2")},
        {"another of IPv6", "::2", LITERAL(""), {IP(V6)}, OTHER("\"::1\"", "::2")},
        {"as the text of a name", "127.0.0.1", LITERAL(""), {DNS("127.0.0.1")}, NULL},
        {"a wildcard",
         "127.0.0.1",
         LITERAL(""),
         {DNS("*.0.0.1")},
         OTHER("\"*.0.0.1\"", "127.0.0.1")},
        {"the common name", "127.0.0.1", LITERAL("127.0.0.1"), {{0}}, NULL},
        {"the common name beside a name", "127.0.0.1", LITERAL("127.0.0.1"), {DNS("b")}, NULL},
        {"the common name beside an address",
         "127.0.0.1",
         LITERAL("127.0.0.1"),
         {IP(V6)},
         OTHER("\"::1\"", "127.0.0.1")},
        {"a name for an address of that text",
         "localhost",
         LITERAL(""),
         {IP(V4)},
         OTHER("\"127.0.0.1\"", "localhost")},
        {"five bytes",
         "127.0.0.1",
         LITERAL(""),
         {IP("\x7f\0\0\1\0"), IP(V4)},
         "server certificate has a malformed name"},
        {"a network",
         "127.0.0.1",
         LITERAL(""),
         {IP("\x7f\0\0\0\xff\0\0\0")},
         "server certificate has a malformed name"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_case(&cases[i]);
    }
}

/* An extension that can't be read must not let the common name count. */
static void unreadable_extension(void)
{
    X509 *cert = make_cert(BYTES("db"), (const struct alt_name[ALT_NAMES_MAX]){{0}});
    ASN1_OCTET_STRING *bytes = ASN1_OCTET_STRING_new();
    struct error error = {0};
    X509_EXTENSION *extension;

    REQUIRE(cert != NULL && bytes != NULL);
    CHECK(tlsverify_host(cert, "db", &error));
    ASN1_OCTET_STRING_set(bytes, (const unsigned char *)"\x30\x7f", 2);
    extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, bytes);
    REQUIRE(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    CHECK(!tlsverify_host(cert, "db", &error));
    CHECK_TEXT(error.message, "server certificate has a malformed name");
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(bytes);
    X509_free(cert);
}

/* What a server says of itself is shown, so it is cut and its control characters are not its own. */
static void long_and_odd_names(void)
{
    struct alt_name long_name[ALT_NAMES_MAX] = {{GEN_DNS, {NULL, 0}}};
    struct error error = {0};
    char text[3000];
    X509 *cert;

    memset(text, 'x', sizeof(text));
    long_name[0].value = (struct slice){text, sizeof(text)};
    cert = make_cert(BYTES("a\033[31mb\nc"), long_name);
    REQUIRE(cert != NULL);
    CHECK(!tlsverify_host(cert, "db", &error));
    CHECK(strlen(error.message) < 400);
    CHECK_TEXT(error.detail, "The certificate has the subject \"CN=a\\1B[31mb\\0Ac\".");
    X509_free(cert);
}

static void which_are_addresses(void)
{
    CHECK(tlsverify_is_address("127.0.0.1"));
    CHECK(tlsverify_is_address("::1"));
    CHECK(!tlsverify_is_address("localhost"));
    CHECK(!tlsverify_is_address("127.0.0.1.example"));
    CHECK(!tlsverify_is_address(""));
}

static const struct check_test tests[] = {
    {"names", names},
    {"addresses", addresses},
    {"names that can't be read are no names to go by", unreadable_extension},
    {"long names, and names that are no text", long_and_odd_names},
    {"what is an address", which_are_addresses},
};

CHECK_MAIN(tests)
