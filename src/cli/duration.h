/* Durations as the options take them. */
#ifndef PGNUDGE_CLI_DURATION_H
#define PGNUDGE_CLI_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#define DURATION_MAX_US (INT64_C(366) * 24 * 3600 * 1000000) /* a year; longer is a slip */

/*
 * A number, fractions allowed, with us, ms, s, m or min, h, or d; seconds without one.
 * False: it is none, or above DURATION_MAX_US, or above zero but below 1 us.
 */
bool duration_parse(const char *text, int64_t *us);

#endif
