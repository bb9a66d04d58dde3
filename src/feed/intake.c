#include "feed/intake.h"

#include "base/clock.h"

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
                plugin_name(intake->decoder.plugin),
                text.len < SHOWN_BYTES ? (int)text.len : SHOWN_BYTES, text.data);
        log_detail(intake->log, LOG_WARNING, "A resync stands for it and for others like it.");
    }
    window_resync(intake->window, RESYNC_FAILSAFE, now_us);
}

static bool take_table(struct intake *intake, struct slice raw, int64_t now_us, struct error *error)
{
    struct name *name;

    switch (names_find(intake->names, intake->decoder.plugin, raw, &name)) {
    case NAMES_FOUND:
        break;
    case NAMES_UNREADABLE:
        unreadable(intake, raw, now_us);
        return true;
    case NAMES_NO_MEMORY:
        return error_memory(error);
    }
    return !name->watched || window_change(intake->window, name, now_us, clock_wall_us()) ||
           error_memory(error);
}

bool intake_take(struct intake *intake, struct slice text, bool first, bool more, int64_t now_us,
                 struct error *error)
{
    struct change change;

    if (first) {
        decoder_begin(&intake->decoder, text, more);
    } else {
        decoder_more(&intake->decoder, text, more);
    }
    while (decoder_next(&intake->decoder, &change)) {
        if (log_wants(intake->log, LOG_DEBUG)) {
            show(intake, &change);
        }
        switch (change.kind) {
        case CHANGE_BEGIN:
            window_begin(intake->window);
            break;
        case CHANGE_COMMIT:
            window_commit(intake->window);
            break;
        case CHANGE_TABLE:
            if (!take_table(intake, change.name, now_us, error)) {
                return false;
            }
            break;
        case CHANGE_IGNORED:
            break;
        case CHANGE_UNREADABLE:
            unreadable(intake, text, now_us);
            break;
        }
    }
    return true;
}
