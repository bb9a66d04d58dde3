/* Between a publisher and its readers: places, what is watched, lines, parts, held lines. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "base/clock.h"
#include "batch/json.h"
#include "batch/name.h"
#include "batch/sequence.h"
#include "bridge/follower.h"
#include "bridge/line.h"
#include "bridge/parts.h"
#include "bridge/scope.h"
#include "check.h"
#include "source/held_lines.h"
#include "tables/names.h"

/* ---- places ---- */

/* Lines as "session.seq" or "session.seq.part/parts", and what each of them is. */
static void places(void)
{
    static const struct {
        const char *lines;
        const char *follows; /* First, Next, Repeated, Missed, Session */
    } cases[] = {
        {"a.1 a.2 a.3", "FNN"},
        {"a.7 a.8", "FN"},
        {"a.1 a.3 a.4", "FMN"},
        {"a.1 a.2 a.2 a.1 a.3", "FNRRN"},
        {"a.1 b.1 b.2", "FSN"},
        {"a.1 b.9 b.10 a.2 b.11", "FSNSS"},
        {"a.1 a.2.1/2 a.2.2/2 a.3", "FNNN"},
        {"a.1 a.2.1/2 a.3", "FNM"},
        {"a.1 a.2.2/2 a.3", "FMN"},
        {"a.1 a.2.1/3 a.2.3/3 a.3", "FNMN"},
        {"a.1 a.2.1/3 a.2.1/3 a.2.2/3", "FNRN"},
        {"a.1 a.2.1/2 a.2.2/3", "FNM"},
        {"a.5.2/3 a.5.3/3 a.6", "FNN"},
    };
    static const char letters[] = {[FOLLOW_FIRST] = 'F',
                                   [FOLLOW_NEXT] = 'N',
                                   [FOLLOW_REPEATED] = 'R',
                                   [FOLLOW_MISSED] = 'M',
                                   [FOLLOW_SESSION] = 'S'};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct follower follower = {0};
        struct buffer got = {0};
        const char *at = cases[i].lines;

        CASE("%s", cases[i].lines);
        while (*at != '\0') {
            struct line_place place = {.session = {at[0], '\0'}, .part = 1, .parts = 1};
            char *end;

            place.seq = strtoull(at + 2, &end, 10);
            if (*end == '.') {
                place.part = (uint32_t)strtoul(end + 1, &end, 10);
                place.parts = (uint32_t)strtoul(end + 1, &end, 10);
            }
            buffer_byte(&got, letters[follower_take(&follower, &place)]);
            at = end + strspn(end, " ");
        }
        CHECK_BUFFER(got, cases[i].follows);
        buffer_free(&got);
    }
}

/* ---- what is watched ---- */

static void fill(struct pattern_set *set, const char *list)
{
    struct error error;

    *set = (struct pattern_set){0};
    CHECK(list[0] == '\0' || pattern_set_add(set, list, &error));
}

static void scopes(void)
{
    static const struct {
        const char *tables, *exclude; /* the publisher's */
        enum partitions partitions;
        const char *our_tables, *our_exclude;
        bool covered;
    } cases[] = {
        {"", "", PARTITIONS_LEAF, "", "", true},
        {"", "", PARTITIONS_LEAF, "s.a,b*", "x", true},
        {"s.a", "", PARTITIONS_LEAF, "s.a", "", true},
        {"s.a", "", PARTITIONS_LEAF, "", "", false},
        {"s.a", "", PARTITIONS_LEAF, "s.b", "", false},
        {"s.a", "", PARTITIONS_LEAF, "s.a,s.b", "", false},
        {"a", "", PARTITIONS_LEAF, "s.a", "", true},
        {"s.a", "", PARTITIONS_LEAF, "a", "", false},
        {"s.*", "", PARTITIONS_LEAF, "s.a*,s.b", "", true},
        {"s.a*", "", PARTITIONS_LEAF, "s.ab*c,s.a*", "", true},
        {"s.a*", "", PARTITIONS_LEAF, "s.*a", "", false},
        {"s.a*b*c", "", PARTITIONS_LEAF, "s.a*bxc", "", true},
        {"s.ab", "", PARTITIONS_LEAF, "s.a*", "", false},
        {"\"s\".\"a*\"", "", PARTITIONS_LEAF, "s.a*", "", false},
        {"s.a*", "", PARTITIONS_LEAF, "\"s\".\"a*\"", "", true},
        {"*", "", PARTITIONS_LEAF, "", "", false}, /* as it is written: all, but not said so */
        {"", "s.x", PARTITIONS_LEAF, "", "", false},
        {"", "s.x", PARTITIONS_LEAF, "s.a", "", false}, /* an ancestor may be s.a */
        {"", "s.x", PARTITIONS_LEAF, "s.a", "s.*", true},
        {"", "", PARTITIONS_ROOT, "", "", true},
        {"", "", PARTITIONS_ROOT, "", "x", true},
        {"", "", PARTITIONS_ROOT, "s.a", "", false},
        {"s.a", "", PARTITIONS_ROOT, "s.a", "", true},
        {"s.a,s.b", "", PARTITIONS_ROOT, "s.a", "", false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pattern_set sets[4];
        struct verdict_rules theirs = {
            .tables = &sets[0], .exclude = &sets[1], .partitions = cases[i].partitions};
        struct verdict_rules ours = {.tables = &sets[2], .exclude = &sets[3]};
        struct error error = {0};

        CASE("\"%s\" without \"%s\" for \"%s\" without \"%s\"", cases[i].tables, cases[i].exclude,
             cases[i].our_tables, cases[i].our_exclude);
        fill(&sets[0], cases[i].tables);
        fill(&sets[1], cases[i].exclude);
        fill(&sets[2], cases[i].our_tables);
        fill(&sets[3], cases[i].our_exclude);
        CHECK_INT(scope_covers(&theirs, &ours, &error), cases[i].covered);
        CHECK(cases[i].covered || error.kind == ERROR_PERMANENT);
        for (size_t set = 0; set < COUNT_OF(sets); set++) {
            pattern_set_free(&sets[set]);
        }
    }
}

/* What is written of patterns is read as the same ones, and is ASCII. */
static void scope_text(void)
{
    static const char list[] = "s.a,\"x.y\".\"a*\",b*c.*d,\xc3\xa9,\"q\"\"q\"";
    struct pattern_set tables, exclude, again = {0};
    struct verdict_rules rules = {
        .tables = &tables, .exclude = &exclude, .partitions = PARTITIONS_LEAF};
    struct buffer text = {0};
    struct error error;
    cJSON *json;

    fill(&tables, list);
    fill(&exclude, "");
    buffer_text(&text, "{\"a\":1");
    scope_write(&text, &rules);
    buffer_text(&text, "}");
    for (size_t i = 0; i < text.len; i++) {
        CHECK((unsigned char)text.data[i] < 0x80);
    }
    json = cJSON_ParseWithLength(text.data, text.len);
    REQUIRE(json != NULL);
    CHECK_TEXT(cJSON_GetStringValue(cJSON_GetObjectItem(json, "partitions")), "leaf");
    for (const cJSON *one = cJSON_GetObjectItem(json, "tables")->child; one != NULL;
         one = one->next) {
        CHECK(pattern_set_add(&again, cJSON_GetStringValue(one), &error));
    }
    REQUIRE(CHECK_INT(again.len, tables.len));
    for (size_t i = 0; i < again.len; i++) {
        CHECK_SLICE(again.patterns[i].schema, tables.patterns[i].schema);
        CHECK_SLICE(again.patterns[i].table, tables.patterns[i].table);
    }
    cJSON_Delete(json);
    buffer_free(&text);
    pattern_set_free(&tables);
    pattern_set_free(&again);
}

/* ---- lines ---- */

#define ITEM(rest) "{\"lsn\":\"0/1\",\"session\":\"s\",\"seq\":1,\"type\":" rest "}"

static void what_is_a_line(void)
{
    static const struct {
        const char *text;
        enum line_result result;
    } cases[] = {
        {ITEM("\"heartbeat\""), LINE_READ},
        {ITEM("\"resync\",\"reason\":\"connected\""), LINE_READ},
        {ITEM("\"resync\",\"reason\":\"of another version\""), LINE_READ},
        {ITEM("\"batch\",\"events\":[]"), LINE_READ},
        {ITEM("\"batch\""), LINE_UNREADABLE},
        {ITEM("\"batch\",\"events\":{}"), LINE_UNREADABLE},
        {ITEM("\"other\""), LINE_UNREADABLE},
        {ITEM("7"), LINE_UNREADABLE},
        {"", LINE_UNREADABLE},
        {"{", LINE_UNREADABLE},
        {"[]", LINE_UNREADABLE},
        {"{\"type\":\"heartbeat\",\"lsn\":\"0/1\"}", LINE_UNNUMBERED},
        {"{\"type\":\"heartbeat\",\"lsn\":\"0/1\",\"session\":\"s\"}", LINE_UNNUMBERED},
        {"{\"type\":\"heartbeat\",\"lsn\":\"0/1\",\"session\":\"s\",\"seq\":0}", LINE_UNNUMBERED},
        {"{\"type\":\"heartbeat\",\"lsn\":\"0/1\",\"session\":\"s\",\"seq\":1.5}", LINE_UNNUMBERED},
        {"{\"type\":\"heartbeat\",\"lsn\":\"0/1\",\"session\":\"s\",\"seq\":1e300}",
         LINE_UNNUMBERED},
        {"{\"type\":\"heartbeat\",\"lsn\":\"0/1\",\"session\":\"\",\"seq\":1}", LINE_UNNUMBERED},
        {"{\"type\":\"heartbeat\",\"lsn\":\"0/1\",\"seq\":1,\"session\":"
         "\"0123456789012345678901234567890123456789\"}",
         LINE_UNNUMBERED},
        {"{\"type\":\"heartbeat\",\"lsn\":\"x\",\"session\":\"s\",\"seq\":1}", LINE_UNREADABLE},
        {ITEM("\"heartbeat\",\"part\":1,\"parts\":2"), LINE_READ},
        {ITEM("\"heartbeat\",\"part\":3,\"parts\":2"), LINE_UNNUMBERED},
        {ITEM("\"heartbeat\",\"part\":0,\"parts\":2"), LINE_UNNUMBERED},
        {ITEM("\"heartbeat\",\"x\":\"\xff\""), LINE_UNREADABLE},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct line line;

        CASE("%s", cases[i].text);
        CHECK_INT(line_read(&line, slice_of(cases[i].text)), cases[i].result);
        line_free(&line);
    }
}

/* What stands above a table comes back as it was. */
static void lineages(void)
{
    /* a<b,c  b<d  c<d  d: not a chain. Bits: those above. */
    static const struct lineage there[] = {
        {.len = 1, .at = {{LITERAL("s"), LITERAL("a")}}},
        {.len = 3,
         .at = {{LITERAL("s"), LITERAL("a")},
                {LITERAL("s\""), LITERAL("b\n")},
                {LITERAL("s"), LITERAL("c")}},
         .above = {6, 4, 0}},
        {.len = 4,
         .at = {{LITERAL("s"), LITERAL("a")},
                {LITERAL("s"), LITERAL("b")},
                {LITERAL("s"), LITERAL("c")},
                {LITERAL("s"), LITERAL("d")}},
         .above = {14, 8, 8, 0}},
        {.len = 3,
         .at = {{LITERAL("s"), LITERAL("a")},
                {LITERAL("s"), LITERAL("b")},
                {LITERAL("s"), LITERAL("c")}},
         .above = {6, 0, 0}},
    };

    for (size_t i = 0; i < COUNT_OF(there); i++) {
        struct buffer text = {0};
        struct line line;
        struct line_event event;
        const struct cJSON *at = NULL;
        bool bad;

        CASE("%zu", i);
        buffer_text(&text,
                    "{\"lsn\":\"0/1\",\"session\":\"s\",\"seq\":1,\"type\":\"batch\",\"events\":["
                    "{\"schema\":\"s\",\"table\":\"a\",\"count\":1");
        lineage_write(&text, &there[i]);
        buffer_text(&text, "}]}");
        REQUIRE(CHECK_INT(line_read(&line, check_content(&text)), LINE_READ));
        REQUIRE(line_next_event(&line, &at, &event, &bad));
        CHECK_INT(event.lineage.len, there[i].len);
        for (size_t n = 0; n < there[i].len && n < event.lineage.len; n++) {
            CHECK_SLICE(event.lineage.at[n].schema, there[i].at[n].schema);
            CHECK_SLICE(event.lineage.at[n].table, there[i].at[n].table);
            CHECK_INT(event.lineage.above[n], there[i].above[n]);
        }
        CHECK(!line_next_event(&line, &at, &event, &bad) && !bad);
        line_free(&line);
        buffer_free(&text);
    }
}

/* ---- parts ---- */

/* As many events as names that are so long; each part is a line, and the events are all there. */
static void check_parts(size_t count, size_t name_len, size_t expected_parts)
{
    struct pattern_set none = {0};
    struct verdict_rules rules = {.tables = &none, .exclude = &none, .partitions = PARTITIONS_LEAF};
    struct names *names = names_new(&rules);
    struct sequence sequence = {.session = "s", .interval_us = CLOCK_NEVER, .scope = ""};
    struct item_style style = {.sequence = &sequence};
    struct item item = {.events = calloc(count, sizeof(struct item_event)), .len = count};
    struct parts parts = {0};
    struct targets targets;
    size_t events = 0;

    REQUIRE(names != NULL && item.events != NULL);
    for (size_t i = 0; i < count; i++) {
        char table[400];
        struct lineage lineage = {.len = 1, .at = {{LITERAL("public"), {table, name_len}}}};

        memset(table, 'x', sizeof(table));
        snprintf(table, sizeof(table), "%06zu", i);
        table[6] = 'x';
        REQUIRE(names_targets(names, &lineage, &targets));
        targets.at[0]->refs++;
        item.events[i] = (struct item_event){.name = targets.at[0], .tally = {.count = 1}};
    }
    REQUIRE(parts_write(&parts, &item, &style));
    CHECK_INT(sequence.seq, 1);
    CHECK_INT(expected_parts == 0 ? 1 : parts.len, expected_parts == 0 ? 1 : expected_parts);
    for (size_t i = 0; i < parts.len; i++) {
        struct line line;
        struct line_event event;
        const struct cJSON *at = NULL;
        bool bad;

        CHECK(parts_at(&parts, i).len <= PART_BYTES_MAX);
        REQUIRE(CHECK_INT(line_read(&line, parts_at(&parts, i)), LINE_READ));
        CHECK_INT(line.place.part, i + 1);
        CHECK_INT(line.place.parts, parts.len);
        CHECK_INT(line.type, expected_parts == 0 ? LINE_RESYNC : LINE_BATCH);
        while (line.type == LINE_BATCH && line_next_event(&line, &at, &event, &bad)) {
            events++;
        }
        line_free(&line);
    }
    CHECK_INT(events, expected_parts == 0 ? 0 : count);
    for (size_t i = 0; i < count; i++) {
        item.events[i].name->refs--;
    }
    item.len = 0;
    item_free(&item);
    parts_free(&parts);
    names_free(names);
}

static void parts_of_an_item(void)
{
    check_parts(1, 10, 1);
    check_parts(30, 60, 1);
    check_parts(1500, 60, 40);
    check_parts(2600, 60, 0);
    check_parts(10, 390, 2);
}

static void ascii(void)
{
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {"\"a\"", "\"a\""},
        {"\xc3\xa9", "\\u00e9"},
        {"\xe2\x82\xac", "\\u20ac"},
        {"\xf0\x9f\x98\x80!", "\\ud83d\\ude00!"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out = {0};

        json_ascii(&out, slice_of(cases[i].json));
        CHECK_BUFFER(out, cases[i].expected);
        buffer_free(&out);
    }
}

/* ---- held lines ---- */

static void held(void)
{
    struct held_lines lines = {0};
    struct slice line;
    uint32_t pid;
    size_t at = 0;

    CHECK(!held_lines_any(&lines));
    CHECK(held_lines_add(&lines, 7, slice_of("one")));
    CHECK(held_lines_add(&lines, 8, slice_of("")));
    held_lines_asked(&lines);
    CHECK(held_lines_add(&lines, 9, slice_of("later")));
    REQUIRE(held_lines_next(&lines, &at, &pid, &line));
    CHECK_INT(pid, 7);
    CHECK_SLICE(line, slice_of("one"));
    REQUIRE(held_lines_next(&lines, &at, &pid, &line));
    CHECK_INT(pid, 8);
    CHECK(!held_lines_next(&lines, &at, &pid, &line));
    held_lines_answered(&lines);
    CHECK(held_lines_any(&lines));
    held_lines_asked(&lines);
    at = 0;
    REQUIRE(held_lines_next(&lines, &at, &pid, &line));
    CHECK_INT(pid, 9);
    CHECK_SLICE(line, slice_of("later"));
    held_lines_answered(&lines);
    CHECK(!held_lines_any(&lines));
    held_lines_free(&lines);
}

static void held_bound(void)
{
    struct held_lines lines = {0};
    static char text[8000];
    size_t count = 0;

    memset(text, 'x', sizeof(text));
    while (held_lines_add(&lines, 1, (struct slice){text, sizeof(text)})) {
        REQUIRE(++count < 100);
    }
    CHECK_INT(count, HELD_LINES_MAX / (sizeof(text) + 8));
    CHECK(!held_lines_any(&lines)); /* all are gone, for order's sake */
    held_lines_free(&lines);
}

static const struct check_test tests[] = {
    {"places in a sequence", places},
    {"what covers what", scopes},
    {"patterns, written and read again", scope_text},
    {"what is a line", what_is_a_line},
    {"what stands above a table, written and read again", lineages},
    {"parts of an item", parts_of_an_item},
    {"JSON in ASCII", ascii},
    {"lines are held until the answer", held},
    {"not more than 64 KiB are", held_bound},
};

CHECK_MAIN(tests)
