/*
 * Where and how to connect: the parameters of libpq's "Database Connection
 * Control Functions", under libpq's keywords and with its defaults.
 */
#ifndef PGNUDGE_PQ_CONNINFO_H
#define PGNUDGE_PQ_CONNINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum sslmode {
    SSLMODE_DISABLE,
    SSLMODE_ALLOW,
    SSLMODE_PREFER,
    SSLMODE_REQUIRE,
    SSLMODE_VERIFY_CA,
    SSLMODE_VERIFY_FULL
};

enum conn_param {
    CONN_HOST, /* a name, an address, or a socket directory that begins with '/' or '@' */
    CONN_PORT,
    CONN_USER,
    CONN_DBNAME,
    CONN_PASSWORD, /* NULL: none is known */
    CONN_APPLICATION_NAME,
    CONN_CONNECT_TIMEOUT, /* seconds, a whole number as in libpq */
    CONN_SSLMODE,
    CONN_SSLROOTCERT,
    CONN_PARAMS
};

struct conninfo {
    char *
        value[CONN_PARAMS]; /* owned, in memory that is kept out of core dumps; see conninfo_text */
    enum sslmode sslmode;
    int64_t connect_timeout_us; /* for each address; CLOCK_NEVER: no limit */
};

/*
 * Keeps what OpenSSL calls its secure heap for values, passwords among them.
 * Call once, before the first conninfo.
 */
void conninfo_secure_memory(void);

/* All parameters unset. */
void conninfo_init(struct conninfo *info);

/* Sets one parameter, a later one winning. An empty value unsets it, as in libpq. */
bool conninfo_set(struct conninfo *info, enum conn_param param, const char *value,
                  struct error *error);

/* Sets what the PG* variables say. PGPASSWORD is wiped from the environment. */
bool conninfo_from_environment(struct conninfo *info, struct error *error);

/*
 * Fills in libpq's defaults and reads the numbers. False: a value is wrong,
 * said in `error` (ERROR_PERMANENT), before anything was touched.
 */
bool conninfo_finish(struct conninfo *info, struct error *error);

/* The parameter's text, or "" where it is unset. Borrowed. */
const char *conninfo_text(const struct conninfo *info, enum conn_param param);

/* Whether the host names a directory with a Unix socket, as libpq decides it. */
bool conninfo_is_unix(const struct conninfo *info);

const char *sslmode_name(enum sslmode mode);

/* Wipes and frees the values. */
void conninfo_free(struct conninfo *info);

#endif
