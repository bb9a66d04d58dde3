#include "feed/intake.h"

/* One change: named at once, unless the catalog has to be asked about the table first. */
static enum sink_result take(struct intake *intake, struct table_ref *ref, uint64_t count)
{
    struct window *window = intake->window;

    if (ref->truncated) {
        window_resync_from(window, RESYNC_FAILSAFE, intake->now_us);
    }
    catalog_touch(intake->catalog, ref, count, intake->now_us, intake->wall_us);
    for (size_t i = 0; ref->known && i < ref->target_count; i++) {
        if (!window_change(window, ref->targets[i], count, intake->now_us, intake->wall_us)) {
            return SINK_NO_MEMORY;
        }
    }
    return SINK_TAKEN;
}

static enum names_result find(struct intake *intake, const struct sink_change *change,
                              struct table_ref **ref)
{
    return change->name.len > 0 ? names_find(intake->names, change->plugin, change->name, ref)
                                : names_find_parts(intake->names, change->schema, change->table,
                                                   change->by_sql, ref);
}

static enum sink_result change(void *context, const struct sink_change *change)
{
    struct intake *intake = context;
    struct table_ref *ref = NULL;
    enum names_result found = find(intake, change, &ref);

    intake->counters->changes += change->count;
    if (found == NAMES_FULL && change->by_sql) {
        window_resync_from(intake->window, RESYNC_OVERFLOW, intake->now_us);
        return SINK_TAKEN;
    }
    if (found == NAMES_FULL) { /* a resync stands for those that wait to be looked up */
        catalog_overflow(intake->catalog, intake->now_us);
        found = find(intake, change, &ref);
    }
    switch (found) {
    case NAMES_FOUND:
        return take(intake, ref, change->count);
    case NAMES_UNREADABLE:
        return SINK_UNREADABLE;
    case NAMES_FULL:
    case NAMES_NO_MEMORY:
        break;
    }
    return SINK_NO_MEMORY;
}

static void begin(void *context, uint32_t xid)
{
    struct intake *intake = context;

    window_begin(intake->window, xid);
    barrier_streamed(intake->barrier, xid);
    catalog_begin(intake->catalog);
}

static void unnameable(void *context, enum resync reason)
{
    struct intake *intake = context;

    window_resync_from(intake->window, reason, intake->now_us);
}

static bool commit(void *context, uint64_t lsn)
{
    struct intake *intake = context;

    intake->counters->commit_lsn = lsn;
    intake->counters->commit_wall_us = intake->wall_us;
    if (!catalog_commit(intake->catalog) || !window_commit(intake->window, lsn)) {
        return false;
    }
    if (intake->committed != NULL) {
        intake->committed(intake->context);
    }
    return true;
}

struct sink intake_sink(struct intake *intake)
{
    return (struct sink){intake, begin, change, unnameable, commit};
}
