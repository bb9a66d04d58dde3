/*
 * model PGNUDGE CONNINFO SECONDS SEED [OPTION]...: runs PGNUDGE with these options and --tables,
 * which makes of its lines a copy, and ends with status 0 if that was right at rest. CONNINFO is a
 * superuser's; pgnudge has its own from the environment. "fanout" in front of the OPTIONs: see
 * fanout.c.
 */
#include "model.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REST_MS    15000 /* in which the copy must be right */
#define LIVE_MS    30000 /* in which a stream must be there */
#define LINE_BYTES (1 << 20)
#define FINAL_MS   2500 /* of writing beside a stranger, without faults */
#define BURSTS     15
#define BURST_MS   150
#define ROUND_S    30    /* between two times of rest */
#define AWAY_MS    90000 /* in which a fault must end */

static struct follower follower;

/* ---- pgnudge ---- */

static int start_pgnudge(const char *program, char **options, int count)
{
    char **argv = calloc((size_t)count + 10, sizeof(*argv));
    int fd, n = 0;
    pid_t pid;

    if (argv == NULL) {
        fail("no memory");
    }
    argv[n++] = (char *)(uintptr_t)program;
    argv[n++] = (char *)(uintptr_t) "--backoff=50ms,300ms";
    argv[n++] = (char *)(uintptr_t) "--debounce=30ms";
    argv[n++] = (char *)(uintptr_t) "--max-batch-wait=100ms";
    for (int i = 0; i < count; i++) {
        argv[n++] = options[i];
    }
    fd = start_program(argv, &pid);
    state->pgnudge = pid;
    free(argv);
    return fd;
}

/* Takes lines until `until_ms`, or until `done` says so. */
static bool follow(int fd, long long until_ms, bool (*done)(void))
{
    static char text[LINE_BYTES];
    static size_t len;

    while (now_ms() < until_ms && (done == NULL || !done())) {
        struct pollfd out = {.fd = fd, .events = POLLIN};
        char *end;
        ssize_t got;

        if (poll(&out, 1, 50) <= 0) {
            continue;
        }
        got = read(fd, text + len, sizeof(text) - len);
        if (got <= 0) {
            fail("pgnudge has ended");
        }
        len += (size_t)got;
        while ((end = memchr(text, '\n', len)) != NULL) {
            *end = '\0';
            follower_take(&follower, text);
            len -= (size_t)(end + 1 - text);
            memmove(text, end + 1, len);
        }
    }
    return done == NULL || done();
}

static bool is_live(void)
{
    return follower.live;
}

static bool is_streaming(void)
{
    char found[32];

    return ask(follower.conn, found, sizeof(found),
               "SELECT 1 FROM pg_stat_replication WHERE usename = 'pgnudge' AND state = 'streaming'"
               " AND application_name NOT LIKE 'standby%%'") &&
           found[0] == '1';
}

static bool is_right(void)
{
    char wrong[TEXT_MAX];

    return follower_is_right(&follower, wrong);
}

/*
 * DDL can make the server's own decoding fail: with wal2json 13 says "could not find pg_class tuple
 * for index". The stream's next slot waits for whoever has an open transaction.
 */
static bool is_right_or_away(void)
{
    return is_right() || !is_streaming();
}

/* ---- the phases ---- */

static bool faults_are_over(void)
{
    return waitpid(children[WRITERS], NULL, WNOHANG) != 0;
}

static void stop_writers(int fd)
{
    state->writing = false;
    if (!follow(fd, now_ms() + LIVE_MS, writers_are_over)) {
        fail("the writers don't end");
    }
}

static void be_right(int fd, const char *when)
{
    char wrong[TEXT_MAX];

    if (!follow(fd, now_ms() + REST_MS, is_right)) {
        follower_is_right(&follower, wrong);
        fail("wrong %s: %s", when, wrong);
    }
}

static void tell_round(long long number)
{
    struct health health = health_of(state->pgnudge);

    printf(
        "round %lld: right; %u transactions, %u faults, %zu lines, %zu resyncs so far; pgnudge has "
        "%lu KiB, %u descriptors, %.2f s of CPU; %u events had keys\n",
        number, state->done, state->faulted, follower.lines, follower.resyncs, health.memory_kib,
        health.descriptors, health.cpu_s, keyed_so_far());
    fflush(stdout);
}

/*
 * Some writing, then rest, again and again: a key that was left out shows only until the next event
 * that means the whole table.
 */
static void run_bursts(int fd, const char *conninfo, long long number)
{
    for (int i = 0; i < BURSTS; i++) {
        start_writers(conninfo, (uint64_t)(number * BURSTS + i) + 1000000);
        follow(fd, now_ms() + BURST_MS, NULL);
        stop_writers(fd);
        be_right(fd, "after a burst");
    }
}

/* Writers and faults, then rest; writers beside a stranger's transaction, then rest. */
static void run_round(int fd, const char *conninfo, long long number, long long seconds)
{
    PGconn *stranger;

    start_writers(conninfo, (uint64_t)number * 2);
    state->faults = true;
    children[WRITERS] = fork();
    if (children[WRITERS] == 0) {
        fault_until_stopped(state, conninfo, (run_seed + (uint64_t)number) * 104729 + 17);
        _exit(0);
    }
    follow(fd, now_ms() + seconds * 1000, NULL);
    state->faults = false;
    if (!follow(fd, now_ms() + AWAY_MS, faults_are_over)) {
        fail("a fault doesn't end");
    }
    stop_writers(fd);
    if (!follow(fd, now_ms() + LIVE_MS, is_streaming)) {
        fail("no stream");
    }
    be_right(fd, "after the faults");
    stranger = stranger_begins(conninfo);
    start_writers(conninfo, (uint64_t)number * 2 + 1);
    follow(fd, now_ms() + FINAL_MS, NULL);
    stop_writers(fd);
    if (!follow(fd, now_ms() + REST_MS, is_right_or_away) || is_streaming()) {
        be_right(fd, "beside a stranger's transaction");
    }
    PQfinish(stranger);
    be_right(fd, "after a stranger's transaction");
    if (follower.keyed) {
        run_bursts(fd, conninfo, number);
    }
    tell_round(number + 1);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"m.j", "m.a", "m.b", "m.ev", "m.par"};
    long long left;
    int fd;

    if (argc < 5) {
        fputs("usage: model PGNUDGE CONNINFO SECONDS SEED [OPTION]...\n", stderr);
        return 2;
    }
    harness_start(strtoull(argv[4], NULL, 10));
    if (argc > 5 && strcmp(argv[5], "fanout") == 0) {
        return fanout(argv[1], argv[2], atoll(argv[3]), argv + 6, argc - 6);
    }
    shown = &follower;
    follower.conn = connect_to(argv[2]);
    make_tables(follower.conn);
    follower.names = names;
    /* Only ordinary ones: a filter in the server. */
    follower.count = argc > 5 && strcmp(argv[5], "--tables=m.j,m.a,m.b") == 0 ? 3 : 5;
    if (argc > 5 && strcmp(argv[5], "--tables=m.j,m.k,m.kp,m.ke") == 0) {
        make_keyed_tables(follower.conn);
        PQclear(PQexec(follower.conn, "DROP PUBLICATION IF EXISTS everything"));
        if (strcmp(argv[argc - 1], "--publication=everything") == 0) {
            PQclear(PQexec(follower.conn, "CREATE PUBLICATION everything FOR ALL TABLES"));
        }
        follower.count = 1;
        follower.keyed = state->keyed = true;
    }
    fd = start_pgnudge(argv[1], argv + 5, argc - 5);
    if (!follow(fd, now_ms() + LIVE_MS, is_live)) {
        fail("no resync");
    }
    left = atoll(argv[3]);
    for (long long number = 0; left > 0; number++, left -= ROUND_S) {
        run_round(fd, argv[2], number, left < ROUND_S ? left : ROUND_S);
    }
    kill(state->pgnudge, SIGTERM);
    waitpid(state->pgnudge, NULL, 0);
    if (follower.keyed && keyed_so_far() == 0) {
        fail("no event had keys");
    }
    printf("seed %llu: right%s\n", (unsigned long long)run_seed,
           follower.keyed ? ", with keys" : "");
    return 0;
}
