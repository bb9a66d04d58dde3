/*
 * Messages for people, on stderr, in the style of PostgreSQL's own clients:
 * "pgnudge: warning: …". Control characters become '?' and every line is one
 * write, so what a server sends can't reach a terminal as a command. A stderr
 * that can't take a line at once loses it: a log may not hold up the stream.
 */
#ifndef PGNUDGE_BASE_LOG_H
#define PGNUDGE_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log {
    enum log_level level; /* the least important one that is printed */
    int fd;               /* where to; 0: standard error as it is */
    bool journal;         /* it is systemd's: each line has its priority in front */
};

/*
 * Knows by JOURNAL_STREAM whether standard error is the journal's (systemd.exec(5), sd-daemon(3)).
 * Has lines go to a non-blocking open file of its own, where standard error is a pipe or a
 * terminal: one that reports room may block all the same (less than a line, Ctrl-S).
 */
void log_open(struct log *log);
void log_close(struct log *log);

bool log_wants(const struct log *log, enum log_level level);

/* A message of `level`; or, with a label, a line below the message before it. */
void log_line(const struct log *log, enum log_level level, const char *label, const char *format,
              ...) __attribute__((format(printf, 4, 5)));

#define log_say(log, level, ...)    log_line(log, level, NULL, __VA_ARGS__)
#define log_detail(log, level, ...) log_line(log, level, "detail", __VA_ARGS__)
#define log_hint(log, level, ...)   log_line(log, level, "hint", __VA_ARGS__)

/* The error's message, detail and hints. */
void log_report(const struct log *log, enum log_level level, const struct error *error);

#endif
