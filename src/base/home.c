#include "base/home.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool home_path(const char *name, char *path, size_t size)
{
    const char *home = getenv("HOME");
    const struct passwd *entry;
    int len;

    if (home == NULL || home[0] == '\0') {
        entry = getpwuid(geteuid());
        home = entry != NULL ? entry->pw_dir : NULL;
    }
    if (home == NULL || home[0] == '\0') {
        return false;
    }
    len = snprintf(path, size, "%s/%s", home, name);
    return len > 0 && (size_t)len < size;
}
