#include "latency.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "process.h"
#include "tool.h"

#define WARM_UP    10   /* commits that don't count */
#define LINE_BYTES 4096 /* a line is shorter */

/* Where the word comes from: a client's pipe, or a connection that listens. */
struct source {
    const char *wanted;
    PGconn *listener; /* NULL: a pipe */
    int fd;
    size_t len;
    char line[LINE_BYTES]; /* what has been read of the next one */
};

static void open_pipe(int pipes[2])
{
    if (pipe(pipes) != 0) {
        fail("could not make a pipe: %s", strerror(errno));
    }
    fcntl(pipes[0], F_SETFD, FD_CLOEXEC);
    fcntl(pipes[1], F_SETFD, FD_CLOEXEC);
}

/* Takes the complete lines that are there; whether one of them has the word. */
static bool take_lines(struct source *source)
{
    bool found = false;
    char *end;

    while ((end = memchr(source->line, '\n', source->len)) != NULL) {
        size_t used = (size_t)(end + 1 - source->line);

        *end = '\0';
        found = found || strstr(source->line, source->wanted) != NULL;
        memmove(source->line, end + 1, source->len - used);
        source->len -= used;
    }
    return found;
}

/* Reads once; whether the word has come. */
static bool source_take(struct source *source)
{
    PGnotify *notify;
    ssize_t len;

    if (source->listener != NULL) {
        if (!PQconsumeInput(source->listener)) {
            fail("%s", PQerrorMessage(source->listener));
        }
        notify = PQnotifies(source->listener);
        PQfreemem(notify);
        return notify != NULL;
    }
    if (source->len == sizeof(source->line)) {
        fail("a line of more than %d bytes", LINE_BYTES);
    }
    len = read(source->fd, source->line + source->len, sizeof(source->line) - source->len);
    if (len <= 0) {
        fail("the client ended by itself");
    }
    source->len += (size_t)len;
    return take_lines(source);
}

/* The statement's answer: true once it is complete. */
static bool take_answer(PGconn *writer)
{
    PGresult *result;

    if (!PQconsumeInput(writer)) {
        fail("%s", PQerrorMessage(writer));
    }
    if (PQisBusy(writer)) {
        return false;
    }
    while ((result = PQgetResult(writer)) != NULL) {
        if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
            fail("%s", PQerrorMessage(writer));
        }
        PQclear(result);
    }
    return true;
}

/* Commits once; from the acknowledgement to the word. */
static int64_t commit_once(PGconn *writer, struct source *source, const char *sql)
{
    struct pollfd fds[2] = {{.fd = PQsocket(writer), .events = POLLIN},
                            {.fd = source->fd, .events = POLLIN}};
    int64_t acknowledged = 0, seen = 0;

    if (!PQsendQuery(writer, sql) || PQflush(writer) != 0) {
        fail("%s", PQerrorMessage(writer));
    }
    while (acknowledged == 0 || seen == 0) {
        int64_t now;

        if (poll(fds, 2, (int)(PATIENCE_NS / NS_PER_MS)) <= 0) {
            fail("nothing comes after a commit");
        }
        now = now_ns();
        if (fds[0].revents != 0 && take_answer(writer)) {
            acknowledged = now;
            fds[0].fd = -1; /* poll leaves it out */
        }
        if (fds[1].revents != 0 && source_take(source)) {
            seen = now;
        }
    }
    return seen > acknowledged ? seen - acknowledged : 0;
}

static int64_t *new_times(long count)
{
    int64_t *times = calloc((size_t)count, sizeof(*times));

    if (times == NULL) {
        fail("out of memory");
    }
    return times;
}

static void measure(const struct latency *latency, PGconn *writer, struct source *source)
{
    int64_t *times = new_times(latency->count);

    for (long i = -WARM_UP; i < latency->count; i++) {
        int64_t time = commit_once(writer, source, latency->work);

        if (i >= 0) {
            times[i] = time;
        }
        pause_ns(latency->pause_us * NS_PER_US);
    }
    tell_times(times, (size_t)latency->count);
    free(times);
}

static void listen_to(const struct latency *latency, PGconn *writer)
{
    struct source source = {.listener = server_connect_as_client()};
    char sql[128];

    snprintf(sql, sizeof(sql), "LISTEN %s", latency->channel);
    server_run(source.listener, sql);
    source.fd = PQsocket(source.listener);
    measure(latency, writer, &source);
    PQfinish(source.listener);
}

static void read_from(const struct latency *latency, PGconn *writer)
{
    struct source source = {.wanted = latency->listens};
    struct client client;
    int pipes[2];

    open_pipe(pipes);
    client_start(&client, writer, latency->command, pipes[1]);
    close(pipes[1]);
    source.fd = pipes[0];
    while (latency->listens != NULL && !source_take(&source)) {
    }
    source.wanted = latency->wanted;
    measure(latency, writer, &source);
    client_stop(&client);
    close(pipes[0]);
}

void latency_run(const struct latency *latency)
{
    PGconn *writer = server_connect();

    if (latency->channel != NULL) {
        listen_to(latency, writer);
    } else {
        read_from(latency, writer);
    }
    PQfinish(writer);
}

void latency_round_trip(const struct latency *latency)
{
    int64_t *times = new_times(latency->count);
    PGconn *server = server_connect_as_client();

    if (latency->setup != NULL) {
        server_run(server, latency->setup);
    }
    for (long i = -WARM_UP; i < latency->count; i++) {
        int64_t start = now_ns();

        server_run(server, latency->work);
        if (i >= 0) {
            times[i] = now_ns() - start;
        }
        pause_ns(latency->pause_us * NS_PER_US);
    }
    tell_times(times, (size_t)latency->count);
    free(times);
    PQfinish(server);
}

void latency_start(const struct latency *latency)
{
    struct source source = {.wanted = latency->wanted};
    struct client client = {.server = server_connect()};
    int64_t start;
    int pipes[2];

    open_pipe(pipes);
    source.fd = pipes[0];
    start = now_ns();
    client.pid = process_start(latency->command, pipes[1], true);
    close(pipes[1]);
    while (!source_take(&source)) {
    }
    tell("start", (double)(now_ns() - start) / (double)NS_PER_MS);
    client_stop(&client);
    PQfinish(client.server);
    close(pipes[0]);
}
