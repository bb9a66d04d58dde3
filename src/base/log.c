#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096 /* a longer message is cut */

/* C0 (a newline that the server sent too), DEL, and C1 as UTF-8 writes it. */
static void disarm(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = *p == '\n' || *p == '\t' ? ' ' : '?';
        } else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
            *p = p[1] = '?';
        }
    }
}

static void print(const char *label, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    int saved_errno = errno;
    int head = snprintf(line, sizeof(line), "pgnudge: %s: ", label);
    size_t len;
    ssize_t written;

    vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
    disarm(line);
    len = strlen(line);
    line[len] = '\n';
    written = write(STDERR_FILENO, line, len + 1);
    (void)written; /* nobody is left to tell */
    errno = saved_errno;
}

bool log_wants(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

void log_say(const struct log *log, enum log_level level, const char *format, ...)
{
    static const char *const label[] = {"error", "warning", "info", "debug"};
    va_list args;

    if (log_wants(log, level)) {
        va_start(args, format);
        print(label[level], format, args);
        va_end(args);
    }
}

void log_detail(const struct log *log, enum log_level level, const char *format, ...)
{
    va_list args;

    if (log_wants(log, level)) {
        va_start(args, format);
        print("detail", format, args);
        va_end(args);
    }
}

void log_hint(const struct log *log, enum log_level level, const char *format, ...)
{
    va_list args;

    if (log_wants(log, level)) {
        va_start(args, format);
        print("hint", format, args);
        va_end(args);
    }
}

void log_report(const struct log *log, enum log_level level, const struct error *error)
{
    log_say(log, level, "%s", error->message);
    if (error->detail[0] != '\0') {
        log_detail(log, level, "%s", error->detail);
    }
    if (error->hint[0] != '\0') {
        log_hint(log, level, "%s", error->hint);
    }
}
