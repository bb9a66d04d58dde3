#include "cli/duration.h"

#include <stdlib.h>
#include <string.h>

bool duration_parse(const char *text, int64_t *us)
{
    static const struct {
        const char *name;
        double us;
    } units[] = {{"", 1e6},   {"us", 1},     {"ms", 1e3},   {"s", 1e6},
                 {"m", 60e6}, {"min", 60e6}, {"h", 3600e6}, {"d", 86400e6}};
    size_t digits = strspn(text, "0123456789.");
    const char *unit;
    char *end;
    double number, value;

    /* strtod alone takes signs, exponents, "inf" and hexadecimal too. */
    number = strtod(text, &end);
    if (digits == 0 || end != text + digits || strcmp(text, ".") == 0) {
        return false;
    }
    unit = end + strspn(end, " ");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0) {
            value = number * units[i].us;
            if (value > (double)DURATION_MAX_US || (number > 0 && value < 1)) {
                return false;
            }
            *us = (int64_t)(value + 0.5);
            return true;
        }
    }
    return false;
}
