/* The user's home directory, as libpq looks for it: $HOME, else the password database. */
#ifndef PGNUDGE_BASE_HOME_H
#define PGNUDGE_BASE_HOME_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the path of `name` in the home directory. False: there is none, or it is too long. */
bool home_path(const char *name, char *path, size_t size);

#endif
