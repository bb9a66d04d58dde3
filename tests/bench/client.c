#include "client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "tool.h"

#define LOOK_EVERY_NS (2 * NS_PER_MS)
#define TAIL_BYTES    512 /* an event of a batch, or a row and its COMMIT, are less */

void client_name(void)
{
    char name[32];

    snprintf(name, sizeof(name), "bench_%ld", (long)getpid());
    setenv("PGAPPNAME", name, 1);
}

/* Its process ID, 0 if there is none in such a state. */
static pid_t walsender(PGconn *server, const char *condition)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
             "SELECT pid FROM pg_stat_replication WHERE application_name = '%s' AND %s",
             getenv("PGAPPNAME"), condition);
    return (pid_t)server_number(server, sql);
}

void client_start(struct client *client, PGconn *server, char *const *argv, int out)
{
    int64_t end = now_ns() + PATIENCE_NS;

    *client = (struct client){.server = server, .pid = process_start(argv, out, false)};
    while (client->sender == 0) {
        process_check(client->pid);
        if (now_ns() > end) {
            fail("%s does not stream", argv[0]);
        }
        pause_ns(LOOK_EVERY_NS);
        client->sender = walsender(server, "state IN ('catchup', 'streaming')");
    }
}

void client_stop(struct client *client)
{
    int64_t end = now_ns() + PATIENCE_NS;

    process_kill(client->pid);
    while (walsender(client->server, "true") != 0) {
        if (now_ns() > end) {
            fail("a walsender stays");
        }
        pause_ns(LOOK_EVERY_NS);
    }
}

bool file_ends_with(int file, const char *word)
{
    char tail[TAIL_BYTES + 1];
    struct stat status;
    off_t from;
    ssize_t len;

    if (fstat(file, &status) != 0) {
        return false;
    }
    from = status.st_size > TAIL_BYTES ? status.st_size - TAIL_BYTES : 0;
    len = pread(file, tail, TAIL_BYTES, from);
    if (len <= 0 || tail[len - 1] != '\n') {
        return false;
    }
    tail[len] = '\0';
    return strstr(tail, word) != NULL;
}
