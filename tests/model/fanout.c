/*
 * The model with a bridge: two publishers, of which one waits, and readers, some of them slow, one
 * behind a broker. Each has a copy of its own, all must be right at rest.
 */
#include "model.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PUBLISHERS 2
#define READERS    20
#define SLOW       5 /* of them */
#define LINE_BYTES (1 << 18)
#define BURSTS     8
#define BURST_MS   100
#define REST_MS    40000 /* in which all copies must be right */
#define OPTIONS    16

#define LOCK_KEY                                                                                   \
    "('x' || substr(encode(sha256('pgnudge channel model'), 'hex'), 1, 16))::bit(64)::bigint"

struct process {
    char *argv[OPTIONS];
    pid_t pid;
};

struct reader {
    struct process process;
    struct follower follower;
    int fd; /* -1: it is to be started anew */
    bool slow;
    long long next_ms; /* slow: when it looks again */
    size_t len;
    char text[LINE_BYTES];
};

static struct process publishers[PUBLISHERS];
static struct process bridge; /* from the channel to the broker */
static struct reader readers[READERS];
static size_t reader_count;

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* ---- processes ---- */

static void set_arguments(struct process *process, const char *program, const char *first,
                          const char *second, char **options, int count)
{
    int n = 0;

    process->argv[n++] = text_of(program);
    process->argv[n++] = text_of(first);
    process->argv[n++] = text_of(second);
    process->argv[n++] = text_of("--debounce=30ms");
    process->argv[n++] = text_of("--max-batch-wait=100ms");
    process->argv[n++] = text_of("--backoff=50ms,300ms");
    for (int i = 0; i < count && n < OPTIONS - 1; i++) {
        process->argv[n++] = options[i];
    }
}

/* One whose output nobody reads. */
static void keep_running(struct process *process)
{
    int fd;

    if (process->argv[0] == NULL) {
        return;
    }
    if (process->pid > 0 && waitpid(process->pid, NULL, WNOHANG) == 0) {
        return;
    }
    fd = start_program(process->argv, &process->pid);
    close(fd);
}

static void keep_reading(struct reader *reader)
{
    if (reader->fd < 0) {
        reader->fd = start_program(reader->process.argv, &reader->process.pid);
        reader->len = 0;
    }
}

static void keep_all(void)
{
    for (int i = 0; i < PUBLISHERS; i++) {
        keep_running(&publishers[i]);
    }
    keep_running(&bridge);
    for (size_t i = 0; i < reader_count; i++) {
        keep_reading(&readers[i]);
    }
}

/* ---- readers ---- */

static void ended(struct reader *reader)
{
    int status = 0;

    close(reader->fd);
    reader->fd = -1;
    waitpid(reader->process.pid, &status, 0);
    note(state, "reader %zu has ended: %d", (size_t)(reader - readers), status);
}

static void take_lines(struct reader *reader)
{
    ssize_t got = read(reader->fd, reader->text + reader->len, LINE_BYTES - reader->len);
    char *end;

    if (got <= 0) {
        ended(reader);
        return;
    }
    reader->len += (size_t)got;
    while ((end = memchr(reader->text, '\n', reader->len)) != NULL) {
        *end = '\0';
        shown = &reader->follower;
        follower_take(&reader->follower, reader->text);
        reader->len -= (size_t)(end + 1 - reader->text);
        memmove(reader->text, end + 1, reader->len);
    }
}

/* Takes lines until `until_ms`, or until `done` says so. */
static bool follow_all(long long until_ms, bool (*done)(void))
{
    while (now_ms() < until_ms && (done == NULL || !done())) {
        struct pollfd fds[READERS];
        long long now = now_ms();

        keep_all();
        for (size_t i = 0; i < reader_count; i++) {
            fds[i] = (struct pollfd){.fd = readers[i].fd, .events = POLLIN};
            if (now < readers[i].next_ms) {
                fds[i].fd = -1;
            }
        }
        if (poll(fds, reader_count, 20) <= 0) {
            continue;
        }
        for (size_t i = 0; i < reader_count; i++) {
            if (fds[i].revents != 0) {
                take_lines(&readers[i]);
                readers[i].next_ms = readers[i].slow ? now + 200 + 100 * (long long)i : 0;
            }
        }
    }
    return done == NULL || done();
}

static bool all_live(void)
{
    for (size_t i = 0; i < reader_count; i++) {
        if (!readers[i].follower.live) {
            return false;
        }
    }
    return true;
}

static struct reader *wrong_one(char wrong[TEXT_MAX])
{
    for (size_t i = 0; i < reader_count; i++) {
        if (!follower_is_right(&readers[i].follower, wrong)) {
            return &readers[i];
        }
    }
    return NULL;
}

/* Asking for all is dear: one after the other, from where it was wrong last. */
static bool all_right(void)
{
    char wrong[TEXT_MAX];

    return wrong_one(wrong) == NULL;
}

static void be_right(const char *when)
{
    char wrong[TEXT_MAX];
    struct reader *reader;

    if (!follow_all(now_ms() + REST_MS, all_right) && (reader = wrong_one(wrong)) != NULL) {
        shown = &reader->follower;
        fail("reader %zu is wrong %s: %s", (size_t)(reader - readers), when, wrong);
    }
}

/* ---- faults ---- */

/* Lies, with the name of the session that runs now, if it has been heard. */
static void forge(PGconn *conn, struct random *random, char session[64])
{
    static const char *const lies[] = {
        "{\"type\":\"heartbeat\",\"lsn\":\"0/1\",\"session\":\"%s\",\"seq\":1000000}",
        "{\"type\":\"batch\",\"lsn\":\"0/1\",\"session\":\"%s\",\"seq\":%u,\"events\":[]}",
        "{\"type\":\"resync\",\"lsn\":\"0/1\",\"session\":\"%s\",\"seq\":1}",
        "{\"type\":\"batch\",\"session\":\"%s\",\"seq\":%u",
    };
    char line[300], sql[400];
    PGnotify *notification;

    PQconsumeInput(conn);
    while ((notification = PQnotifies(conn)) != NULL) {
        const char *at = strstr(notification->extra, "\"session\":\"");

        if (at != NULL) {
            sscanf(at + 11, "%63[0-9a-f]", session);
        }
        PQfreemem(notification);
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(line, sizeof(line), lies[random_below(random, 4)], session, random_below(random, 500));
#pragma GCC diagnostic pop
    snprintf(sql, sizeof(sql), "NOTIFY model, '%s'", line);
    PQclear(PQexec(conn, sql));
}

/* Takes the lock as soon as it is free, if it soon is, keeps it for some time, and lies meanwhile. */
static void squat(PGconn *conn, struct random *random, char session[64], unsigned ms)
{
    PQclear(PQexec(conn, "SET lock_timeout = '3s'"));
    PQclear(PQexec(conn, "SELECT pg_advisory_lock(" LOCK_KEY ")"));
    for (unsigned i = 0; i < 5; i++) {
        forge(conn, random, session);
        pause_ms(ms / 5);
    }
    PQclear(PQexec(conn, "SELECT pg_advisory_unlock_all()"));
    for (unsigned i = 0; i < 10; i++) {
        pause_ms(20);
        forge(conn, random, session);
    }
}

/* The process that a pid file of the shared memory would name: any of ours, by its place. */
static pid_t any_backend(PGconn *conn)
{
    char pid[32];

    return ask(conn, pid, sizeof(pid),
               "SELECT pid FROM pg_stat_activity WHERE usename = 'pgnudge' ORDER BY random() LIMIT "
               "1")
               ? (pid_t)atoi(pid)
               : 0;
}

static pid_t any_process(struct random *random, bool publisher)
{
    const volatile pid_t *pids = state->processes;

    return publisher ? pids[random_below(random, PUBLISHERS)]
                     : pids[PUBLISHERS + random_below(random, (uint32_t)reader_count)];
}

static void kill_one(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
    }
}

static void fault_bridge(const char *conninfo, uint64_t with_seed)
{
    struct random random = {with_seed};
    PGconn *conn = connect_to(conninfo);
    const char *program = getenv("MODEL_FAULT");
    char session[64] = "00", done[8], command[1000];

    ask(conn, done, sizeof(done), "SET synchronous_commit = local");
    while (state->faults) {
        unsigned ms = 50 + random_below(&random, 1200);
        uint32_t which = random_below(&random, program != NULL ? 9 : 8);

        PQclear(PQexec(conn, "LISTEN model"));
        pause_ms(100 + random_below(&random, 500));
        note(state, "fault %u for %u ms", which, ms);
        state->faulted++;
        switch (which) {
        case 0:
            kill_one(any_process(&random, true));
            break;
        case 1:
            kill_one(any_process(&random, false));
            break;
        case 2:
            freeze(any_process(&random, true), ms);
            break;
        case 3:
            freeze(any_process(&random, false), ms);
            break;
        case 4:
            ask(conn, done, sizeof(done), "SELECT pg_terminate_backend(%d)",
                (int)any_backend(conn));
            break;
        case 5:
            stall(conn, ms);
            break;
        case 6:
            for (unsigned i = 0; i < 20; i++) {
                forge(conn, &random, session);
            }
            break;
        case 7:
            squat(conn, &random, session, ms);
            break;
        default:
            snprintf(command, sizeof(command), "%s %u", program, random_next(&random) % 1000);
            if (system(command) != 0) {
                fail("%s", command);
            }
            break;
        }
    }
    PQfinish(conn);
}

/* ---- the phases ---- */

static bool faults_are_over(void)
{
    return waitpid(children[WRITERS], NULL, WNOHANG) != 0;
}

/* Where the faults find the processes. */
static void publish_pids(void)
{
    for (int i = 0; i < PUBLISHERS; i++) {
        state->processes[i] = publishers[i].pid;
    }
    for (size_t i = 0; i < reader_count; i++) {
        state->processes[PUBLISHERS + i] = readers[i].process.pid;
    }
}

static void run_faults(const char *conninfo, long long seconds)
{
    long long until_ms = now_ms() + seconds * 1000;

    start_writers(conninfo, 1);
    state->faults = true;
    children[WRITERS] = fork();
    if (children[WRITERS] == 0) {
        fault_bridge(conninfo, run_seed * 104729 + 17);
        _exit(0);
    }
    while (now_ms() < until_ms) {
        publish_pids();
        follow_all(now_ms() + 100, NULL);
    }
    state->faults = false;
    if (!follow_all(now_ms() + REST_MS, faults_are_over)) {
        fail("a fault doesn't end");
    }
    state->writing = false;
    if (!follow_all(now_ms() + REST_MS, writers_are_over)) {
        fail("the writers don't end");
    }
}

/* Some writing, then rest, again and again: a lost line shows until the table changes again. */
static void run_bursts(const char *conninfo)
{
    for (int i = 0; i < BURSTS; i++) {
        start_writers(conninfo, (uint64_t)i + 1000);
        follow_all(now_ms() + BURST_MS, NULL);
        state->writing = false;
        if (!follow_all(now_ms() + REST_MS, writers_are_over)) {
            fail("the writers don't end");
        }
        be_right("after a burst");
    }
}

static void add_reader(struct process process, const char *conninfo)
{
    static const char *const names[] = {"m.j", "m.a", "m.b", "m.ev", "m.par"};
    struct reader *reader = &readers[reader_count];

    reader->process = process;
    reader->fd = -1;
    reader->slow = reader_count < SLOW;
    reader->follower = (struct follower){.conn = connect_to(conninfo), .names = names, .count = 5};
    reader_count++;
}

/* $MODEL_TO_BROKER takes lines, $MODEL_FROM_BROKER prints them. */
static void add_broker(const char *program, const char *tables, const char *conninfo)
{
    static char to[2000], from[2000];
    const char *to_broker = getenv("MODEL_TO_BROKER"), *from_broker = getenv("MODEL_FROM_BROKER");
    struct process process = {.argv = {text_of("/bin/bash"), text_of("-c"), from}};

    if (to_broker == NULL || from_broker == NULL) {
        return;
    }
    snprintf(
        to, sizeof(to),
        "exec %s --listen model --sequence --heartbeat 300ms --partitions leaf --debounce 30ms "
        "--backoff 50ms,300ms %s > >(%s)",
        program, tables, to_broker);
    snprintf(from, sizeof(from), "exec %s --from-stdin --debounce 30ms %s < <(%s)", program, tables,
             from_broker);
    bridge = (struct process){.argv = {text_of("/bin/bash"), text_of("-c"), to}};
    add_reader(process, conninfo);
}

int fanout(const char *program, const char *conninfo, long long seconds, char **options, int count)
{
    static char tables[] = "--tables=m.j,m.a,m.b,m.ev,m.par";
    char *reading[] = {tables};
    struct process process = {.pid = 0};
    size_t lines = 0, resyncs = 0;
    PGconn *conn = connect_to(conninfo);

    make_tables(conn);
    for (int i = 0; i < PUBLISHERS; i++) {
        set_arguments(&publishers[i], program, "--notify=model", "--heartbeat=300ms", options,
                      count);
    }
    add_broker(program, tables, conninfo);
    while (reader_count < READERS) {
        set_arguments(&process, program, "--listen=model", "--liveness-timeout=10s", reading, 1);
        add_reader(process, conninfo);
    }
    if (!follow_all(now_ms() + REST_MS, all_live)) {
        fail("not all readers are live");
    }
    run_faults(conninfo, seconds);
    be_right("after the faults");
    run_bursts(conninfo);
    for (size_t i = 0; i < reader_count; i++) {
        lines += readers[i].follower.lines;
        resyncs += readers[i].follower.resyncs;
        kill_one(readers[i].process.pid);
    }
    for (int i = 0; i < PUBLISHERS; i++) {
        kill_one(publishers[i].pid);
    }
    kill_one(bridge.pid);
    printf("seed %llu: right, %zu readers%s; %u transactions, %u faults, %zu lines, %zu resyncs\n",
           (unsigned long long)run_seed, reader_count,
           bridge.pid > 0 ? ", one behind a broker" : "", state->done, state->faulted, lines,
           resyncs);
    return 0;
}
