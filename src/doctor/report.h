/*
 * What the doctor has found: lines for people as they come, or one JSON
 * document at the end. No I/O: the text waits in a buffer.
 *
 *   ok    wal_level: logical
 *   FAIL  replication: the role may not start a walsender
 *         ALTER ROLE "nudge" REPLICATION;
 *   use   test_decoding: part of PostgreSQL, loses nothing
 *   result: NOT READY, 1 check failed
 */
#ifndef PGNUDGE_DOCTOR_REPORT_H
#define PGNUDGE_DOCTOR_REPORT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

/* How it is told. */
enum report_form {
    REPORT_LINES,
    REPORT_TERMINAL, /* lines, the failures again behind them */
    REPORT_JSON
};

#define REPORT_TEXT_MAX 2048 /* bytes of one finding or fix; longer ones are cut */

enum check_status { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct report;

/* NULL: out of memory. */
struct report *report_new(enum report_form form);

/*
 * Adds a check; a name is a word or some, or "table" or "plugin" with what of that kind is meant.
 * Bytes that aren't UTF-8, and control characters, are replaced.
 */
void report_check(struct report *report, enum check_status status, const char *name,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds a line to the last check: a command or setting that mends it. */
void report_fix(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a check that `error` failed, with its hint's lines, or else `fix`, to mend it. */
void report_error(struct report *report, enum check_status status, const char *name,
                  const struct error *error, const char *fix);

/* Recommends a plugin (NULL: none can be used), and why; call once, after the checks. */
void report_plugin(struct report *report, const char *plugin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Recommends an option, and why. */
void report_option(struct report *report, const char *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The last line, or the document. */
void report_end(struct report *report);

/* How many checks had this status. */
unsigned report_count(const struct report *report, enum check_status status);

/* What is to be printed and hasn't been taken yet: take it by emptying the buffer. `failed` says
 * that memory ran out. */
struct buffer *report_text(struct report *report);

/* NULL is fine. */
void report_free(struct report *report);

#endif
