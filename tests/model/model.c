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

static struct shared *shared;
static struct follower follower;
static uint64_t seed;

static long long now_ms(void)
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
    PGresult *result;
    va_list args;
    bool ok;

    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    result = PQexec(conn, sql);
    ok = PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK;
    snprintf(value, size, "%s", ok && PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return ok;
}

/* ---- pgnudge ---- */

static int start_pgnudge(const char *program, char **options, int count)
{
    char **argv = calloc((size_t)count + 8, sizeof(*argv));
    int ends[2], n = 0;
    pid_t pid;

    if (argv == NULL || pipe(ends) != 0) {
        fail("no memory, or no pipe");
    }
    argv[n++] = (char *)(uintptr_t)program;
    argv[n++] = (char *)(uintptr_t) "--backoff=50ms,300ms";
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

static void stop_writers(int fd)
{
    shared->writing = false;
    if (!follow(fd, now_ms() + LIVE_MS, writers_are_over)) {
        fail("the writers don't end");
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"m.j", "m.a", "m.b", "m.ev", "m.par"};
    bool exact;
    PGconn *stranger;
    char wrong[TEXT_MAX];
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
    exact = argc > 5 && strcmp(argv[5], "--tables=m.j,m.a,m.b") == 0;
    follower.names = names;
    follower.count = exact ? 3 : 5; /* only ordinary ones: a filter in the server */
    fd = start_pgnudge(argv[1], argv + 5, argc - 5);
    if (!follow(fd, now_ms() + LIVE_MS, is_live)) {
        fail("no resync");
    }
    start_writers(argv[2], 0);
    shared->faults = true;
    children[WRITERS] = fork();
    if (children[WRITERS] == 0) {
        fault_until_stopped(shared, argv[2], seed * 104729 + 17);
        _exit(0);
    }
    follow(fd, now_ms() + atoll(argv[3]) * 1000, NULL);
    shared->faults = false;
    waitpid(children[WRITERS], NULL, 0);
    stop_writers(fd);
    if (!follow(fd, now_ms() + LIVE_MS, is_streaming)) {
        fail("no stream");
    }
    if (!follow(fd, now_ms() + REST_MS, is_right)) {
        follower_is_right(&follower, wrong);
        fail("wrong after the faults: %s", wrong);
    }
    stranger = stranger_begins(argv[2]);
    start_writers(argv[2], 1);
    follow(fd, now_ms() + FINAL_MS, NULL);
    stop_writers(fd);
    if (!follow(fd, now_ms() + REST_MS, is_right)) {
        follower_is_right(&follower, wrong);
        fail("wrong beside a stranger's transaction: %s", wrong);
    }
    PQfinish(stranger);
    kill(shared->pgnudge, SIGTERM);
    waitpid(shared->pgnudge, NULL, 0);
    printf("seed %llu: %u transactions, %u faults, %zu lines, %zu resyncs: right\n",
           (unsigned long long)seed, shared->done, shared->faulted, follower.lines,
           follower.resyncs);
    return 0;
}
