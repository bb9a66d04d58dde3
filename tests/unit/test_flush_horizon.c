/* Up to where no COMMIT waits: rounds of a list and the visibility_check behind it. */
#include "visible/flush_horizon.h"

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

static void list(struct flush_horizon *horizon, uint64_t position, const uint32_t *running,
                 size_t count)
{
    struct snapshot snapshot;

    fill(&snapshot, 0, running, count);
    CHECK(flush_horizon_listed(horizon, &snapshot, position));
    snapshot_free(&snapshot);
}

static void see(struct flush_horizon *horizon, uint32_t xmax, const uint32_t *running, size_t count)
{
    struct visibility visibility = {.known = true, .asked_at = 0x9999};

    fill(&visibility.snapshot, xmax, running, count);
    CHECK(flush_horizon_see(horizon, &visibility));
    snapshot_free(&visibility.snapshot);
}

#define COUNTED(...)                                                                               \
    (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

static void nothing_runs(void)
{
    struct flush_horizon horizon = {0};

    list(&horizon, 0x100, NULL, 0);
    CHECK_INT(horizon.settled, 0x100);
    list(&horizon, 0x200, NULL, 0);
    CHECK_INT(horizon.settled, 0x200);
    flush_horizon_free(&horizon);
}

/* It may have committed before the list was asked for, and wait. */
static void what_runs_holds_it_back(void)
{
    struct flush_horizon horizon = {0};

    list(&horizon, 0x200, COUNTED(55, 57));
    see(&horizon, 70, COUNTED(57, 65));
    CHECK_INT(horizon.settled, 0);
    list(&horizon, 0x300, NULL, 0); /* asked for by somebody else */
    CHECK_INT(horizon.settled, 0);
    see(&horizon, 80, COUNTED(65, 75));
    CHECK_INT(horizon.settled, 0x200);
    flush_horizon_free(&horizon);
}

/* A commit that waits with the newest xid lies at xmax and is not listed as running there. */
static void the_newest_one_too(void)
{
    struct flush_horizon horizon = {0};

    list(&horizon, 0x200, COUNTED(60));
    see(&horizon, 60, NULL, 0);
    CHECK_INT(horizon.settled, 0);
    see(&horizon, 61, COUNTED(60));
    CHECK_INT(horizon.settled, 0);
    see(&horizon, 61, NULL, 0);
    CHECK_INT(horizon.settled, 0x200);
    flush_horizon_free(&horizon);
}

static void nobody_waits_on_a_standby(void)
{
    struct flush_horizon horizon = {0};
    struct visibility visibility = {.known = true, .in_recovery = true, .asked_at = 0x300};

    list(&horizon, 0x200, COUNTED(60));
    CHECK(flush_horizon_see(&horizon, &visibility));
    CHECK_INT(horizon.settled, 0x300);
    flush_horizon_free(&horizon);
}

static void a_round_at_a_time(void)
{
    struct flush_horizon horizon = {0};

    CHECK(!flush_horizon_wants_list(&horizon, 0, 10, 1000));
    CHECK(flush_horizon_wants_list(&horizon, 0x100, 10, 1000));
    CHECK(!flush_horizon_wants_list(&horizon, 0x100, 10, 1009));
    list(&horizon, 0x100, COUNTED(60));
    CHECK(!flush_horizon_wants_list(&horizon, 0x200, 10, 1010));
    see(&horizon, 70, NULL, 0);
    CHECK(!flush_horizon_wants_list(&horizon, 0x100, 10, 1010));
    CHECK(flush_horizon_wants_list(&horizon, 0x200, 10, 1010));
    flush_horizon_free(&horizon);
}

static const struct check_test tests[] = {
    {"all is settled where nothing runs", nothing_runs},
    {"what runs holds it back until it has ended", what_runs_holds_it_back},
    {"the newest one too, which no snapshot lists", the_newest_one_too},
    {"in recovery all is settled", nobody_waits_on_a_standby},
    {"a round at a time, and not too often", a_round_at_a_time},
};

CHECK_MAIN(tests)
