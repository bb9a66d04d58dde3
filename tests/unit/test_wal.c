/* What is read of WAL: each case at once, and again byte by byte. */
#include <stdlib.h>

#include "check.h"
#include "wal/transactions.h"

#include "../wal/build.h"

#define START    (UINT64_C(3) * BUILD_SEGMENT + WAL_PAGE)
#define SAID_MAX 4096
#define MAGIC_13 0xd106
#define MAGIC_15 0xd110
#define MAGIC_18 0xd118
#define TABLE    20000
#define OTHER    20001

static struct build build; /* large */

/* ---- what comes out, as text ---- */

struct said {
    char text[SAID_MAX];
    size_t len;
    const struct wal_transactions *transactions;
};

__attribute__((format(printf, 2, 3))) static void say(struct said *said, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    said->len += (size_t)vsnprintf(said->text + said->len, SAID_MAX - said->len, format, arguments);
    va_end(arguments);
}

static int by_node(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* A commit's changes stand in any order. */
static void say_changes(struct said *said, const struct wal_commit *commit)
{
    char changes[16][60];
    size_t count = 0;
    struct slice content;

    for (const struct open_node *change = commit->first; change != NULL && count < 16;
         change = wal_change_next(said->transactions, change)) {
        switch (wal_change_of(said->transactions, change, &content)) {
        case WAL_CHANGE_FILE:
            snprintf(changes[count++], 60, " %" PRIu32 ":%" PRIu64, change->file.node,
                     change->count);
            break;
        case WAL_CHANGE_RESYNC:
            snprintf(changes[count++], 60, " resync");
            break;
        case WAL_CHANGE_CONTENT:
            snprintf(changes[count++], 60, " \"%.*s\"", (int)content.len, content.data);
            break;
        case WAL_CHANGE_NONE:
            break;
        }
    }
    qsort(changes, count, sizeof(changes[0]), by_node);
    for (size_t i = 0; i < count; i++) {
        say(said, "%s", changes[i]);
    }
}

static bool on_commit(void *context, const struct wal_commit *commit)
{
    struct said *said = context;

    say(said, "C%" PRIu32 "%s%s%s", commit->xid, commit->lost ? " lost" : "",
        commit->catalog ? " catalog" : "", commit->all_redefined ? " all" : "");
    say_changes(said, commit);
    for (size_t i = 0; i < commit->dropped->len; i++) {
        say(said, " -%" PRIu32, commit->dropped->at[i].node);
        CHECK(wal_commit_drops(commit, commit->dropped->at[i]));
    }
    for (size_t i = 0; i < commit->redefined->len; i++) {
        say(said, " ~%" PRIu32, commit->redefined->at[i]);
    }
    say(said, ";");
    return true;
}

static void on_abort(void *context, uint32_t xid)
{
    say(context, "A%" PRIu32 ";", xid);
}

static bool on_message(void *context, struct slice content, uint64_t lsn)
{
    CHECK(lsn > START && lsn % WAL_ALIGN == 0);
    say(context, "M%.*s%s;", (int)content.len, content.data != NULL ? content.data : "",
        content.data == NULL ? "?" : "");
    return true;
}

static void on_running(void *context, const struct wal_running *running)
{
    say(context, "R%" PRIu32 ",%" PRIu32 ";", running->next, running->oldest);
}

/* Reads what has been built, in pieces. False: it is no WAL, and `error` says why. */
static bool read_in(struct said *said, size_t piece, struct error *error)
{
    struct wal_taker taker = {said, on_commit, on_abort, on_message, on_running};
    struct wal_transactions *transactions =
        wal_transactions_new(&taker, build.start, BUILD_SEGMENT, BUILD_SYSTEM, BUILD_DATABASE);
    bool ok = true;

    error_clear(error);
    *said = (struct said){.transactions = transactions};
    for (size_t at = 0; ok && at < build.len; at += piece) {
        size_t len = build.len - at < piece ? build.len - at : piece;

        ok = wal_transactions_take(transactions,
                                   (struct slice){(const char *)build.bytes + at, len}, error);
        CHECK(!ok || wal_transactions_position(transactions) == build.start + at + len);
    }
    wal_transactions_free(transactions);
    return ok;
}

static void reads(const char *expected)
{
    static const size_t pieces[] = {BUILD_MAX, 1, 7, 4096};
    struct said said;
    struct error error;

    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        CHECK(read_in(&said, pieces[i], &error));
        CHECK_TEXT(error.message, "");
        CHECK_TEXT(said.text, expected);
    }
}

static void refuses(const char *why, enum error_kind kind)
{
    struct said said;
    struct error error;

    CHECK(!read_in(&said, BUILD_MAX, &error));
    CHECK(strstr(error.message, why) != NULL);
    CHECK(error.kind == kind);
    CHECK(!read_in(&said, 1, &error));
    CHECK(strstr(error.message, why) != NULL);
}

/* ---- records ---- */

static void start(uint16_t magic)
{
    build_start(&build, START, magic);
}

static void insert(uint32_t xid, uint32_t node)
{
    build_change(&build, WAL_HEAP, HEAP_INSERT, xid, BUILD_DATABASE, node, 50);
}

/* The end of a transaction: what it says is put together by the callers. */
struct ending {
    unsigned char data[200000];
    size_t len;
};

static struct ending ending; /* large */

static void begin_ending(uint32_t info)
{
    memset(ending.data, 0, 12);
    put32(ending.data + 8, info);
    ending.len = 12;
}

static void say32(uint32_t value)
{
    put32(ending.data + ending.len, value);
    ending.len += 4;
}

static void end(uint8_t kind, uint32_t xid)
{
    build_main_data(&build, WAL_XACT, kind | XACT_HAS_INFO, xid, ending.data, ending.len);
}

static void commit(uint32_t xid)
{
    unsigned char time[8] = {0};

    build_main_data(&build, WAL_XACT, XACT_COMMIT, xid, time, sizeof(time));
}

/* ---- tests ---- */

static void test_changes(void)
{
    start(MAGIC_15);
    insert(700, TABLE);
    insert(700, TABLE);
    build_change(&build, WAL_HEAP, HEAP_UPDATE, 700, BUILD_DATABASE, OTHER, 0);
    build_change(&build, WAL_HEAP, HEAP_HOT_UPDATE, 700, BUILD_DATABASE, OTHER, 100);
    build_change(&build, WAL_HEAP, HEAP_DELETE | 0x80, 700, BUILD_DATABASE, OTHER, 8);
    build_change(&build, WAL_HEAP2, HEAP2_MULTI_INSERT, 700, BUILD_DATABASE, TABLE, 9000);
    commit(700);
    reads("C700 20000:5 20001:3;");
}

static void test_not_changes(void)
{
    start(MAGIC_15);
    build_change(&build, WAL_HEAP, 0x50, 700, BUILD_DATABASE, TABLE, 10);
    build_change(&build, WAL_HEAP, 0x60, 700, BUILD_DATABASE, TABLE, 10);
    build_change(&build, WAL_HEAP2, 0x10, 700, BUILD_DATABASE, TABLE, 10);
    build_change(&build, WAL_XLOG, 0xa0, 700, BUILD_DATABASE, TABLE, 10);
    build_change(&build, 11, 0x00, 700, BUILD_DATABASE, TABLE, 10);
    insert(0, TABLE);
    build_change(&build, WAL_HEAP, HEAP_INSERT, 700, BUILD_DATABASE + 1, TABLE, 10);
    build_change(&build, WAL_HEAP, HEAP_INSERT, 700, BUILD_DATABASE, WAL_FIRST_OID - 1, 10);
    commit(700);
    reads("C700;");
}

/* Any length, at any place in a page. */
static void test_lengths(void)
{
    start(MAGIC_15);
    for (size_t len = 0; len < 300; len++) {
        build_change(&build, WAL_HEAP, HEAP_INSERT, 701, BUILD_DATABASE, TABLE, len * 37 % 20000);
    }
    build_change(&build, WAL_HEAP, HEAP_INSERT, 701, BUILD_DATABASE, OTHER, 60000);
    commit(701);
    reads("C701 20000:300 20001:1;");
}

static void test_images(void)
{
    static const struct {
        uint16_t magic;
        uint8_t image; /* with a hole */
        bool compressed;
    } cases[] = {{MAGIC_13, 0x03, true}, {MAGIC_13, 0x05, false}, {MAGIC_15, 0x03, false},
                 {MAGIC_15, 0x05, true}, {MAGIC_15, 0x09, true},  {MAGIC_15, 0x11, true},
                 {MAGIC_18, 0x11, true}, {MAGIC_18, 0x03, false}, {MAGIC_15, 0x04, false}};
    unsigned char body[300];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t len;

        CASE("magic %x, image %x", cases[i].magic, cases[i].image);
        memset(body, 0, sizeof(body));
        len = put_block(body, 0, 0x10 | 0x80, cases[i].image, 0, 0);
        len += cases[i].compressed ? 2 : 0;
        body[1] = 0x10;
        put32(body + len, 1663);
        put32(body + len + 4, BUILD_DATABASE);
        put32(body + len + 8, TABLE);
        len += 16;
        body[len] = 255;
        body[len + 1] = 3;
        start(cases[i].magic);
        build_record(&build, WAL_HEAP, HEAP_INSERT, 700, body, len + 2 + 100 + 3);
        commit(700);
        reads("C700 20000:1;");
    }
}

/* An extension's records, and generic ones: all blocks count, main forks alone. */
static void test_many_blocks(void)
{
    unsigned char body[300] = {0};
    size_t len = put_block(body, 0, 0, 0, BUILD_DATABASE, TABLE) + 4;

    len += put_block(body + len, 1, 0x80, 0, 0, 0) + 4;
    len += put_block(body + len, 2, 0, 0, BUILD_DATABASE, OTHER) + 4;
    len += put_block(body + len, 3, 0x01, 0, BUILD_DATABASE, OTHER + 1) + 4;
    len += put_block(body + len, 4, 0, 0, BUILD_DATABASE + 1, OTHER + 2) + 4;
    start(MAGIC_15);
    build_record(&build, WAL_GENERIC, 0, 700, body, len);
    build_record(&build, 200, 0x30, 700, body, len);
    commit(700);
    reads("C700 20000:2 20001:2;");
}

static void test_subtransactions(void)
{
    start(MAGIC_15);
    insert(700, TABLE);
    insert(701, TABLE);
    insert(702, OTHER);
    insert(703, OTHER);
    begin_ending(0x02); /* ROLLBACK TO, of one with one below */
    say32(1);
    say32(703);
    end(XACT_ABORT, 702);
    begin_ending(0x01 | 0x02);
    say32(1663);
    say32(BUILD_DATABASE);
    say32(2);
    say32(701);
    say32(704);
    end(XACT_COMMIT, 700);
    reads("A702;C700 20000:2;");
}

static void test_rollback(void)
{
    unsigned char time[8] = {0};

    start(MAGIC_15);
    insert(700, TABLE);
    build_main_data(&build, WAL_XACT, XACT_ABORT, 700, time, sizeof(time));
    insert(701, TABLE);
    commit(700); /* nothing is left of it */
    reads("A700;C700;");
}

/* The fixed part of a PREPARE of 700 with a subtransaction, 701. */
static void prepare(uint16_t magic)
{
    size_t size = magic == MAGIC_13 ? 64 : 72, gid_at = magic == MAGIC_13 ? 46 : 54;

    memset(ending.data, 0, 200);
    put32(ending.data + 28, 1);
    put16(ending.data + gid_at, 5);
    ending.len = size + 8;
    say32(701);
    build_main_data(&build, WAL_XACT, XACT_PREPARE, 700, ending.data, ending.len + 100);
}

static void test_prepared(void)
{
    static const uint16_t magics[] = {MAGIC_13, MAGIC_18};
    unsigned char checkpoint[80] = {0};

    for (size_t i = 0; i < COUNT_OF(magics); i++) {
        CASE("magic %x", magics[i]);
        start(magics[i]);
        insert(700, TABLE);
        insert(701, OTHER);
        prepare(magics[i]);
        insert(705, TABLE); /* lost in the restart */
        build_main_data(&build, WAL_XLOG, XLOG_CHECKPOINT_SHUTDOWN, 0, checkpoint,
                        sizeof(checkpoint));
        begin_ending(0x02 | 0x10);
        say32(1);
        say32(701);
        say32(700);
        end(XACT_COMMIT_PREPARED, 0);
        commit(705);
        reads("C700 20000:1 20001:1;C705;");
    }
    CASE("rolled back");
    start(MAGIC_15);
    insert(700, TABLE);
    begin_ending(0x10);
    say32(700);
    end(XACT_ABORT_PREPARED, 0);
    commit(700);
    reads("A700;C700;");
}

static void say_file(uint32_t database, uint32_t node)
{
    say32(1663);
    say32(database);
    say32(node);
}

static void say_inval(uint8_t id, uint32_t database, uint32_t oid)
{
    say32(id);
    say32(database);
    say32(oid);
    say32(0);
}

/* What a COMMIT lists, in the order of each major. */
static void test_lists(void)
{
    static const uint16_t magics[] = {MAGIC_13, MAGIC_15, MAGIC_18};

    for (size_t i = 0; i < COUNT_OF(magics); i++) {
        bool has_stats = magics[i] != MAGIC_13;

        CASE("magic %x", magics[i]);
        start(magics[i]);
        begin_ending(0x01 | 0x02 | 0x04 | 0x08 | (has_stats ? 0x100u : 0) | 0x80);
        say32(1663);
        say32(BUILD_DATABASE);
        say32(1);
        say32(701);
        say32(3);
        say_file(BUILD_DATABASE, TABLE);
        say_file(BUILD_DATABASE + 1, TABLE);
        say_file(BUILD_DATABASE, 100);
        if (has_stats) {
            say32(2);
            for (size_t word = 0; word < 2u * (magics[i] == MAGIC_18 ? 4 : 3); word++) {
                say32(99999);
            }
        }
        say32(5);
        say_inval(0xfe, BUILD_DATABASE, TABLE);
        say_inval(0xfe, BUILD_DATABASE, TABLE);
        say_inval(0xfe, BUILD_DATABASE + 1, OTHER);
        say_inval(0xfd, BUILD_DATABASE, OTHER); /* of a file */
        say_inval(0xfe, BUILD_DATABASE, 1259);
        end(XACT_COMMIT, 700);
        reads("C700 catalog -20000 ~20000;");
    }
    CASE("all, or only names");
    start(MAGIC_15);
    begin_ending(0x08);
    say32(1);
    say_inval(0xfe, BUILD_DATABASE, 0);
    end(XACT_COMMIT, 700);
    begin_ending(0x08);
    say32(1);
    say_inval(40, BUILD_DATABASE, 12345);
    end(XACT_COMMIT, 701);
    reads("C700 catalog all;C701 catalog;");
}

/* One record over several pages. */
static void test_long_commit(void)
{
    start(MAGIC_15);
    begin_ending(0x02);
    say32(30000);
    for (uint32_t xid = 1001; xid <= 31000; xid++) {
        say32(xid);
        if (xid % 1000 == 0) {
            insert(xid, TABLE);
        }
    }
    end(XACT_COMMIT, 1000);
    reads("C1000 20000:30;");
}

/* More entries than there are bytes. */
static void test_false_counts(void)
{
    start(MAGIC_13);
    begin_ending(0x02 | 0x100);
    say32(UINT32_MAX);
    say32(701);
    end(XACT_COMMIT, 700);
    reads("C700;");
}

static void test_messages(void)
{
    char big[500];

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    start(MAGIC_15);
    build_message(&build, 700, BUILD_DATABASE, true, "pgnudge", "");
    build_message(&build, 701, BUILD_DATABASE, true, "pgnudge", "public.orders");
    build_message(&build, 702, BUILD_DATABASE, true, "pgnudge", big);
    build_message(&build, 703, BUILD_DATABASE, true, "pgnudge2", "a.b");
    build_message(&build, 704, BUILD_DATABASE + 1, true, "pgnudge", "a.b");
    build_message(&build, 705, BUILD_DATABASE, false, "pgnudge", "a.b");
    build_message(&build, 705, BUILD_DATABASE, false, "pgnudge", big);
    for (uint32_t xid = 700; xid <= 705; xid++) {
        commit(xid);
    }
    reads("Ma.b;M?;C700 resync;C701 \"public.orders\";C702 resync;C703;C704;C705;");
}

/* More different contents than are kept. */
static void test_many_messages(void)
{
    char content[40];

    start(MAGIC_15);
    for (int i = 0; i < (int)WAL_CONTENTS_MAX; i++) {
        snprintf(content, sizeof(content), "a.b%d", i);
        build_message(&build, 600, BUILD_DATABASE, true, "pgnudge", content);
    }
    build_message(&build, 700, BUILD_DATABASE, true, "pgnudge", "a.c");
    build_message(&build, 701, BUILD_DATABASE, true, "pgnudge", "a.b7");
    commit(700);
    commit(701);
    build_main_data(&build, WAL_XACT, XACT_ABORT, 600, (const unsigned char[8]){0}, 8);
    build_message(&build, 702, BUILD_DATABASE, true, "pgnudge", "a.d");
    commit(702);
    reads("C700 resync;C701 \"a.b7\";A600;C702 \"a.d\";");
}

static void test_running(void)
{
    start(MAGIC_15);
    insert(700, TABLE);
    insert(705, TABLE);
    build_running(&build, 710, 703);
    commit(700);
    commit(705);
    reads("R710,703;C700;C705 20000:1;");
}

/* From the middle of a record on. */
static void test_contrecord(void)
{
    start(MAGIC_15);
    build.left = 3 * (size_t)WAL_PAGE;
    build_bytes(&build, (const unsigned char *)ending.data, 3 * (size_t)WAL_PAGE);
    while (build_at(&build) % WAL_ALIGN != 0) {
        build.bytes[build.len++] = 0;
    }
    insert(700, TABLE);
    commit(700);
    reads("C700 20000:1;");
}

static void test_switch(void)
{
    start(MAGIC_15);
    insert(700, TABLE);
    build_record(&build, WAL_XLOG, XLOG_SWITCH, 0, (const unsigned char *)"", 0);
    while (build_at(&build) % WAL_PAGE != 0) {
        build.bytes[build.len++] = 0;
    }
    build_bytes(&build, (const unsigned char[1]){0}, 1); /* one page has a header */
    while (build_at(&build) % BUILD_SEGMENT != 0) {
        build.bytes[build.len++] = 0;
    }
    insert(700, TABLE);
    commit(700);
    reads("C700 20000:2;");
}

/* The server died inside a record, and begins anew behind it. */
static void test_overwritten(void)
{
    uint64_t before;

    start(MAGIC_15);
    insert(700, TABLE);
    before = build.prev;
    build_change(&build, WAL_HEAP, HEAP_INSERT, 701, BUILD_DATABASE, TABLE, 20000);
    build.len -= build.len % WAL_PAGE; /* of which the last page never came */
    build.left = 0;
    build.next_info = 8;
    build.prev = before;
    build_record(&build, WAL_XLOG, 0xd0, 0, (const unsigned char *)"\xff\x01x", 3);
    insert(700, OTHER);
    commit(700);
    reads("C700 20000:1 20001:1;");
}

static void test_refusals(void)
{
    start(0x06d1);
    insert(700, TABLE);
    refuses("big-endian", ERROR_PERMANENT);
    start(0xd0ff);
    insert(700, TABLE);
    refuses("the magic D0FF", ERROR_PERMANENT);
    start(MAGIC_15);
    insert(700, TABLE);
    build.bytes[9] ^= 1;
    refuses("another address", ERROR_TRANSIENT);
    build_start(&build, BUILD_SEGMENT, MAGIC_15);
    insert(700, TABLE);
    put32(build.bytes + 36, 16384);
    refuses("blocks have 16384 bytes", ERROR_PERMANENT);
    put32(build.bytes + 36, WAL_PAGE);
    put32(build.bytes + 32, 4096);
    refuses("another segment size", ERROR_TRANSIENT);
    put32(build.bytes + 32, BUILD_SEGMENT);
    build.bytes[24] ^= 1;
    refuses("another system identifier", ERROR_TRANSIENT);
    start(MAGIC_15);
    insert(700, TABLE);
    put32(build.bytes + WAL_PAGE_HEADER, 23);
    refuses("not a record", ERROR_TRANSIENT);
    put32(build.bytes + WAL_PAGE_HEADER, UINT32_MAX);
    refuses("not a record", ERROR_TRANSIENT);
    start(MAGIC_15);
    insert(700, TABLE);
    build.prev ^= 8;
    insert(700, TABLE);
    refuses("not a record", ERROR_TRANSIENT);
    start(MAGIC_15);
    build_change(&build, WAL_HEAP, HEAP_INSERT, 700, BUILD_DATABASE, TABLE, 20000);
    put16(build.bytes + WAL_PAGE + 2, 0);
    refuses("doesn't continue it", ERROR_TRANSIENT);
    put16(build.bytes + WAL_PAGE + 2, 1);
    put32(build.bytes + WAL_PAGE + 16, 5);
    refuses("doesn't continue it", ERROR_TRANSIENT);
}

/* ---- open transactions ---- */

static const struct relfile table = {1663, TABLE};

static void test_bounds(void)
{
    struct open_xacts open = {0};
    uint32_t xid = 1000;

    while (!open.lost && xid < 1000 + 2 * OPEN_XACTS_MAX) {
        REQUIRE(open_add(&open, ++xid, table, 1));
    }
    CHECK(xid > 1000 + OPEN_XACTS_MAX - 10 && xid <= 1001 + OPEN_XACTS_MAX);
    CHECK(open.lost && open.len == 0 && open.nodes == NULL);
    CHECK(open_is_lost(&open, 1001) && open_is_lost(&open, xid) && !open_is_lost(&open, xid + 1));
    CHECK(open_add(&open, 1001, table, 1) && open_first(&open, 1001) == NULL);
    CHECK(open_add(&open, xid + 1, table, 1) && open_first(&open, xid + 1) != NULL);
    open_drop_below(&open, xid);
    CHECK(open.lost);
    open_drop_below(&open, xid + 1);
    CHECK(!open.lost && open_first(&open, xid + 1) != NULL);
    open_free(&open);
}

static void test_bytes(void)
{
    struct open_xacts open = {0};
    uint32_t node = 0;

    while (!open.lost && node < 2 * OPEN_NODES_MAX) {
        if (!CHECK(open_add(&open, 7, (struct relfile){1, node++}, 1))) {
            break;
        }
        CHECK(open.cap * sizeof(*open.nodes) + open.slot_cap * sizeof(*open.slots) <=
              OPEN_BYTES_MAX);
    }
    CHECK(node > OPEN_NODES_MAX - 10 && node <= OPEN_NODES_MAX);
    open_free(&open);
}

/* Beside a plain array that does the same. */
static void test_random(void)
{
    enum { XIDS = 40, FILES = 30 };
    static uint64_t model[XIDS][FILES];
    struct open_xacts open = {0};
    uint32_t seed = 7;

    memset(model, 0, sizeof(model));
    for (int i = 0; i < 200000; i++) {
        uint32_t xid, file;

        seed = seed * 1664525 + 1013904223;
        xid = seed >> 8 & 31;
        file = (seed >> 16) % FILES;
        if ((seed >> 27) == 0) {
            open_drop(&open, 100 + xid);
            memset(model[xid], 0, sizeof(model[xid]));
        } else if ((seed >> 27) == 1) {
            uint32_t to = 32 + (xid & 7);

            CHECK(open_merge(&open, 100 + to, 100 + xid));
            for (file = 0; file < FILES; file++) {
                model[to][file] += model[xid][file];
                model[xid][file] = 0;
            }
        } else {
            CHECK(open_add(&open, 100 + xid, (struct relfile){1663, 20000 + file}, 1));
            model[xid][file]++;
        }
    }
    for (uint32_t xid = 0; xid < XIDS; xid++) {
        for (const struct open_node *node = open_first(&open, 100 + xid); node != NULL;
             node = open_next(&open, node)) {
            CHECK(model[xid][node->file.node - 20000] == node->count);
            model[xid][node->file.node - 20000] = 0;
        }
        for (uint32_t file = 0; file < FILES; file++) {
            CHECK(model[xid][file] == 0);
        }
        open_drop(&open, 100 + xid);
    }
    CHECK(open.len == 0 && open.xacts == 0);
    open_free(&open);
}

static const struct check_test tests[] = {
    {"rows of tables, by their files", test_changes},
    {"what changes no row, no table of this database, or a system catalog", test_not_changes},
    {"records of any length", test_lengths},
    {"page images, compressed or not, of each major", test_images},
    {"records with several blocks", test_many_blocks},
    {"subtransactions, committed and rolled back", test_subtransactions},
    {"a rollback", test_rollback},
    {"prepared transactions, also over a restart", test_prepared},
    {"what a COMMIT lists", test_lists},
    {"a COMMIT of 30 000 subtransactions", test_long_commit},
    {"lists that claim to be longer than they are", test_false_counts},
    {"logical decoding messages", test_messages},
    {"more messages than are kept", test_many_messages},
    {"a list of running transactions", test_running},
    {"a stream that begins inside a record", test_contrecord},
    {"the rest of a segment behind a switch", test_switch},
    {"a record that was never finished", test_overwritten},
    {"what is no WAL, or not of a kind that is understood", test_refusals},
    {"too many open transactions", test_bounds},
    {"too many changes in them", test_bytes},
    {"open transactions at random", test_random},
};

CHECK_MAIN(tests)
