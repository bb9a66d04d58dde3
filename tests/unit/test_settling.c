/* Up to where no COMMIT waits: rounds of a list and the sights behind it. */
#include "visible/settling.h"

#include "check.h"

static bool fill(struct snapshot *snapshot, uint32_t xmax, const uint32_t *running, size_t count)
{
    bool ok = true;

    *snapshot = (struct snapshot){.xmax = xmax};
    for (size_t i = 0; i < count; i++) {
        ok = ok && snapshot_add(snapshot, running[i]);
    }
    snapshot_sort(snapshot);
    return CHECK(ok);
}

static void list(struct settling *settling, uint64_t position, const uint32_t *running,
                 size_t count)
{
    struct snapshot snapshot;

    fill(&snapshot, 0, running, count);
    CHECK(settling_listed(settling, &snapshot, position));
    snapshot_free(&snapshot);
}

static void see(struct settling *settling, uint32_t xmax, const uint32_t *running, size_t count)
{
    struct sight sight = {.known = true, .asked_at = 0x9999};

    fill(&sight.snapshot, xmax, running, count);
    CHECK(settling_see(settling, &sight));
    snapshot_free(&sight.snapshot);
}

#define COUNTED(...)                                                                               \
    (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

static void nothing_runs(void)
{
    struct settling settling = {0};

    list(&settling, 0x100, NULL, 0);
    CHECK_INT(settling.settled, 0x100);
    list(&settling, 0x200, NULL, 0);
    CHECK_INT(settling.settled, 0x200);
    settling_free(&settling);
}

/* It may have committed before the list was asked for, and wait. */
static void what_runs_holds_it_back(void)
{
    struct settling settling = {0};

    list(&settling, 0x200, COUNTED(55, 57));
    see(&settling, 70, COUNTED(57, 65));
    CHECK_INT(settling.settled, 0);
    list(&settling, 0x300, NULL, 0); /* asked for by somebody else */
    CHECK_INT(settling.settled, 0);
    see(&settling, 80, COUNTED(65, 75));
    CHECK_INT(settling.settled, 0x200);
    settling_free(&settling);
}

/* A commit that waits with the newest xid lies at xmax and is not listed as running there. */
static void the_newest_one_too(void)
{
    struct settling settling = {0};

    list(&settling, 0x200, COUNTED(60));
    see(&settling, 60, NULL, 0);
    CHECK_INT(settling.settled, 0);
    see(&settling, 61, COUNTED(60));
    CHECK_INT(settling.settled, 0);
    see(&settling, 61, NULL, 0);
    CHECK_INT(settling.settled, 0x200);
    settling_free(&settling);
}

static void nobody_waits_on_a_standby(void)
{
    struct settling settling = {0};
    struct sight sight = {.known = true, .in_recovery = true, .asked_at = 0x300};

    list(&settling, 0x200, COUNTED(60));
    CHECK(settling_see(&settling, &sight));
    CHECK_INT(settling.settled, 0x300);
    settling_free(&settling);
}

static void a_round_at_a_time(void)
{
    struct settling settling = {0};

    CHECK(!settling_wants_list(&settling, 0, 10, 1000));
    CHECK(settling_wants_list(&settling, 0x100, 10, 1000));
    CHECK(!settling_wants_list(&settling, 0x100, 10, 1009));
    list(&settling, 0x100, COUNTED(60));
    CHECK(!settling_wants_list(&settling, 0x200, 10, 1010));
    see(&settling, 70, NULL, 0);
    CHECK(!settling_wants_list(&settling, 0x100, 10, 1010));
    CHECK(settling_wants_list(&settling, 0x200, 10, 1010));
    settling_free(&settling);
}

static const struct check_test tests[] = {
    {"all is settled where nothing runs", nothing_runs},
    {"what runs holds it back until it has ended", what_runs_holds_it_back},
    {"the newest one too, which no snapshot lists", the_newest_one_too},
    {"in recovery all is settled", nobody_waits_on_a_standby},
    {"a round at a time, and not too often", a_round_at_a_time},
};

CHECK_MAIN(tests)
