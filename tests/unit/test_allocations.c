/*
 * What a change costs, in counts: the way from the socket to the window, over a
 * real socket, with the allocations of pgnudge's own code and of cJSON counted,
 * and what its hash tables look up and forget (the linker wraps them, see Makefile).
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "check.h"
#include "feed/intake.h"
#include "know.h"
#include "loopback.h"
#include "repl/stream.h"
#include "source/reader.h"
#include "wire/message.h"

#define TABLES       20
#define TRANSACTIONS 100
#define ROWS         20 /* of each */
#define CHANGES      (TRANSACTIONS * ROWS)
#define AT_ONCE      ((size_t)30000) /* bytes that a socket holds */
#define GIGABYTE     ((size_t)1 << 30)

static size_t allocations;
static size_t lookups;
static size_t removals;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__real_hashmap_get(const struct hashmap *map, struct slice key);
void *__wrap_hashmap_get(const struct hashmap *map, struct slice key);
void __real_hashmap_remove_at(struct hashmap *map, size_t i);
void __wrap_hashmap_remove_at(struct hashmap *map, size_t i);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    allocations++;
    return __real_realloc(block, size);
}

void *__wrap_hashmap_get(const struct hashmap *map, struct slice key)
{
    lookups++;
    return __real_hashmap_get(map, key);
}

void __wrap_hashmap_remove_at(struct hashmap *map, size_t i)
{
    removals++;
    __real_hashmap_remove_at(map, i);
}

struct fixture {
    struct loopback link;
    struct stream *stream;
    struct pattern_set tables, exclude;
    struct encoding *encoding;
    struct window window;
    struct item closed;
    struct catalog catalog;
    struct barrier barrier;
    struct unseen unseen;
    struct log log;
    struct intake intake;
    struct counters counters;
    struct sink sink;
    struct reader reader;
    int64_t now_us;
    struct buffer bytes; /* what the server sends in a round */
};

static bool connect_stream(struct fixture *fixture, struct error *error)
{
    struct stream_setup setup = {.status_interval_us = 10 * CLOCK_S, .liveness_us = CLOCK_NEVER};

    if (!loopback_open(&fixture->link, error)) {
        return false;
    }
    setup.conn = fixture->link.conn;
    conn_lift_limit(setup.conn);
    fixture->stream = stream_new(&setup, 0);
    return fixture->stream != NULL;
}

static bool set_up(struct fixture *fixture, enum plugin plugin)
{
    static const struct window_limits limits = {
        .debounce_us = 50, .max_wait_us = 1000, .max_pending = 100};
    struct verdict_rules rules = {
        .tables = &fixture->tables, .exclude = &fixture->exclude, .partitions = PARTITIONS_ROOT};
    struct error error;

    *fixture = (struct fixture){0};
    unseen_init(&fixture->unseen, UNSEEN_MAX);
    window_init(&fixture->window, &limits, &fixture->unseen);
    fixture->encoding = encoding_open("UTF8");
    fixture->catalog.names = names_new(&rules);
    fixture->catalog.window = &fixture->window;
    fixture->catalog.unseen = &fixture->unseen;
    fixture->log.level = LOG_ERROR;
    fixture->intake = (struct intake){.names = fixture->catalog.names,
                                      .catalog = &fixture->catalog,
                                      .window = &fixture->window,
                                      .barrier = &fixture->barrier,
                                      .counters = &fixture->counters};
    fixture->intake.now_us = 1000;
    fixture->sink = intake_sink(&fixture->intake);
    if (fixture->encoding == NULL || fixture->catalog.names == NULL) {
        return false;
    }
    reader_start(&fixture->reader, plugin, &fixture->sink, fixture->encoding, &fixture->log);
    catalog_start(&fixture->catalog, fixture->encoding, 100, 0);
    return connect_stream(fixture, &error);
}

static void tear_down(struct fixture *fixture)
{
    stream_free(fixture->stream);
    loopback_close(&fixture->link);
    catalog_stop(&fixture->catalog);
    catalog_free(&fixture->catalog);
    window_clear(&fixture->window);
    window_free(&fixture->window);
    item_free(&fixture->closed);
    unseen_free(&fixture->unseen);
    names_free(fixture->catalog.names);
    encoding_close(fixture->encoding);
    buffer_free(&fixture->bytes);
}

/* One XLogData. */
static void say(struct fixture *fixture, uint64_t lsn, const char *text)
{
    size_t mark = message_begin(&fixture->bytes, 'd');

    buffer_byte(&fixture->bytes, 'w');
    buffer_be64(&fixture->bytes, lsn);
    buffer_be64(&fixture->bytes, lsn);
    buffer_be64(&fixture->bytes, 0);
    buffer_text(&fixture->bytes, text);
    message_end(&fixture->bytes, mark);
}

static void say_row(struct fixture *fixture, enum plugin plugin, uint32_t xid, int table, int row)
{
    char text[200];

    if (plugin == PLUGIN_WAL2JSON) {
        snprintf(text, sizeof(text),
                 "{\"action\":\"I\",\"xid\":%u,\"schema\":\"public\",\"table\":\"t%d\","
                 "\"columns\":[{\"name\":\"id\",\"value\":%d}]}",
                 xid, table, row);
    } else {
        snprintf(text, sizeof(text), "table public.t%d: INSERT: id[integer]:%d", table, row);
    }
    say(fixture, xid, text);
}

/* Its rows are of all tables, in an order that the one before doesn't foretell. */
static void say_transaction(struct fixture *fixture, enum plugin plugin, uint32_t xid)
{
    static const int steps[] = {1, 3, 7, 9, 11, 13, 17, 19};
    int step = steps[xid % (sizeof(steps) / sizeof(steps[0]))];
    bool wal2json = plugin == PLUGIN_WAL2JSON;
    char text[200];

    snprintf(text, sizeof(text), wal2json ? "{\"action\":\"B\",\"xid\":%u}" : "BEGIN %u", xid);
    say(fixture, xid, text);
    for (int row = 0; row < ROWS; row++) {
        say_row(fixture, plugin, xid, row * step % TABLES, row);
    }
    snprintf(text, sizeof(text), wal2json ? "{\"action\":\"C\",\"xid\":%u}" : "COMMIT %u", xid);
    say(fixture, xid + 1, text);
}

/* What has been received goes into the window. */
static bool take_received(struct fixture *fixture)
{
    struct stream_message message;
    enum stream_event event;
    struct error error;

    while ((event = stream_next(fixture->stream, &message, &error)) != STREAM_NOTHING) {
        if ((event != STREAM_BEGIN && event != STREAM_MORE) ||
            !reader_take(&fixture->reader, &message, event == STREAM_BEGIN, &error)) {
            return false;
        }
    }
    return true;
}

/* The server sends some of the bytes, the feed takes them; returns how many, 0 if that failed. */
static size_t take_some(struct fixture *fixture, const char *at, size_t len)
{
    ssize_t sent = send(fixture->link.server, at, len < AT_ONCE ? len : AT_ONCE, 0);
    uint64_t before = conn_received(fixture->link.conn);
    struct error error;

    while (sent > 0 && conn_received(fixture->link.conn) - before < (uint64_t)sent) {
        if (!stream_receive(fixture->stream, 1000, &error) || !take_received(fixture)) {
            return 0;
        }
    }
    return sent > 0 ? (size_t)sent : 0;
}

/* All of them; each time the server gets an answer. */
static bool take(struct fixture *fixture)
{
    const char *at = fixture->bytes.data, *end = at + fixture->bytes.len;
    struct error error;
    char answer[4096];

    while (at < end) {
        size_t taken = take_some(fixture, at, (size_t)(end - at));

        if (taken == 0 || !stream_answer(fixture->stream, 1000, &error) ||
            recv(fixture->link.server, answer, sizeof(answer), 0) <= 0) {
            return false;
        }
        at += taken;
    }
    return true;
}

/* A window's worth of transactions; what it took is counted. */
static void round_of(struct fixture *fixture, enum plugin plugin, uint32_t *xid)
{
    buffer_clear(&fixture->bytes);
    for (int i = 0; i < TRANSACTIONS; i++) {
        say_transaction(fixture, plugin, (*xid)++);
    }
    allocations = lookups = 0;
    CHECK(take(fixture));
    CHECK_INT(fixture->window.item.len, TABLES);
    for (size_t i = 0; i < fixture->window.item.len; i++) {
        CHECK_INT(fixture->window.item.events[i].tally.count, CHANGES / TABLES);
    }
    window_close(&fixture->window, &fixture->closed);
    item_clear(&fixture->closed);
}

/* As the visibility connection sees and the catalog looks after each window, an hour apart. */
static void settle(struct fixture *fixture, uint32_t xid)
{
    fixture->now_us += 3600 * CLOCK_S;
    CHECK(know_tables(&fixture->catalog, xid, fixture->now_us));
}

static void check_plugin(enum plugin plugin)
{
    struct fixture fixture;
    uint32_t xid = 1000;

    REQUIRE(set_up(&fixture, plugin));
    /* The first change of each table asks the catalog. */
    say_transaction(&fixture, plugin, xid++);
    CHECK(take(&fixture));
    CHECK(catalog_is_pending(&fixture.catalog));
    settle(&fixture, xid);
    window_clear(&fixture.window);

    for (int warm_up = 0; warm_up < 3; warm_up++) {
        round_of(&fixture, plugin, &xid);
        CHECK(allocations < 1000);
        settle(&fixture, xid);
    }
    for (int round = 0; round < 50; round++) { /* 100 000 changes */
        round_of(&fixture, plugin, &xid);
        CHECK_INT(allocations, 0);
        CHECK(lookups > 0 && lookups <= CHANGES);
        settle(&fixture, xid);
    }
    tear_down(&fixture);
}

/* A row of 1 GB as text, behind one that has made its table known. */
static void check_gigabyte(enum plugin plugin)
{
    static char piece[AT_ONCE];
    struct fixture fixture;
    size_t left, taken;

    REQUIRE(set_up(&fixture, plugin));
    say_row(&fixture, plugin, 1000, 0, 0);
    CHECK(take(&fixture));
    CHECK(catalog_is_pending(&fixture.catalog));
    settle(&fixture, 1001);
    window_clear(&fixture.window);

    buffer_clear(&fixture.bytes);
    say_row(&fixture, plugin, 1000, 0, 0);
    left = GIGABYTE - (fixture.bytes.len - 1);
    memcpy(fixture.bytes.data + 1, "\x40\0\0\0", 4); /* its length, the type aside */
    allocations = 0;
    CHECK_INT(take_some(&fixture, fixture.bytes.data, fixture.bytes.len), fixture.bytes.len);
    memset(piece, 'x', sizeof(piece));
    for (; left > 0; left -= taken) {
        taken = take_some(&fixture, piece, left < sizeof(piece) ? left : sizeof(piece));
        REQUIRE(taken > 0);
    }
    buffer_clear(&fixture.bytes);
    say_row(&fixture, plugin, 1002, 0, 0);
    CHECK(take(&fixture));
    CHECK_INT(allocations, 0);
    REQUIRE(fixture.window.item.len == 1);
    CHECK_INT(fixture.window.item.events[0].tally.count, 2);
    tear_down(&fixture);
}

/* Beyond the bound a name costs what it did before, and one that is forgotten. */
static void check_flood(bool by_sql)
{
    struct fixture fixture;
    struct sink_change change = {.schema = LITERAL("s"), .by_sql = by_sql, .count = 1};
    size_t most = 0;
    char table[20];

    REQUIRE(set_up(&fixture, PLUGIN_TEST_DECODING));
    for (size_t i = 0; i < 3 * NAMES_MAX; i++) {
        snprintf(table, sizeof(table), "t%zu", i);
        change.table = slice_of(table);
        allocations = removals = 0;
        if (!CHECK_INT(fixture.sink.change(fixture.sink.context, &change), SINK_TAKEN)) {
            break;
        }
        most = allocations > most ? allocations : most;
        CHECK(removals <= 1);
    }
    CHECK(most > 0 && most <= 10);
    tear_down(&fixture);
}

static void flood(void)
{
    check_flood(false);
    check_flood(true);
}

static void test_decoding(void)
{
    check_plugin(PLUGIN_TEST_DECODING);
}

static void wal2json(void)
{
    check_plugin(PLUGIN_WAL2JSON);
}

static void gigabyte(void)
{
    check_gigabyte(PLUGIN_TEST_DECODING);
    check_gigabyte(PLUGIN_WAL2JSON);
}

static void the_count_counts(void)
{
    cJSON_Hooks hooks = {.malloc_fn = __wrap_malloc, .free_fn = free};
    struct buffer buffer = {0};

    allocations = 0;
    buffer_text(&buffer, "x");
    CHECK_INT(allocations, 1);
    buffer_free(&buffer);
    cJSON_InitHooks(&hooks); /* for the tests behind this one, too */
    cJSON_Delete(cJSON_Parse("[1]"));
    CHECK(allocations > 1);
}

static const struct check_test tests[] = {
    {"allocations are counted", the_count_counts},
    {"100 000 changes by test_decoding allocate nothing, and look up one name each", test_decoding},
    {"100 000 changes by wal2json allocate nothing, and look up one name each", wal2json},
    {"nor does a message of 1 GB", gigabyte},
    {"a name too many costs one that is forgotten", flood},
};

CHECK_MAIN(tests)
