/* Table names, found again, and what their changes are named by. */
#include "tables/names.h"

#include <stdlib.h>

#include "arrive.h"
#include "batch/name.h"
#include "check.h"

struct fixture {
    struct pattern_set tables;
    struct pattern_set exclude;
    struct encoding *encoding;
    struct names *names;
    struct unseen unseen;
    struct window window;
};

static bool set_up(struct fixture *fixture, const char *tables, const char *exclude,
                   enum partitions partitions)
{
    static const struct window_limits limits = {
        .debounce_us = 50, .max_wait_us = 1000, .max_pending = 100};
    struct verdict_rules rules = {
        .tables = &fixture->tables, .exclude = &fixture->exclude, .partitions = partitions};
    struct error error;

    *fixture = (struct fixture){0};
    if ((tables != NULL && !pattern_set_add(&fixture->tables, tables, &error)) ||
        (exclude != NULL && !pattern_set_add(&fixture->exclude, exclude, &error))) {
        return false;
    }
    unseen_init(&fixture->unseen, 4096);
    window_init(&fixture->window, &limits, &fixture->unseen);
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
    unseen_free(&fixture->unseen);
    names_free(fixture->names);
    encoding_close(fixture->encoding);
    pattern_set_free(&fixture->tables);
    pattern_set_free(&fixture->exclude);
}

/* Tables of one or two letters, of which the OIDs are made. */
static uint32_t oid_of(struct slice name)
{
    uint32_t oid = 0;

    for (size_t i = 0; i < name.len; i++) {
        oid = oid * 31 + (unsigned char)name.data[i];
    }
    return oid;
}

/* Judges by "a<b b<c": what stands below what, all in the schema s. */
static void judge(struct fixture *fixture, struct table_ref *ref, const char *text)
{
    static char names[100][2][16];
    struct edge edges[100];
    struct lineage lineage;
    size_t count = 0;
    int used;

    while (count < COUNT_OF(edges) &&
           sscanf(text, " %15[^< ]<%15[^ ]%n", names[count][0], names[count][1], &used) == 2) {
        struct slice parent = slice_of(names[count][1]);

        edges[count] = (struct edge){
            oid_of(slice_of(names[count][0])), oid_of(parent), {slice_of("s"), parent}};
        count++;
        text += used;
    }
    lineage_build(&lineage, &ref->table, oid_of(ref->table.table), edges, count);
    CHECK(names_judge(fixture->names, ref, &lineage));
}

/* NULL where it isn't found. */
static struct table_ref *find_raw(struct fixture *fixture, enum plugin plugin, const char *raw)
{
    struct table_ref *ref = NULL;

    CHECK_INT(names_find(fixture->names, plugin, slice_of(raw), &ref), NAMES_FOUND);
    return ref;
}

/* The table of the schema s, as test_decoding has it. */
static struct table_ref *find(struct fixture *fixture, const char *table)
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

/* What the ref's changes are named by: "s.a s.b", sorted as they stand. */
static void check_targets(const struct table_ref *ref, const char *expected, const char *file,
                          int line)
{
    struct buffer text = {0};

    for (size_t i = 0; i < ref->target_count; i++) {
        struct slice payload = payload_of(ref->targets[i]);

        buffer_text(&text, i > 0 ? " " : "");
        buffer_append(&text, payload.data, payload.len);
    }
    check_bytes(check_content(&text), slice_of(expected), file, line, "targets");
    buffer_free(&text);
}

#define CHECK_TARGETS(ref, expected) check_targets((ref), (expected), __FILE__, __LINE__)

/* ---- finding ---- */

static void one_each(void)
{
    struct fixture fixture;
    struct table_ref *a, *b;

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    a = find(&fixture, "a");
    b = find(&fixture, "b");
    REQUIRE(a != NULL && b != NULL && a != b);
    CHECK(find(&fixture, "a") == a);
    CHECK_INT(a->target_count, 0); /* until it has been judged */
    judge(&fixture, a, "");
    judge(&fixture, b, "");
    REQUIRE(a->target_count == 1 && b->target_count == 1);
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
    struct table_ref *found[3] = {0}, *ref;
    char table[2] = "";

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (const char *at = order; *at != '\0'; at++) {
        CASE("at %td", at - order);
        table[0] = *at;
        ref = find(&fixture, table);
        CHECK_SLICE(ref->table.table, slice_of(table));
        if (found[*at - 'a'] == NULL) {
            found[*at - 'a'] = ref;
        }
        CHECK(found[*at - 'a'] == ref);
    }
    /* The same bytes are none of the other plugin's. */
    CHECK_INT(names_find(fixture.names, PLUGIN_WAL2JSON, slice_of("s.b"), &ref), NAMES_UNREADABLE);
    tear_down(&fixture);
}

static void refs_merge(void)
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
    struct table_ref *first, *parts;

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    first = find_raw(&fixture, same[0].plugin, same[0].raw);
    REQUIRE(first != NULL);
    judge(&fixture, first, "");
    REQUIRE(first->target_count == 1);
    for (size_t i = 1; i < COUNT_OF(same); i++) {
        struct table_ref *other = find_raw(&fixture, same[i].plugin, same[i].raw);

        CASE("%s", same[i].raw);
        REQUIRE(other != NULL);
        judge(&fixture, other, "");
        REQUIRE(other->target_count == 1);
        CHECK(other->targets[0] == first->targets[0]);
        CHECK(find_raw(&fixture, same[i].plugin, same[i].raw) == other);
    }
    CASE("parts");
    CHECK_INT(names_find_parts(fixture.names, slice_of("public"), slice_of("a b"), false, &parts),
              NAMES_FOUND);
    judge(&fixture, parts, "");
    CHECK(parts->targets[0] == first->targets[0]);
    CHECK_INT(first->targets[0]->refs, COUNT_OF(same) + 1);
    CASE("two tables of one payload");
    first = find_raw(&fixture, PLUGIN_TEST_DECODING, "\"a.b\".c");
    parts = find_raw(&fixture, PLUGIN_TEST_DECODING, "a.\"b.c\"");
    judge(&fixture, first, "");
    judge(&fixture, parts, "");
    CHECK(first->targets[0] != parts->targets[0]);
    tear_down(&fixture);
}

static void unreadable(void)
{
    static const char *const raws[] = {"", "a", "a.", ".b", "a.b.c", "\"a.b", "a.\"\""};
    static char endless[RAW_NAME_MAX + 2] = "public.";
    struct table_ref *ref;
    struct fixture fixture;

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        CASE("%s", raws[i]);
        CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, slice_of(raws[i]), &ref),
                  NAMES_UNREADABLE);
    }
    memset(endless + 7, 'x', sizeof(endless) - 8);
    CASE("longer than any");
    CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, slice_of(endless), &ref),
              NAMES_UNREADABLE);
    CASE("as long as one may be");
    CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, (struct slice){endless, RAW_NAME_MAX},
                         &ref),
              NAMES_FOUND);
    tear_down(&fixture);
    names_free(NULL);
}

static void encodings(void)
{
    struct fixture fixture;
    struct encoding *latin1 = encoding_open("LATIN1"), *ascii = encoding_open("SQL_ASCII");
    struct table_ref *ref;

    REQUIRE(set_up(&fixture, "s.\xc3\xa4", NULL, PARTITIONS_ROOT));
    REQUIRE(latin1 != NULL && ascii != NULL);
    judge(&fixture, find(&fixture, "\xc3\xa4"), "");
    CHECK_TARGETS(find(&fixture, "\xc3\xa4"), "s.\xc3\xa4");
    names_connected(fixture.names, latin1);
    ref = find(&fixture, "\xe4");
    judge(&fixture, ref, "");
    CHECK_TARGETS(ref, "s.\xc3\xa4");
    CHECK_SLICE(ref->table.table, slice_of("\xc3\xa4"));
    CHECK_SLICE(ref->raw.table, slice_of("\xe4"));
    CHECK_INT(names_find_parts(fixture.names, slice_of("s"), slice_of("\xe4"), false, &ref),
              NAMES_FOUND);
    judge(&fixture, ref, "");
    CHECK_TARGETS(ref, "s.\xc3\xa4");
    names_connected(fixture.names, ascii);
    CHECK_SLICE(find(&fixture, "\xe4!")->table.table, slice_of("\xef\xbf\xbd!"));
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
        struct table_ref *ref;

        CASE("%zu: %s", i / 2, cases[i / 2].table);
        REQUIRE(set_up(&fixture, cases[i / 2].tables, cases[i / 2].exclude, partitions));
        ref = find(&fixture, cases[i / 2].table);
        REQUIRE(ref != NULL);
        judge(&fixture, ref, tree);
        CHECK_TARGETS(ref,
                      partitions == PARTITIONS_ROOT ? cases[i / 2].by_root : cases[i / 2].by_leaf);
        tear_down(&fixture);
    }
}

/* More parents than there can be targets, and more than a lineage holds. */
static void many_parents(void)
{
    struct fixture fixture;
    struct edge edges[LINEAGE_MAX + 10];
    struct lineage lineage;
    struct table_ref *ref;
    char names[COUNT_OF(edges)][16];

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    ref = find(&fixture, "child");
    for (uint32_t i = 0; i < COUNT_OF(edges); i++) {
        snprintf(names[i], sizeof(names[i]), "parent%u", i);
        edges[i] = (struct edge){1, 100 + i, {slice_of("s"), slice_of(names[i])}};
    }
    lineage_build(&lineage, &ref->table, 1, edges, TARGETS_MAX - 1);
    CHECK(names_judge(fixture.names, ref, &lineage));
    CHECK_INT(ref->target_count, TARGETS_MAX - 1);
    CHECK(!ref->truncated);
    lineage_build(&lineage, &ref->table, 1, edges, TARGETS_MAX);
    CHECK(names_judge(fixture.names, ref, &lineage));
    CHECK_INT(ref->target_count, TARGETS_MAX);
    CHECK(ref->truncated);
    lineage_build(&lineage, &ref->table, 1, edges, COUNT_OF(edges));
    CHECK(names_judge(fixture.names, ref, &lineage));
    CHECK(ref->truncated);
    tear_down(&fixture);
}

static void a_connection_knows_nothing_of_the_last(void)
{
    struct fixture fixture;
    struct table_ref *ref;

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    ref = find(&fixture, "a");
    CHECK(!ref->known);
    ref->known = true;
    ref->identity.oid = 7;
    CHECK(find(&fixture, "a")->known);
    names_connected(fixture.names, fixture.encoding);
    CHECK(find(&fixture, "a") == ref);
    CHECK(!ref->known && ref->identity.oid == 0);
    tear_down(&fixture);
}

/* ---- bounds ---- */

/* What is forgotten must not be what a window, an item or a look points to. */
static void keeps_what_is_held(void)
{
    struct fixture fixture;
    struct item closed = {0};
    struct name *pending[10];
    struct table_ref *ref, *waiting;
    char raw[32];

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (size_t i = 0; i < COUNT_OF(pending); i++) {
        snprintf(raw, sizeof(raw), "keep%zu", i);
        ref = find(&fixture, raw);
        judge(&fixture, ref, "");
        REQUIRE(ref->target_count == 1);
        pending[i] = ref->targets[0];
        CHECK(window_change(&fixture.window, pending[i], INSERT_AT(0, 0)));
        if (i == 4) {
            window_close(&fixture.window, &closed);
        }
    }
    waiting = find(&fixture, "waiting");
    waiting->state = REF_WAITING;
    for (size_t i = 0; i < 3 * NAMES_MAX; i++) {
        snprintf(raw, sizeof(raw), "temp%zu", i);
        if (!CHECK(find(&fixture, raw) != NULL)) {
            break;
        }
    }
    CHECK(find(&fixture, "waiting") == waiting);
    for (size_t i = 0; i < COUNT_OF(pending); i++) {
        char payload[32];

        CASE("name %zu", i);
        snprintf(raw, sizeof(raw), "keep%zu", i);
        snprintf(payload, sizeof(payload), "s.keep%zu", i);
        CHECK_SLICE(payload_of(pending[i]), slice_of(payload));
        ref = find(&fixture, raw);
        judge(&fixture, ref, "");
        CHECK(ref->targets[0] == pending[i]);
    }
    item_clear(&closed);
    item_free(&closed);
    tear_down(&fixture);
}

/* Nothing that waits is forgotten, and then there is no room; what is at rest makes some. */
static void full(void)
{
    struct fixture fixture;
    struct table_ref **refs = calloc(NAMES_MAX, sizeof(*refs));
    struct table_ref *ref;
    char raw[32];

    REQUIRE(refs != NULL && set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (size_t i = 0; i < NAMES_MAX; i++) {
        snprintf(raw, sizeof(raw), "temp%zu", i);
        refs[i] = find(&fixture, raw);
        refs[i]->state = REF_WAITING;
    }
    CHECK_INT(names_find(fixture.names, PLUGIN_TEST_DECODING, slice_of("s.one_more"), &ref),
              NAMES_FULL);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        refs[i]->state = REF_AT_REST;
    }
    for (size_t i = 0; i < NAMES_MAX; i++) {
        snprintf(raw, sizeof(raw), "more%zu", i);
        find(&fixture, raw);
    }
    free(refs);
    tear_down(&fixture);
}

static enum names_result find_by_sql(struct fixture *fixture, size_t i, struct table_ref **ref)
{
    char table[32];

    snprintf(table, sizeof(table), "made_up%zu", i);
    return names_find_parts(fixture->names, slice_of("s"), slice_of(table), true, ref);
}

/* Any SQL user can send messages with as many names as he likes. */
static void messages_take_no_room(void)
{
    struct fixture fixture;
    struct table_ref *refs[100], *ref;
    size_t waiting = 0;
    char raw[32];

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (size_t i = 0; i < COUNT_OF(refs); i++) {
        snprintf(raw, sizeof(raw), "t%zu", i);
        refs[i] = find(&fixture, raw);
        refs[i]->known = true;
    }
    for (size_t i = 0; i < 2 * NAMES_MAX; i++) {
        if (!CHECK_INT(find_by_sql(&fixture, i, &ref), NAMES_FOUND)) {
            break;
        }
    }
    for (size_t i = 0; i < 4 * SQL_NAMES_MAX; i++) {
        if (find_by_sql(&fixture, 3 * NAMES_MAX + i, &ref) == NAMES_FOUND) {
            ref->state = REF_WAITING;
            waiting++;
        }
    }
    CHECK_INT(waiting, SQL_NAMES_MAX);
    CHECK_INT(find_by_sql(&fixture, 0, &ref), NAMES_FULL);
    for (size_t i = 0; i < COUNT_OF(refs); i++) {
        snprintf(raw, sizeof(raw), "t%zu", i);
        CHECK(find(&fixture, raw) == refs[i] && refs[i]->known);
    }
    tear_down(&fixture);
}

/* The change behind a name's last one was of a name that has been forgotten since. */
static void a_follower_is_forgotten(void)
{
    struct fixture fixture;
    char raw[32];

    REQUIRE(set_up(&fixture, NULL, NULL, PARTITIONS_ROOT));
    for (size_t i = 0; i < 2 * NAMES_MAX; i++) {
        snprintf(raw, sizeof(raw), "temp%zu", i);
        find(&fixture, "stays")->state = REF_WAITING;
        find(&fixture, raw);
    }
    tear_down(&fixture);
}

static const struct check_test tests[] = {
    {"each table has one reference, found again", one_each},
    {"… in any order", in_any_order},
    {"references to one table share its name, to two they don't", refs_merge},
    {"what is no name is unreadable", unreadable},
    {"names are UTF-8, whatever the database's encoding", encodings},
    {"--tables, --exclude and --partitions decide", verdicts},
    {"too many parents are cut, which shows", many_parents},
    {"a connection knows nothing of the last one's", a_connection_knows_nothing_of_the_last},
    {"beyond its bound it keeps what is held or waits", keeps_what_is_held},
    {"it is full where too many wait", full},
    {"what messages name takes no room from tables", messages_take_no_room},
    {"a follower that is forgotten isn't followed", a_follower_is_forgotten},
};

CHECK_MAIN(tests)
