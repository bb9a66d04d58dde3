/* Which transactions a snapshot sees, xids near 2^32 included, and what is struck off a set. */
#include "snapshot/xids.h"

#include "check.h"

#define TOP UINT32_MAX /* the xid after it is 3: 0 to 2 stand for no transaction */

static struct snapshot snapshot_of(uint32_t xmax, const uint32_t *running, size_t count)
{
    struct snapshot snapshot = {.xmax = xmax};

    for (size_t i = 0; i < count; i++) {
        CHECK(snapshot_add(&snapshot, running[i]));
    }
    snapshot_sort(&snapshot);
    return snapshot;
}

#define SNAPSHOT(xmax, ...)                                                                        \
    snapshot_of((xmax), (const uint32_t[]){__VA_ARGS__},                                           \
                sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static bool strike(struct xids *xids, struct snapshot snapshot)
{
    xids_drop_visible(xids, &snapshot);
    snapshot_free(&snapshot);
    return true;
}

static bool has(const struct xids *xids, uint32_t xid)
{
    for (size_t i = 0; i < xids->len; i++) {
        if (xids->at[i] == xid) {
            return true;
        }
    }
    return false;
}

static void order(void)
{
    static const struct {
        uint32_t a;
        uint32_t b;
        bool precedes;
    } cases[] = {
        {3, 4, true},
        {4, 3, false},
        {4, 4, false},
        {TOP, 3, true},
        {3, TOP, false},
        {TOP - 10, 20, true},
        {20, TOP - 10, false},
        {0x7fffffff, 0x80000000, true},
        {0x80000000, 0x7fffffff, false},
        {100, 100 + 0x7fffffffu, true},
        {100 + 0x7fffffffu, 100, false},
        {TOP, 0x7ffffffe, true},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CASE("%u before %u", cases[i].a, cases[i].b);
        CHECK(xid_precedes(cases[i].a, cases[i].b) == cases[i].precedes);
    }
}

static void below_xmax_and_not_running(void)
{
    struct snapshot snapshot = SNAPSHOT(110, 107, 101, 105, 103);

    for (uint32_t xid = 90; xid < 120; xid++) {
        bool running = xid == 101 || xid == 103 || xid == 105 || xid == 107;

        CASE("%u", xid);
        CHECK(snapshot_sees(&snapshot, xid) == (xid < 110 && !running));
    }
    snapshot_clear(&snapshot);
    snapshot.xmax = 105;
    CHECK(snapshot_sees(&snapshot, 101) && !snapshot_sees(&snapshot, 105));
    snapshot_free(&snapshot);
}

/* A server that once had a hundred thousand transactions at a time doesn't cost that for ever. */
static void large_lists_are_given_back(void)
{
    struct snapshot large = {.xmax = 200000}, copy = {0}, small = SNAPSHOT(110, 107);

    for (uint32_t xid = 3; xid < 100000; xid++) {
        CHECK(snapshot_add(&large, xid));
    }
    CHECK(snapshot_copy(&copy, &large));
    CHECK(copy.len == large.len && copy.cap >= copy.len);
    CHECK(snapshot_copy(&copy, &small));
    CHECK(copy.len == 1 && copy.running[0] == 107 && copy.cap <= XIDS_KEPT);
    snapshot_clear(&large);
    CHECK(large.len == 0 && large.cap <= XIDS_KEPT);
    CHECK(snapshot_add(&large, 7) && large.len == 1);
    snapshot_free(&large);
    snapshot_free(&copy);
    snapshot_free(&small);
}

static void sees_around_the_wrap(void)
{
    struct snapshot snapshot = SNAPSHOT(6, 4, TOP - 1, 3, TOP - 5);
    static const struct {
        uint32_t xid;
        bool seen;
    } cases[] = {
        {TOP - 6, true}, {TOP - 5, false}, {TOP - 4, true},  {TOP - 1, false},
        {TOP, true},     {3, false},       {4, false},       {5, true},
        {6, false},      {7, false},       {1000000, false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CASE("%u", cases[i].xid);
        CHECK(snapshot_sees(&snapshot, cases[i].xid) == cases[i].seen);
    }
    snapshot_free(&snapshot);
    snapshot = snapshot_of(TOP, NULL, 0);
    CHECK(snapshot_sees(&snapshot, TOP - 1));
    CHECK(!snapshot_sees(&snapshot, TOP) && !snapshot_sees(&snapshot, 3));
    snapshot_free(&snapshot);
}

/* Against a plain search, all kinds of numbers. */
static void search(void)
{
    uint64_t seed = 42;

    for (size_t round = 0; round < 200; round++) {
        struct snapshot snapshot = {.xmax = check_random(&seed)};
        uint32_t running[300];
        size_t count = check_random(&seed) % COUNT_OF(running);

        for (size_t i = 0; i < count; i++) {
            running[i] = snapshot.xmax - 1 - check_random(&seed) % 1000;
            REQUIRE(snapshot_add(&snapshot, running[i]));
        }
        snapshot_sort(&snapshot);
        for (uint32_t back = 0; back < 1100; back++) {
            uint32_t xid = snapshot.xmax - back;
            bool seen = back > 0;

            for (size_t i = 0; i < count; i++) {
                seen = seen && running[i] != xid;
            }
            if (snapshot_sees(&snapshot, xid) != seen) {
                CASE("round %zu, xmax %u, %u", round, snapshot.xmax, xid);
                CHECK(snapshot_sees(&snapshot, xid) == seen);
            }
        }
        snapshot_free(&snapshot);
    }
}

static void struck_off(void)
{
    struct xids xids = {0};

    CHECK(xids_empty(&xids));
    CHECK(strike(&xids, SNAPSHOT(10, 5)));
    CHECK(xids_empty(&xids));
    for (uint32_t xid = 100; xid < 110; xid++) {
        CHECK(xids_add(&xids, xid));
    }
    CHECK(!xids_empty(&xids));
    CHECK(strike(&xids, SNAPSHOT(108, 100, 103, 107)));
    CHECK_INT(xids.len, 5);
    CHECK(has(&xids, 100) && has(&xids, 103) && has(&xids, 107));
    CHECK(has(&xids, 108) && has(&xids, 109));
    CHECK(strike(&xids, SNAPSHOT(109, 103)));
    CHECK_INT(xids.len, 2);
    CHECK(has(&xids, 103) && has(&xids, 109));
    CHECK(strike(&xids, SNAPSHOT(110, 109)));
    CHECK_INT(xids.len, 1);
    CHECK(strike(&xids, snapshot_of(110, NULL, 0)));
    CHECK(xids_empty(&xids));
    xids_free(&xids);
}

static void struck_off_around_the_wrap(void)
{
    static const uint32_t all[] = {TOP - 2, TOP - 1, TOP, 3, 4, 5};
    struct xids xids = {0};

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        CHECK(xids_add(&xids, all[i]));
    }
    CHECK(strike(&xids, SNAPSHOT(TOP, TOP - 2)));
    CHECK_INT(xids.len, 5);
    CHECK(!has(&xids, TOP - 1));
    CHECK(strike(&xids, SNAPSHOT(4, TOP)));
    CHECK_INT(xids.len, 3);
    CHECK(has(&xids, TOP) && has(&xids, 4) && has(&xids, 5));
    CHECK(strike(&xids, SNAPSHOT(6, 5)));
    CHECK(xids.len == 1 && has(&xids, 5));
    xids_free(&xids);
}

static void removed(void)
{
    struct xids xids = {0};

    xids_remove(&xids, 5);
    for (uint32_t xid = 1; xid <= 5; xid++) {
        CHECK(xids_add(&xids, xid));
    }
    xids_remove(&xids, 1);
    xids_remove(&xids, 5);
    xids_remove(&xids, 3);
    xids_remove(&xids, 3);
    xids_remove(&xids, 77);
    CHECK(xids.len == 2 && has(&xids, 2) && has(&xids, 4));
    xids_remove(&xids, 2);
    xids_remove(&xids, 4);
    CHECK(xids_empty(&xids));
    xids_free(&xids);
}

/* Copies stand for themselves, and the oldest one is found around the wrap. */
static void copies(void)
{
    struct snapshot from = {.xmax = 8}, to = {0};

    CHECK(snapshot_add(&from, 5) && snapshot_add(&from, TOP));
    snapshot_sort(&from);
    CHECK(snapshot_copy(&to, &from));
    snapshot_free(&from);
    CHECK_INT(to.len, 2);
    CHECK(!snapshot_sees(&to, TOP) && !snapshot_sees(&to, 5) && snapshot_sees(&to, 6));
    CHECK_INT(snapshot_oldest(&to), TOP);
    CHECK_INT(snapshot_find(&to, 6), 2);
    to.len = 0;
    CHECK_INT(snapshot_oldest(&to), 8);
    snapshot_free(&to);
}

static const struct check_test tests[] = {
    {"xids are compared circularly", order},
    {"a snapshot sees what is below xmax and not running", below_xmax_and_not_running},
    {"large lists are given back", large_lists_are_given_back},
    {"… around 2^32 too", sees_around_the_wrap},
    {"the running ones are found, whatever their order", search},
    {"what a snapshot sees is struck off, the rest stays", struck_off},
    {"… around 2^32 too", struck_off_around_the_wrap},
    {"one can be removed, or not be in there", removed},
    {"a copy, and the oldest that runs", copies},
};

CHECK_MAIN(tests)
