#include "fanout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "server.h"
#include "tool.h"

#define PAUSE_NS    (250 * NS_PER_MS) /* between commits */
#define WAIT_NS     (30 * NS_PER_S)   /* for a line that must come */
#define READERS_MAX 1000
#define LINE_BYTES  65536
#define TIMES_MAX   (1 << 20)

struct reader {
    PGconn *listener; /* NULL: a process */
    pid_t pid;
    int fd;
    bool ready; /* has printed `listens` */
    bool has;   /* what was committed last */
    size_t len;
    char line[LINE_BYTES]; /* its last bytes */
};

static struct reader *readers;
static int64_t times[TIMES_MAX];
static size_t time_count;

/* ---- the server's CPU ---- */

/* Of one process and, with `children`, of those that have ended under it, in clock ticks. */
static unsigned long long cpu_of(const char *pid, int parent, bool children)
{
    unsigned long user = 0, system = 0, child_user = 0, child_system = 0;
    char path[300], text[1000];
    const char *end;
    FILE *file;
    int ppid = 0;

    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    if (fgets(text, sizeof(text), file) == NULL || (end = strrchr(text, ')')) == NULL ||
        sscanf(end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &ppid, &user,
               &system, &child_user, &child_system) != 5) {
        user = system = child_user = child_system = 0;
    }
    fclose(file);
    if (parent != 0 && ppid != parent) {
        return 0;
    }
    return user + system + (children ? child_user + child_system : 0);
}

static double server_cpu_s(int postmaster)
{
    unsigned long long ticks;
    const struct dirent *entry;
    char pid[16];
    DIR *dir = opendir("/proc");

    snprintf(pid, sizeof(pid), "%d", postmaster);
    ticks = cpu_of(pid, 0, true);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
            ticks += cpu_of(entry->d_name, postmaster, false);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double readers_cpu_s(const struct fanout *fanout)
{
    double sum = 0;

    for (long i = 0; i < fanout->count && fanout->channel == NULL; i++) {
        sum += (double)process_cpu_ns(readers[i].pid) / (double)NS_PER_S;
    }
    return sum;
}

static int postmaster_of(PGconn *server)
{
    PGresult *result = PQexec(server, "SELECT current_setting('data_directory')");
    char path[1000];
    int pid = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/postmaster.pid", PQgetvalue(result, 0, 0));
    PQclear(result);
    file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%d", &pid) != 1) {
        fail("could not read %s", path);
    }
    fclose(file);
    return pid;
}

/* ---- readers ---- */

static void start_process(struct reader *reader, char *const *command)
{
    int ends[2];

    if (pipe(ends) != 0) {
        fail("could not make a pipe: %s", strerror(errno));
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    reader->pid = process_start(command, ends[1], false);
    close(ends[1]);
    reader->fd = ends[0];
}

static void start_listener(struct reader *reader, const char *channel)
{
    char sql[200];

    reader->listener = server_connect_as_client();
    snprintf(sql, sizeof(sql), "LISTEN %s", channel);
    server_run(reader->listener, sql);
    reader->fd = PQsocket(reader->listener);
    reader->ready = true;
}

static void take_lines(struct reader *reader, const struct fanout *fanout)
{
    ssize_t len = read(reader->fd, reader->line + reader->len, LINE_BYTES - reader->len);
    char *end;

    if (len <= 0) {
        fail("a reader ended by itself");
    }
    reader->len += (size_t)len;
    while ((end = memchr(reader->line, '\n', reader->len)) != NULL) {
        size_t used = (size_t)(end + 1 - reader->line);

        *end = '\0';
        reader->ready |= strstr(reader->line, fanout->listens) != NULL;
        reader->has |= strstr(reader->line, fanout->wanted) != NULL;
        memmove(reader->line, end + 1, reader->len - used);
        reader->len -= used;
    }
    if (reader->len == LINE_BYTES) {
        reader->len = 0;
    }
}

static void take(struct reader *reader, const struct fanout *fanout)
{
    PGnotify *notification;

    if (reader->listener == NULL) {
        take_lines(reader, fanout);
        return;
    }
    if (!PQconsumeInput(reader->listener)) {
        fail("%s", PQerrorMessage(reader->listener));
    }
    while ((notification = PQnotifies(reader->listener)) != NULL) {
        reader->has |= strstr(notification->extra, fanout->wanted) != NULL;
        PQfreemem(notification);
    }
}

static bool all(const struct fanout *fanout, bool ready)
{
    for (long i = 0; i < fanout->count; i++) {
        if (ready ? !readers[i].ready : !readers[i].has) {
            return false;
        }
    }
    return true;
}

/* Reads until `until`; with a `from`, notes when each reader has what was committed then. */
static void read_until(const struct fanout *fanout, int64_t until, int64_t from)
{
    static struct pollfd fds[READERS_MAX];
    int64_t left = until - now_ns();

    for (long i = 0; i < fanout->count; i++) {
        fds[i] = (struct pollfd){.fd = readers[i].fd, .events = POLLIN};
    }
    if (fanout->count == 0 && (from != 0 || left > PAUSE_NS)) {
        return;
    }
    while ((left = until - now_ns()) > 0) {
        if (poll(fds, (nfds_t)fanout->count, (int)(left / NS_PER_MS) + 1) <= 0) {
            continue;
        }
        for (long i = 0; i < fanout->count; i++) {
            bool had = readers[i].has;

            if (fds[i].revents == 0) {
                continue;
            }
            take(&readers[i], fanout);
            if (from != 0 && !had && readers[i].has && time_count < TIMES_MAX) {
                times[time_count++] = now_ns() - from;
            }
        }
        if (from != 0 && all(fanout, false)) {
            return;
        }
        if (from == 0 && until > now_ns() + PAUSE_NS && all(fanout, true)) {
            return;
        }
    }
}

static void start(const struct fanout *fanout)
{
    if (fanout->count > READERS_MAX) {
        fail("more than %d readers", READERS_MAX);
    }
    readers = calloc((size_t)fanout->count + 1, sizeof(*readers));
    if (readers == NULL) {
        fail("no memory for %ld readers", fanout->count);
    }
    for (long i = 0; i < fanout->count; i++) {
        if (fanout->channel != NULL) {
            start_listener(&readers[i], fanout->channel);
        } else {
            start_process(&readers[i], fanout->command);
        }
    }
    read_until(fanout, now_ns() + PATIENCE_NS, 0);
    if (!all(fanout, true)) {
        fail("not all readers have begun");
    }
}

void fanout_run(const struct fanout *fanout)
{
    PGconn *server = server_connect(), *writer = server_connect();
    int postmaster = postmaster_of(server);
    int64_t began, until;
    double server_s, readers_s, took_s;

    start(fanout);
    began = now_ns();
    until = began + fanout->seconds * NS_PER_S;
    server_s = server_cpu_s(postmaster);
    readers_s = readers_cpu_s(fanout);
    while (now_ns() < until) {
        for (long i = 0; i < fanout->count; i++) {
            readers[i].has = false;
        }
        server_run(writer, fanout->sql);
        read_until(fanout, now_ns() + WAIT_NS, now_ns());
        if (!all(fanout, false)) {
            fail("a reader has not got it");
        }
        read_until(fanout, now_ns() + PAUSE_NS - 1, 0);
    }
    took_s = (double)(now_ns() - began) / (double)NS_PER_S;
    if (time_count > 0) {
        tell_times(times, time_count);
    }
    tell("server", (server_cpu_s(postmaster) - server_s) / took_s * 100);
    tell("readers", (readers_cpu_s(fanout) - readers_s) / took_s * 100);
    for (long i = 0; i < fanout->count; i++) {
        if (fanout->channel == NULL) {
            process_kill(readers[i].pid);
        } else {
            PQfinish(readers[i].listener);
        }
    }
    PQfinish(writer);
    PQfinish(server);
}
