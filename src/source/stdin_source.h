/*
 * A source of lines: standard input. It is live at once, and lost for good when that ends
 * (ERROR_FATAL). Lines that don't begin with a brace are skipped: transports print others too.
 */
#ifndef PGNUDGE_SOURCE_STDIN_SOURCE_H
#define PGNUDGE_SOURCE_STDIN_SOURCE_H

#include "source/line_sink.h"
#include "source/source.h"

#define STDIN_LINE_MAX ((size_t)1 << 20) /* bytes; a longer line is lost */

/* NULL: out of memory. */
struct source *stdin_source_new(const struct line_sink *sink);

#endif
