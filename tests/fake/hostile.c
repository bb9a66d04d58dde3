/*
 * A whole feed against servers that misbehave: each fault at each message of both
 * connections, the end at each byte, each bit flipped, one byte a read. It ends in
 * time, with a status that says so, within its memory, and shows no secret and no
 * control character (world.c checks all that); and as the next connection behaves,
 * it comes back, unless the server was refused.
 */
#include "base/clock.h"
#include "check.h"
#include "fake/world.h"

#define STRIDE 3 /* of so many bytes one; the fuzzer takes all */

#define OPTIONS                                                                                    \
    "-h", "127.0.0.1", "-p", "5432", "-U", PEER_USER, "-d", "db", "-v", "--debounce", "5ms",       \
        "--connect-timeout", "2s", "--slot-timeout", "3s", "--liveness-timeout", "3s",             \
        "--backoff", "10ms,100ms", "--timeout", "20s"

static const char *const checked_options[] = {OPTIONS, "--plugin", "test_decoding", NULL};
static const char *const physical_options[] = {OPTIONS, "--transport", "physical", "--ddl", NULL};
static const char *const unchecked_options[] = {OPTIONS, "--no-visibility-check", NULL};

static struct world_setup polite(const char *const *options)
{
    return (struct world_setup){
        .peer = {.transactions = 20, .iterations = 2},
        .cut_at = SIZE_MAX,
        .flip_at = SIZE_MAX,
        .turn_us = CLOCK_MS / 10,
        .options = options,
    };
}

static void show(const struct buffer *text)
{
    check_show("log", (struct slice){text->data, text->len});
}

static unsigned statuses[256];

/* False: something is wrong, and has been told. */
static bool run(const struct world_setup *setup, struct world_result *result)
{
    struct world_setup slowed = *setup;

    if (setup->peer.fault >=
        FAULT_ENDLESS) { /* till the timeout, each turn brings all it can take */
        slowed.turn_us = 100 * CLOCK_MS;
    }
    *result = world_run(&slowed);
    statuses[result->outcome.status & 255]++;
    if (result->wrong != NULL) {
        printf("# %s\n", result->wrong);
        show(world_log());
    }
    return CHECK(result->wrong == NULL);
}

static bool came_back(const struct world_result *result)
{
    return result->items > 0 || result->outcome.status != FEED_TIMEOUT;
}

static void behaves(void)
{
    struct world_setup setup = polite(checked_options);
    struct world_result result;

    run(&setup, &result);
    CHECK_INT(result.outcome.status, FEED_TIMEOUT);
    CHECK_INT(result.connections, 2);
    CHECK(result.items > 2 && result.polls < 2000);
    setup = polite(unchecked_options);
    run(&setup, &result);
    CHECK_INT(result.outcome.status, FEED_TIMEOUT);
    CHECK(result.items > 2 && result.polls < 2000);
    setup = polite(physical_options);
    setup.peer.transactions = 300; /* some pages */
    run(&setup, &result);
    CHECK_INT(result.outcome.status, FEED_TIMEOUT);
    CHECK_INT(result.connections, 2);
    CHECK(result.items > 2 && result.polls < 2000);
}

/* Each fault at every `step`th message. What has no end takes its time: there fewer. */
static void sweep(struct world_setup *setup, unsigned step)
{
    struct world_result base, result;

    run(setup, &base);
    for (setup->connection = 0; setup->connection < 2; setup->connection++) {
        for (int fault = 1; fault < FAULTS; fault++) {
            unsigned each = fault < FAULT_ENDLESS ? step : 7 * step;

            setup->peer.fault = (enum fault)fault;
            for (unsigned at = (unsigned)fault % each; at < base.said[setup->connection] && at < 60;
                 at += each) {
                setup->peer.at = at;
                CASE("connection %u, %s at message %u", setup->connection, fault_names[fault], at);
                if (run(setup, &result) && !setup->doctor) {
                    CHECK(came_back(&result));
                }
            }
        }
    }
}

static void faults(void)
{
    struct world_setup setup = polite(checked_options);

    sweep(&setup, 1);
}

static void faults_unchecked(void)
{
    struct world_setup setup = polite(unchecked_options);

    sweep(&setup, STRIDE);
}

static void faults_physical(void)
{
    struct world_setup setup = polite(physical_options);

    sweep(&setup, STRIDE);
}

/* Each connection begins at the present. */
static void removed(void)
{
    struct world_setup setup = polite(physical_options);
    struct world_result result;

    setup.peer.fault = FAULT_REMOVED;
    run(&setup, &result);
    CHECK_INT(result.outcome.status, FEED_TIMEOUT);
    CHECK_INT(result.connections, 3);
    CHECK(result.items > 2);
    setup.options = checked_options; /* of a slot it is a plugin that isn't there */
    run(&setup, &result);
    CHECK_INT(result.outcome.status, FEED_REFUSED);
}

static void doctor(void)
{
    struct world_setup setup = polite(checked_options);

    setup.doctor = true;
    sweep(&setup, 1);
}

static void cut(const char *const *options, size_t stride)
{
    struct world_setup setup = polite(options);
    struct world_result base, result;

    run(&setup, &base);
    for (setup.connection = 0; setup.connection < 2; setup.connection++) {
        for (setup.cut_at = 0; setup.cut_at < base.bytes[setup.connection];
             setup.cut_at += stride) {
            CASE("connection %u, cut at byte %zu", setup.connection, setup.cut_at);
            if (run(&setup, &result)) {
                CHECK(came_back(&result));
            }
        }
    }
}

static void cuts(void)
{
    cut(checked_options, STRIDE);
    cut(physical_options, 7 * STRIDE);
}

static void flip(const char *const *options, size_t stride)
{
    struct world_setup setup = polite(options);
    struct world_result base, result;

    run(&setup, &base);
    for (setup.connection = 0; setup.connection < 2; setup.connection++) {
        for (size_t byte = 0; byte < base.bytes[setup.connection]; byte += stride) {
            setup.flip_at = byte * 8 + byte / stride % 8;
            CASE("connection %u, bit %zu", setup.connection, setup.flip_at);
            run(&setup, &result); /* a flipped digit of an identity is another server's */
        }
    }
}

static void flips(void)
{
    flip(checked_options, STRIDE);
    flip(physical_options, 7 * STRIDE);
}

/* A byte every 100 ms: below each single timeout, but not below that of the login. */
static void loris(void)
{
    struct world_setup setup = polite(checked_options);
    struct world_result result;

    setup.chunk = 1;
    setup.pace_us = 100 * CLOCK_MS;
    for (setup.connection = 0; setup.connection < 2; setup.connection++) {
        run(&setup, &result);
        if (!CHECK(result.connections > 2 && result.items >= 1)) {
            printf("#   %u connections, %zu items\n", result.connections, result.items);
            show(world_log());
        }
    }
}

/* However the bytes come, the same is printed. */
static void in_bytes(const char *const *options)
{
    struct world_setup setup = polite(options);
    struct world_result whole, bytes;

    run(&setup, &whole);
    for (setup.connection = 0; setup.connection < 2; setup.connection++) {
        setup.chunk = 1;
        run(&setup, &bytes);
        CHECK_INT(bytes.outcome.status, whole.outcome.status);
        CHECK(bytes.items > 2);
    }
}

static void one_byte_a_read(void)
{
    in_bytes(checked_options);
    in_bytes(physical_options);
}

static void total(void)
{
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        if (statuses[i] > 0) {
            printf("# status %zu: %u runs\n", i, statuses[i]);
        }
    }
}

static const struct check_test tests[] = {
    {"a server that behaves", behaves},
    {"each fault at each message", faults},
    {"… without the visibility check", faults_unchecked},
    {"… of WAL", faults_physical},
    {"WAL that has been removed", removed},
    {"the doctor, each fault at each message", doctor},
    {"the end at each byte", cuts},
    {"flipped bits", flips},
    {"a byte now and then", loris},
    {"one byte a read", one_byte_a_read},
};

int main(void)
{
    int failed;

    world_start();
    failed = check_run(tests, COUNT_OF(tests));
    total();
    return failed;
}
