/* The connection service file ("The Connection Service File" in libpq's documentation). */
#ifndef PGNUDGE_CONNINFO_SERVICEFILE_H
#define PGNUDGE_CONNINFO_SERVICEFILE_H

#include <stdbool.h>

#include "base/error.h"

#define SERVICEFILE_LINE_MAX 1024 /* bytes of a line, as in libpq */

enum servicefile { SERVICEFILE_FOUND, SERVICEFILE_NOT_FOUND, SERVICEFILE_WRONG };

/* Takes one parameter; false, with `error` set, if there is none of that name. */
typedef bool servicefile_take(void *context, const char *keyword, const char *value,
                              struct error *error);

/*
 * Hands the lines of [service] to `take`, in order: of repeated ones the first
 * counts. SERVICEFILE_WRONG: `error` (ERROR_PERMANENT) names the file and the
 * line, but not what stands there.
 */
enum servicefile servicefile_read(const char *path, const char *service, servicefile_take *take,
                                  void *context, struct error *error);

#endif
