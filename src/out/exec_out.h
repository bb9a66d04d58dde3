/*
 * Items told to a command, which is run for each. One runs at a time, so what comes meanwhile merges
 * into the next item; one that fails leaves its item due, unless that is not wanted.
 */
#ifndef PGNUDGE_OUT_EXEC_OUT_H
#define PGNUDGE_OUT_EXEC_OUT_H

#include "base/error.h"
#include "base/log.h"
#include "out/out.h"

/* What follows from a command that fails. */
enum exec_fail {
    EXEC_RETRY, /* it is told again, merged with what has come since */
    EXEC_WARN,  /* it is forgotten */
    EXEC_EXIT   /* no item goes out any more */
};

struct exec_setup {
    const char *command; /* borrowed, as is the log */
    enum exec_fail fail;
    struct item_style style;
    const struct log *log;
};

/* NULL: out of memory. */
struct out *exec_out_new(const struct exec_setup *setup);

#endif
