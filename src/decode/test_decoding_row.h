/* A row as test_decoding writes it; the function is that of struct plugin_entry. */
#ifndef PGNUDGE_DECODE_TEST_DECODING_ROW_H
#define PGNUDGE_DECODE_TEST_DECODING_ROW_H

#include "base/text.h"
#include "decode/rowscan.h"

enum row_step test_decoding_row(struct row_scan *scan, struct slice *text, bool more);

#endif
