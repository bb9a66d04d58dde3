/* From a plugin's messages to a sink's changes; what can't be read becomes a resync. */
#ifndef PGNUDGE_SOURCE_READER_H
#define PGNUDGE_SOURCE_READER_H

#include <stdbool.h>

#include "base/encoding.h"
#include "base/error.h"
#include "base/log.h"
#include "decode/decoder.h"
#include "repl/stream.h"
#include "source/sink.h"

struct reader {
    const struct log *log; /* borrowed, as are the next two */
    const struct sink *sink;
    struct encoding *encoding; /* the database's */
    struct decoder decoder;
    bool unreadable_reported;
    bool identity_reported; /* that a table has no replica identity */
};

/* A new stream begins; all is borrowed. */
void reader_start(struct reader *reader, enum plugin plugin, const struct sink *sink,
                  struct encoding *encoding, const struct log *log);

void reader_free(struct reader *reader);

/*
 * Takes a message of the plugin, or its first bytes (`first`), or its next
 * ones. False: out of memory.
 */
bool reader_take(struct reader *reader, const struct stream_message *message, bool first,
                 struct error *error);

/* Takes a NoticeResponse: wal2json's stand for rows. False: out of memory. */
bool reader_notice(struct reader *reader, const struct stream_message *message,
                   struct error *error);

#endif
