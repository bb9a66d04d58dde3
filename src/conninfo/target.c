#include "conninfo/target.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [TARGET_ANY] = "any",
    [TARGET_READ_WRITE] = "read-write",
    [TARGET_READ_ONLY] = "read-only",
    [TARGET_PRIMARY] = "primary",
    [TARGET_STANDBY] = "standby",
    [TARGET_PREFER_STANDBY] = "prefer-standby",
};

bool target_parse(const char *name, enum target *target)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            *target = (enum target)i;
            return true;
        }
    }
    return false;
}

static bool by_access(enum target target)
{
    return target == TARGET_READ_WRITE || target == TARGET_READ_ONLY;
}

/* `yes`: the session is read-only; or, where it goes by that, the server is in recovery. */
static enum target_verdict judge(enum target target, bool yes, struct error *error)
{
    bool wanted =
        target == TARGET_READ_ONLY || target == TARGET_STANDBY || target == TARGET_PREFER_STANDBY;

    if (yes == wanted) {
        return TARGET_FITS;
    }
    error_set(error, ERROR_TRANSIENT, "%s%s", by_access(target) ? "session is" : "server is",
              by_access(target) ? (yes ? " read-only" : " not read-only")
                                : (yes ? " in hot standby mode" : " not in hot standby mode"));
    error_hint(error, "target_session_attrs=%s asks for another server.", names[target]);
    return TARGET_UNFIT;
}

enum target_verdict target_judge(enum target target, const char *in_hot_standby,
                                 const char *default_transaction_read_only, struct error *error)
{
    bool standby = strcmp(in_hot_standby, "on") == 0;

    if (target == TARGET_ANY) {
        return TARGET_FITS;
    }
    if (in_hot_standby[0] == '\0' ||
        (by_access(target) && default_transaction_read_only[0] == '\0')) {
        return TARGET_UNKNOWN;
    }
    if (by_access(target)) {
        return judge(target, standby || strcmp(default_transaction_read_only, "on") == 0, error);
    }
    return judge(target, standby, error);
}

const char *target_question(enum target target)
{
    if (target == TARGET_ANY) {
        return NULL;
    }
    return by_access(target) ? "SHOW transaction_read_only"
                             : "SELECT pg_catalog.pg_is_in_recovery()";
}

enum target_verdict target_answered(enum target target, struct slice value, struct error *error)
{
    return judge(target, slice_equal(value, slice_of("on")) || slice_equal(value, slice_of("t")),
                 error);
}
