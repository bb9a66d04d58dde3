/*
 * What a publisher watches, as its resyncs and heartbeats say it: a reader
 * whose own --tables aren't within that would wait in vain for changes of the
 * others.
 */
#ifndef PGNUDGE_BRIDGE_SCOPE_H
#define PGNUDGE_BRIDGE_SCOPE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tables/verdict.h"

#define SCOPE_MAX 4096 /* bytes, in ASCII: a resync has to fit in a notification */

/* Appends `,"partitions":…,"tables":[…],"exclude":[…]`, in ASCII. */
void scope_write(struct buffer *out, const struct verdict_rules *rules);

/*
 * Whether a publisher that judges by `theirs` reports all that a reader watches by `ours`. False:
 * `error` (ERROR_PERMANENT) says what it leaves out.
 */
bool scope_covers(const struct verdict_rules *theirs, const struct verdict_rules *ours,
                  struct error *error);

#endif
