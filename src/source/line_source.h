/* What all sources of lines have in common: nobody waits for what they have read. */
#ifndef PGNUDGE_SOURCE_LINE_SOURCE_H
#define PGNUDGE_SOURCE_LINE_SOURCE_H

#include "source/source.h"

/* Members of struct source_ops: nothing is owed, no position counts, nothing is left to end. */
bool line_source_acknowledge(struct source *source, uint64_t visible_lsn, int64_t now_us,
                             struct error *error);
uint64_t line_source_position(const struct source *source);
int64_t line_source_stop(struct source *source);

#endif
