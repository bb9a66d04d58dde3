/* A change's way: from the stream's messages through decoder and names into the window. */
#ifndef PGNUDGE_SOURCE_INTAKE_H
#define PGNUDGE_SOURCE_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "batch/window.h"
#include "catalog/catalog.h"
#include "decode/decoder.h"
#include "repl/stream.h"
#include "tables/names.h"
#include "visible/barrier.h"

struct intake {
    const struct log *log; /* borrowed, as are the next two */
    struct names *names;
    struct catalog *catalog;
    struct window *window;
    struct barrier *barrier;
    struct decoder decoder;
    int64_t wall_us;        /* when what is being taken arrived; the feed sets it at each read */
    bool told;              /* that something could not be read; said once a connection */
    bool identity_reported; /* that a table has no replica identity; said once */
};

/* A new stream begins. */
void intake_start(struct intake *intake, enum plugin plugin);

/*
 * Takes a message of the plugin, or its first bytes (`first`), or its next
 * ones. What can't be read becomes a resync. False: out of memory.
 */
bool intake_take(struct intake *intake, const struct stream_message *message, bool first,
                 int64_t now_us, struct error *error);

/* Takes a NoticeResponse: wal2json's stand for rows. False: out of memory. */
bool intake_notice(struct intake *intake, const struct stream_message *message, int64_t now_us,
                   struct error *error);

#endif
