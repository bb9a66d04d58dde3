#include "feed/intake.h"

#include <string.h>

#include "batch/name.h"

/* The row whose keys were wanted has been dealt with. */
static void forget_row(struct intake *intake)
{
    if (intake->row.name != NULL) {
        intake->row.name->refs--;
        definition_release(intake->row.definition);
    }
    intake->row.name = NULL;
    intake->row.definition = NULL;
}

/* Whether the key of the transaction's row can be known. */
static bool has_keys(const struct intake *intake, const struct table_ref *ref,
                     enum operation operation)
{
    return intake->window->limits.max_keys > 0 && intake->window->in_transaction && ref->known &&
           ref->target_count == 1 &&
           (operation == OPERATION_INSERT || operation == OPERATION_UPDATE ||
            operation == OPERATION_DELETE) &&
           definition_serves(ref->definition, intake->window->xid);
}

/* Its keys are asked for next, if the window takes any. */
static void expect_keys(struct intake *intake, const struct table_ref *ref)
{
    struct name *name = ref->targets[0];

    if (window_wants_keys(intake->window, name)) {
        name->refs++;
        intake->row.name = name;
        intake->row.definition = definition_hold(ref->definition);
    }
}

/* One change: named at once, unless the catalog has to be asked about the table first. */
static enum sink_result take(struct intake *intake, struct table_ref *ref,
                             const struct sink_change *change)
{
    struct window *window = intake->window;
    struct arriving arriving = {.operation = change->operation,
                                .count = change->count,
                                .keyed = has_keys(intake, ref, change->operation),
                                .now_us = intake->now_us,
                                .wall_us = intake->wall_us};

    if (ref->truncated) {
        window_resync_from(window, RESYNC_FAILSAFE, intake->now_us);
    }
    catalog_touch(intake->catalog, ref, &arriving);
    for (size_t i = 0; ref->known && i < ref->target_count; i++) {
        if (!window_change(window, ref->targets[i], &arriving)) {
            return SINK_NO_MEMORY;
        }
    }
    if (arriving.keyed) {
        expect_keys(intake, ref);
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

    forget_row(intake);
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
        return take(intake, ref, change);
    case NAMES_UNREADABLE:
        return SINK_UNREADABLE;
    case NAMES_FULL:
    case NAMES_NO_MEMORY:
        break;
    }
    return SINK_NO_MEMORY;
}

static const struct key_columns *wanted(void *context)
{
    const struct intake *intake = context;

    return intake->row.name != NULL ? &intake->row.definition->columns : NULL;
}

static void keys(void *context, const struct row_keys *keys)
{
    struct intake *intake = context;

    if (intake->row.name != NULL) {
        window_keys(intake->window, intake->row.name, intake->row.definition, keys);
    }
    forget_row(intake);
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
    return (struct sink){intake, begin, change, wanted, keys, unnameable, commit};
}

void intake_stop(struct intake *intake)
{
    forget_row(intake);
}
