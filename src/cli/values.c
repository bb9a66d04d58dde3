#include "cli/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/duration.h"

bool value_wrong(const char *option, const char *value, const char *wanted, struct error *error)
{
    return error_set(error, ERROR_PERMANENT, "invalid value \"%s\" for %s: expected %s", value,
                     option, wanted);
}

bool value_duration(const char *option, const char *value, enum zero zero, int64_t *us,
                    struct error *error)
{
    if (!duration_parse(value, us)) {
        return value_wrong(option, value, "a number with us, ms, s, m, h or d", error);
    }
    if (*us == 0 && zero == ZERO_REFUSED) {
        return value_wrong(option, value, "more than 0", error);
    }
    if (*us == 0 && zero == ZERO_NEVER) {
        *us = CLOCK_NEVER;
    }
    return true;
}

bool value_number(const char *option, const char *value, unsigned long long max,
                  unsigned long long *number, struct error *error)
{
    char *end;

    errno = 0;
    *number = strtoull(value, &end, 10);
    if (value[strspn(value, "0123456789")] != '\0' || end == value || errno != 0 || *number == 0 ||
        *number > max) {
        return value_wrong(option, value, "a whole number above 0, not too large", error);
    }
    return true;
}
