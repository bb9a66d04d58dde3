/* A whole feed, or the doctor, against a server that misbehaves as the input says. */
#define _GNU_SOURCE /* memmem */

#include "base/clock.h"
#include "fake/world.h"
#include "fuzz/fuzz.h"

#define OPTIONS                                                                                    \
    "-h", "127.0.0.1", "-p", "5432", "-U", PEER_USER, "-d", "db", "--debounce", "5ms",             \
        "--connect-timeout", "2s", "--slot-timeout", "3s", "--liveness-timeout", "3s",             \
        "--backoff", "10ms,100ms", "--timeout", "20s"

static const char *const options[][32] = {
    {OPTIONS, "--plugin", "test_decoding", NULL},
    {OPTIONS, "--plugin", "wal2json", "-v", NULL},
    {OPTIONS, "--no-visibility-check", NULL},
    {OPTIONS, "-t", "public.orders,app.*", "--allow-missing", NULL},
    {OPTIONS, "--transport", "physical", "--ddl", NULL},
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    world_start();
    return 0;
}

/* Seven bytes say how, the others are a body, or all that a connection says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world_setup setup = {.peer = {.transactions = 20, .iterations = 2},
                                .cut_at = SIZE_MAX,
                                .flip_at = SIZE_MAX,
                                .turn_us = CLOCK_MS};
    struct world_result result;

    /* What a server says may be shown: libFuzzer learns the password from who looks for it. */
    if (size < 7 || memmem(data, size, PEER_PASSWORD, strlen(PEER_PASSWORD)) != NULL) {
        return 0;
    }
    setup.options = options[data[0] % 5];
    setup.doctor = (data[0] & 0x80) != 0;
    setup.connection = data[1] % 3;
    setup.peer.fault = (enum fault)(data[2] % FAULTS);
    setup.peer.at = data[3];
    setup.chunk = data[4] % 16 == 0 && setup.peer.fault < FAULT_MEGABYTES ? 1 : 0;
    setup.peer.body = data + 7;
    setup.peer.body_len = size - 7;
    if (data[2] == 255) {
        setup.junk = data + 7;
        setup.junk_len = size - 7;
    } else if (data[2] == 254) {
        setup.flip_at = (size_t)data[5] << 8 | data[6];
    }
    if (setup.peer.fault >= FAULT_ENDLESS && setup.peer.fault < FAULT_BODY) {
        setup.turn_us = CLOCK_S;
    }
    result = world_run(&setup);
    if (result.wrong != NULL) {
        fprintf(stderr, "%s\n%.*s\n", result.wrong, (int)world_log()->len, world_log()->data);
    }
    MUST(result.wrong == NULL);
    return 0;
}
