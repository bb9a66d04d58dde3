/* LSNs as text: two halves in hexadecimal, "16/B374D848" ("pg_lsn Type"). */
#ifndef PGNUDGE_WIRE_LSN_H
#define PGNUDGE_WIRE_LSN_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define LSN_FORMAT      "%" PRIX32 "/%" PRIX32
#define LSN_HALVES(lsn) (uint32_t)((lsn) >> 32), (uint32_t)(lsn)

/* False: it is none. */
bool lsn_read(struct slice text, uint64_t *lsn);

/*
 * pg_current_wal_insert_lsn() may lie right behind a page's header where no record has begun yet; a
 * stream doesn't get there before one has. The page's start, then.
 */
static inline uint64_t lsn_without_header(uint64_t lsn)
{
    return lsn % 8192 <= 40 ? lsn - lsn % 8192 : lsn;
}

#endif
