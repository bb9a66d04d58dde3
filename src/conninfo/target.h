/* target_session_attrs: which servers are fine, by what they say of themselves. No I/O. */
#ifndef PGNUDGE_CONNINFO_TARGET_H
#define PGNUDGE_CONNINFO_TARGET_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

enum target {
    TARGET_ANY,
    TARGET_READ_WRITE,
    TARGET_READ_ONLY,
    TARGET_PRIMARY,
    TARGET_STANDBY,
    TARGET_PREFER_STANDBY /* a standby first; any, where there is none */
};

enum target_verdict { TARGET_FITS, TARGET_UNFIT, TARGET_UNKNOWN };

/* The target of that name. False: there is none. */
bool target_parse(const char *name, enum target *target);

/*
 * Judges by ParameterStatus messages, which servers send from 14 on: "on" or
 * "off", "" where it hasn't come. TARGET_UNFIT: `error` (ERROR_TRANSIENT, since
 * a promotion may be under way) says why. TARGET_UNKNOWN: ask target_question.
 */
enum target_verdict target_judge(enum target target, const char *in_hot_standby,
                                 const char *default_transaction_read_only, struct error *error);

/* SQL that gives one value, for target_answered. NULL: there is nothing to ask. */
const char *target_question(enum target target);

/* Judges by that value. */
enum target_verdict target_answered(enum target target, struct slice value, struct error *error);

#endif
