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

#endif
