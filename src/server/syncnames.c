/*
 * FIRST 2 (a, "B c", *), ANY 1 (a), 1 (a) or just a list. The words and numbers in front of a
 * list are taken for names: a name that is FIRST is no more than unlikely.
 */
#include "server/syncnames.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

#define SEPARATORS " \t\n,()"

/* Takes the next name off the front; a doubled quote ends it early, which no name of ours has. */
static bool next_name(const char **names, struct slice *name)
{
    size_t len;

    *names += strspn(*names, SEPARATORS);
    if (**names == '"') {
        (*names)++;
        len = strcspn(*names, "\"");
    } else {
        len = strcspn(*names, SEPARATORS "\"");
    }
    *name = (struct slice){*names, len};
    *names += len + ((*names)[len] == '"' ? 1 : 0);
    return len > 0 || **names != '\0';
}

bool syncnames_match(const char *names, const char *application)
{
    struct slice name;

    while (next_name(&names, &name)) {
        if (slice_equal(name, slice_of("*")) ||
            (name.len > 0 && name.len == strlen(application) &&
             strncasecmp(name.data, application, name.len) == 0)) {
            return true;
        }
    }
    return false;
}
