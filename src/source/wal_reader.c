#include "source/wal_reader.h"

#include "snapshot/xids.h"
#include "source/sql_message.h"

/* ---- what a transaction has changed ---- */

static bool take_content(struct wal_reader *reader, struct slice content)
{
    const struct wal_reader_setup *setup = &reader->setup;
    struct buffer text = {0};
    bool ok;

    if (content.data != NULL) {
        buffer_append(&text, content.data, content.len);
    }
    ok = sql_message_take(setup->log, setup->sink, setup->encoding, &text, content.data != NULL);
    buffer_free(&text);
    return ok;
}

static bool take_file(const struct wal_reader *reader, const struct wal_commit *commit,
                      const struct open_node *change)
{
    const struct sink *sink = reader->setup.sink;
    struct sink_change rows = {.file = change->file,
                               .dropped = wal_commit_drops(commit, change->file),
                               .operation = OPERATION_UPDATE,
                               .count = change->count};

    return sink->change(sink->context, &rows) != SINK_NO_MEMORY;
}

static bool take_change(struct wal_reader *reader, const struct wal_commit *commit,
                        const struct open_node *change)
{
    const struct sink *sink = reader->setup.sink;
    struct slice content;

    switch (wal_change_of(reader->transactions, change, &content)) {
    case WAL_CHANGE_FILE:
        return take_file(reader, commit, change);
    case WAL_CHANGE_RESYNC:
        sink->unnameable(sink->context, RESYNC_REQUESTED);
        break;
    case WAL_CHANGE_CONTENT:
        return take_content(reader, content);
    case WAL_CHANGE_NONE:
        break;
    }
    return true;
}

/* Whether it may have changes before the stream's start that nothing else tells of. */
static bool may_be_older(const struct wal_reader *reader, uint32_t xid)
{
    return reader->setup.standby &&
           (reader->listed_next == 0 || xid_precedes(xid, reader->listed_next));
}

/* ---- what the transactions report ---- */

static bool on_commit(void *context, const struct wal_commit *commit)
{
    struct wal_reader *reader = context;
    const struct sink *sink = reader->setup.sink;
    const struct open_node *change = commit->first;
    bool ok = true;

    if (commit->lsn <= reader->setup.flushed) {
        return true;
    }
    log_say(reader->setup.log, LOG_DEBUG, "received COMMIT of %u", commit->xid);
    sink->begin(sink->context, commit->xid);
    if (commit->lost) {
        sink->unknown(sink->context, RESYNC_OVERFLOW);
    }
    if (may_be_older(reader, commit->xid)) {
        sink->unknown(sink->context, RESYNC_RECONNECTED);
    }
    if (commit->catalog || commit->dropped->len > 0) {
        ok = sink->redefined(sink->context, commit);
    }
    for (; ok && change != NULL; change = wal_change_next(reader->transactions, change)) {
        ok = take_change(reader, commit, change);
    }
    return ok && sink->commit(sink->context, commit->lsn);
}

static void on_abort(void *context, uint32_t xid)
{
    const struct sink *sink = ((struct wal_reader *)context)->setup.sink;

    sink->rolled_back(sink->context, xid);
}

static bool on_message(void *context, struct slice content, uint64_t lsn)
{
    struct wal_reader *reader = context;

    return lsn <= reader->setup.flushed || take_content(reader, content);
}

static void on_running(void *context, const struct wal_running *running)
{
    struct wal_reader *reader = context;

    if (reader->listed_next == 0) {
        reader->listed_next = running->next;
    }
}

/* ---- the stream ---- */

bool wal_reader_start(struct wal_reader *reader, const struct wal_reader_setup *setup)
{
    struct wal_taker taker = {reader, on_commit, on_abort, on_message, on_running};

    *reader = (struct wal_reader){.setup = *setup};
    reader->transactions = wal_transactions_new(&taker, setup->flushed, setup->segment_size,
                                                setup->system_id, setup->database);
    return reader->transactions != NULL;
}

void wal_reader_free(struct wal_reader *reader)
{
    wal_transactions_free(reader->transactions);
    reader->transactions = NULL;
}

bool wal_reader_take(struct wal_reader *reader, const struct stream_message *message, bool first,
                     struct error *error)
{
    if (first && message->lsn != wal_transactions_position(reader->transactions)) {
        return error_set(error, ERROR_TRANSIENT, "received WAL with a gap");
    }
    return wal_transactions_take(reader->transactions, message->payload, error);
}
