/* A row as wal2json writes it; the function is that of struct plugin_entry. */
#ifndef PGNUDGE_DECODE_WAL2JSON_ROW_H
#define PGNUDGE_DECODE_WAL2JSON_ROW_H

#include "base/text.h"
#include "decode/rowscan.h"

enum row_step wal2json_row(struct row_scan *scan, struct slice *text, bool more);

#endif
