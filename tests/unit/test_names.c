/* Interned names: one per table, whatever its spelling, with a verdict that is made once. */
#include "feed/names.h"

#include "check.h"
#include "feed/window.h"

struct fixture {
    struct pattern_set tables;
    struct pattern_set exclude;
    struct names *names;
};

static bool set_up(struct fixture *fixture, const char *tables, const char *exclude)
{
    struct error error;

    *fixture = (struct fixture){0};
    if ((tables != NULL && !pattern_set_add(&fixture->tables, tables, &error)) ||
        (exclude != NULL && !pattern_set_add(&fixture->exclude, exclude, &error))) {
        return false;
    }
    fixture->names = names_new(&fixture->tables, &fixture->exclude);
    return fixture->names != NULL;
}

static void tear_down(struct fixture *fixture)
{
    names_free(fixture->names);
    pattern_set_free(&fixture->tables);
    pattern_set_free(&fixture->exclude);
}

/* NULL where it isn't found. */
static struct name *find(struct fixture *fixture, enum plugin plugin, const char *raw)
{
    struct name *name = NULL;

    CHECK_INT(names_find(fixture->names, plugin, slice_of(raw), &name), NAMES_FOUND);
    return name;
}

static struct slice json_of(const struct name *name)
{
    return (struct slice){name->json, name->json_len};
}

static void one_name_each(void)
{
    struct fixture fixture;
    struct name *a, *b;

    REQUIRE(set_up(&fixture, NULL, NULL));
    a = find(&fixture, PLUGIN_TEST_DECODING, "public.a");
    b = find(&fixture, PLUGIN_TEST_DECODING, "public.b");
    REQUIRE(a != NULL && b != NULL && a != b);
    CHECK(find(&fixture, PLUGIN_TEST_DECODING, "public.a") == a);
    CHECK(a->watched);
    CHECK(a->pending == NAME_NOT_PENDING);
    CHECK_SLICE(json_of(a),
                slice_of("\"payload\":\"public.a\",\"schema\":\"public\",\"table\":\"a\""));
    tear_down(&fixture);
}

static void spellings_merge(void)
{
    static const struct {
        enum plugin plugin;
        const char *raw;
    } same[] = {
        {PLUGIN_TEST_DECODING, "public.\"a b\""},
        {PLUGIN_TEST_DECODING, "\"public\".\"a b\""}, /* quote_all_identifiers */
        {PLUGIN_WAL2JSON, "public\",\"table\":\"a b"},
        {PLUGIN_WAL2JSON, "\\u0070ublic\",\"table\":\"a b"},
    };
    struct fixture fixture;
    struct name *first;

    REQUIRE(set_up(&fixture, NULL, NULL));
    first = find(&fixture, same[0].plugin, same[0].raw);
    for (size_t i = 1; i < COUNT_OF(same); i++) {
        CASE("%s", same[i].raw);
        CHECK(find(&fixture, same[i].plugin, same[i].raw) == first);
        CHECK(find(&fixture, same[i].plugin, same[i].raw) == first);
    }
    /* The same bytes, which to the other plugin are another name. */
    CHECK(find(&fixture, PLUGIN_TEST_DECODING, "a.\"b\"") !=
          find(&fixture, PLUGIN_TEST_DECODING, "a.\"\"\"b\"\"\""));
    /* One payload, but two tables. */
    CHECK(find(&fixture, PLUGIN_TEST_DECODING, "\"a.b\".c") !=
          find(&fixture, PLUGIN_TEST_DECODING, "a.\"b.c\""));
    tear_down(&fixture);
}

static void verdicts(void)
{
    static const struct {
        const char *tables;
        const char *exclude;
        const char *raw;
        bool watched;
    } cases[] = {
        {NULL, NULL, "public.a", true},         {"a", NULL, "public.a", true},
        {"a", NULL, "public.b", false},         {NULL, "a", "public.a", false},
        {NULL, "a", "public.b", true},          {"a,b", "public.b", "public.a", true},
        {"a,b", "public.b", "public.b", false}, /* --exclude wins */
        {"a,b", "public.b", "shop.b", true},    {"public.b", "*", "public.b", false},
        {"\"A\"", NULL, "public.\"A\"", true},  {"A", NULL, "public.a", false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture fixture;
        struct name *name;

        CASE("%zu: %s", i, cases[i].raw);
        REQUIRE(set_up(&fixture, cases[i].tables, cases[i].exclude));
        name = find(&fixture, PLUGIN_TEST_DECODING, cases[i].raw);
        REQUIRE(name != NULL);
        CHECK_INT(name->watched, cases[i].watched);
        CHECK(find(&fixture, PLUGIN_TEST_DECODING, cases[i].raw) == name);
        tear_down(&fixture);
    }
}

static void unreadable(void)
{
    static const char *const raws[] = {"", "a", "a.", ".b", "a.b.c", "\"a.b", "a.\"\""};
    static char endless[RAW_NAME_MAX + 2] = "public.";
    struct name *name;
    struct fixture fixture;

    REQUIRE(set_up(&fixture, NULL, NULL));
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        CASE("%s", raws[i]);
        CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, slice_of(raws[i]), &name),
                  NAMES_UNREADABLE);
    }
    memset(endless + 7, 'x', sizeof(endless) - 8);
    CASE("longer than any");
    CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, slice_of(endless), &name),
              NAMES_UNREADABLE);
    CASE("as long as one may be");
    CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, (struct slice){endless, RAW_NAME_MAX},
                         &name),
              NAMES_FOUND);
    tear_down(&fixture);
    names_free(NULL);
}

/* As under a load of temporary schemas: what is forgotten must not be what a window points to. */
static void forgets_what_is_not_pending(void)
{
    static const struct window_limits limits = {.max_wait_us = 1000, .max_pending = 100};
    struct window window;
    struct fixture fixture;
    struct name *name, *pending[10];
    char raw[32];

    REQUIRE(set_up(&fixture, NULL, NULL));
    window_init(&window, &limits);
    for (size_t i = 0; i < COUNT_OF(pending); i++) {
        snprintf(raw, sizeof(raw), "keep.t%zu", i);
        pending[i] = find(&fixture, PLUGIN_TEST_DECODING, raw);
        REQUIRE(pending[i] != NULL);
        CHECK(window_change(&window, pending[i], 0, 0));
    }
    for (size_t i = 0; i < 3 * NAMES_MAX; i++) {
        snprintf(raw, sizeof(raw), "temp.t%zu", i);
        if (!CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, slice_of(raw), &name),
                       NAMES_FOUND)) {
            break;
        }
    }
    for (size_t i = 0; i < COUNT_OF(pending); i++) {
        char json[100];

        CASE("name %zu", i);
        snprintf(raw, sizeof(raw), "keep.t%zu", i);
        snprintf(json, sizeof(json),
                 "\"payload\":\"keep.t%zu\",\"schema\":\"keep\",\"table\":\"t%zu\"", i, i);
        CHECK_SLICE(json_of(pending[i]), slice_of(json));
        CHECK(find(&fixture, PLUGIN_TEST_DECODING, raw) == pending[i]);
        CHECK_INT(pending[i]->pending, i);
    }
    window_clear(&window);
    window_free(&window);
    tear_down(&fixture);
}

/* Those that a filter leaves out are spellings too, and must not pile up either. */
static void forgets_what_is_unwatched(void)
{
    struct fixture fixture;
    struct name *name;
    char raw[32];

    REQUIRE(set_up(&fixture, "a", NULL));
    for (size_t i = 0; i < 2 * NAMES_MAX + 10; i++) {
        snprintf(raw, sizeof(raw), "temp.t%zu", i);
        name = find(&fixture, PLUGIN_TEST_DECODING, raw);
        if (!CHECK(name != NULL && !name->watched)) {
            break;
        }
    }
    name = find(&fixture, PLUGIN_TEST_DECODING, "public.a");
    CHECK(name != NULL && name->watched);
    tear_down(&fixture);
}

/* A verdict is kept as long as its name: what a changed filter does shows when it was forgotten. */
static void forgets_at_its_bound(void)
{
    struct fixture fixture;
    struct name *name;
    struct error error;
    char raw[32];

    REQUIRE(set_up(&fixture, NULL, NULL));
    name = find(&fixture, PLUGIN_TEST_DECODING, "public.a");
    CHECK(name != NULL && name->watched);
    CHECK(pattern_set_add(&fixture.exclude, "a", &error));
    for (size_t i = 1; i < NAMES_MAX; i++) {
        snprintf(raw, sizeof(raw), "temp.t%zu", i);
        name = find(&fixture, PLUGIN_TEST_DECODING, raw);
    }
    name = find(&fixture, PLUGIN_TEST_DECODING, "public.a");
    CHECK(name != NULL && name->watched);
    find(&fixture, PLUGIN_TEST_DECODING, "temp.t0");
    name = find(&fixture, PLUGIN_TEST_DECODING, "public.a");
    CHECK(name != NULL && !name->watched);
    tear_down(&fixture);
}

static const struct check_test tests[] = {
    {"each table has one name, found again", one_name_each},
    {"spellings of one table are one name, of two are two", spellings_merge},
    {"--tables and --exclude decide once", verdicts},
    {"what is no name is unreadable", unreadable},
    {"beyond its bound it forgets all but what a window holds", forgets_what_is_not_pending},
    {"… and what is not watched", forgets_what_is_unwatched},
    {"it keeps NAMES_MAX of them and no more", forgets_at_its_bound},
};

CHECK_MAIN(tests)
