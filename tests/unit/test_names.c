/* Table names and their verdicts: at once, late, and anew when the tree has moved. */
#include "feed/names.h"

#include "base/clock.h"
#include "check.h"
#include "feed/name.h"

struct fixture {
    struct pattern_set tables;
    struct pattern_set exclude;
    struct encoding *encoding;
    struct names *names;
    struct window window;
};

static bool set_up(struct fixture *fixture, const char *tables, const char *exclude,
                   enum partitions partitions)
{
    static const struct window_limits limits = {50, 1000, 100};
    struct verdict_rules rules = {&fixture->tables, &fixture->exclude, partitions};
    struct error error;

    *fixture = (struct fixture){0};
    if ((tables != NULL && !pattern_set_add(&fixture->tables, tables, &error)) ||
        (exclude != NULL && !pattern_set_add(&fixture->exclude, exclude, &error))) {
        return false;
    }
    window_init(&fixture->window, &limits);
    fixture->encoding = encoding_open("UTF8");
    fixture->names = names_new(&rules);
    if (fixture->encoding == NULL || fixture->names == NULL) {
        return false;
    }
    names_connected(fixture->names, fixture->encoding);
    return true;
}

static void tear_down(struct fixture *fixture)
{
    window_clear(&fixture->window);
    window_free(&fixture->window);
    names_free(fixture->names);
    encoding_close(fixture->encoding);
    pattern_set_free(&fixture->tables);
    pattern_set_free(&fixture->exclude);
}

/* "a<b b<c": what stands below what, all in the schema s. */
static void set_tree(struct fixture *fixture, const char *edges)
{
    struct tree *tree = tree_new();
    char child[16], parent[16];
    int used;

    REQUIRE(tree != NULL);
    while (sscanf(edges, " %15[^< ]<%15[^ ]%n", child, parent, &used) == 2) {
        CHECK(tree_add(tree, &(struct relation){slice_of("s"), slice_of(child)},
                       &(struct relation){slice_of("s"), slice_of(parent)}));
        edges += used;
    }
    names_set_tree(fixture->names, tree);
}

/* NULL where it isn't found. */
static struct spelling *find_raw(struct fixture *fixture, enum plugin plugin, const char *raw)
{
    struct spelling *spelling = NULL;

    CHECK_INT(names_find(fixture->names, plugin, slice_of(raw), &spelling), NAMES_FOUND);
    return spelling;
}

/* The table of the schema s, as test_decoding has it. */
static struct spelling *find(struct fixture *fixture, const char *table)
{
    char raw[64];

    snprintf(raw, sizeof(raw), "s.%s", table);
    return find_raw(fixture, PLUGIN_TEST_DECODING, raw);
}

static struct slice json_of(const struct name *name)
{
    return (struct slice){name->json, name->json_len};
}

/* The payload alone: its quotes are the first and the next that isn't escaped. */
static struct slice payload_of(const struct name *name)
{
    const char *at = name->json + strlen("\"payload\":\"");
    size_t len = 0;

    while (at[len] != '"') {
        len++;
    }
    return (struct slice){at, len};
}

/* What the spelling's changes are named by: "s.a s.b", sorted as they stand. */
static void check_targets(const struct spelling *spelling, const char *expected, const char *file,
                          int line)
{
    struct buffer text = {0};

    for (size_t i = 0; i < spelling->target_count; i++) {
        struct slice payload = payload_of(spelling->targets[i]);

        buffer_text(&text, i > 0 ? " " : "");
        buffer_append(&text, payload.data, payload.len);
    }
    check_bytes(check_content(&text), slice_of(expected), file, line, "targets");
    buffer_free(&text);
}

#define CHECK_TARGETS(spelling, expected) check_targets((spelling), (expected), __FILE__, __LINE__)

/* The open window: "s.a=2 s.b=1". */
static void check_window(const struct window *window, const char *expected, const char *file,
                         int line)
{
    struct buffer text = {0};

    for (size_t i = 0; i < window->item.len; i++) {
        struct slice payload = payload_of(window->item.events[i].name);

        buffer_text(&text, i > 0 ? " " : "");
        buffer_append(&text, payload.data, payload.len);
        buffer_format(&text, "=%" PRIu64, window->item.events[i].count);
    }
    check_bytes(check_content(&text), slice_of(expected), file, line, "window");
    buffer_free(&text);
}

#define CHECK_WINDOW(fixture, expected)                                                            \
    check_window(&(fixture)->window, (expected), __FILE__, __LINE__)

static bool has_xid(const struct xids *xids, uint32_t xid)
{
    for (size_t i = 0; i < xids->len; i++) {
        if (xids->at[i] == xid) {
            return true;
        }
    }
    return false;
}

/* A transaction of one change, as the intake takes it. */
static void change(struct fixture *fixture, const char *table, uint32_t xid)
{
    struct spelling *spelling = find(fixture, table);

    REQUIRE(spelling != NULL);
    window_begin(&fixture->window, xid);
    CHECK(names_touch(fixture->names, spelling, xid, 1000 + xid));
    for (size_t i = 0; !spelling->unknown && i < spelling->target_count; i++) {
        CHECK(window_change(&fixture->window, spelling->targets[i], 1, 10, 1000 + xid));
    }
    window_commit(&fixture->window, 0x100 * (uint64_t)xid);
}

/* What the catalog has been asked about: "a b". */
static void ask(struct fixture *fixture, struct buffer *asked)
{
    struct spelling *spellings[100];
    size_t count = names_ask(fixture->names, spellings, COUNT_OF(spellings));

    for (size_t i = 0; i < count; i++) {
        buffer_text(asked, i > 0 ? " " : "");
        buffer_append(asked, spellings[i]->table.table.data, spellings[i]->table.table.len);
    }
}

/* A comparison: `tree` NULL: it hasn't moved; all below `xmax` can be seen, 0: nobody asks. */
static void compare(struct fixture *fixture, const char *tree, uint32_t xmax)
{
    struct snapshot sight = {.xmax = xmax};
    struct buffer asked = {0};

    ask(fixture, &asked);
    if (tree != NULL) {
        set_tree(fixture, tree);
    }
    CHECK(names_compared(fixture->names, xmax > 0 ? &sight : NULL, &fixture->window, 20));
    buffer_free(&asked);
}

/* Looks a table up, so that it is known. */
static void make_known(struct fixture *fixture, const char *table, uint32_t xid)
{
    change(fixture, table, xid);
    compare(fixture, NULL, xid + 1);
    window_clear(&fixture->window);
    CHECK(!find(fixture, table)->unknown);
    CHECK(!find(fixture, table)->touched);
}

/* ---- finding ---- */

static void one_each(void)
{
    struct fixture fixture;
    struct spelling *a, *b;

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    a = find(&fixture, "a");
    b = find(&fixture, "b");
    REQUIRE(a != NULL && b != NULL && a != b);
    CHECK(find(&fixture, "a") == a);
    REQUIRE(a->target_count == 1 && b->target_count == 1);
    CHECK(a->targets[0]->pending == NAME_NOT_PENDING);
    CHECK_SLICE(json_of(a->targets[0]),
                slice_of("\"payload\":\"s.a\",\"schema\":\"s\",\"table\":\"a\""));
    CHECK_SLICE(a->table.schema, slice_of("s"));
    CHECK_SLICE(a->table.table, slice_of("a"));
    tear_down(&fixture);
}

/* Whatever the one before was, and came before that. */
static void in_any_order(void)
{
    static const char *const order = "aabbabcabcacbbcaacb";
    struct fixture fixture;
    struct spelling *found[3] = {0}, *spelling;
    char table[2] = "";

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (const char *at = order; *at != '\0'; at++) {
        CASE("at %td", at - order);
        table[0] = *at;
        spelling = find(&fixture, table);
        CHECK_SLICE(spelling->table.table, slice_of(table));
        if (found[*at - 'a'] == NULL) {
            found[*at - 'a'] = spelling;
        }
        CHECK(found[*at - 'a'] == spelling);
    }
    /* The same bytes are none of the other plugin's. */
    CHECK_INT(names_find(fixture.names, PLUGIN_WAL2JSON, slice_of("s.b"), &spelling),
              NAMES_UNREADABLE);
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
    struct spelling *first, *parts;

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    first = find_raw(&fixture, same[0].plugin, same[0].raw);
    REQUIRE(first != NULL && first->target_count == 1);
    for (size_t i = 1; i < COUNT_OF(same); i++) {
        struct spelling *other = find_raw(&fixture, same[i].plugin, same[i].raw);

        CASE("%s", same[i].raw);
        REQUIRE(other != NULL && other->target_count == 1);
        CHECK(other->targets[0] == first->targets[0]);
        CHECK(find_raw(&fixture, same[i].plugin, same[i].raw) == other);
    }
    CASE("parts");
    CHECK_INT(names_find_parts(fixture.names, slice_of("public"), slice_of("a b"), false, &parts),
              NAMES_FOUND);
    CHECK(parts->targets[0] == first->targets[0]);
    CHECK_INT(first->targets[0]->holds, COUNT_OF(same) + 1);
    CASE("two tables of one payload");
    CHECK(find_raw(&fixture, PLUGIN_TEST_DECODING, "\"a.b\".c")->targets[0] !=
          find_raw(&fixture, PLUGIN_TEST_DECODING, "a.\"b.c\"")->targets[0]);
    tear_down(&fixture);
}

static void unreadable(void)
{
    static const char *const raws[] = {"", "a", "a.", ".b", "a.b.c", "\"a.b", "a.\"\""};
    static char endless[RAW_NAME_MAX + 2] = "public.";
    struct spelling *spelling;
    struct fixture fixture;

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        CASE("%s", raws[i]);
        CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, slice_of(raws[i]), &spelling),
                  NAMES_UNREADABLE);
    }
    memset(endless + 7, 'x', sizeof(endless) - 8);
    CASE("longer than any");
    CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, slice_of(endless), &spelling),
              NAMES_UNREADABLE);
    CASE("as long as one may be");
    CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, (struct slice){endless, RAW_NAME_MAX},
                         &spelling),
              NAMES_FOUND);
    tear_down(&fixture);
    names_free(NULL);
}

static void encodings(void)
{
    struct fixture fixture;
    struct encoding *latin1 = encoding_open("LATIN1"), *ascii = encoding_open("SQL_ASCII");
    struct spelling *spelling;

    REQUIRE(set_up(&fixture, "s.\xc3\xa4", NULL, PARTITIONS_ROOT));
    REQUIRE(latin1 != NULL && ascii != NULL);
    CHECK_TARGETS(find(&fixture, "\xc3\xa4"), "s.\xc3\xa4");
    names_connected(fixture.names, latin1);
    CHECK_TARGETS(find(&fixture, "\xe4"), "s.\xc3\xa4");
    CHECK_SLICE(find(&fixture, "\xe4")->table.table, slice_of("\xc3\xa4"));
    CHECK_INT(names_find_parts(fixture.names, slice_of("s"), slice_of("\xe4"), false, &spelling),
              NAMES_FOUND);
    CHECK_TARGETS(spelling, "s.\xc3\xa4");
    names_connected(fixture.names, ascii);
    CHECK_SLICE(find(&fixture, "\xe4!")->table.table, slice_of("\xef\xbf\xbd!"));
    CHECK_TARGETS(find(&fixture, "\"\xe4!\""), "");
    encoding_close(latin1);
    encoding_close(ascii);
    tear_down(&fixture);
}

/* ---- verdicts ---- */

static void verdicts(void)
{
    /* root > mid > leaf; a, b > both; top > b */
    static const char tree[] = "leaf<mid mid<root both<a both<b b<top";
    static const struct {
        const char *tables;
        const char *exclude;
        const char *table;
        const char *by_root;
        const char *by_leaf;
    } cases[] = {
        {NULL, NULL, "alone", "s.alone", "s.alone"},
        {"alone", NULL, "alone", "s.alone", "s.alone"},
        {"alone", NULL, "leaf", "", ""},
        {NULL, "alone", "alone", "", ""},
        {NULL, "alone", "leaf", "s.root", "s.leaf"},
        {"leaf,alone", "s.leaf", "alone", "s.alone", "s.alone"},
        {"leaf,alone", "s.leaf", "leaf", "", ""}, /* --exclude wins */
        {"s.leaf", "*", "leaf", "", ""},
        {"\"Alone\"", NULL, "alone", "", ""},
        /* topmost */
        {NULL, NULL, "leaf", "s.root", "s.leaf"},
        {NULL, NULL, "mid", "s.root", "s.mid"},
        {NULL, NULL, "root", "s.root", "s.root"},
        {"root", NULL, "leaf", "s.root", "s.leaf"},
        {"mid", NULL, "leaf", "s.mid", "s.leaf"},
        {"leaf", NULL, "leaf", "s.leaf", "s.leaf"},
        {"mid", NULL, "root", "", ""},
        {"root,leaf", NULL, "leaf", "s.root", "s.leaf"},
        {"mid,leaf", NULL, "leaf", "s.mid", "s.leaf"},
        {"s.*", NULL, "leaf", "s.root", "s.leaf"},
        {"x.*", NULL, "leaf", "", ""},
        /* --exclude of what stands above, or in the middle, not below */
        {"leaf", "root", "leaf", "", ""},
        {"root", "mid", "leaf", "", ""},
        {"root", "mid", "root", "s.root", "s.root"},
        {"root", "leaf", "mid", "s.root", "s.mid"},
        {NULL, "root", "leaf", "", ""},
        /* several parents */
        {NULL, NULL, "both", "s.a s.top", "s.both"},
        {"a,b", NULL, "both", "s.a s.b", "s.both"},
        {"a,b,top", NULL, "both", "s.a s.top", "s.both"},
        {"b", NULL, "both", "s.b", "s.both"},
        {"both,b", NULL, "both", "s.b", "s.both"},
        {"a,b", "top", "both", "", ""},
    };

    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        struct fixture fixture;
        enum partitions partitions = i % 2 == 0 ? PARTITIONS_ROOT : PARTITIONS_LEAF;
        struct spelling *spelling;

        CASE("%zu: %s", i / 2, cases[i / 2].table);
        REQUIRE(set_up(&fixture, cases[i / 2].tables, cases[i / 2].exclude, partitions));
        set_tree(&fixture, tree);
        spelling = find(&fixture, cases[i / 2].table);
        REQUIRE(spelling != NULL);
        CHECK_TARGETS(spelling,
                      partitions == PARTITIONS_ROOT ? cases[i / 2].by_root : cases[i / 2].by_leaf);
        tear_down(&fixture);
    }
}

/* More parents than there can be targets. */
static void many_parents(void)
{
    struct fixture fixture;
    struct tree *tree = tree_new();
    char name[16];

    REQUIRE(tree != NULL && set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        CHECK(tree_add(tree, &(struct relation){slice_of("s"), slice_of("c")},
                       &(struct relation){slice_of("s"), slice_of(name)}));
    }
    names_set_tree(fixture.names, tree);
    CHECK_TARGETS(find(&fixture, "c"), "s.p0 s.p1 s.p2 s.p3 s.p4 s.p5 s.p6 s.p7");
    tear_down(&fixture);
}

static void needs_the_catalog(void)
{
    static const struct {
        const char *tables;
        const char *exclude;
        enum partitions partitions;
        bool needed;
    } cases[] = {
        {NULL, NULL, PARTITIONS_ROOT, true},
        {NULL, NULL, PARTITIONS_LEAF, false},
        {"a", NULL, PARTITIONS_LEAF, true},
        {NULL, "a", PARTITIONS_LEAF, true},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture fixture;

        CASE("%zu", i);
        REQUIRE(set_up(&fixture, cases[i].tables, cases[i].exclude, cases[i].partitions));
        CHECK_INT(names_need_tree(fixture.names), cases[i].needed);
        CHECK_INT(find(&fixture, "a")->unknown, cases[i].needed);
        tear_down(&fixture);
    }
}

/* ---- late ---- */

static void unknown_waits(void)
{
    struct fixture fixture;
    struct buffer asked = {0};

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    CHECK(names_touched(fixture.names) == NULL);
    CHECK(!names_have_unknown(fixture.names));
    change(&fixture, "a", 7);
    change(&fixture, "a", 8);
    CHECK_WINDOW(&fixture, "");
    CHECK(window_deadline(&fixture.window) == CLOCK_NEVER);
    CHECK(names_touched(fixture.names) == find(&fixture, "a"));
    CHECK(names_have_unknown(fixture.names));
    ask(&fixture, &asked);
    CHECK_BUFFER(asked, "a");
    CHECK(names_compared(fixture.names, NULL, &fixture.window, 20));
    CHECK_WINDOW(&fixture, "s.a=2");
    CHECK(has_xid(&fixture.window.item.xids, 7) && has_xid(&fixture.window.item.xids, 8));
    CHECK_INT(fixture.window.item.lsn, 0x800);
    CHECK_INT(fixture.window.item.events[0].first_seen_us, 1007);
    CHECK(!names_have_unknown(fixture.names));
    CHECK(names_touched(fixture.names) == NULL);
    /* From now on it is named at once. */
    change(&fixture, "a", 9);
    CHECK_WINDOW(&fixture, "s.a=3");
    CHECK(!names_have_unknown(fixture.names));
    compare(&fixture, NULL, 0);
    CHECK_WINDOW(&fixture, "s.a=3");
    buffer_free(&asked);
    tear_down(&fixture);
}

/* The tree that came with the answer decides. */
static void unknown_below(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", NULL, PARTITIONS_ROOT));
    set_tree(&fixture, "");
    change(&fixture, "new", 7);
    compare(&fixture, "new<root", 8);
    CHECK_WINDOW(&fixture, "s.root=1");
    change(&fixture, "new2", 9);
    compare(&fixture, NULL, 10);
    CHECK_WINDOW(&fixture, "s.root=1");
    CHECK(!find(&fixture, "new2")->unknown);
    tear_down(&fixture);
}

/* Met while the question is under way: it is the next one's. */
static void unknown_meanwhile(void)
{
    struct fixture fixture;
    struct buffer asked = {0};

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    change(&fixture, "a", 7);
    ask(&fixture, &asked);
    change(&fixture, "b", 8);
    CHECK(names_compared(fixture.names, NULL, &fixture.window, 20));
    CHECK_WINDOW(&fixture, "s.a=1");
    CHECK(names_have_unknown(fixture.names));
    buffer_clear(&asked);
    ask(&fixture, &asked);
    CHECK_BUFFER(asked, "b");
    CHECK(names_compared(fixture.names, NULL, &fixture.window, 30));
    CHECK_WINDOW(&fixture, "s.a=1 s.b=1");
    CHECK(names_touched(fixture.names) == NULL);
    buffer_free(&asked);
    tear_down(&fixture);
}

static void more_than_asked(void)
{
    struct fixture fixture;
    struct spelling *asked[2];

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (uint32_t i = 0; i < 5; i++) {
        change(&fixture, (const char *[]){"a", "b", "c", "d", "e"}[i], 7 + i);
    }
    for (size_t i = 0; i < 3; i++) {
        CASE("%zu", i);
        CHECK_INT(names_ask(fixture.names, asked, COUNT_OF(asked)), i < 2 ? 2 : 1);
        CHECK(names_compared(fixture.names, NULL, &fixture.window, 20));
        CHECK_INT(fixture.window.item.len, i < 2 ? 2 * i + 2 : 5);
        CHECK_INT(names_have_unknown(fixture.names), i < 2);
    }
    CHECK(names_touched(fixture.names) == NULL);
    tear_down(&fixture);
}

static void question_fails(void)
{
    struct fixture fixture;
    struct buffer asked = {0};

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    change(&fixture, "a", 7);
    ask(&fixture, &asked);
    names_not_compared(fixture.names);
    CHECK_WINDOW(&fixture, "");
    CHECK(names_have_unknown(fixture.names));
    change(&fixture, "a", 8);
    compare(&fixture, NULL, 9);
    CHECK_WINDOW(&fixture, "s.a=2");
    /* A lost connection: its resync stands for all. */
    change(&fixture, "b", 10);
    names_disconnected(fixture.names);
    CHECK(names_touched(fixture.names) == NULL);
    CHECK(!names_have_unknown(fixture.names));
    window_clear(&fixture.window);
    change(&fixture, "b", 11);
    compare(&fixture, NULL, 12);
    CHECK_WINDOW(&fixture, "s.b=1");
    CHECK(!has_xid(&fixture.window.item.xids, 10));
    window_clear(&fixture.window);
    change(&fixture, "c", 13);
    names_disconnected(fixture.names);
    window_clear(&fixture.window);
    change(&fixture, "d", 14);
    compare(&fixture, NULL, 15);
    CHECK_WINDOW(&fixture, "s.d=1");
    buffer_free(&asked);
    tear_down(&fixture);
}

/* Events stand in the order of their first change, with its time. */
static void late_ones_in_order(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    set_tree(&fixture, "d<b");
    change(&fixture, "c", 7);
    change(&fixture, "d", 8);
    change(&fixture, "a", 9);
    change(&fixture, "b", 10);
    change(&fixture, "c", 11);
    compare(&fixture, NULL, 12);
    CHECK_WINDOW(&fixture, "s.c=2 s.b=2 s.a=1");
    REQUIRE(fixture.window.item.len == 3);
    CHECK_INT(fixture.window.item.events[0].first_seen_us, 1007);
    CHECK_INT(fixture.window.item.events[1].first_seen_us, 1008);
    CHECK_INT(fixture.window.item.events[2].first_seen_us, 1009);
    tear_down(&fixture);
}

/* ---- anew ---- */

static void moved(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", NULL, PARTITIONS_ROOT));
    make_known(&fixture, "p", 5);
    make_known(&fixture, "q", 6);
    change(&fixture, "p", 7);
    change(&fixture, "p", 8);
    CHECK_WINDOW(&fixture, "");
    CHECK(!names_have_unknown(fixture.names));
    compare(&fixture, "p<root q<root", 9);
    CHECK_WINDOW(&fixture, "s.root=2"); /* q has no changes */
    CHECK(has_xid(&fixture.window.item.xids, 7) && has_xid(&fixture.window.item.xids, 8));
    CHECK(!has_xid(&fixture.window.item.xids, 5));
    CHECK_INT(fixture.window.item.events[0].first_seen_us, 1007);
    /* From now on it is named at once, q too. */
    change(&fixture, "p", 9);
    change(&fixture, "q", 10);
    CHECK_WINDOW(&fixture, "s.root=4");
    compare(&fixture, NULL, 11);
    CHECK_WINDOW(&fixture, "s.root=4");
    /* Taken off again: what was named stays so. */
    change(&fixture, "p", 11);
    compare(&fixture, "q<root", 12);
    CHECK_WINDOW(&fixture, "s.root=5");
    change(&fixture, "p", 12);
    CHECK_WINDOW(&fixture, "s.root=5");
    tear_down(&fixture);
}

/* One parent more: only that one is let in. */
static void one_more_parent(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "a,b", NULL, PARTITIONS_ROOT));
    set_tree(&fixture, "c<a");
    make_known(&fixture, "c", 5);
    change(&fixture, "c", 7);
    change(&fixture, "c", 8);
    CHECK_WINDOW(&fixture, "s.a=2");
    compare(&fixture, "c<a c<b", 9);
    CHECK_WINDOW(&fixture, "s.a=2 s.b=2");
    tear_down(&fixture);
}

/* A change may be older than its DDL seems: it is compared until its transaction can be seen. */
static void until_it_is_seen(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", NULL, PARTITIONS_ROOT));
    make_known(&fixture, "p", 5);
    change(&fixture, "p", 7);
    change(&fixture, "p", 9);
    compare(&fixture, NULL, 9); /* 9 isn't seen yet, nor an ATTACH before it */
    CHECK(names_touched(fixture.names) == find(&fixture, "p"));
    compare(&fixture, "p<root", 10);
    CHECK(fixture.window.item.len == 1 && has_xid(&fixture.window.item.xids, 9));
    CHECK(names_touched(fixture.names) == NULL);
    tear_down(&fixture);
}

/* Changed again while the question was under way: the answer may be older than that. */
static void touched_meanwhile(void)
{
    struct fixture fixture;
    struct buffer asked = {0};
    struct snapshot sight = {.xmax = 100};

    REQUIRE(set_up(&fixture, "root", NULL, PARTITIONS_ROOT));
    make_known(&fixture, "p", 5);
    change(&fixture, "p", 7);
    ask(&fixture, &asked);
    change(&fixture, "p", 8);
    CHECK(names_compared(fixture.names, &sight, &fixture.window, 20));
    CHECK(names_touched(fixture.names) == find(&fixture, "p"));
    compare(&fixture, "p<root", 100);
    CHECK(fixture.window.item.len == 1 && has_xid(&fixture.window.item.xids, 8));
    buffer_free(&asked);
    tear_down(&fixture);
}

/* A verdict is renewed when it is next needed, whatever has come since. */
static void renewed_when_met(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "root", NULL, PARTITIONS_ROOT));
    make_known(&fixture, "p", 5);
    set_tree(&fixture, "p<root");
    CHECK_TARGETS(find(&fixture, "p"), "s.root");
    set_tree(&fixture, "");
    CHECK_TARGETS(find(&fixture, "p"), "");
    tear_down(&fixture);
}

/* ---- gone ---- */

static void gone_one(const char *tables, const char *exclude, enum partitions partitions,
                     enum resync resync, const char *window)
{
    struct fixture fixture;
    struct spelling *asked[2];

    REQUIRE(set_up(&fixture, tables, exclude, partitions));
    change(&fixture, "a", 7);
    REQUIRE(names_ask(fixture.names, asked, COUNT_OF(asked)) == 1);
    asked[0]->gone = true;
    CHECK(names_compared(fixture.names, NULL, &fixture.window, 20));
    CHECK_INT(fixture.window.item.resync, resync);
    CHECK_WINDOW(&fixture, window);
    CHECK(has_xid(&fixture.window.item.xids, 7));
    CHECK(names_touched(fixture.names) == NULL);
    window_clear(&fixture.window);
    /* It isn't said again and again. */
    change(&fixture, "a", 8);
    compare(&fixture, "x<y", 9);
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    tear_down(&fixture);
}

static void gone(void)
{
    CASE("left out, perhaps wrongly");
    gone_one("root", NULL, PARTITIONS_ROOT, RESYNC_FAILSAFE, "");
    gone_one("root", NULL, PARTITIONS_LEAF, RESYNC_FAILSAFE, "");
    CASE("below which root?");
    gone_one(NULL, "b", PARTITIONS_ROOT, RESYNC_FAILSAFE, "");
    CASE("by its own name");
    gone_one("a", NULL, PARTITIONS_LEAF, RESYNC_NONE, "s.a=1");
    gone_one(NULL, "b", PARTITIONS_LEAF, RESYNC_NONE, "s.a=1");
}

/* As when each night a table is made, filled and renamed: it has to be asked about each time. */
static void gone_twice(void)
{
    struct fixture fixture;
    struct spelling *asked[2];

    REQUIRE(set_up(&fixture, "root", NULL, PARTITIONS_ROOT));
    for (uint32_t xid = 7; xid < 10; xid++) {
        CASE("transaction %u", xid);
        change(&fixture, "a", xid);
        CHECK(names_have_unknown(fixture.names));
        REQUIRE(names_ask(fixture.names, asked, COUNT_OF(asked)) == 1);
        asked[0]->gone = true;
        CHECK(names_compared(fixture.names, NULL, &fixture.window, 20));
        CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
        CHECK(names_touched(fixture.names) == NULL);
        window_clear(&fixture.window);
    }
    CASE("now it is there");
    change(&fixture, "a", 10);
    compare(&fixture, "a<root", 11);
    CHECK_WINDOW(&fixture, "s.root=1");
    change(&fixture, "a", 11);
    CHECK_WINDOW(&fixture, "s.root=2");
    tear_down(&fixture);
}

/* Asked before the transaction that made it could be seen: that it isn't there says nothing. */
static void not_there_yet(void)
{
    struct fixture fixture;
    struct spelling *asked[2];
    struct snapshot sight = {.xmax = 7};

    REQUIRE(set_up(&fixture, "root", NULL, PARTITIONS_ROOT));
    change(&fixture, "a", 7);
    REQUIRE(names_ask(fixture.names, asked, COUNT_OF(asked)) == 1);
    asked[0]->gone = true;
    CHECK(names_compared(fixture.names, &sight, &fixture.window, 20));
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    CHECK(names_touched(fixture.names) == find(&fixture, "a"));
    compare(&fixture, "a<root", 8);
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    CHECK_WINDOW(&fixture, "s.root=1");
    CHECK(names_touched(fixture.names) == NULL);
    tear_down(&fixture);
}

/* A message may name what is no table; and what U+FFFD stands for can't be asked about. */
static void never_gone(void)
{
    static const char *const payloads[] = {"s.a=1", "s.\xef\xbf\xbd=1"};
    struct encoding *ascii = encoding_open("SQL_ASCII");

    REQUIRE(ascii != NULL);
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;
        struct spelling *spelling, *asked[2];

        CASE("%zu", i);
        REQUIRE(set_up(&fixture, NULL, "b", PARTITIONS_ROOT));
        names_connected(fixture.names, ascii);
        if (i == 0) {
            REQUIRE(names_find_parts(fixture.names, slice_of("s"), slice_of("a"), true,
                                     &spelling) == NAMES_FOUND);
            CHECK(names_touch(fixture.names, spelling, 7, 1000));
        } else {
            change(&fixture, "\xe4", 7);
        }
        REQUIRE(names_ask(fixture.names, asked, COUNT_OF(asked)) == 1);
        asked[0]->gone = true;
        CHECK(names_compared(fixture.names, NULL, &fixture.window, 20));
        CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
        CHECK_WINDOW(&fixture, payloads[i]);
        tear_down(&fixture);
    }
    encoding_close(ascii);
}

/* ---- bounds ---- */

/* What is forgotten must not be what a window, an item or the next comparison points to. */
static void keeps_what_is_held(void)
{
    struct fixture fixture;
    struct item sealed = {0};
    struct name *pending[10], *late;
    struct spelling *spelling, *touched;
    char raw[32];

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (size_t i = 0; i < COUNT_OF(pending); i++) {
        snprintf(raw, sizeof(raw), "keep%zu", i);
        spelling = find(&fixture, raw);
        REQUIRE(spelling != NULL && spelling->target_count == 1);
        pending[i] = spelling->targets[0];
        CHECK(window_change(&fixture.window, pending[i], 1, 0, 0));
        if (i == 4) {
            window_seal(&fixture.window, &sealed);
        }
    }
    change(&fixture, "touched", 7);
    touched = find(&fixture, "touched");
    late = touched->targets[0];
    for (size_t i = 0; i < 3 * NAMES_MAX; i++) {
        snprintf(raw, sizeof(raw), "temp%zu", i);
        if (!CHECK(find(&fixture, raw) != NULL)) {
            break;
        }
    }
    CHECK(find(&fixture, "touched") == touched);
    CHECK(touched->targets[0] == late && touched->unknown);
    for (size_t i = 0; i < COUNT_OF(pending); i++) {
        char payload[32];

        CASE("name %zu", i);
        snprintf(raw, sizeof(raw), "keep%zu", i);
        snprintf(payload, sizeof(payload), "s.keep%zu", i);
        CHECK_SLICE(payload_of(pending[i]), slice_of(payload));
        CHECK(find(&fixture, raw)->targets[0] == pending[i]);
        CHECK(i < 5 ? pending[i]->pending == NAME_NOT_PENDING : pending[i]->pending == i - 5);
    }
    compare(&fixture, NULL, 8);
    CHECK_WINDOW(&fixture, "s.keep5=1 s.keep6=1 s.keep7=1 s.keep8=1 s.keep9=1 s.touched=1");
    item_clear(&sealed);
    item_free(&sealed);
    tear_down(&fixture);
}

/* A verdict is kept as long as its spelling: what a changed filter does shows that it was gone. */
static void forgets_at_its_bound(void)
{
    struct fixture fixture;
    struct error error;
    char raw[32];

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    CHECK_TARGETS(find(&fixture, "a"), "s.a");
    CHECK(pattern_set_add(&fixture.exclude, "a", &error));
    for (size_t i = 1; i < NAMES_MAX; i++) {
        snprintf(raw, sizeof(raw), "temp%zu", i);
        find(&fixture, raw);
    }
    CHECK_TARGETS(find(&fixture, "a"), "s.a");
    find(&fixture, "temp0");
    CHECK_TARGETS(find(&fixture, "a"), "");
    tear_down(&fixture);
}

static const struct check_test tests[] = {
    {"each table has one spelling, found again", one_each},
    {"… in any order", in_any_order},
    {"spellings of one table share its name, of two they don't", spellings_merge},
    {"what is no name is unreadable", unreadable},
    {"names are UTF-8, whatever the database's encoding", encodings},
    {"--tables, --exclude and --partitions decide", verdicts},
    {"of many parents TARGETS_MAX are named", many_parents},
    {"without filters and by leaf the catalog isn't needed", needs_the_catalog},
    {"an unknown one isn't named until it has been compared", unknown_waits},
    {"an unknown one may stand below a watched one", unknown_below},
    {"what is met while the question is under way waits for the next", unknown_meanwhile},
    {"more than one question can ask about", more_than_asked},
    {"a question that fails is asked again; a lost connection ends it", question_fails},
    {"late ones stand in the order of their first change", late_ones_in_order},
    {"when the tree has moved what was left out is let in", moved},
    {"… under the names that are new", one_more_parent},
    {"a change is compared until its transaction can be seen", until_it_is_seen},
    {"… and anew when there was one more meanwhile", touched_meanwhile},
    {"a verdict is renewed when its table is met", renewed_when_met},
    {"one that the catalog doesn't have is a resync where that hides something", gone},
    {"… each time that it has changes", gone_twice},
    {"… once its transaction can be seen", not_there_yet},
    {"what a message names, and what U+FFFD stands for, is never gone", never_gone},
    {"beyond its bound it keeps what is held or touched", keeps_what_is_held},
    {"it keeps NAMES_MAX of them and no more", forgets_at_its_bound},
};

CHECK_MAIN(tests)
