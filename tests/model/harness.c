/* What the models share: a server that may be away, the end, children. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AWAY_MS 90000 /* in which a server must be back */

struct shared *state;
uint64_t run_seed;
struct follower *shown;

void harness_start(uint64_t with_seed)
{
    setpgid(0, 0);
    run_seed = with_seed;
    state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

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

    printf("FAILED with seed %llu: ", (unsigned long long)run_seed);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n--- the last transactions and faults\n");
    for (unsigned i = 0; i < HISTORY; i++) {
        printf("%s\n", state->history[(state->next + i) % HISTORY]);
    }
    printf("--- the last lines\n");
    for (size_t i = 0; i < HISTORY; i++) {
        const char *line = shown->history[(shown->lines + i) % HISTORY];

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

/* ---- children ---- */

int start_program(char *const argv[], pid_t *pid)
{
    int ends[2];

    if (pipe(ends) != 0) {
        fail("no pipe");
    }
    *pid = fork();
    if (*pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    return ends[0];
}

pid_t children[WRITERS + 1];

void start_writers(const char *conninfo, uint64_t salt)
{
    state->writing = true;
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            write_until_stopped(state, conninfo, i, (run_seed + salt) * 7919 + (uint64_t)i + 1);
            _exit(0);
        }
    }
}

bool writers_are_over(void)
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
