#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "process.h"
#include "tool.h"

#define LOOK_EVERY_NS (5 * NS_PER_MS) /* seldom enough to cost the others nothing */
#define SETTLE_NS     (2 * NS_PER_S) /* what a client still does after a change, pgnudge's gate too */

/* What has been used so far. */
struct meter {
    int64_t client_ns;
    int64_t sender_ns;
    int64_t waits;
};

static struct meter read_meter(const struct client *client)
{
    return (struct meter){
        .client_ns = process_cpu_ns(client->pid),
        .sender_ns = process_cpu_ns(client->sender),
        .waits = process_status(client->pid, "voluntary_ctxt_switches"),
    };
}

static void tell_use(const struct meter *from, const struct meter *to, double units)
{
    tell("cpu", (double)(to->client_ns - from->client_ns) / (double)NS_PER_US / units);
    tell("sender_cpu", (double)(to->sender_ns - from->sender_ns) / (double)NS_PER_US / units);
}

static void tell_seconds(const char *metric, int64_t ns)
{
    tell(metric, (double)ns / (double)NS_PER_S);
}

static void await(const struct client *client, int out, const char *word)
{
    int64_t end = now_ns() + PATIENCE_NS;

    while (!file_ends_with(out, word)) {
        process_check(client->pid);
        if (now_ns() > end) {
            fail("the client does not write \"%s\"", word);
        }
        pause_ns(LOOK_EVERY_NS);
    }
}

/* Starts the client and has it read something; returns its output. */
static int begin(const struct load *load, struct client *client)
{
    PGconn *server = server_connect();
    int out = open(load->output, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

    if (out < 0) {
        fail("could not write %s: %s", load->output, strerror(errno));
    }
    if (load->prepare != NULL) {
        server_run(server, load->prepare);
    }
    client_start(client, server, load->command, out);
    if (load->listens != NULL) {
        await(client, out, load->listens);
    }
    server_run(server, load->warm);
    await(client, out, load->warmed);
    return out;
}

static void finish(struct client *client, int out)
{
    client_stop(client);
    PQfinish(client->server);
    close(out);
}

/* When all of the work was where; 0: not yet. */
struct arrival {
    int64_t read;
    int64_t written;
};

/*
 * The query that says whether all that is in the log has been acknowledged,
 * which pg_recvlogical doesn't do at once. (What the server calls sent isn't
 * asked for: it counts in how long the walsender tidies up after that.)
 */
static void acknowledged_query(char *sql, size_t size, const struct client *client)
{
    PGresult *result = PQexec(client->server, "SELECT pg_current_wal_flush_lsn()");

    if (PQntuples(result) != 1) {
        fail("%s", PQerrorMessage(client->server));
    }
    snprintf(sql, size,
             "SELECT 1 FROM pg_stat_get_wal_senders() WHERE pid = %ld AND write_lsn >= '%s'",
             (long)client->sender, PQgetvalue(result, 0, 0));
    PQclear(result);
}

static void note(int64_t *when, bool arrived, int64_t now)
{
    if (*when == 0 && arrived) {
        *when = now;
    }
}

static struct arrival await_arrival(const struct load *load, const struct client *client, int out)
{
    struct arrival at = {0};
    int64_t end = now_ns() + PATIENCE_NS;
    char acknowledged[160];

    acknowledged_query(acknowledged, sizeof(acknowledged), client);
    while (at.written == 0) {
        bool written = file_ends_with(out, load->worked);
        bool read = written || server_number(client->server, acknowledged) == 1;
        int64_t now = now_ns();

        note(&at.read, read, now);
        note(&at.written, written, now);
        process_check(client->pid);
        if (now > end) {
            fail("the client does not write \"%s\"", load->worked);
        }
        pause_ns(LOOK_EVERY_NS);
    }
    return at;
}

void load_run(const struct load *load)
{
    struct client client;
    int out = begin(load, &client);
    struct meter before = read_meter(&client), after;
    int64_t start = now_ns();
    struct arrival at;

    for (int i = 0; i < load->work_count; i++) {
        server_run(client.server, load->work[i]);
    }
    at = await_arrival(load, &client, out);
    after = read_meter(&client);
    tell_use(&before, &after, (double)load->units);
    tell_seconds("read", at.read - start);
    tell_seconds("written", at.written - start);
    tell("waits", (double)(after.waits - before.waits) / (double)load->units * 1000);
    tell("peak", (double)process_status(client.pid, "VmHWM") / 1024);
    finish(&client, out);
}

void load_idle(const struct load *load)
{
    struct client client;
    int out = begin(load, &client);
    struct meter before, after;

    pause_ns(SETTLE_NS);
    before = read_meter(&client);
    pause_ns(load->idle_s * NS_PER_S);
    process_check(client.pid);
    after = read_meter(&client);
    tell_use(&before, &after, (double)load->idle_s);
    tell("waits", (double)(after.waits - before.waits) / (double)load->idle_s);
    finish(&client, out);
}
