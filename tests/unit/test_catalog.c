/* Questions to the catalog and their answers, without a server. Times are made up. */
#include "catalog/catalog.h"

#include <stdlib.h>

#include "arrive.h"
#include "base/clock.h"
#include "batch/name.h"
#include "check.h"

#define GROUND 100 /* all below it had ended before the slot was created */

struct fixture {
    struct pattern_set tables;
    struct pattern_set exclude;
    struct encoding *encoding;
    struct unseen unseen;
    struct window window;
    struct catalog catalog;
    struct visibility visibility;
    struct buffer sql;
};

static bool set_up_as(struct fixture *fixture, const char *tables, const char *encoding)
{
    static const struct window_limits limits = {
        .debounce_us = 50, .max_wait_us = 1000, .max_pending = 20000};
    struct verdict_rules rules = {
        .tables = &fixture->tables, .exclude = &fixture->exclude, .partitions = PARTITIONS_ROOT};
    struct error error;

    *fixture = (struct fixture){0};
    if (tables != NULL && !pattern_set_add(&fixture->tables, tables, &error)) {
        return false;
    }
    unseen_init(&fixture->unseen, (size_t)1 << 20);
    window_init(&fixture->window, &limits, &fixture->unseen);
    fixture->encoding = encoding_open(encoding);
    fixture->catalog.names = names_new(&rules);
    fixture->catalog.window = &fixture->window;
    fixture->catalog.unseen = &fixture->unseen;
    if (fixture->encoding == NULL || fixture->catalog.names == NULL) {
        return false;
    }
    catalog_start(&fixture->catalog, fixture->encoding, GROUND, 0);
    return true;
}

static bool set_up(struct fixture *fixture, const char *tables)
{
    return set_up_as(fixture, tables, "UTF8");
}

static void tear_down(struct fixture *fixture)
{
    catalog_stop(&fixture->catalog);
    catalog_free(&fixture->catalog);
    window_clear(&fixture->window);
    window_free(&fixture->window);
    unseen_free(&fixture->unseen);
    snapshot_free(&fixture->visibility.snapshot);
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
static const char *question(struct fixture *fixture, int64_t now_us)
{
    buffer_clear(&fixture->sql);
    CHECK(catalog_deadline(&fixture->catalog) <= now_us);
    catalog_question(&fixture->catalog, &fixture->sql, now_us);
    buffer_byte(&fixture->sql, '\0');
    return CHECK(!fixture->sql.failed) ? fixture->sql.data : "";
}

/* What is visible at an answer: all below `xmax` has ended, but for `running` if not 0. */
static void see(struct fixture *fixture, uint32_t xmax, uint32_t running)
{
    fixture->visibility.known = true;
    fixture->visibility.snapshot.xmax = xmax;
    fixture->visibility.snapshot.len = 0;
    fixture->catalog.lookup.xmax = xmax;
    if (running != 0) {
        CHECK(snapshot_add(&fixture->visibility.snapshot, running));
    }
    CHECK(unseen_see(&fixture->unseen, &fixture->visibility.snapshot));
}

static void answered(struct fixture *fixture, int64_t now_us)
{
    CHECK_INT(catalog_answered(&fixture->catalog, &fixture->visibility, now_us), CATALOG_FINE);
    CHECK_INT(fixture->catalog.state, CATALOG_IDLE);
}

static struct table_ref *find(struct fixture *fixture, const char *table)
{
    struct table_ref *ref = NULL;
    char raw[64];

    snprintf(raw, sizeof(raw), "s.%s", table);
    CHECK_INT(names_find(fixture->catalog.names, PLUGIN_TEST_DECODING, slice_of(raw), &ref),
              NAMES_FOUND);
    return ref;
}

static void begin(struct fixture *fixture, uint32_t xid)
{
    window_begin(&fixture->window, xid);
    catalog_begin(&fixture->catalog);
}

static void change(struct fixture *fixture, const char *table, int64_t now_us)
{
    struct table_ref *ref = find(fixture, table);

    REQUIRE(ref != NULL);
    catalog_touch(&fixture->catalog, ref, INSERT_AT(now_us, now_us));
    for (size_t i = 0; ref->known && i < ref->target_count; i++) {
        CHECK(window_change(&fixture->window, ref->targets[i], INSERT_AT(now_us, now_us)));
    }
}

static void commit(struct fixture *fixture)
{
    CHECK(catalog_commit(&fixture->catalog));
    CHECK(window_commit(&fixture->window, 0x100 * (uint64_t)fixture->window.xid));
}

/* A transaction of one change. */
static void write(struct fixture *fixture, const char *table, uint32_t xid, int64_t now_us)
{
    begin(fixture, xid);
    change(fixture, table, now_us);
    commit(fixture);
}

/* The open window: "s.a=2 s.b=1". */
static void check_window(const struct fixture *fixture, const char *expected, const char *file,
                         int line)
{
    const struct item *item = &fixture->window.item;
    struct buffer text = {0};

    for (size_t i = 0; i < item->len; i++) {
        const char *payload = item->events[i].name->json + strlen("\"payload\":\"");

        buffer_text(&text, i > 0 ? " " : "");
        buffer_append(&text, payload, strcspn(payload, "\""));
        buffer_format(&text, "=%" PRIu64, item->events[i].tally.count);
    }
    check_bytes(check_content(&text), slice_of(expected), file, line, "the window");
    buffer_free(&text);
}

#define CHECK_WINDOW(fixture, expected) check_window((fixture), (expected), __FILE__, __LINE__)

/* A look at one name, answered with this OID and version, or that it isn't there. */
static void look_as(struct fixture *fixture, const char *oid, const char *version,
                    const char *renamed, uint32_t xmax, int64_t now_us)
{
    question(fixture, now_us);
    CHECK_INT(fixture->catalog.state, CATALOG_LOOKING);
    if (oid != NULL) {
        CHECK(ROW(fixture, "0", oid, version, "50", renamed, "-"));
    }
    see(fixture, xmax, 0);
    answered(fixture, now_us);
}

static void look(struct fixture *fixture, const char *oid, const char *version, uint32_t xmax,
                 int64_t now_us)
{
    look_as(fixture, oid, version, "false", xmax, now_us);
}

/* The same, and the table stands below s.root. */
static void look_below(struct fixture *fixture, uint32_t xmax, int64_t now_us)
{
    question(fixture, now_us);
    CHECK(ROW(fixture, "0", "9", "50", "50", "false", "-"));
    CHECK(ROW(fixture, "0", "9", "8", "-", "s", "root"));
    see(fixture, xmax, 0);
    answered(fixture, now_us);
}

/* ---- names that are met for the first time ---- */

static void first_seen(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, NULL));
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    begin(&fixture, 700);
    change(&fixture, "a", 1000);
    change(&fixture, "a", 1000);
    CHECK(catalog_is_pending(&fixture.catalog));
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER); /* the transaction isn't over */
    commit(&fixture);
    CHECK_WINDOW(&fixture, "");
    look(&fixture, "9", "50", 701, 1000);
    CHECK_WINDOW(&fixture, "s.a=2");
    CHECK(!catalog_is_pending(&fixture.catalog));
    CHECK_INT(find(&fixture, "a")->state, REF_AT_REST);
    write(&fixture, "a", 701, 2000);
    CHECK_WINDOW(&fixture, "s.a=3");
    CHECK(!catalog_is_pending(&fixture.catalog));
    tear_down(&fixture);
}

/* They wait for each other, as long as the window stays open anyway. */
static void together(void)
{
    struct fixture fixture;
    const char *sql;

    REQUIRE(set_up(&fixture, NULL));
    fixture.window.limits.debounce_us = 50 * CLOCK_MS;
    fixture.window.limits.max_wait_us = 1 * CLOCK_S;
    write(&fixture, "a", 700, 0);
    CHECK_INT(catalog_deadline(&fixture.catalog), 40 * CLOCK_MS);
    write(&fixture, "b", 701, 30 * CLOCK_MS);
    CHECK_INT(catalog_deadline(&fixture.catalog), 70 * CLOCK_MS);
    sql = question(&fixture, 70 * CLOCK_MS);
    CHECK(strstr(sql, "'a'") != NULL && strstr(sql, "'b'") != NULL);
    write(&fixture, "c", 702, 71 * CLOCK_MS); /* while the question is under way */
    write(&fixture, "b", 703, 71 * CLOCK_MS);
    CHECK(ROW(&fixture, "0", "9", "50", "50", "false", "-"));
    CHECK(ROW(&fixture, "1", "8", "50", "50", "false", "-"));
    see(&fixture, 702, 0);
    answered(&fixture, 72 * CLOCK_MS);
    CHECK_WINDOW(&fixture, "s.a=1 s.b=2");
    CHECK(catalog_is_pending(&fixture.catalog)); /* c */
    sql = question(&fixture, 120 * CLOCK_MS);
    CHECK(strstr(sql, "'c'") != NULL && strstr(sql, "'a'") == NULL);
    tear_down(&fixture);
}

static void below_a_watched_one(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.root"));
    write(&fixture, "leaf", 700, 1000);
    write(&fixture, "other", 701, 1000);
    question(&fixture, 1000);
    CHECK(ROW(&fixture, "0", "9", "50", "50", "false", "-"));
    CHECK(ROW(&fixture, "0", "9", "8", "-", "s", "mid"));
    CHECK(ROW(&fixture, "0", "8", "7", "-", "s", "root"));
    CHECK(ROW(&fixture, "1", "5", "50", "50", "false", "-"));
    see(&fixture, 702, 0);
    answered(&fixture, 1000);
    CHECK_WINDOW(&fixture, "s.root=1");
    CHECK(!unseen_any(&fixture.unseen, UNSEEN_UNKNOWN));
    tear_down(&fixture);
}

/* Only its own transactions are waited for. */
static void waits_for_its_own(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "known", 700, 1000);
    look(&fixture, "5", "50", 701, 1000);
    write(&fixture, "known", 701, 1000); /* in its COMMIT for long, and nobody watches it */
    write(&fixture, "a", 702, 1000);
    question(&fixture, 1000);
    CHECK(ROW(&fixture, "0", "9", "50", "50", "false", "-"));
    see(&fixture, 702, 701); /* neither of them is over */
    answered(&fixture, 1000);
    CHECK_WINDOW(&fixture, "s.a=1");
    CHECK_INT(fixture.unseen.count[2], 1); /* UNSEEN_OPEN */
    see(&fixture, 703, 701);
    CHECK(!unseen_any(&fixture.unseen, UNSEEN_OPEN));
    tear_down(&fixture);
}

/* ---- names that aren't there ---- */

static void hidden_then_gone(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "made", 700, 1000);
    look(&fixture, NULL, NULL, 700, 1000); /* its transaction can't be seen */
    CHECK(catalog_is_hidden(&fixture.catalog) && !catalog_is_pending(&fixture.catalog));
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    CHECK(catalog_deadline(&fixture.catalog) <= 1000 + 10 * CLOCK_MS);
    look(&fixture, NULL, NULL, 700, 20 * CLOCK_MS);
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    look(&fixture, NULL, NULL, 701, 400 * CLOCK_MS); /* now it is, and the table isn't there */
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    CHECK(!catalog_is_hidden(&fixture.catalog));
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    tear_down(&fixture);
}

static void hidden_then_there(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "a", 700, 1000);
    look(&fixture, NULL, NULL, 700, 1000);
    CHECK_WINDOW(&fixture, "");
    look(&fixture, "9", "50", 701, 20 * CLOCK_MS);
    CHECK_WINDOW(&fixture, "s.a=1");
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    tear_down(&fixture);
}

/* A known one that has been dropped or renamed away; the next of its name is met anew. */
static void known_and_gone(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "scratch", 700, 1000);
    look(&fixture, "9", "50", 701, 1000);
    write(&fixture, "scratch", 701, 5 * CLOCK_S);
    look(&fixture, NULL, NULL, 701, 6 * CLOCK_S); /* not seen yet: it may be there still */
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    look(&fixture, NULL, NULL, 702, 8 * CLOCK_S);
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    window_clear(&fixture.window);
    write(&fixture, "scratch", 702, 9 * CLOCK_S);
    CHECK(catalog_is_pending(&fixture.catalog));
    tear_down(&fixture);
}

static void by_message(void)
{
    struct fixture fixture;
    struct table_ref *ref;

    REQUIRE(set_up(&fixture, NULL));
    CHECK_INT(names_find_parts(fixture.catalog.names, slice_of("s"), slice_of("view"), true, &ref),
              NAMES_FOUND);
    begin(&fixture, 700);
    catalog_touch(&fixture.catalog, ref, INSERT_AT(1000, 1000));
    commit(&fixture);
    look(&fixture, NULL, NULL, 701, 1000);
    CHECK_WINDOW(&fixture, "s.view=1");
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    tear_down(&fixture);
}

/* ---- a name is not the relation ---- */

static void another_relation(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "x", 700, 1000);
    look(&fixture, "9", "50", 701, 1000);
    write(&fixture, "x", 701, 5 * CLOCK_S);
    look(&fixture, "9", "50", 702, 6 * CLOCK_S);
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    write(&fixture, "x", 702, 10 * CLOCK_S);
    look(&fixture, "8", "702", 703, 11 * CLOCK_S); /* made by that transaction */
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    window_clear(&fixture.window);
    write(&fixture, "x", 703, 15 * CLOCK_S); /* from now on it is that one */
    look(&fixture, "8", "702", 704, 16 * CLOCK_S);
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    tear_down(&fixture);
}

/* It was renamed away, and back, by the transaction or after it. */
static void renamed_and_back(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "x", 700, 1000);
    look(&fixture, "9", "50", 701, 1000);
    write(&fixture, "x", 710, 5 * CLOCK_S);
    look_as(&fixture, "9", "710", "true", 711, 6 * CLOCK_S);
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    window_clear(&fixture.window);
    write(&fixture, "x", 712, 10 * CLOCK_S);
    look_as(&fixture, "9", "715", "true", 716, 11 * CLOCK_S);
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    window_clear(&fixture.window);
    /* Renamed before the change's transaction: the name meant this one. */
    begin(&fixture, 720);
    commit(&fixture);
    write(&fixture, "x", 721, 15 * CLOCK_S);
    look_as(&fixture, "9", "720", "true", 722, 16 * CLOCK_S);
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    tear_down(&fixture);
}

/* Made by the transaction: was another relation of that name renamed away? */
static void new_table(const char *kind, const char *version, enum resync expected)
{
    struct fixture fixture;

    CASE("%s %s", kind, version);
    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "new", 700, 1000);
    look(&fixture, "9", "700", 701, 1000);
    CHECK(catalog_is_pending(&fixture.catalog));
    CHECK(strstr(question(&fixture, 1000), "age(t.xmin)") != NULL);
    CHECK_INT(fixture.catalog.state, CATALOG_RENAMES);
    CHECK(ROW(&fixture, "s", "700"));
    CHECK(ROW(&fixture, kind, version));
    answered(&fixture, 1000);
    CHECK(!catalog_is_pending(&fixture.catalog));
    CHECK_INT(fixture.window.item.resync, expected);
    tear_down(&fixture);
}

static void new_tables(void)
{
    new_table("t", "90", RESYNC_NONE); /* long ago */
    new_table("t", "700", RESYNC_FAILSAFE);
    new_table("t", "705", RESYNC_FAILSAFE);
    new_table("s", "90", RESYNC_NONE); /* one new schema is its own */
    new_table("s", "699", RESYNC_FAILSAFE);
}

static void is_quiet(void)
{
    struct fixture fixture;
    int64_t now_us = 1000;

    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "a", 700, now_us);
    look(&fixture, "9", "50", 701, now_us);
    for (uint32_t xid = 701; xid < 720; xid++) {
        now_us += 5 * CLOCK_S;
        write(&fixture, "a", xid, now_us);
        look_as(&fixture, "9", "50", "true", xid + 1, now_us + CLOCK_S);
    }
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    CHECK_WINDOW(&fixture, "s.a=20");
    tear_down(&fixture);
}

/* ---- known ones ---- */

static void attached(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.root"));
    write(&fixture, "leaf", 700, 1000);
    look(&fixture, "9", "50", 701, 1000);
    write(&fixture, "leaf", 701, 5 * CLOCK_S);
    write(&fixture, "leaf", 702, 5 * CLOCK_S);
    CHECK_WINDOW(&fixture, "");
    CHECK_INT(catalog_deadline(&fixture.catalog), 5 * CLOCK_S + 100 * CLOCK_MS);
    question(&fixture, 6 * CLOCK_S);
    write(&fixture, "leaf", 703, 6 * CLOCK_S); /* while it is under way */
    CHECK(ROW(&fixture, "0", "9", "50", "50", "false", "-"));
    CHECK(ROW(&fixture, "0", "9", "8", "-", "s", "root"));
    see(&fixture, 703, 0);
    answered(&fixture, 6 * CLOCK_S);
    CHECK_WINDOW(&fixture, "s.root=3");
    write(&fixture, "leaf", 704, 6 * CLOCK_S);
    CHECK_WINDOW(&fixture, "s.root=4");
    look(&fixture, "9", "50", 705, 8 * CLOCK_S); /* detached */
    CHECK_WINDOW(&fixture, "s.root=4");
    write(&fixture, "leaf", 705, 9 * CLOCK_S);
    CHECK_WINDOW(&fixture, "s.root=4");
    tear_down(&fixture);
}

/* Always busy, it is never at rest; what an earlier look has confirmed isn't counted again. */
static void attached_while_busy(void)
{
    struct fixture fixture;
    int64_t now_us = 1000;
    uint32_t xid = 700;

    REQUIRE(set_up(&fixture, "s.root"));
    write(&fixture, "leaf", xid++, now_us);
    look(&fixture, "9", "50", xid, now_us);
    for (int i = 0; i < 5; i++) {
        now_us += 2 * CLOCK_S;
        write(&fixture, "leaf", xid++, now_us);
        question(&fixture, now_us + CLOCK_S);
        write(&fixture, "leaf", xid, now_us);
        CHECK(ROW(&fixture, "0", "9", "50", "50", "false", "-"));
        see(&fixture, xid, 0);
        xid++;
        answered(&fixture, now_us + CLOCK_S);
    }
    CHECK_WINDOW(&fixture, "");
    look_below(&fixture, xid, now_us + 3 * CLOCK_S);
    CHECK_WINDOW(&fixture, "s.root=1"); /* the one that came during the last look */
    CHECK_INT(fixture.window.item.events[0].tally.first_seen_us, now_us);
    tear_down(&fixture);
}

/* A look before its transaction can be seen confirms nothing. */
static void until_it_is_seen(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.root"));
    write(&fixture, "leaf", 700, 1000);
    look(&fixture, "9", "50", 700, 1000);
    CHECK_INT(find(&fixture, "leaf")->state, REF_WAITING);
    look_below(&fixture, 701, 2 * CLOCK_S);
    CHECK_WINDOW(&fixture, "s.root=1");
    CHECK_INT(find(&fixture, "leaf")->state, REF_AT_REST);
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    tear_down(&fixture);
}

/* Nor does one while its COMMIT is still on its way. */
static void until_it_has_come(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.root"));
    write(&fixture, "leaf", 700, 1000);
    look(&fixture, "9", "50", 701, 1000);
    begin(&fixture, 710);
    change(&fixture, "leaf", 5 * CLOCK_S);
    look(&fixture, "9", "50", 710, 6 * CLOCK_S);
    CHECK_INT(find(&fixture, "leaf")->state, REF_WAITING);
    commit(&fixture);
    look_below(&fixture, 711, 8 * CLOCK_S);
    CHECK_WINDOW(&fixture, "s.root=1");
    CHECK_INT(find(&fixture, "leaf")->state, REF_AT_REST);
    begin(&fixture, 712);
    change(&fixture, "leaf", 10 * CLOCK_S);
    look_below(&fixture, 713, 12 * CLOCK_S); /* it can be seen before its COMMIT has come */
    CHECK_INT(find(&fixture, "leaf")->state, REF_AT_REST);
    tear_down(&fixture);
}

/* Each of many is asked about once a second, some hundred at a time. */
static void rounds(void)
{
    enum { MANY = 3 * LOOKUP_ASKED_MAX + 10 };
    struct fixture fixture;
    char table[16], number[32], oid[32];
    size_t questions = 0, asked = 0;

    REQUIRE(set_up(&fixture, "s.none"));
    for (int round = 0; round < 2; round++) {
        int64_t now_us = (1 + 10 * round) * CLOCK_S;

        for (uint32_t i = 0; i < MANY; i++) {
            snprintf(table, sizeof(table), "t%u", i);
            write(&fixture, table, 700 + (uint32_t)round, now_us);
        }
        now_us += 2 * CLOCK_S;
        while (catalog_deadline(&fixture.catalog) <= now_us) {
            question(&fixture, now_us);
            questions++;
            for (size_t i = 0; i < fixture.catalog.lookup.asked_count; i++) {
                snprintf(number, sizeof(number), "%zu", i);
                snprintf(oid, sizeof(oid), "%zu", 1000 + asked++ % MANY);
                CHECK(ROW(&fixture, number, oid, "50", "50", "false", "-"));
            }
            see(&fixture, 701, 0); /* in the second round they can't be seen */
            answered(&fixture, now_us);
        }
    }
    CHECK_INT(questions, 8);
    CHECK_INT(asked, 2 * MANY);
    tear_down(&fixture);
}

/* ---- too many, failures ---- */

/* New names come faster than answers: a resync stands for all. */
static void flood(void)
{
    struct fixture fixture;
    char table[16];
    uint32_t next = 0;

    REQUIRE(set_up(&fixture, NULL));
    for (int i = 0; i < 100 && fixture.window.item.resync == RESYNC_NONE; i++) {
        for (int j = 0; j < 2 * LOOKUP_ASKED_MAX; j++) {
            snprintf(table, sizeof(table), "t%u", next);
            write(&fixture, table, 700 + next++, 1000);
        }
        question(&fixture, 2 * CLOCK_S);
        see(&fixture, 700, 0);
        answered(&fixture, 2 * CLOCK_S);
    }
    CHECK_INT(fixture.window.item.resync, RESYNC_OVERFLOW);
    CHECK(!catalog_is_pending(&fixture.catalog));
    CHECK(unseen_any(&fixture.unseen, UNSEEN_OPEN));
    tear_down(&fixture);
}

static void not_answered(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, NULL));
    write(&fixture, "a", 700, 1000);
    question(&fixture, 1000);
    catalog_not_answered(&fixture.catalog, 2000);
    CHECK(catalog_is_pending(&fixture.catalog));
    CHECK_INT(catalog_deadline(&fixture.catalog), 2000 + CLOCK_S);
    look(&fixture, "9", "50", 701, 2 * CLOCK_S);
    CHECK_WINDOW(&fixture, "s.a=1");
    write(&fixture, "b", 701, 3 * CLOCK_S);
    question(&fixture, 3 * CLOCK_S);
    catalog_drop(&fixture.catalog); /* a resync stands for it; the answer is for nobody */
    CHECK(ROW(&fixture, "0", "8", "50", "50", "false", "-"));
    answered(&fixture, 3 * CLOCK_S);
    CHECK_WINDOW(&fixture, "s.a=1");
    CHECK(!catalog_is_pending(&fixture.catalog));
    tear_down(&fixture);
}

static void malformed(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, NULL));
    write(&fixture, "a", 700, 1000);
    question(&fixture, 1000);
    CHECK(!ROW(&fixture, "0"));
    CHECK(!ROW(&fixture, "1", "9", "50", "50", "false", "-"));
    CHECK(!ROW(&fixture, "x", "9", "50", "50", "false", "-"));
    CHECK(!ROW(&fixture, "-", "x", "-", "-", "-", "-"));
    CHECK(!ROW(&fixture, "-", "-", "-", "-", "-", "-"));
    CHECK(!ROW(&fixture, "0", "99999999999", "50", "50", "false", "-"));
    CHECK(!ROW(&fixture, "0", "9", "x", "-", "s", "root"));
    tear_down(&fixture);
}

static void too_much_above(void)
{
    struct fixture fixture;
    char parent[16];

    REQUIRE(set_up(&fixture, NULL));
    write(&fixture, "a", 700, 1000);
    question(&fixture, 1000);
    CHECK(ROW(&fixture, "0", "9", "50", "50", "false", "-"));
    for (unsigned i = 0; i < 2 * EDGES_MAX; i++) {
        snprintf(parent, sizeof(parent), "%u", 1000 + i);
        CHECK(ROW(&fixture, "0", "9", parent, "-", "s", parent));
    }
    see(&fixture, 701, 0);
    answered(&fixture, 1000);
    CHECK(find(&fixture, "a")->truncated);
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    tear_down(&fixture);
}

static void encodings(void)
{
    struct fixture fixture;

    REQUIRE(set_up_as(&fixture, NULL, "LATIN1"));
    write(&fixture, "\xe4", 700, 1000);
    CHECK(strstr(question(&fixture, 1000), "'\xe4'::name") != NULL);
    CHECK(ROW(&fixture, "0", "9", "50", "50", "false", "-"));
    CHECK(ROW(&fixture, "0", "9", "8", "-", "s", "\xf6"));
    see(&fixture, 701, 0);
    answered(&fixture, 1000);
    CHECK_WINDOW(&fixture, "s.\xc3\xb6=1");
    tear_down(&fixture);
}

/*
 * Between the visibility and the look, in one message, the table was renamed away, changed under
 * another's name, and renamed back: its row is newer than the visibility, not frozen.
 */
static void renamed_behind_the_visibility(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, "s.a"));
    write(&fixture, "b", 700, 1000);
    look_as(&fixture, "9", "650", "true", 701, 1000);
    window_clear(&fixture.window);
    write(&fixture, "b", 701, 2000 * CLOCK_MS);
    question(&fixture, 9000 * CLOCK_MS);
    CHECK(ROW(&fixture, "0", "9", "704", "50", "true", "-"));
    CHECK(ROW(&fixture, "-", "4294968001", "-", "-", "-", "-")); /* 705, in the next epoch */
    fixture.visibility.snapshot.xmax = 702;
    CHECK(unseen_see(&fixture.unseen, &fixture.visibility.snapshot));
    answered(&fixture, 9000 * CLOCK_MS);
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    tear_down(&fixture);
}

/* ---- what is filtered in the server ---- */

static void recheck(struct fixture *fixture, const char *oid, const char *version, uint32_t xmax,
                    int64_t now_us, enum catalog_event expected)
{
    question(fixture, now_us);
    CHECK_INT(fixture->catalog.state, CATALOG_FILTERING);
    if (oid != NULL) {
        CHECK(ROW(fixture, "0", oid, version, "50", "-"));
    }
    see(fixture, xmax, 0);
    CHECK_INT(catalog_answered(&fixture->catalog, &fixture->visibility, now_us), expected);
}

static void filters(void)
{
    struct fixture fixture;
    struct pushdown pushdown = {0};

    REQUIRE(set_up(&fixture, "s.a"));
    pushdown.tables = &fixture.tables;
    pushdown.exclude = &fixture.exclude;
    pushdown.encoding = fixture.encoding;
    pushdown.ordinary[0] = true;
    pushdown.identity[0] = (struct identity){.oid = 9, .version = 50, .schema_version = 50};
    catalog_filter(&fixture.catalog, &pushdown);
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    begin(&fixture, 700); /* it has no changes for us: it may have done DDL */
    commit(&fixture);
    recheck(&fixture, "9", "50", 700, 1000, CATALOG_FINE); /* not seen yet */
    CHECK_INT(catalog_deadline(&fixture.catalog), 1000 + CLOCK_S);
    recheck(&fixture, "9", "50", 701, 2 * CLOCK_S, CATALOG_FINE);
    CHECK(catalog_deadline(&fixture.catalog) == CLOCK_NEVER);
    begin(&fixture, 701);
    recheck(&fixture, "9", "50", 701, 3 * CLOCK_S, CATALOG_FINE); /* nor has its COMMIT come */
    CHECK_INT(catalog_deadline(&fixture.catalog), 4 * CLOCK_S);
    commit(&fixture);
    recheck(&fixture, "9", "701", 702, 4 * CLOCK_S, CATALOG_FINE); /* renamed, and back */
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    window_clear(&fixture.window);
    begin(&fixture, 702);
    commit(&fixture);
    recheck(&fixture, "9", "701", 703, 6 * CLOCK_S, CATALOG_FINE); /* still the same */
    CHECK_INT(fixture.window.item.resync, RESYNC_NONE);
    begin(&fixture, 703);
    commit(&fixture);
    recheck(&fixture, "8", "703", 704, 8 * CLOCK_S, CATALOG_FINE); /* another table */
    CHECK_INT(fixture.window.item.resync, RESYNC_FAILSAFE);
    begin(&fixture, 704);
    commit(&fixture);
    recheck(&fixture, NULL, NULL, 705, 10 * CLOCK_S, CATALOG_REFILTER); /* no ordinary one */
    tear_down(&fixture);
}

static const struct check_test tests[] = {
    {"a table renamed between the visibility and the look", renamed_behind_the_visibility},
    {"a name that is met for the first time waits for a look", first_seen},
    {"several wait for each other", together},
    {"it may stand below a watched one", below_a_watched_one},
    {"it waits for its own transactions to be seen", waits_for_its_own},
    {"one that isn't there may only not be seen yet", hidden_then_gone},
    {"… and is named when it is", hidden_then_there},
    {"a known one that is gone is a resync", known_and_gone},
    {"what a message names need not be there", by_message},
    {"a name that means another relation is a resync", another_relation},
    {"one that was renamed away and back too", renamed_and_back},
    {"a new table is one where another was renamed meanwhile", new_tables},
    {"the same relation is quiet", is_quiet},
    {"a known one that has been attached is let in", attached},
    {"… with the counts since the last look", attached_while_busy},
    {"a look confirms what can be seen", until_it_is_seen},
    {"… nor does one before the COMMIT has come", until_it_has_come},
    {"known ones are asked about once a second, some hundred at a time", rounds},
    {"a flood of new names is a resync", flood},
    {"what isn't answered is asked again, a second later", not_answered},
    {"malformed answers are refused", malformed},
    {"too much above a table to judge is a resync", too_much_above},
    {"names are asked for in the database's encoding", encodings},
    {"the server's filters are looked at after each transaction", filters},
};

CHECK_MAIN(tests)
