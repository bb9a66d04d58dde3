#include "source/intake.h"

#include "base/clock.h"
#include "decode/plugins.h"
#include "wire/servererror.h"

#define SHOWN_BYTES 40 /* of a message that can't be read: enough to tell what it is */

void intake_start(struct intake *intake, enum plugin plugin)
{
    decoder_init(&intake->decoder, plugin);
    intake->told = false;
}

/* -vv: what came, without the rows' content. */
static void show(const struct intake *intake, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_BEGIN:
        log_say(intake->log, LOG_DEBUG, "received BEGIN of %u", change->xid);
        break;
    case CHANGE_COMMIT:
        log_say(intake->log, LOG_DEBUG, "received COMMIT of %u", change->xid);
        break;
    case CHANGE_TABLE:
        log_say(intake->log, LOG_DEBUG, "received a change of %.*s", (int)change->name.len,
                change->name.data);
        break;
    case CHANGE_MESSAGE:
    case CHANGE_IGNORED:
    case CHANGE_UNREADABLE:
        log_say(intake->log, LOG_DEBUG, "received a message of another kind");
        break;
    }
}

/* It may have been a change: whoever reloads now has missed nothing. */
static void unreadable(struct intake *intake, struct slice text, int64_t now_us)
{
    if (!intake->told) {
        intake->told = true;
        log_say(intake->log, LOG_WARNING, "could not read a message of %s: \"%.*s\"",
                plugins[intake->decoder.plugin].name,
                text.len < SHOWN_BYTES ? (int)text.len : SHOWN_BYTES, text.data);
        log_detail(intake->log, LOG_WARNING, "A resync stands for it and for others like it.");
    }
    window_resync_from(intake->window, RESYNC_FAILSAFE, now_us);
}

/* One change: named at once, unless the catalog has to be asked about the table first. */
static bool take_change(struct intake *intake, struct table_ref *ref, int64_t now_us)
{
    struct window *window = intake->window;

    if (ref->truncated) {
        window_resync_from(window, RESYNC_FAILSAFE, now_us);
    }
    catalog_touch(intake->catalog, ref, now_us, intake->wall_us);
    for (size_t i = 0; ref->known && i < ref->target_count; i++) {
        if (!window_change(window, ref->targets[i], now_us, intake->wall_us)) {
            return false;
        }
    }
    return true;
}

/* What names_find says of a change's name. `again`: it should be asked once more. */
static bool take_found(struct intake *intake, enum names_result found, struct slice text,
                       struct table_ref *ref, int64_t now_us, bool *again)
{
    *again = false;
    switch (found) {
    case NAMES_FOUND:
        return take_change(intake, ref, now_us);
    case NAMES_UNREADABLE:
        unreadable(intake, text, now_us);
        return true;
    case NAMES_FULL:
        catalog_overflow(intake->catalog, now_us);
        *again = true;
        return true;
    case NAMES_NO_MEMORY:
        break;
    }
    return false;
}

static bool take_table(struct intake *intake, struct slice raw, int64_t now_us)
{
    struct table_ref *ref = NULL;
    bool again, ok;

    do {
        enum names_result found = names_find(intake->names, intake->decoder.plugin, raw, &ref);

        ok = take_found(intake, found, raw, ref, now_us, &again);
    } while (again);
    return ok;
}

static bool take_parts(struct intake *intake, struct slice schema, struct slice table, bool by_sql,
                       int64_t now_us)
{
    struct table_ref *ref = NULL;
    bool again, ok;

    do {
        enum names_result found = names_find_parts(intake->names, schema, table, by_sql, &ref);

        ok = take_found(intake, found, table, ref, now_us, &again);
    } while (again);
    return ok;
}

static void warn_of_message(const struct intake *intake, const char *content)
{
    struct buffer text = {0};

    names_utf8(intake->names, slice_of(content), &text);
    log_say(intake->log, LOG_WARNING,
            "a message with the prefix \"" MESSAGE_PREFIX "\" names no table: \"%.*s\"",
            text.len < SHOWN_BYTES ? (int)text.len : SHOWN_BYTES, text.data);
    log_detail(intake->log, LOG_WARNING, "It is taken for a resync.");
    buffer_free(&text);
}

/* Asked for by SQL: a content names a table, none or another one asks for a resync. */
static bool take_message(struct intake *intake, const struct change *change, int64_t now_us)
{
    struct buffer text = {0}, schema = {0}, table = {0};
    bool readable =
        !change->truncated && decoder_content(intake->decoder.plugin, change->content, &text);
    bool empty = readable && text.len == 0;
    bool ok = true;

    buffer_byte(&text, '\0');
    if (readable && !empty && pattern_name(text.data, &schema, &table)) {
        ok = take_parts(intake, (struct slice){schema.data, schema.len},
                        (struct slice){table.data, table.len}, true, now_us);
    } else {
        if (!empty) {
            warn_of_message(intake, text.data);
        }
        window_resync_from(intake->window, RESYNC_REQUESTED, now_us);
    }
    ok = ok && !text.failed && !schema.failed && !table.failed;
    buffer_free(&text);
    buffer_free(&schema);
    buffer_free(&table);
    return ok;
}

static void warn_of_identity(const struct intake *intake, struct slice schema, struct slice table)
{
    struct buffer text = {0};

    names_utf8(intake->names, schema, &text);
    buffer_byte(&text, '.');
    names_utf8(intake->names, table, &text);
    log_say(intake->log, LOG_WARNING, "table \"%.*s\" has no usable replica identity",
            (int)text.len, text.data);
    log_detail(intake->log, LOG_WARNING,
               "Each UPDATE and DELETE of such a table writes a line to the server's log.");
    log_hint(intake->log, LOG_WARNING,
             "Use --plugin test_decoding, or ALTER TABLE … REPLICA IDENTITY FULL.");
    buffer_free(&text);
}

/* wal2json left the row out, and said so. */
static bool take_warned_row(struct intake *intake, struct slice schema, struct slice table,
                            int64_t now_us)
{
    if (!intake->identity_reported) {
        intake->identity_reported = true;
        warn_of_identity(intake, schema, table);
    }
    return take_parts(intake, schema, table, false, now_us);
}

bool intake_notice(struct intake *intake, const struct stream_message *message, int64_t now_us,
                   struct error *error)
{
    struct slice text, schema, table;
    bool ok = true;

    if (!server_error_field(message->payload, 'M', &text)) {
        text = (struct slice){"", 0};
    }
    log_say(intake->log, LOG_DEBUG, "the server says: %.*s", (int)text.len, text.data);
    switch (decoder_warning(text, &schema, &table)) {
    case WARNING_OTHER:
        break;
    case WARNING_ROW:
        ok = take_warned_row(intake, schema, table, now_us);
        break;
    case WARNING_UNREADABLE:
        unreadable(intake, text, now_us);
        break;
    }
    return ok || error_memory(error);
}

bool intake_take(struct intake *intake, const struct stream_message *message, bool first,
                 int64_t now_us, struct error *error)
{
    struct change change;
    bool ok = true;

    if (first) {
        decoder_begin(&intake->decoder, message->payload, message->more);
    } else {
        decoder_more(&intake->decoder, message->payload, message->more);
    }
    while (ok && decoder_next(&intake->decoder, &change)) {
        if (log_wants(intake->log, LOG_DEBUG)) {
            show(intake, &change);
        }
        switch (change.kind) {
        case CHANGE_BEGIN:
            window_begin(intake->window, change.xid);
            barrier_streamed(intake->barrier, change.xid);
            catalog_begin(intake->catalog);
            break;
        case CHANGE_COMMIT:
            ok = catalog_commit(intake->catalog) && window_commit(intake->window, message->lsn);
            break;
        case CHANGE_TABLE:
            ok = take_table(intake, change.name, now_us);
            break;
        case CHANGE_MESSAGE:
            ok = take_message(intake, &change, now_us);
            break;
        case CHANGE_IGNORED:
            break;
        case CHANGE_UNREADABLE:
            unreadable(intake, message->payload, now_us);
            break;
        }
    }
    return ok || error_memory(error);
}
