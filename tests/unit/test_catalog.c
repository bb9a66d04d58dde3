/* Questions to the catalog and their answers, without a server. Times are made up. */
#include "feed/catalog.h"

#include <stdlib.h>

#include "base/clock.h"
#include "check.h"
#include "feed/name.h"

struct fixture {
    struct pattern_set tables;
    struct pattern_set exclude;
    struct encoding *encoding;
    struct window window;
    struct catalog catalog;
    struct buffer sql;
};

static bool set_up(struct fixture *fixture, const char *tables, const char *encoding)
{
    static const struct window_limits limits = {50, 1000, 100};
    struct verdict_rules rules = {&fixture->tables, &fixture->exclude, PARTITIONS_ROOT};
    struct error error;

    *fixture = (struct fixture){0};
    if (tables != NULL && !pattern_set_add(&fixture->tables, tables, &error)) {
        return false;
    }
    window_init(&fixture->window, &limits);
    fixture->encoding = encoding_open(encoding);
    fixture->catalog.names = names_new(&rules);
    fixture->catalog.window = &fixture->window;
    return fixture->encoding != NULL && fixture->catalog.names != NULL &&
           catalog_start(&fixture->catalog, fixture->encoding, 0);
}

static void tear_down(struct fixture *fixture)
{
    catalog_stop(&fixture->catalog);
    catalog_free(&fixture->catalog);
    window_clear(&fixture->window);
    window_free(&fixture->window);
    names_free(fixture->catalog.names);
    encoding_close(fixture->encoding);
    pattern_set_free(&fixture->tables);
    pattern_set_free(&fixture->exclude);
    buffer_free(&fixture->sql);
}

/* A row of text columns; "-" is NULL. */
static bool row(struct fixture *fixture, uint16_t count, const char *const *columns)
{
    struct buffer bytes = {0};
    struct query_row query_row = {.columns = count};
    bool ok;

    for (uint16_t i = 0; i < count; i++) {
        bool null = strcmp(columns[i], "-") == 0;
        size_t len = null ? 0xffffffff : strlen(columns[i]);

        for (int shift = 24; shift >= 0; shift -= 8) {
            buffer_byte(&bytes, (char)(len >> shift & 0xff));
        }
        buffer_text(&bytes, null ? "" : columns[i]);
    }
    query_row.rest = check_content(&bytes);
    ok = catalog_row(&fixture->catalog, &query_row);
    buffer_free(&bytes);
    return ok;
}

#define ROW(fixture, ...)                                                                          \
    row((fixture), sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                         \
        (const char *[]){__VA_ARGS__})

/* The question that is due, as text. */
static const char *question(struct fixture *fixture)
{
    buffer_clear(&fixture->sql);
    catalog_question(&fixture->catalog, &fixture->sql);
    buffer_byte(&fixture->sql, '\0');
    return CHECK(!fixture->sql.failed) ? fixture->sql.data : "";
}

static bool asks_for(struct fixture *fixture, const char *what)
{
    return strstr(question(fixture), what) != NULL;
}

/* The first question of a connection, with its answer: one edge. */
static void load(struct fixture *fixture, const char *fingerprint, const char *child,
                 const char *parent)
{
    CHECK(asks_for(fixture, "pg_inherits"));
    CHECK_INT(fixture->catalog.state, CATALOG_LOADING);
    CHECK(ROW(fixture, fingerprint, "-", "-", "-"));
    if (child != NULL) {
        CHECK(ROW(fixture, "s", child, "s", parent));
    }
    CHECK_INT(catalog_answered(&fixture->catalog, NULL, 0), CATALOG_FINE);
    CHECK_INT(fixture->catalog.state, CATALOG_IDLE);
}

static struct spelling *find(struct fixture *fixture, const char *raw)
{
    struct spelling *spelling = NULL;

    CHECK_INT(names_find(fixture->catalog.names, PLUGIN_TEST_DECODING, slice_of(raw), &spelling),
              NAMES_FOUND);
    return spelling;
}

/* A transaction of one change. */
static void change(struct fixture *fixture, const char *raw, uint32_t xid)
{
    struct spelling *spelling = find(fixture, raw);

    REQUIRE(spelling != NULL);
    window_begin(&fixture->window, xid);
    CHECK(names_touch(fixture->catalog.names, spelling, xid, 1000));
    for (size_t i = 0; !spelling->unknown && i < spelling->target_count; i++) {
        CHECK(window_change(&fixture->window, spelling->targets[i], 1, 10, 1000));
    }
    window_commit(&fixture->window, 0x100 * (uint64_t)xid);
}

static bool named(const struct fixture *fixture, const char *payload, uint64_t count)
{
    const struct item *item = &fixture->window.item;
    char json[100];

    snprintf(json, sizeof(json), "\"payload\":\"%s\",", payload);
    for (size_t i = 0; i < item->len; i++) {
        if (slice_starts((struct slice){item->events[i].name->json, item->events[i].name->json_len},
                         json)) {
            return item->events[i].count == count;
        }
    }
    return count == 0;
}

/* ---- the tests ---- */

static void begins_with_the_tree(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", "UTF8"));
    CHECK(catalog_deadline(&fixture.catalog) <= 0);
    load(&fixture, "1/99", "p", "root");
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    REQUIRE(find(&fixture, "s.p")->target_count == 1);
    CHECK_INT(find(&fixture, "s.q")->target_count, 0);
    tear_down(&fixture);
}

static void asks_about_the_unknown_at_once(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", "UTF8"));
    load(&fixture, "1/99", "p", "root");
    change(&fixture, "s.p", 7);
    change(&fixture, "\"it's\".\"a\\b\"", 8);
    CHECK(catalog_deadline(&fixture.catalog) <= 0);
    CHECK(asks_for(&fixture, "'s', 'p'"));
    CHECK(strstr(fixture.sql.data, "'it''s', 'a\\b'") != NULL);
    CHECK_INT(fixture.catalog.state, CATALOG_COMPARING);
    CHECK_INT(fixture.catalog.asked_count, 2);
    CHECK(ROW(&fixture, "1/99", "-"));
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 100), CATALOG_FINE);
    CHECK_INT(fixture.catalog.state, CATALOG_IDLE);
    CHECK(named(&fixture, "s.root", 1));
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    tear_down(&fixture);
}

static void known_ones_once_a_second(void)
{
    struct fixture fixture;
    struct snapshot sight = {.xmax = 8};

    REQUIRE(set_up(&fixture, "root", "UTF8"));
    load(&fixture, "1/99", "p", "root");
    change(&fixture, "s.p", 7);
    question(&fixture);
    CHECK(ROW(&fixture, "1/99", "-"));
    CHECK_INT(catalog_answered(&fixture.catalog, &sight, 100), CATALOG_FINE);
    change(&fixture, "s.p", 8);
    CHECK_INT(catalog_deadline(&fixture.catalog), 100 + CLOCK_S);
    CHECK(!asks_for(&fixture, "VALUES")); /* about no table */
    CHECK(ROW(&fixture, "1/99", "-"));
    CHECK_INT(catalog_answered(&fixture.catalog, &sight, 2 * CLOCK_S), CATALOG_FINE);
    /* 8 can't be seen yet: once more. */
    CHECK_INT(catalog_deadline(&fixture.catalog), 3 * CLOCK_S);
    question(&fixture);
    CHECK(ROW(&fixture, "1/99", "-"));
    sight.xmax = 9;
    CHECK_INT(catalog_answered(&fixture.catalog, &sight, 4 * CLOCK_S), CATALOG_FINE);
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    CHECK(named(&fixture, "s.root", 2));
    tear_down(&fixture);
}

static void loads_what_has_moved(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", "UTF8"));
    load(&fixture, "0/0", NULL, NULL);
    change(&fixture, "s.p", 7);
    question(&fixture);
    CHECK(ROW(&fixture, "1/5", "-"));
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 100), CATALOG_FINE);
    CHECK_INT(fixture.catalog.state, CATALOG_LOADING);
    CHECK(named(&fixture, "s.root", 0)); /* not before the tree is there */
    CHECK(catalog_deadline(&fixture.catalog) <= 100);
    CHECK(asks_for(&fixture, "UNION ALL SELECT cs, ct, ps, pt"));
    CHECK(ROW(&fixture, "1/6", "-", "-", "-")); /* it has moved again */
    CHECK(ROW(&fixture, "s", "p", "s", "root"));
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 200), CATALOG_FINE);
    CHECK(named(&fixture, "s.root", 1));
    CHECK_TEXT(fixture.catalog.fingerprint, "1/6");
    tear_down(&fixture);
}

static void what_is_gone(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", "UTF8"));
    load(&fixture, "1/99", "p", "root");
    change(&fixture, "s.p", 7);
    change(&fixture, "s.gone", 8);
    question(&fixture);
    CHECK(ROW(&fixture, "1/99", "-"));
    for (size_t i = 0; i < fixture.catalog.asked_count; i++) {
        if (slice_equal(fixture.catalog.asked[i]->table.table, slice_of("gone"))) {
            CHECK(ROW(&fixture, "", i == 0 ? "0" : "1"));
        }
    }
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 100), CATALOG_FINE);
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    tear_down(&fixture);
}

static void encodings(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "\xc3\xa4", "LATIN1"));
    CHECK(asks_for(&fixture, "pg_inherits"));
    CHECK(ROW(&fixture, "1/99", "-", "-", "-"));
    CHECK(ROW(&fixture, "s", "\xfc", "s", "\xe4"));
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 0), CATALOG_FINE);
    change(&fixture, "s.\xfc", 7);
    CHECK(asks_for(&fixture, "'s', '\xfc'"));
    CHECK(ROW(&fixture, "1/99", "-"));
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 100), CATALOG_FINE);
    CHECK(named(&fixture, "s.\xc3\xa4", 1));
    tear_down(&fixture);
}

/* What it is called there is known no more: that it isn't found says nothing. */
static void replaced_letters(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, NULL, "SQL_ASCII"));
    load(&fixture, "0/0", NULL, NULL);
    change(&fixture, "s.\xe4", 7);
    question(&fixture);
    CHECK(ROW(&fixture, "0/0", "-"));
    if (fixture.catalog.asked_count > 0) {
        CHECK(ROW(&fixture, "", "0"));
    }
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 100), CATALOG_FINE);
    CHECK(named(&fixture, "s.\xef\xbf\xbd", 1));
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    tear_down(&fixture);
}

static void not_answered(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", "UTF8"));
    CASE("the tree");
    question(&fixture);
    CHECK(ROW(&fixture, "1/1", "-", "-", "-"));
    CHECK(ROW(&fixture, "s", "stale", "s", "root"));
    catalog_not_answered(&fixture.catalog, 50);
    CHECK_INT(fixture.catalog.state, CATALOG_LOADING);
    CHECK_INT(catalog_deadline(&fixture.catalog), 50 + CLOCK_S);
    load(&fixture, "1/99", "p", "root");
    CHECK_INT(find(&fixture, "s.stale")->target_count, 0);
    CASE("a comparison");
    change(&fixture, "s.p", 7);
    question(&fixture);
    CHECK(ROW(&fixture, "1/99", "-"));
    catalog_not_answered(&fixture.catalog, 5 * CLOCK_S);
    CHECK_INT(fixture.catalog.state, CATALOG_IDLE);
    CHECK(named(&fixture, "s.root", 0));
    CHECK_INT(catalog_deadline(&fixture.catalog), 6 * CLOCK_S);
    CHECK(asks_for(&fixture, "'s', 'p'"));
    CHECK(ROW(&fixture, "1/99", "-"));
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 6 * CLOCK_S), CATALOG_FINE);
    CHECK(named(&fixture, "s.root", 1));
    tear_down(&fixture);
}

static void malformed(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", "UTF8"));
    question(&fixture);
    CASE("the tree");
    CHECK(!ROW(&fixture, "s"));
    CHECK(!ROW(&fixture, "s", "p", "s"));
    load(&fixture, "1/99", "p", "root");
    CASE("a comparison");
    change(&fixture, "s.p", 7);
    question(&fixture);
    CHECK(!ROW(&fixture, "1/99"));
    CHECK(!ROW(&fixture, "", "1"));
    CHECK(!ROW(&fixture, "", "-1"));
    CHECK(!ROW(&fixture, "", "99999999999999999999"));
    CHECK(!ROW(&fixture, "", "x"));
    CHECK(!ROW(&fixture, "", ""));
    CASE("a long fingerprint is cut");
    {
        char text[2 * FINGERPRINT_MAX] = "";

        memset(text, '9', sizeof(text) - 1);
        CHECK(ROW(&fixture, text, "-"));
        CHECK_INT(strlen(fixture.catalog.coming_fingerprint), FINGERPRINT_MAX - 1);
    }
    tear_down(&fixture);
}

static void too_many(void)
{
    struct fixture fixture;
    struct error error;
    char child[32];
    bool ok = true;

    REQUIRE(set_up(&fixture, "root", "UTF8"));
    question(&fixture);
    CHECK(ROW(&fixture, "1/99", "-", "-", "-"));
    for (size_t i = 0; ok && i < TREE_MAX + 1; i++) {
        snprintf(child, sizeof(child), "p%zu", i);
        ok = CHECK(ROW(&fixture, "s", child, "s", "root"));
    }
    CHECK_INT(catalog_answered(&fixture.catalog, NULL, 0), CATALOG_FAILED);
    CHECK(!catalog_error(&fixture.catalog, &error));
    CHECK(strstr(error.message, "262144") != NULL);
    CHECK(catalog_start(&fixture.catalog, fixture.encoding, 0));
    load(&fixture, "1/99", "p", "root");
    tear_down(&fixture);
}

/* ---- what is filtered in the server ---- */

static void filters(void)
{
    struct fixture fixture;
    struct pushdown pushdown;
    struct snapshot sight = {.xmax = 8};

    REQUIRE(set_up(&fixture, "s.a,s.b", "UTF8"));
    load(&fixture, "0/0", NULL, NULL);
    CASE("nothing is filtered there");
    CHECK(catalog_ended(&fixture.catalog, 7));
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    pushdown = (struct pushdown){
        .tables = &fixture.tables, .exclude = &fixture.exclude, .encoding = fixture.encoding};
    pushdown.ordinary[0] = pushdown.ordinary[1] = true;
    fixture.catalog.pushdown = &pushdown;
    CASE("nothing has changed");
    CHECK(catalog_ended(&fixture.catalog, 7));
    CHECK(catalog_ended(&fixture.catalog, 8));
    CHECK(catalog_deadline(&fixture.catalog) <= 0);
    CHECK(asks_for(&fixture, "'s', 'b'"));
    CHECK_INT(fixture.catalog.state, CATALOG_FILTERING);
    CHECK(ROW(&fixture, "0"));
    CHECK(ROW(&fixture, "1"));
    CHECK(!ROW(&fixture, "200"));
    CHECK_INT(catalog_answered(&fixture.catalog, &sight, 100), CATALOG_FINE);
    CHECK_INT(fixture.catalog.state, CATALOG_IDLE);
    CHECK_INT(catalog_deadline(&fixture.catalog), 100 + CLOCK_S); /* 8 can't be seen yet */
    CASE("not answered");
    CHECK(asks_for(&fixture, "'s', 'b'"));
    catalog_not_answered(&fixture.catalog, 2 * CLOCK_S);
    CHECK_INT(catalog_deadline(&fixture.catalog), 3 * CLOCK_S);
    CASE("b has been replaced");
    CHECK(asks_for(&fixture, "'s', 'b'"));
    CHECK(ROW(&fixture, "0"));
    CHECK_INT(catalog_answered(&fixture.catalog, &sight, 3 * CLOCK_S), CATALOG_REFILTER);
    CASE("a new connection");
    catalog_stop(&fixture.catalog);
    CHECK(catalog_start(&fixture.catalog, fixture.encoding, 4 * CLOCK_S));
    load(&fixture, "0/0", NULL, NULL);
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    tear_down(&fixture);
}

static const struct check_test tests[] = {
    {"a connection begins with the whole tree", begins_with_the_tree},
    {"an unknown table is asked about at once", asks_about_the_unknown_at_once},
    {"known ones are compared once a second, until they can be seen", known_ones_once_a_second},
    {"the tree is loaded anew when it has moved", loads_what_has_moved},
    {"a table that isn't there is a resync where a filter is set", what_is_gone},
    {"names are asked for in the database's encoding", encodings},
    {"a name whose letters are lost is taken to be there", replaced_letters},
    {"what isn't answered is asked again, a second later", not_answered},
    {"malformed answers are refused", malformed},
    {"a tree that is too large is refused", too_many},
    {"after a transaction without changes the server's filters are looked at", filters},
};

CHECK_MAIN(tests)
