/*
 * The one way in which a layer says what went wrong: it fills a struct error
 * and returns; whoever owns the operation decides, and one place prints.
 */
#ifndef PGNUDGE_BASE_ERROR_H
#define PGNUDGE_BASE_ERROR_H

#include <stdbool.h>

enum error_kind {
    ERROR_NONE,
    ERROR_TRANSIENT, /* trying again may mend it */
    ERROR_PERMANENT, /* no retry mends it */
    ERROR_FATAL      /* pgnudge itself can't go on: memory, stdout */
};

#define ERROR_TEXT_MAX 1024 /* bytes of each text, its NUL included; longer ones are cut */

struct error {
    enum error_kind kind;
    char sqlstate[6]; /* "" unless the server said it */
    char message[ERROR_TEXT_MAX];
    char detail[ERROR_TEXT_MAX]; /* "" for none; several have a line each */
    char hint[ERROR_TEXT_MAX];   /* likewise */
};

void error_clear(struct error *error);

/* Replaces the whole error. Always returns false, for `return error_set(…)`. */
bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ERROR_FATAL "out of memory". Returns false. */
bool error_memory(struct error *error);

/* Puts "PREFIX: " in front of the message. */
void error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a line to the detail that is there, the server's perhaps, or makes it the detail. */
void error_detail(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Replaces the hint. */
void error_hint(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a line to the hint that is there, the server's perhaps, or makes it the hint. */
void error_add_hint(struct error *error, const char *line);

#endif
