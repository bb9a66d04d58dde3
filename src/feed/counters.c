#include "feed/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "wire/lsn.h"

static double seconds(int64_t time_us)
{
    return (double)time_us / (double)CLOCK_S;
}

static uint64_t reconnects(const struct counters *counters)
{
    return counters->connects > 0 ? counters->connects - 1 : 0;
}

void counters_say(const struct counters *counters, const struct log *log)
{
    struct log always = *log;

    always.level = LOG_INFO;
    log_say(&always, LOG_INFO,
            "%s; %" PRIu64 " items, %" PRIu64 " of them batches; %" PRIu64 " changes, %" PRIu64
            " bytes received; %" PRIu64 " reconnects; last commit " LSN_FORMAT
            ", received %.3f; oldest waiting change %.3f s; memory %" PRIu64 " KiB",
            counters->live ? "connected" : "not connected", counters->batches + counters->resyncs,
            counters->batches, counters->changes, counters->bytes, reconnects(counters),
            LSN_HALVES(counters->commit_lsn), seconds(counters->commit_wall_us),
            seconds(counters->waiting_us), counters->memory / 1024);
}

/* ---- the file ---- */

static void describe(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_format(out, "# HELP pgnudge_%s %s\n# TYPE pgnudge_%s %s\n", name, help, name, type);
}

static void count(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    describe(out, name, "counter", help);
    buffer_format(out, "pgnudge_%s %" PRIu64 "\n", name, value);
}

static void gauge(struct buffer *out, const char *name, const char *help, double value)
{
    describe(out, name, "gauge", help);
    buffer_format(out, "pgnudge_%s %.17g\n", name, value);
}

static void write_metrics(struct buffer *out, const struct counters *counters)
{
    gauge(out, "up", "Whether the replication stream is live.", counters->live ? 1 : 0);
    describe(out, "items_total", "counter", "Items that went out.");
    buffer_format(out, "pgnudge_items_total{type=\"batch\"} %" PRIu64 "\n", counters->batches);
    buffer_format(out, "pgnudge_items_total{type=\"resync\"} %" PRIu64 "\n", counters->resyncs);
    count(out, "changes_total", "Row changes received, of watched tables or not.",
          counters->changes);
    count(out, "received_bytes_total", "Bytes received on replication connections.",
          counters->bytes);
    count(out, "reconnects_total", "Streams that went live after the first.", reconnects(counters));
    gauge(out, "last_commit_timestamp_seconds", "Arrival of the last COMMIT.",
          seconds(counters->commit_wall_us));
    gauge(out, "last_commit_lsn_bytes", "The end of the last COMMIT in the WAL.",
          (double)counters->commit_lsn);
    gauge(out, "oldest_waiting_seconds", "Age of the oldest change that waits to go out.",
          seconds(counters->waiting_us));
    gauge(out, "resident_memory_bytes", "Resident memory.", (double)counters->memory);
}

static bool failed(struct error *error, const char *path, const char *why)
{
    return error_set(error, ERROR_FATAL, "could not write metrics to \"%s\": %s", path, why);
}

/* An errno, or 0. */
static int write_all(int fd, const struct buffer *text)
{
    size_t at = 0;

    while (at < text->len) {
        ssize_t written = write(fd, text->data + at, text->len - at);

        if (written < 0 && errno != EINTR) {
            return errno;
        }
        at += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* What is there already is no file of ours unless it is a plain one. An errno, or 0. */
static int replace(const char *path, const char *temporary, const struct buffer *text)
{
    struct stat status;
    int fd, result;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        return EEXIST;
    }
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (fd < 0) {
        return errno;
    }
    result = write_all(fd, text);
    close(fd);
    if (result == 0 && rename(temporary, path) != 0) {
        result = errno;
    }
    if (result != 0) {
        unlink(temporary);
    }
    return result;
}

bool counters_write(const struct counters *counters, const char *path, struct error *error)
{
    struct buffer text = {0}, temporary = {0};
    int result = ENOMEM;

    write_metrics(&text, counters);
    buffer_format(&temporary, "%s.tmp", path);
    buffer_byte(&temporary, '\0');
    if (!text.failed && !temporary.failed) {
        result = replace(path, temporary.data, &text);
    }
    buffer_free(&text);
    buffer_free(&temporary);
    return result == 0 || failed(error, path, strerror(result));
}
