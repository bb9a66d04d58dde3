#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/text.h"

#define LINE_MAX_BYTES 4096 /* a longer message is cut; a pipe takes this much whole */

/* JOURNAL_STREAM is "device:inode" of what the manager gave us, which may have been redirected since. */
static bool is_journal(const struct stat *info)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char *end;

    return stream != NULL && strtoull(stream, &end, 10) == info->st_dev && *end == ':' &&
           strtoull(end + 1, NULL, 10) == info->st_ino;
}

void log_open(struct log *log)
{
    struct stat info;
    int fd = -1;

    if (fstat(STDERR_FILENO, &info) == 0) {
        log->journal = is_journal(&info);
        if (S_ISFIFO(info.st_mode) || isatty(STDERR_FILENO)) {
            fd = os_reopen_nonblocking(STDERR_FILENO);
        }
    }
    log->fd = fd > 0 ? fd : 0;
}

void log_close(struct log *log)
{
    if (log->fd > 0) {
        close(log->fd);
    }
    log->fd = 0;
}

/* Nobody who stops reading stderr may stop the stream: what it can't take now is dropped. */
static void write_line(const struct log *log, const char *line, size_t len)
{
    int fd = log->fd > 0 ? log->fd : STDERR_FILENO;
    struct pollfd out = {.fd = fd, .events = POLLOUT};
    ssize_t written;

    if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0) {
        written = send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (written < 0 && errno == ENOTSOCK) {
            written = write(fd, line, len);
        }
        (void)written; /* nobody is left to tell */
    }
}

__attribute__((format(printf, 4, 0))) static void print(const struct log *log, enum log_level level,
                                                        const char *label, const char *format,
                                                        va_list args)
{
    static const int priorities[] = {3, 4, 6, 7}; /* as syslog(3) counts */
    char line[LINE_MAX_BYTES];
    int saved_errno = errno;
    int head = log->journal ? snprintf(line, sizeof(line), "<%d>", priorities[level]) : 0;
    size_t len;

    head += snprintf(line + head, sizeof(line) - (size_t)head, "pgnudge: %s: ", label);
    vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
    utf8_disarm(line);
    len = strlen(line);
    line[len] = '\n';
    write_line(log, line, len + 1);
    errno = saved_errno;
}

bool log_wants(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

void log_line(const struct log *log, enum log_level level, const char *label, const char *format,
              ...)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    va_list args;

    if (log_wants(log, level)) {
        va_start(args, format);
        print(log, level, label != NULL ? label : levels[level], format, args);
        va_end(args);
    }
}

/* One line each. */
static void report_lines(const struct log *log, enum log_level level, const char *label,
                         const char *lines)
{
    size_t len;

    for (; *lines != '\0'; lines += len + (lines[len] == '\n')) {
        len = strcspn(lines, "\n");
        if (len > 0) {
            log_line(log, level, label, "%.*s", (int)len, lines);
        }
    }
}

void log_report(const struct log *log, enum log_level level, const struct error *error)
{
    log_say(log, level, "%s", error->message);
    report_lines(log, level, "detail", error->detail);
    report_lines(log, level, "hint", error->hint);
}
