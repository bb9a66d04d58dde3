/* Hints for patterns that match nothing: what is near, in what order, and how it is written. */
#include "tables/nearest.h"

#include "check.h"

/* The catalog that most tests look in: schema and table in turn. */
static const char *const shop[] = {
    "public", "orders",    "public", "order_items",  "public",  "customers", "public", "Invoices",
    "public", "a.b",       "sales",  "orders",       "sales",   "leads",     "Audit",  "log",
    "public", "übersicht", "public", "it's \"odd\"", "archive", "old_leads", "public", "t",
};

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

static void slips(void)
{
    static const struct hint_case cases[] = {
        {"public.ordres", "Did you mean \"public.orders\"?"},
        {"public.ORDRES", "Did you mean \"public.orders\"?"},
        {"public.order", "Did you mean \"public.orders\"?"},
        {"publik.orders", "Did you mean \"public.orders\" or \"sales.orders\"?"},
        {"publik.oders", "Did you mean \"public.orders\"?"},
        {"ordres", "Did you mean \"public.orders\" or \"sales.orders\"?"},
        {"public.orderitems", "Did you mean \"public.order_items\"?"},
        {"costumers", "Did you mean \"public.customers\"?"},
        {"public.ubersicht", "Did you mean \"public.übersicht\"?"},
        {"public.übrsicht", "Did you mean \"public.übersicht\"?"},
        {"public.tt", "Did you mean \"public.t\"?"},
    };

    check_hints(cases, COUNT_OF(cases));
}

static void nothing_near(void)
{
    static const struct hint_case cases[] = {
        {"public.suppliers", ""}, {"public.o", ""}, /* not every one-letter name */
        {"public.ords_it", ""},   {"nowhere.ordres", ""}, {"public.orders_of_last_year", ""},
    };

    check_hints(cases, COUNT_OF(cases));
    check_hint("public.orders", NULL, 0, "");
}

static void case_counts(void)
{
    static const struct hint_case cases[] = {
        {"public.Orders",
         "Did you mean \"public.orders\" or \"sales.orders\"? Names are case-sensitive."},
        {"PUBLIC.orders",
         "Did you mean \"public.orders\" or \"sales.orders\"? Names are case-sensitive."},
        {"invoices", "Did you mean \"public.Invoices\"? Names are case-sensitive."},
        {"public.invoices", "Did you mean \"public.Invoices\"? Names are case-sensitive."},
        {"audit.LOG", "Did you mean \"Audit.log\"? Names are case-sensitive."},
    };

    check_hints(cases, COUNT_OF(cases));
}

static void quoting(void)
{
    static const struct hint_case cases[] = {
        {"a.b", "Did you mean 'public.\"a.b\"'? A name with a dot in it must be in double quotes."},
        {"\"public.orders\"",
         "Did you mean \"public.orders\"? In double quotes a dot is part of the name."},
        {"\"public.a.b\"",
         "Did you mean 'public.\"a.b\"'? In double quotes a dot is part of the name."},
        {"public.\"it's odd\"", "Did you mean 'public.\"it'\\''s \"\"odd\"\"\"'?"},
    };

    check_hints(cases, COUNT_OF(cases));
}

static void other_schemas(void)
{
    static const struct hint_case cases[] = {
        {"public.leads", "Did you mean \"sales.leads\"?"},
        {"shop.leads", "Did you mean \"sales.leads\"?"},
        {"shop.invoices", "Did you mean \"public.Invoices\"?"},
        {"shop.orders", "Did you mean \"public.orders\" or \"sales.orders\"?"},
        {"sale.orders", "Did you mean \"sales.orders\" or \"public.orders\"?"},
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
    static const char *const slipped[] = {
        "public", "orderss", "public", "ordrs", "public", "oderz",  "public", "xorders",
        "publix", "orders",  "public", "oders", "public", "Ordres", "public", "ordres",
    };

    check_hint("public.orders", names, COUNT_OF(names),
               "Did you mean \"public.Orders\", \"public.ORDERS\", or \"sales.orders\"?"
               " Names are case-sensitive.");
    check_hint("public.orders", names, 8,
               "Did you mean \"sales.orders\", \"public.borders\", or \"public.order\"?");
    check_hint("public.orders", slipped, COUNT_OF(slipped),
               "Did you mean \"publix.orders\", \"public.orderss\", or \"public.ordrs\"?");
    check_hint("public.orders", names + 8, 2,
               "Did you mean \"public.ORDERS\"? Names are case-sensitive.");
}

static void slips_are_left_out_beside_a_case(void)
{
    static const char *const names[] = {"public", "order", "public", "Orders", "public", "orderz"};

    check_hint("public.orders", names, COUNT_OF(names),
               "Did you mean \"public.Orders\"? Names are case-sensitive.");
}

/* A third of the letters, counted as letters. */
static void how_many_slips(void)
{
    static const struct {
        const char *typed;
        const char *name;
        bool near;
    } cases[] = {
        {"a", "b", false},
        {"a", "ab", true},
        {"ab", "ba", true},
        {"ab", "cd", false},
        {"abc", "abd", true},
        {"abc", "ade", false},
        {"abcde", "abcfg", false},
        {"abcdef", "abcdgh", true},
        {"abcdef", "abcghi", false},
        {"abcdef", "badcef", true}, /* two swaps */
        {"abcdef", "badcfe", false},
        {"abcdefghi", "abcdefjkl", true},
        {"abcdefghi", "abcdejklm", false},
        {"ca", "abc", false}, /* aligned, not edited anew inside a swap */
        {"äöü", "äöx", true},
        {"äöü", "äxy", false},
        {"注文", "注分", true},
        {"注文", "訂分", false},
        {"\xff\xfe\xfd", "\xff\xfe\xfc", true},
        {"ABCDEF", "abcdgh", true},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pattern pattern = {slice_of("s"), slice_of(cases[i].typed)};
        struct nearest nearest;

        CASE("%s, %s", cases[i].typed, cases[i].name);
        nearest_init(&nearest, &pattern);
        nearest_offer(&nearest, slice_of("s"), slice_of(cases[i].name));
        CHECK_INT(nearest.len, cases[i].near);
        pattern.table = slice_of(cases[i].name);
        nearest_init(&nearest, &pattern);
        nearest_offer(&nearest, slice_of("s"), slice_of(cases[i].typed));
        CHECK_INT(nearest.len, cases[i].near);
    }
}

/* What a shell makes of the hint's first word. */
static bool shell_word(const struct buffer *hint, char *word, size_t size)
{
    struct buffer command = {0};
    size_t skip = strlen("Did you mean "), len = 0;
    FILE *shell;

    buffer_text(&command, "printf %s ");
    buffer_append(&command, hint->data + skip, hint->len - skip - 1); /* the question mark */
    buffer_byte(&command, '\0');
    shell = popen(command.data, "r");
    buffer_free(&command);
    if (shell == NULL) {
        return false;
    }
    len = fread(word, 1, size - 1, shell);
    word[len] = '\0';
    return pclose(shell) == 0;
}

static void copying_works(void)
{
    static const char *const names[] = {
        "plain", "Camel", "a.b",  "a,b", "*",   "a*",   "a b",  " a", "a ",   "a\tb",
        "a\nb",  "\"",    "a\"b", "'",   "a'b", "'''",  "$a",   "`a", "a\\b", "a!b",
        "%s",    "-a",    "a;b",  "(a)", "~a",  "注文", "a\"'", "#a", "&",    "\\'\"$`!",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct pattern pattern = {slice_of("wrong"), slice_of(names[i])};
        struct nearest nearest;
        struct buffer hint = {0};
        struct pattern_set set = {0};
        char word[400];

        CASE("%s", names[i]);
        nearest_init(&nearest, &pattern);
        nearest_offer(&nearest, slice_of(names[i]), slice_of(names[i]));
        REQUIRE(nearest_hint(&nearest, &hint));
        REQUIRE(shell_word(&hint, word, sizeof(word)));
        REQUIRE(parse(&set, word));
        CHECK_SLICE(set.patterns[0].schema, slice_of(names[i]));
        CHECK_SLICE(set.patterns[0].table, slice_of(names[i]));
        buffer_free(&hint);
        pattern_set_free(&set);
    }
}

static void longest_names(void)
{
    char typed[NEAREST_NAME_MAX + 2], name[NEAREST_NAME_MAX + 2];
    struct pattern pattern = {slice_of(""), {typed, NEAREST_NAME_MAX}};
    struct nearest nearest;

    memset(typed, 'x', sizeof(typed));
    memset(name, 'x', sizeof(name));
    name[7] = 'y';
    nearest_init(&nearest, &pattern);
    nearest_offer(&nearest, (struct slice){name, NEAREST_NAME_MAX},
                  (struct slice){name, NEAREST_NAME_MAX});
    CHECK_INT(nearest.len, 1);
    nearest_offer(&nearest, slice_of("public"), (struct slice){name, NEAREST_NAME_MAX + 1});
    nearest_offer(&nearest, (struct slice){name, NEAREST_NAME_MAX + 1}, slice_of("x"));
    CHECK_INT(nearest.len, 1);
    pattern.table.len = NEAREST_NAME_MAX + 1;
    nearest_init(&nearest, &pattern);
    nearest_offer(&nearest, slice_of("public"), (struct slice){name, NEAREST_NAME_MAX});
    CHECK_INT(nearest.len, 0);
}

/* All of 63 letters and a third of them other ones, which is the slowest there is. */
static void many_names(void)
{
    enum { NAMES = 20000, LEN = 63 };
    char typed[LEN], name[LEN];
    struct pattern pattern = {slice_of("public"), {typed, LEN}};
    struct nearest nearest;
    uint64_t seed = 1;

    memset(typed, 'x', LEN);
    nearest_init(&nearest, &pattern);
    for (int i = 0; i < NAMES; i++) {
        memset(name, 'x', LEN);
        for (int j = 0; j < LEN / 3; j++) {
            name[check_random(&seed) % LEN] = 'y';
        }
        nearest_offer(&nearest, slice_of("public"), (struct slice){name, LEN});
    }
    name[0] = 'x';
    memset(name + 1, 'x', LEN - 1);
    name[LEN - 1] = 'y';
    nearest_offer(&nearest, slice_of("public"), (struct slice){name, LEN});
    CHECK_INT(nearest.len, NEAREST_KEPT);
    CHECK_SLICE(((struct slice){nearest.names[0].table, nearest.names[0].table_len}),
                ((struct slice){name, LEN}));
}

static const struct check_test tests[] = {
    {"names a few slips away", slips},
    {"what is near to nothing", nothing_near},
    {"another case is near, and said", case_counts},
    {"so are quotes in the wrong place", quoting},
    {"the same table in other schemas", other_schemas},
    {"the nearest three, in order", order},
    {"beside another case no slips", slips_are_left_out_beside_a_case},
    {"a slip for every three letters", how_many_slips},
    {"a hint can be copied into a shell", copying_works},
    {"the longest names", longest_names},
    {"20 000 long names", many_names},
};

CHECK_MAIN(tests)
