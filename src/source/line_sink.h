/* What a source of lines writes into: the lines of a publisher, as they come. */
#ifndef PGNUDGE_SOURCE_LINE_SINK_H
#define PGNUDGE_SOURCE_LINE_SINK_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

struct line_sink {
    void *context;

    /* One line, without its newline; borrowed. False: `error` ends the source. */
    bool (*line)(void *context, struct slice line, struct error *error);

    /* Lines were lost here. */
    void (*missed)(void *context);

    /* Another publisher's lines follow; of a role that hasn't published before, if `foreign`. */
    void (*another)(void *context, bool foreign);
};

#endif
