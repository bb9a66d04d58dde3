/* Items as lines on standard output. */
#ifndef PGNUDGE_OUT_LINE_OUT_H
#define PGNUDGE_OUT_LINE_OUT_H

#include "base/error.h"
#include "out/out.h"
#include "out/output.h"

/* NULL: `result` says why, and `error` if that is OUTPUT_FAILED. */
struct out *line_out_new(const struct item_style *style, enum output_result *result,
                         struct error *error);

#endif
