#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/text.h"

#define LINE_MAX_BYTES 4096 /* a longer message is cut; a pipe takes this much whole */

void log_open(struct log *log)
{
    struct stat info;
    int fd = -1;

    if (fstat(STDERR_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || isatty(STDERR_FILENO))) {
        fd = os_reopen_nonblocking(STDERR_FILENO);
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

__attribute__((format(printf, 3, 0))) static void print(const struct log *log, const char *label,
                                                        const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    int saved_errno = errno;
    int head = snprintf(line, sizeof(line), "pgnudge: %s: ", label);
    size_t len;

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
        print(log, label != NULL ? label : levels[level], format, args);
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
