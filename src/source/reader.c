#include "source/reader.h"

#include "decode/plugins.h"
#include "source/sql_message.h"
#include "wire/servererror.h"

#define SHOWN_BYTES 40 /* of a message that can't be read: enough to tell what it is */

void reader_start(struct reader *reader, enum plugin plugin, const struct sink *sink,
                  struct encoding *encoding, const struct log *log)
{
    *reader = (struct reader){.log = log, .sink = sink, .encoding = encoding};
    decoder_init(&reader->decoder, plugin);
}

void reader_free(struct reader *reader)
{
    decoder_free(&reader->decoder);
}

/* -vv: what came, without the rows' content. */
static void show(const struct reader *reader, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_BEGIN:
        log_say(reader->log, LOG_DEBUG, "received BEGIN of %u", change->xid);
        break;
    case CHANGE_COMMIT:
        log_say(reader->log, LOG_DEBUG, "received COMMIT of %u", change->xid);
        break;
    case CHANGE_TABLE:
        log_say(reader->log, LOG_DEBUG, "received a change of %.*s", (int)change->name.len,
                change->name.data);
        break;
    case CHANGE_KEYS: /* of the change before */
        break;
    case CHANGE_MESSAGE:
    case CHANGE_IGNORED:
    case CHANGE_UNREADABLE:
        log_say(reader->log, LOG_DEBUG, "received a message of another kind");
        break;
    }
}

/* It may have been a change. */
static void unreadable(struct reader *reader, struct slice text)
{
    if (!reader->unreadable_reported) {
        reader->unreadable_reported = true;
        log_say(reader->log, LOG_WARNING, "could not read a message of %s: \"%.*s\"",
                plugins[reader->decoder.plugin].name,
                text.len < SHOWN_BYTES ? (int)text.len : SHOWN_BYTES, text.data);
        log_detail(reader->log, LOG_WARNING, "A resync stands for it and for others like it.");
    }
    reader->sink->unnameable(reader->sink->context, RESYNC_FAILSAFE);
}

/* False: out of memory. */
static bool hand_on(struct reader *reader, const struct sink_change *change, struct slice text)
{
    enum sink_result result = reader->sink->change(reader->sink->context, change);

    if (result == SINK_UNREADABLE) {
        unreadable(reader, text);
    }
    return result != SINK_NO_MEMORY;
}

static bool take_message(struct reader *reader, const struct change *change)
{
    struct buffer text = {0};
    bool readable =
        !change->truncated && decoder_content(reader->decoder.plugin, change->content, &text);
    bool ok = sql_message_take(reader->log, reader->sink, reader->encoding, &text, readable);

    buffer_free(&text);
    return ok;
}

static void warn_of_identity(const struct reader *reader, struct slice schema, struct slice table)
{
    struct buffer text = {0};

    encoding_to_utf8(reader->encoding, schema, &text);
    buffer_byte(&text, '.');
    encoding_to_utf8(reader->encoding, table, &text);
    log_say(reader->log, LOG_WARNING, "table \"%.*s\" has no usable replica identity",
            (int)text.len, text.data);
    log_detail(reader->log, LOG_WARNING,
               "Each UPDATE and DELETE of such a table writes a line to the server log.");
    log_hint(reader->log, LOG_WARNING,
             "Use --plugin test_decoding, or ALTER TABLE … REPLICA IDENTITY FULL.");
    buffer_free(&text);
}

/* wal2json left the row out, and said so. */
static bool take_warned_row(struct reader *reader, struct slice schema, struct slice table,
                            enum operation operation)
{
    struct sink_change row = {.plugin = reader->decoder.plugin,
                              .schema = schema,
                              .table = table,
                              .operation = operation,
                              .count = 1};

    if (!reader->identity_reported) {
        reader->identity_reported = true;
        warn_of_identity(reader, schema, table);
    }
    return hand_on(reader, &row, table);
}

bool reader_notice(struct reader *reader, const struct stream_message *message, struct error *error)
{
    struct slice text, schema, table;
    enum operation operation;
    bool ok = true;

    if (!server_error_field(message->payload, 'M', &text)) {
        text = (struct slice){"", 0};
    }
    log_say(reader->log, LOG_DEBUG, "notice from the server: %.*s", (int)text.len, text.data);
    switch (decoder_warning(text, &schema, &table, &operation)) {
    case WARNING_OTHER:
        break;
    case WARNING_ROW:
        ok = take_warned_row(reader, schema, table, operation);
        break;
    case WARNING_UNREADABLE:
        unreadable(reader, text);
        break;
    }
    return ok || error_memory(error);
}

/* Converts the keys. None are known where a letter of one can't be told. */
static void take_keys(const struct reader *reader, const struct row_keys *raw)
{
    struct buffer text[2] = {{0}};
    struct row_keys keys = {.len = raw->len};

    for (size_t i = 0; i < raw->len; i++) {
        if (!encoding_exact_utf8(reader->encoding, raw->at[i], &text[i], &keys.at[i])) {
            keys.len = 0;
            break;
        }
    }
    reader->sink->keys(reader->sink->context, &keys);
    buffer_free(&text[0]);
    buffer_free(&text[1]);
}

/* One row, or a TRUNCATE's one table. */
static bool take_row(struct reader *reader, const struct change *change)
{
    const struct sink *sink = reader->sink;
    const struct key_columns *wanted = NULL;
    struct sink_change row = {.plugin = reader->decoder.plugin,
                              .name = change->name,
                              .operation = change->operation,
                              .count = 1};
    bool ok = hand_on(reader, &row, change->name);

    if (ok && change->operation != OPERATION_TRUNCATE) {
        wanted = sink->wanted(sink->context);
    }
    if (wanted != NULL) {
        decoder_want_keys(&reader->decoder, wanted);
    }
    return ok;
}

static bool take_change(struct reader *reader, const struct stream_message *message,
                        const struct change *change)
{
    const struct sink *sink = reader->sink;

    switch (change->kind) {
    case CHANGE_BEGIN:
        sink->begin(sink->context, change->xid);
        break;
    case CHANGE_COMMIT:
        return sink->commit(sink->context, message->lsn);
    case CHANGE_TABLE:
        return take_row(reader, change);
    case CHANGE_KEYS:
        take_keys(reader, change->keys);
        break;
    case CHANGE_MESSAGE:
        return take_message(reader, change);
    case CHANGE_IGNORED:
        break;
    case CHANGE_UNREADABLE:
        unreadable(reader, message->payload);
        break;
    }
    return true;
}

bool reader_take(struct reader *reader, const struct stream_message *message, bool first,
                 struct error *error)
{
    struct change change;

    if (first) {
        decoder_begin(&reader->decoder, message->payload, message->more);
    } else {
        decoder_more(&reader->decoder, message->payload, message->more);
    }
    while (decoder_next(&reader->decoder, &change)) {
        if (log_wants(reader->log, LOG_DEBUG)) {
            show(reader, &change);
        }
        if (!take_change(reader, message, &change)) {
            return error_memory(error);
        }
    }
    return true;
}
