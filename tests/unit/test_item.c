/* Lines as the contract has them: exact where it is simple, valid JSON always. */
#include "batch/item.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "arrive.h"
#include "base/clock.h"
#include "batch/name.h"
#include "batch/payload.h"
#include "batch/window.h"
#include "check.h"

#define FIRST_SEEN (1763622000 * CLOCK_S + 123456) /* the contract's example */

static const struct window_limits limits = {
    .debounce_us = 50, .max_wait_us = 1000, .max_pending = 100};
static struct unseen unseen = {.max = 4096};

static struct name *new_name(struct slice schema, struct slice table)
{
    struct buffer text = {0};
    struct name *name;
    size_t json_len;

    payload_json(&text, schema, table);
    json_len = text.len;
    payload_text(&text, schema, table);
    name = malloc(sizeof(*name) + text.len);
    if (name != NULL && CHECK(!text.failed)) {
        *name = (struct name){.json_len = json_len, .text_len = text.len - json_len};
        memcpy(name->json, text.data, text.len);
    }
    buffer_free(&text);
    return name;
}

/* What a terminal may act on never goes out raw. */
static void controls(void)
{
    struct buffer json = {0};

    payload_json(&json, slice_of("s\033\x7f"), slice_of("\xc2\x80\xc2\x9f\xc2\xa0"));
    CHECK_BUFFER(json, "\"payload\":\"s\\u001b\\u007f.\\u0080\\u009f\xc2\xa0\","
                       "\"schema\":\"s\\u001b\\u007f\",\"table\":\"\\u0080\\u009f\xc2\xa0\"");
    buffer_free(&json);
}

/* --format names, with and without -0. */
static void as_names(void)
{
    static const char lines[] = "shop.a b\n*\n*\n*\ns\xc3\xa9.\xc2\xa0\n";
    static const char nuls[] = "shop.a b\0s.x\ny\0s.\x7f\0s.\xc2\x80\0s\xc3\xa9.\xc2\xa0\0";
    static const struct slice expected[] = {{lines, sizeof(lines) - 1}, {nuls, sizeof(nuls) - 1}};
    static const char *const tables[][2] = {{"shop", "a b"},
                                            {"s", "x\ny"},
                                            {"s", "\x7f"},
                                            {"s", "\xc2\x80"},
                                            {"s\xc3\xa9", "\xc2\xa0"}};
    enum { TABLES = sizeof(tables) / sizeof(tables[0]) };
    struct item_event events[TABLES];
    struct item item = {.events = events, .len = TABLES};

    for (size_t i = 0; i < TABLES; i++) {
        events[i].name = new_name(slice_of(tables[i][0]), slice_of(tables[i][1]));
        REQUIRE(events[i].name != NULL);
    }
    for (int nul = 0; nul <= 1; nul++) {
        struct buffer text = {0};

        item_write(&text, &item, STYLE(nul ? ITEM_NAMES_NUL : ITEM_NAMES));
        CHECK(slice_equal((struct slice){text.data, text.len}, expected[nul]));
        item.resync = RESYNC_CONNECTED;
        buffer_clear(&text);
        item_write(&text, &item, STYLE(nul ? ITEM_NAMES_NUL : ITEM_NAMES));
        CHECK(slice_equal((struct slice){text.data, text.len},
                          (struct slice){nul ? "*\0" : "*\n", 2}));
        item.resync = RESYNC_NONE;
        buffer_free(&text);
    }
    for (size_t i = 0; i < TABLES; i++) {
        free(events[i].name);
    }
}

static void batch(void)
{
    struct name *orders = new_name(slice_of("public"), slice_of("orders"));
    struct name *items = new_name(slice_of("shop"), slice_of("Items"));
    struct buffer line = {0};
    struct window window;

    REQUIRE(orders != NULL && items != NULL);
    window_init(&window, &limits, &unseen);
    window_begin(&window, 700);
    for (int i = 0; i < 500; i++) {
        CHECK(window_change(&window, orders, INSERT_AT(0, FIRST_SEEN + i)));
    }
    CHECK(window_change(&window, items, INSERT_AT(0, 1763622001 * CLOCK_S + 42)));
    window_commit(&window, 0x16B3A90);
    item_write(&line, &window.item, STYLE(ITEM_JSON));
    CHECK_BUFFER(line, "{\"type\":\"batch\",\"lsn\":\"0/16B3A90\",\"events\":["
                       "{\"payload\":\"public.orders\",\"schema\":\"public\",\"table\":\"orders\","
                       "\"first_seen\":1763622000.123456,\"count\":500},"
                       "{\"payload\":\"shop.Items\",\"schema\":\"shop\",\"table\":\"Items\","
                       "\"first_seen\":1763622001.000042,\"count\":1}]}\n");
    CHECK(!line.failed);
    buffer_free(&line);
    window_free(&window);
    free(orders);
    free(items);
}

static void six_digits(void)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {1763622000 * CLOCK_S, "\"first_seen\":1763622000.000000,"},
        {1763622000 * CLOCK_S + 1, "\"first_seen\":1763622000.000001,"},
        {1763622000 * CLOCK_S + 999999, "\"first_seen\":1763622000.999999,"},
        {1763622000 * CLOCK_S + 100000, "\"first_seen\":1763622000.100000,"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct name *name = new_name(slice_of("s"), slice_of("t"));
        struct buffer line = {0};
        struct window window;

        REQUIRE(name != NULL);
        CASE("%s", cases[i].text);
        window_init(&window, &limits, &unseen);
        CHECK(window_change(&window, name, INSERT_AT(0, cases[i].us)));
        item_write(&line, &window.item, STYLE(ITEM_JSON));
        buffer_byte(&line, '\0');
        CHECK(strstr(line.data, cases[i].text) != NULL);
        buffer_free(&line);
        window_free(&window);
        free(name);
    }
}

static void resyncs(void)
{
    static const struct {
        enum resync reason;
        uint64_t lsn;
        const char *line;
    } cases[] = {
        {RESYNC_CONNECTED, 0x16B3748,
         "{\"type\":\"resync\",\"reason\":\"connected\",\"lsn\":\"0/16B3748\"}\n"},
        {RESYNC_RECONNECTED, 0x1600000000,
         "{\"type\":\"resync\",\"reason\":\"reconnected\",\"lsn\":\"16/0\"}\n"},
        {RESYNC_OVERFLOW, 0x16B374D848,
         "{\"type\":\"resync\",\"reason\":\"overflow\",\"lsn\":\"16/B374D848\"}\n"},
        {RESYNC_FAILSAFE, UINT64_MAX,
         "{\"type\":\"resync\",\"reason\":\"failsafe\",\"lsn\":\"FFFFFFFF/FFFFFFFF\"}\n"},
        {RESYNC_REQUESTED, 1, "{\"type\":\"resync\",\"reason\":\"requested\",\"lsn\":\"0/1\"}\n"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct item item = {.resync = cases[i].reason, .lsn = cases[i].lsn};
        struct buffer line = {0};

        CASE("%s", cases[i].line);
        item_write(&line, &item, STYLE(ITEM_JSON));
        CHECK_BUFFER(line, cases[i].line);
        buffer_free(&line);
    }
}

/* The value of a string member, or "?". */
static const char *member(const cJSON *object, const char *key)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return value != NULL ? value : "?";
}

/* Whatever is in a name: one line of JSON in UTF-8, from which a reader gets it back. */
static void any_name(void)
{
    static const struct {
        struct slice schema;
        struct slice table;
        const char *schema_text;
        const char *table_text;
    } cases[] = {
        {LITERAL("public"), LITERAL("orders"), "public", "orders"},
        {LITERAL("a.b"), LITERAL("c,d"), "a.b", "c,d"},
        {LITERAL("\""), LITERAL("\"\""), "\"", "\"\""},
        {LITERAL("\\"), LITERAL("\\n\\u0041"), "\\", "\\n\\u0041"},
        {LITERAL("a\nb"), LITERAL("\r\t\b\f"), "a\nb", "\r\t\b\f"},
        {LITERAL("\001\002\037"), LITERAL("\177"), "\001\002\037", "\177"},
        {LITERAL("\"},{\""), LITERAL("]}"), "\"},{\"", "]}"},
        {LITERAL("Tr\xc3\xa4nen"), LITERAL("\xf0\x9f\x90\x98"), "Tr\xc3\xa4nen",
         "\xf0\x9f\x90\x98"},
        {LITERAL("Tr\xe4nen"), LITERAL("\xff\xfe"), "Tr\xef\xbf\xbdnen",
         "\xef\xbf\xbd\xef\xbf\xbd"},
        {LITERAL("\xc3"), LITERAL("\xa4"), "\xef\xbf\xbd", "\xef\xbf\xbd"}, /* not joined to ä */
        {LITERAL("</script>"), LITERAL("\xe2\x80\xa8"), "</script>", "\xe2\x80\xa8"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct name *name = new_name(cases[i].schema, cases[i].table);
        struct buffer line = {0}, payload = {0};
        struct window window;
        cJSON *json;
        const cJSON *event;

        REQUIRE(name != NULL);
        CASE("case %zu", i);
        window_init(&window, &limits, &unseen);
        CHECK(window_change(&window, name, INSERT_AT(0, FIRST_SEEN)));
        item_write(&line, &window.item, STYLE(ITEM_JSON));
        CHECK(memchr(line.data, '\n', line.len) == line.data + line.len - 1);
        for (size_t at = 0, len; at < line.len; at += len) {
            len = utf8_sequence((struct slice){line.data + at, line.len - at});
            REQUIRE(len > 0);
            CHECK((unsigned char)line.data[at] >= ' ' || at + 1 == line.len);
        }
        buffer_byte(&line, '\0');
        json = cJSON_ParseWithOpts(line.data, NULL, true);
        CHECK(json != NULL);
        event = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "events"), 0);
        buffer_format(&payload, "%s.%s", cases[i].schema_text, cases[i].table_text);
        buffer_byte(&payload, '\0');
        CHECK_TEXT(member(event, "schema"), cases[i].schema_text);
        CHECK_TEXT(member(event, "table"), cases[i].table_text);
        CHECK_TEXT(member(event, "payload"), payload.data);
        cJSON_Delete(json);
        buffer_free(&line);
        buffer_free(&payload);
        window_free(&window);
        free(name);
    }
}

/* A line that doesn't fit must be seen to have failed, not be cut. */
static void no_room(void)
{
    struct name *name = new_name(slice_of("public"), slice_of("orders"));
    struct window window;

    REQUIRE(name != NULL);
    window_init(&window, &limits, &unseen);
    CHECK(window_change(&window, name, INSERT_AT(0, FIRST_SEEN)));
    for (size_t limit = 1; limit < 100; limit++) {
        struct buffer line = {.limit = limit};

        CASE("%zu bytes", limit);
        item_write(&line, &window.item, STYLE(ITEM_JSON));
        CHECK(line.failed);
        buffer_free(&line);
    }
    window_free(&window);
    free(name);
}

/* Its names may be forgotten afterwards, and its memory serves again. */
static void cleared(void)
{
    struct name *name = new_name(slice_of("s"), slice_of("t"));
    struct window window;
    struct item item = {0};

    REQUIRE(name != NULL);
    window_init(&window, &limits, &unseen);
    window_begin(&window, 700);
    CHECK(window_change(&window, name, INSERT_AT(0, FIRST_SEEN)));
    CHECK(window_commit(&window, 0x100));
    window_close(&window, &item);
    CHECK_INT(name->refs, 1);
    item_drop_events(&item);
    CHECK_INT(name->refs, 0);
    CHECK(item.len == 0 && item.lsn == 0x100);
    item.resync = RESYNC_FAILSAFE;
    item_clear(&item);
    CHECK(item.resync == RESYNC_NONE && item.lsn == 0);
    CHECK(item.cap > 0);
    item_free(&item);
    CHECK(item.events == NULL && item.cap == 0);
    window_free(&window);
    unseen_free(&unseen);
    free(name);
}

static const struct check_test tests[] = {
    {"names instead of JSON", as_names},
    {"control characters are escaped", controls},
    {"a batch, byte for byte", batch},
    {"first_seen has six digits", six_digits},
    {"resyncs, byte for byte", resyncs},
    {"any name is on one line of JSON and comes back", any_name},
    {"a line without room is a failure", no_room},
    {"a cleared item lets go of its names", cleared},
};

CHECK_MAIN(tests)
