/* Table patterns: the contract's LIST, its errors, and what matches what. */
#include "tables/pattern.h"

#include <stdlib.h>

#include "check.h"

static void describe_part(struct slice part, struct buffer *out)
{
    for (size_t i = 0; i < part.len; i++) {
        buffer_text(out, part.data[i] == '\0' ? "<star>" : "");
        buffer_append(out, part.data + i, part.data[i] != '\0');
    }
}

/*
 * The set as text, to compare it: "schema|table" each in brackets, a star alone as an empty part, others
 * as <star>.
 */
static void describe(const struct pattern_set *set, struct buffer *out)
{
    for (size_t i = 0; i < set->len; i++) {
        buffer_byte(out, '[');
        describe_part(set->patterns[i].schema, out);
        buffer_byte(out, '|');
        describe_part(set->patterns[i].table, out);
        buffer_byte(out, ']');
    }
}

static void valid(void)
{
    static const struct {
        const char *list;
        const char *patterns;
    } cases[] = {
        {"orders", "[|orders]"},
        {"public.orders", "[public|orders]"},
        {"Public.Orders", "[Public|Orders]"},
        {"*", "[|]"},
        {"*.*", "[|]"},
        {"public.*", "[public|]"},
        {"*.orders", "[|orders]"},
        {"a,b.c,*.d", "[|a][b|c][|d]"},
        {" a , b . c ,\td\n", "[|a][b|c][|d]"},
        {"a,a,*.a,\"a\"", "[|a]"}, /* repetitions are one */
        {"\"a\".\"b\"", "[a|b]"},
        {"\"a.b\".\"c,d\"", "[a.b|c,d]"},
        {"\"a.b\"", "[|a.b]"},
        {"\"*\".\"*\"", "[*|*]"},
        {"\"a*\"", "[|a*]"},
        {"\" a \"", "[| a ]"},
        {" \"a\" . \"b\" ", "[a|b]"},
        {"\"a\"\"b\"", "[|a\"b]"},
        {"\"\"\"\"", "[|\"]"},
        {"\"\"\"a\"\"\"", "[|\"a\"]"},
        {"public.\"a\", b", "[public|a][|b]"},
        {"Tr\xc3\xa4nen.\xe6\x97\xa5", "[Tr\xc3\xa4nen|\xe6\x97\xa5]"},
        {"a b", "[|a b]"}, /* blanks around a name are dropped, not those inside */
        {"a-b.c:d", "[a-b|c:d]"},
        {"a\\b.'c'", "[a\\b|'c']"},
        {"a%", "[|a%]"},
        {"a*", "[|a<star>]"},
        {"*a.b*c", "[<star>a|b<star>c]"},
        {"a**b,***", "[|a<star>b][|]"},
        {" * a * ", "[|<star> a <star>]"},
        {"\"a*\",a*", "[|a*][|a<star>]"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pattern_set set = {0};
        struct error error = {0};
        struct buffer out = {0};

        CASE("%s", cases[i].list);
        CHECK(pattern_set_add(&set, cases[i].list, &error));
        describe(&set, &out);
        CHECK_BUFFER(out, cases[i].patterns);
        buffer_free(&out);
        pattern_set_free(&set);
    }
}

static void invalid(void)
{
    static const struct {
        const char *list;
        const char *why;
    } cases[] = {
        {"", "missing"},
        {" ", "missing"},
        {",", "missing"},
        {"a,", "missing"},
        {",a", "missing"},
        {"a,,b", "missing"},
        {"a, ,b", "missing"},
        {".", "missing"},
        {"a.", "missing"},
        {".a", "missing"},
        {"a. ", "missing"},
        {" .a", "missing"},
        {"a..b", "missing"},
        {"\"a\".", "missing"},
        {"a.b.c", "more than schema and table"},
        {"a.b.", "more than schema and table"},
        {"\"a\".\"b\".\"c\"", "more than schema and table"},
        {"*.*.*", "more than schema and table"},
        {"\"\"", "empty"},
        {"\"\".a", "empty"},
        {"a.\"\"", "empty"},
        {"\"a", "not closed"},
        {"a.\"b", "not closed"},
        {"\"a\"\"", "not closed"},
        {"\"", "not closed"},
        {"\"\"\"", "not closed"},
        {"a\"", "quote inside"},
        {"a\"b\"", "quote inside"},
        {"a.b\"c\"", "quote inside"},
        {"\"a\"b", "expected"},
        {"\"a\" b", "expected"},
        {"\"a\"*", "expected"},
        {"\"a\" \"b\"", "expected"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pattern_set set = {0};
        struct error error = {0};

        CASE("%s", cases[i].list);
        CHECK(!pattern_set_add(&set, cases[i].list, &error));
        CHECK_INT(error.kind, ERROR_PERMANENT);
        CHECK(strstr(error.message, cases[i].why) != NULL);
        pattern_set_free(&set);
    }
}

static void says_where(void)
{
    struct pattern_set set = {0};
    struct error error = {0};

    CHECK(!pattern_set_add(&set, "public.orders, it\"ems", &error));
    CHECK(strstr(error.message, "\"it\"ems\"") != NULL);
    pattern_set_free(&set);
}

struct match_case {
    const char *list;
    const char *schema;
    const char *table;
    bool matches;
};

static void matching(void)
{
    static const struct match_case cases[] = {
        {"orders", "public", "orders", true},
        {"orders", "shop", "orders", true},
        {"orders", "public", "Orders", false},
        {"orders", "public", "orders2", false},
        {"orders", "orders", "public", false},
        {"orders", "orders", "orders", true},
        {"public.orders", "public", "orders", true},
        {"public.orders", "Public", "orders", false},
        {"public.orders", "shop", "orders", false},
        {"public.*", "public", "anything", true},
        {"public.*", "shop", "anything", false},
        {"public.*", "public.", "anything", false},
        {"*.orders", "any", "orders", true},
        {"*", "any", "thing", true},
        {"*.*", "any", "thing", true},
        {"\"*\"", "any", "thing", false},
        {"\"*\"", "any", "*", true},
        {"public.\"*\"", "public", "thing", false},
        {"\"a.b\".c", "a.b", "c", true},
        {"\"a.b\".c", "a", "b.c", false},
        {"a.\"b.c\"", "a", "b.c", true},
        {"a.\"b.c\"", "a.b", "c", false},
        {"no,public.x,yes", "public", "yes", true},
        {"no,public.x,yes", "shop", "x", false},
        {"events_2026*", "public", "events_2026_11", true},
        {"events_2026*", "public", "events_2026", true},
        {"events_2026*", "public", "events_2025_11", false},
        {"events_2026*", "public", "old_events_2026", false},
        {"*_log", "public", "audit_log", true},
        {"*_log", "public", "audit_logs", false},
        {"a*b*c", "public", "abbc", true},
        {"a*b*c", "public", "abcbc", true},
        {"a*b*c", "public", "abcb", false},
        {"a*a", "public", "a", false},
        {"tenant_*.orders", "tenant_7", "orders", true},
        {"tenant_*.orders", "tenants", "orders", false},
        {"tenant_*.orders", "tenant_7", "orders_old", false},
        {"public.*s,x", "public", "orders", true},
        {"public.*s,x", "shop", "orders", false},
        {"public.\"*s\"", "public", "orders", false},
        {"*\xc3*", "public", "tr\xc3\xa4nen", true},
        {"a%", "public", "abc", false},
        {"a_", "public", "ab", false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pattern_set set = {0};
        struct error error;

        CASE("%s: %s.%s", cases[i].list, cases[i].schema, cases[i].table);
        CHECK(pattern_set_add(&set, cases[i].list, &error));
        CHECK_INT(pattern_set_matches(&set, slice_of(cases[i].schema), slice_of(cases[i].table)),
                  cases[i].matches);
        pattern_set_free(&set);
    }
}

static void empty_set(void)
{
    struct pattern_set set = {0};

    CHECK(!pattern_set_matches(&set, slice_of("public"), slice_of("orders")));
    pattern_set_free(&set);
}

/* The option may repeat. */
static void lists_add_up(void)
{
    struct pattern_set set = {0};
    struct error error;
    struct buffer out = {0};

    CHECK(pattern_set_add(&set, "a,b", &error));
    CHECK(pattern_set_add(&set, "c,a", &error));
    describe(&set, &out);
    CHECK_BUFFER(out, "[|a][|b][|c]");
    buffer_free(&out);
    pattern_set_free(&set);
}

static void longest_names(void)
{
    char name[64], list[2 * 64];
    struct pattern_set set = {0};
    struct error error;

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    snprintf(list, sizeof(list), "%s.%s", name, name);
    CHECK(pattern_set_add(&set, list, &error));
    CHECK(pattern_set_matches(&set, slice_of(name), slice_of(name)));
    CHECK(!pattern_set_matches(&set, slice_of(name), slice_of(name + 1)));
    pattern_set_free(&set);
}

static void enormous_names_match_nothing(void)
{
    static char name[100000];
    struct pattern_set set = {0};
    struct error error;

    memset(name, 'x', sizeof(name) - 1);
    CHECK(pattern_set_add(&set, "public.x", &error));
    CHECK(!pattern_set_matches(&set, slice_of(name), slice_of("x")));
    CHECK(!pattern_set_matches(&set, slice_of("public"), slice_of(name)));
    pattern_set_free(&set);
}

static void many_names(void)
{
    enum { NAMES = 20000 };
    struct buffer list = {0};
    struct pattern_set set = {0};
    struct error error;
    char name[32];

    for (int i = 0; i < NAMES; i++) {
        buffer_format(&list, "%spublic.t%d", i > 0 ? "," : "", i);
    }
    buffer_byte(&list, '\0');
    CHECK(pattern_set_add(&set, list.data, &error));
    CHECK_INT(set.len, NAMES);
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        if (!CHECK(pattern_set_matches(&set, slice_of("public"), slice_of(name))) ||
            !CHECK(!pattern_set_matches(&set, slice_of("shop"), slice_of(name)))) {
            break;
        }
    }
    CHECK(!pattern_set_matches(&set, slice_of("public"), slice_of("t20000")));
    buffer_free(&list);
    pattern_set_free(&set);
}

/* One name without stars, as messages have it. */
static void one_name(void)
{
    static const struct {
        const char *text;
        const char *parts; /* NULL: it is none */
    } cases[] = {
        {"public.orders", "public|orders"},
        {"Public.Orders", "Public|Orders"},
        {" public . orders ", "public|orders"},
        {"\"a.b\".\"c,d\"", "a.b|c,d"},
        {"\"a\"\"b\".\"*\"", "a\"b|*"},
        {"public.\" a \"", "public| a "},
        {"tr\xc3\xa4nen.\xe6\x97\xa5", "tr\xc3\xa4nen|\xe6\x97\xa5"},
        {"\xff.\xfe", "\xff|\xfe"}, /* any bytes: it is the database's encoding */
        {"", NULL},
        {" ", NULL},
        {"orders", NULL},
        {"\"public.orders\"", NULL},
        {"*", NULL},
        {"*.orders", NULL},
        {"public.*", NULL},
        {"*.*", NULL},
        {"public.ord*", NULL},
        {"public.", NULL},
        {".orders", NULL},
        {"a.b.c", NULL},
        {"a.b,", NULL},
        {"a.b,c.d", NULL},
        {",a.b", NULL},
        {"a.\"b", NULL},
        {"a.b\"c\"", NULL},
        {"a.\"b\"c", NULL},
        {"a.\"\"", NULL},
        {"\"\".b", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer schema = {0}, table = {0};
        bool ok;

        CASE("%s", cases[i].text);
        ok = pattern_name(cases[i].text, &schema, &table);
        CHECK_INT(ok, cases[i].parts != NULL);
        if (ok && cases[i].parts != NULL) {
            buffer_byte(&schema, '|');
            buffer_append(&schema, table.data, table.len);
            CHECK_BUFFER(schema, cases[i].parts);
        } else {
            CHECK_INT(schema.len + table.len, 0);
        }
        buffer_free(&schema);
        buffer_free(&table);
    }
}

static const struct check_test tests[] = {
    {"what is a list of patterns", valid},
    {"what is none, and why", invalid},
    {"an error says where", says_where},
    {"names match literally, stars stand for a whole name", matching},
    {"an empty set matches nothing", empty_set},
    {"lists add up", lists_add_up},
    {"the longest names that a server has", longest_names},
    {"names longer than any server's match nothing", enormous_names_match_nothing},
    {"20 000 names", many_names},
    {"one name without stars", one_name},
};

CHECK_MAIN(tests)
