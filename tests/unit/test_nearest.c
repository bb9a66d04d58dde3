/* Hints for patterns that match nothing: what is near, in what order, and how it is written. */
#include "tables/nearest.h"

#include "check.h"

/* The catalog that most tests look in: schema and table in turn. */
static const char *const shop[] = {
    "public", "orders",    "public", "order_items",  "public",  "customers", "public", "Invoices",
    "public", "a.b",       "sales",  "orders",       "sales",   "leads",     "Audit",  "log",
    "public", "übersicht", "public", "it's \"odd\"", "archive", "old_leads", "public", "t",
};

#define CASE_HINT " Names are case-sensitive, and double quotes protect a dot."

struct hint_case {
    const char *pattern; /* as typed */
    const char *hint;    /* "": none */
};

/* Parses one pattern; the caller frees the set. */
static bool parse(struct pattern_set *set, const char *text)
{
    struct error error;

    return CHECK(pattern_set_add(set, text, &error)) && CHECK(set->len == 1);
}

static void check_hint(const char *pattern, const char *const *names, size_t count,
                       const char *expected)
{
    struct pattern_set set = {0};
    struct nearest nearest;
    struct buffer hint = {0};

    CASE("%s", pattern);
    if (parse(&set, pattern)) {
        nearest_init(&nearest, &set.patterns[0]);
        for (size_t i = 0; i + 1 < count; i += 2) {
            nearest_offer(&nearest, slice_of(names[i]), slice_of(names[i + 1]));
        }
        CHECK_INT(nearest_hint(&nearest, &hint), expected[0] != '\0');
        CHECK_BUFFER(hint, expected);
        buffer_free(&hint);
    }
    pattern_set_free(&set);
}

static void check_hints(const struct hint_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_hint(cases[i].pattern, shop, COUNT_OF(shop), cases[i].hint);
    }
}

static void near_ones(void)
{
    static const struct hint_case cases[] = {
        {"public.ordres", "Did you mean public.orders?"},
        {"public.order", "Did you mean public.orders?"},
        {"publik.orders", "Did you mean public.orders or sales.orders?"},
        {"ordres", "Did you mean public.orders or sales.orders?"},
        {"public.orderitems", "Did you mean public.order_items?"},
        {"costumers", "Did you mean public.customers?"},
        {"public.ubersicht", "Did you mean public.übersicht?"},
        {"public.suppliers", ""},
        {"public.o", ""}, /* not every one-letter name */
        {"nowhere.ordres", ""},
        {"public.orders_of_last_year", ""},
    };

    check_hints(cases, COUNT_OF(cases));
    check_hint("public.orders", NULL, 0, "");
}

static void case_and_quotes(void)
{
    static const struct hint_case cases[] = {
        {"PUBLIC.Orders", "Did you mean public.orders or sales.orders?" CASE_HINT},
        {"invoices", "Did you mean public.Invoices?" CASE_HINT},
        {"audit.LOG", "Did you mean Audit.log?" CASE_HINT},
        {"a.b", "Did you mean public.\"a.b\"?" CASE_HINT},
        {"\"public.orders\"", "Did you mean public.orders?" CASE_HINT},
        {"\"public.a.b\"", "Did you mean public.\"a.b\"?" CASE_HINT},
        {"public.\"it's odd\"", "Did you mean public.\"it's \"\"odd\"\"\"?"},
    };

    check_hints(cases, COUNT_OF(cases));
}

static void other_schemas(void)
{
    static const struct hint_case cases[] = {
        {"public.leads", "Did you mean sales.leads?"},
        {"shop.orders", "Did you mean public.orders or sales.orders?"},
    };

    check_hints(cases, COUNT_OF(cases));
}

/* The worst first, so that each has to be put in its place. */
static void order(void)
{
    static const char *const names[] = {
        "public", "borders", "public", "order",  "public", "orderz",
        "sales",  "orders",  "public", "ORDERS", "public", "Orders",
    };

    check_hint("public.orders", names, COUNT_OF(names),
               "Did you mean public.ORDERS or public.Orders or sales.orders?" CASE_HINT);
    check_hint("public.orders", names, 8,
               "Did you mean sales.orders or public.borders or public.order?");
}

/* A server's names have up to 63 characters of up to 4 bytes. */
static void long_names(void)
{
    char name[2 * NEAREST_TEXT_MAX];
    const char *names[] = {"public", name};

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    check_hint("public.orders", names, 2, "");
    name[20] = '\0';
    check_hint("public.nnnnnnnnnnnnnnnnnnn", names, 2, "Did you mean public.nnnnnnnnnnnnnnnnnnnn?");
}

static const struct check_test tests[] = {
    {"names that are near, and some that are not", near_ones},
    {"another case, and quotes in the wrong place", case_and_quotes},
    {"the same table in other schemas", other_schemas},
    {"the nearest three, in order", order},
    {"long names", long_names},
};

CHECK_MAIN(tests)
