/*
 * model PGNUDGE CONNINFO SECONDS SEED [OPTION]...: runs PGNUDGE with these options and --tables,
 * which makes of its lines a copy, and ends with status 0 if that was right at rest. CONNINFO is a
 * superuser's; pgnudge has its own from the environment.
 */
#include "model.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REST_MS    15000 /* in which the copy must be right */
#define LIVE_MS    30000 /* in which a stream must be there */
#define LINE_BYTES (1 << 20)
#define FINAL_MS   2500 /* of writing beside a stranger, without faults */
#define BURSTS     15
#define BURST_MS   150
#define ROUND_S    30    /* between two times of rest */
#define AWAY_MS    90000 /* in which a server must be back */

static struct shared *shared;
static struct follower follower;
static uint64_t seed;

long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void pause_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&time, NULL);
}

void fail(const char *format, ...)
{
    va_list args;

    printf("FAILED with seed %llu: ", (unsigned long long)seed);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n--- the last transactions and faults\n");
    for (unsigned i = 0; i < HISTORY; i++) {
        printf("%s\n", shared->history[(shared->next + i) % HISTORY]);
    }
    printf("--- the last lines\n");
    for (size_t i = 0; i < HISTORY; i++) {
        const char *line = follower.history[(follower.lines + i) % HISTORY];

        printf("%.300s%s", line, line[0] != '\0' ? "\n" : "");
    }
    fflush(stdout);
    kill(0, SIGKILL);
    _exit(1);
}

void note(struct shared *to, const char *format, ...)
{
    va_list args;
    char *text = to->history[__atomic_fetch_add(&to->next, 1, __ATOMIC_RELAXED) % HISTORY];

    va_start(args, format);
    vsnprintf(text, TEXT_MAX, format, args);
    va_end(args);
}

PGconn *connect_to(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);

    if (PQstatus(conn) != CONNECTION_OK) {
        fail("%s", PQerrorMessage(conn));
    }
    return conn;
}

bool ask(PGconn *conn, char *value, size_t size, const char *format, ...)
{
    char sql[1000];
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    return ask_text(conn, value, size, sql);
}

bool ask_text(PGconn *conn, char *value, size_t size, const char *sql)
{
    long long until_ms = now_ms() + AWAY_MS;
    PGresult *result;
    bool ok;

    while (result = PQexec(conn, sql), PQstatus(conn) != CONNECTION_OK) {
        PQclear(result);
        if (now_ms() > until_ms) {
            fail("the server is not back: %s", PQerrorMessage(conn));
        }
        pause_ms(50);
        PQreset(conn);
    }
    ok = PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK;
    snprintf(value, size, "%s", ok && PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return ok;
}

/* ---- pgnudge ---- */

static int start_pgnudge(const char *program, char **options, int count)
{
    char **argv = calloc((size_t)count + 10, sizeof(*argv));
    int ends[2], n = 0;
    pid_t pid;

    if (argv == NULL || pipe(ends) != 0) {
        fail("no memory, or no pipe");
    }
    argv[n++] = (char *)(uintptr_t)program;
    argv[n++] = (char *)(uintptr_t) "--backoff=50ms,300ms";
    argv[n++] = (char *)(uintptr_t) "--debounce=30ms";
    argv[n++] = (char *)(uintptr_t) "--max-batch-wait=100ms";
    for (int i = 0; i < count; i++) {
        argv[n++] = options[i];
    }
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(program, argv);
        _exit(127);
    }
    shared->pgnudge = pid;
    close(ends[1]);
    free(argv);
    return ends[0];
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
    char state[32];

    return ask(follower.conn, state, sizeof(state),
               "SELECT 1 FROM pg_stat_replication WHERE usename = 'pgnudge' AND state = 'streaming'"
               " AND application_name NOT LIKE 'standby%%'") &&
           state[0] == '1';
}

static bool is_right(void)
{
    char wrong[TEXT_MAX];

    return follower_is_right(&follower, wrong);
}

/* ---- the phases ---- */

static pid_t children[WRITERS + 1];

static void start_writers(const char *conninfo, uint64_t salt)
{
    shared->writing = true;
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            write_until_stopped(shared, conninfo, i, (seed + salt) * 7919 + (uint64_t)i + 1);
            _exit(0);
        }
    }
}

static bool writers_are_over(void)
{
    bool over = true;

    for (int i = 0; i < WRITERS; i++) {
        if (children[i] > 0 && waitpid(children[i], NULL, WNOHANG) == children[i]) {
            children[i] = 0;
        }
        over = over && children[i] == 0;
    }
    return over;
}

static bool faults_are_over(void)
{
    return waitpid(children[WRITERS], NULL, WNOHANG) != 0;
}

static void stop_writers(int fd)
{
    shared->writing = false;
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
    struct health health = health_of(shared->pgnudge);

    printf(
        "round %lld: right; %u transactions, %u faults, %zu lines, %zu resyncs so far; pgnudge has "
        "%lu KiB, %u descriptors, %.2f s of CPU; %u events had keys\n",
        number, shared->done, shared->faulted, follower.lines, follower.resyncs, health.memory_kib,
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
    shared->faults = true;
    children[WRITERS] = fork();
    if (children[WRITERS] == 0) {
        fault_until_stopped(shared, conninfo, (seed + (uint64_t)number) * 104729 + 17);
        _exit(0);
    }
    follow(fd, now_ms() + seconds * 1000, NULL);
    shared->faults = false;
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
    be_right(fd, "beside a stranger's transaction");
    PQfinish(stranger);
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
    setpgid(0, 0);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    seed = strtoull(argv[4], NULL, 10);
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
        follower.keyed = shared->keyed = true;
    }
    fd = start_pgnudge(argv[1], argv + 5, argc - 5);
    if (!follow(fd, now_ms() + LIVE_MS, is_live)) {
        fail("no resync");
    }
    left = atoll(argv[3]);
    for (long long number = 0; left > 0; number++, left -= ROUND_S) {
        run_round(fd, argv[2], number, left < ROUND_S ? left : ROUND_S);
    }
    kill(shared->pgnudge, SIGTERM);
    waitpid(shared->pgnudge, NULL, 0);
    if (follower.keyed && keyed_so_far() == 0) {
        fail("no event had keys");
    }
    printf("seed %llu: right%s\n", (unsigned long long)seed, follower.keyed ? ", with keys" : "");
    return 0;
}
