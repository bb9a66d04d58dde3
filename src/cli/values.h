/* The values of options. Each function says in `error` what is wrong, and returns false then. */
#ifndef PGNUDGE_CLI_VALUES_H
#define PGNUDGE_CLI_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* `wanted`: what would be right. Always false. */
bool value_wrong(const char *option, const char *value, const char *wanted, struct error *error);

/* What 0 means for a duration option. */
enum zero { ZERO_REFUSED, ZERO_FINE, ZERO_NEVER };

/* In microseconds; CLOCK_NEVER for a 0 that means it. */
bool value_duration(const char *option, const char *value, enum zero zero, int64_t *us,
                    struct error *error);

/* A whole number from 1 to `max`. */
bool value_number(const char *option, const char *value, unsigned long long max,
                  unsigned long long *number, struct error *error);

#endif
