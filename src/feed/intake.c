#include "feed/intake.h"

#include <stdlib.h>

#include "base/clock.h"
#include "batch/name.h"

#define UNKNOWN_EVERY_US (1 * CLOCK_S) /* between two resyncs for changes that aren't known */

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

/* ---- changes by file and by OID ---- */

static struct arriving arriving_of(const struct intake *intake, enum operation operation,
                                   uint64_t count)
{
    return (struct arriving){.operation = operation,
                             .count = count,
                             .now_us = intake->now_us,
                             .wall_us = intake->wall_us};
}

/* There is no room for what waits: a resync stands for all. */
static void overflow(struct intake *intake)
{
    catalog_overflow(intake->catalog, intake->now_us);
    window_resync_from(intake->window, RESYNC_OVERFLOW, intake->now_us);
}

/* False: out of memory. */
static bool take_oid(struct intake *intake, uint32_t oid, const struct sink_change *change)
{
    struct table_ref *ref;

    switch (names_find_oid(intake->names, oid, &ref)) {
    case NAMES_FOUND:
        return take(intake, ref, change) != SINK_NO_MEMORY;
    case NAMES_FULL:
        overflow(intake);
        return true;
    case NAMES_UNREADABLE:
    case NAMES_NO_MEMORY:
        break;
    }
    return false;
}

/* Rows of a file. One that came and went in one transaction was nobody's to see. */
static bool take_file(struct intake *intake, const struct sink_change *change)
{
    struct arriving arriving = arriving_of(intake, change->operation, change->count);
    uint32_t oid;

    switch (relfiles_find(&intake->catalog->files, change->file, &oid)) {
    case RELFILE_OTHER:
        return true;
    case RELFILE_TABLE:
        return take_oid(intake, oid, change);
    case RELFILE_UNKNOWN:
    case RELFILE_SAME: /* no file's */
        break;
    }
    if (!change->dropped && !catalog_wait_file(intake->catalog, change->file, &arriving)) {
        overflow(intake);
    }
    return true;
}

/* What the tables of a commit's dropped files were; and whether all of them were known. */
struct rewritten {
    uint32_t *oids; /* of the tables, which have been taken; sorted */
    size_t len;
    bool unknown; /* there were other files */
    bool must;    /* for some of them changes wait */
};

static bool take_dropped(struct intake *intake, const struct wal_files *files,
                         struct rewritten *rewritten)
{
    struct sink_change truncated = {.operation = OPERATION_TRUNCATE, .count = 1};
    bool ok = true;

    rewritten->unknown = files->more;
    for (size_t i = 0; ok && i < files->len; i++) {
        uint32_t oid;
        enum relfile_kind kind = relfiles_find(&intake->catalog->files, files->at[i], &oid);

        rewritten->must |= relfiles_dropped(&intake->catalog->files, files->at[i]);
        rewritten->unknown |= kind == RELFILE_UNKNOWN;
        if (kind == RELFILE_TABLE) {
            ok = take_oid(intake, oid, &truncated);
            rewritten->oids[rewritten->len++] = oid;
        }
    }
    if (rewritten->len > 1) {
        qsort(rewritten->oids, rewritten->len, sizeof(*rewritten->oids), wal_oid_order);
    }
    return ok;
}

static bool has(const struct rewritten *rewritten, uint32_t oid)
{
    return rewritten->len > 0 && bsearch(&oid, rewritten->oids, rewritten->len,
                                         sizeof(*rewritten->oids), wal_oid_order) != NULL;
}

/* A file wasn't known: it may have been that of any relation which the commit redefined. */
static void take_redefined(struct intake *intake, const struct wal_commit *commit,
                           const struct rewritten *rewritten)
{
    const struct wal_oids *redefined = commit->redefined;
    struct arriving arriving = arriving_of(intake, OPERATION_TRUNCATE, 1);

    for (size_t i = 0; i < redefined->len; i++) {
        if (!has(rewritten, redefined->at[i]) &&
            !catalog_wait_rewritten(intake->catalog, redefined->at[i], rewritten->must, commit->lsn,
                                    &arriving)) {
            overflow(intake);
            return;
        }
    }
}

static bool redefined(void *context, const struct wal_commit *commit)
{
    struct intake *intake = context;
    struct rewritten rewritten = {.oids = NULL};
    bool ok;

    window_other(intake->window);
    catalog_changed(intake->catalog);
    if (commit->dropped->more || commit->redefined->more) {
        window_resync_from(intake->window, RESYNC_OVERFLOW, intake->now_us);
    }
    if (commit->dropped->len > 0) {
        rewritten.oids = malloc(commit->dropped->len * sizeof(*rewritten.oids));
        if (rewritten.oids == NULL) {
            return false;
        }
    }
    ok = take_dropped(intake, commit->dropped, &rewritten);
    if (rewritten.unknown) {
        take_redefined(intake, commit, &rewritten);
    }
    if (commit->all_redefined || commit->redefined->more) {
        catalog_doubt(intake->catalog, 0, intake->now_us);
    }
    for (size_t i = 0; i < commit->redefined->len; i++) {
        catalog_doubt(intake->catalog, commit->redefined->at[i], intake->now_us);
    }
    free(rewritten.oids);
    return ok;
}

/* ---- changes that aren't known ---- */

static void unknown(void *context, enum resync reason)
{
    struct intake *intake = context;

    window_other(intake->window);
    if (!intake->unknown.due) {
        intake->unknown.due = true;
        intake->unknown.reason = reason;
        intake->unknown.highest = intake->window->xid;
    } else if (xid_precedes(intake->unknown.highest, intake->window->xid)) {
        intake->unknown.highest = intake->window->xid;
    }
}

int64_t intake_deadline(const struct intake *intake)
{
    return intake->unknown.due ? intake->unknown.next_us : CLOCK_NEVER;
}

void intake_tick(struct intake *intake, int64_t now_us)
{
    struct window_late late = {true, intake->unknown.highest, UNSEEN_STREAMED};

    if (now_us >= intake_deadline(intake)) {
        window_resync_late(intake->window, intake->unknown.reason, &late, now_us);
        intake->unknown.due = false;
        intake->unknown.next_us = clock_after(now_us, UNKNOWN_EVERY_US);
    }
}

/* It was open when the stream began: what it had locked by then it may have changed before. */
static void take_inflight(struct intake *intake, uint32_t xid)
{
    size_t count = 0;
    const struct inflight_pair *pairs = inflight_find(intake->inflight, xid, &count);
    struct arriving arriving = arriving_of(intake, OPERATION_UPDATE, 1);

    for (size_t i = 0; i < count; i++) {
        if (pairs[i].oid == 0) {
            unknown(intake, RESYNC_RECONNECTED);
        } else if (!catalog_wait_oid(intake->catalog, pairs[i].oid, false, &arriving)) {
            overflow(intake);
        }
    }
    inflight_drop(intake->inflight, xid);
}

static void rolled_back(void *context, uint32_t xid)
{
    struct intake *intake = context;

    barrier_streamed(intake->barrier, xid);
    inflight_drop(intake->inflight, xid);
}

/* ---- the sink ---- */

static enum sink_result change(void *context, const struct sink_change *change)
{
    struct intake *intake = context;
    struct table_ref *ref = NULL;
    enum names_result found;

    intake->counters->changes += change->count;
    if (change->file.node != 0) {
        return take_file(intake, change) ? SINK_TAKEN : SINK_NO_MEMORY;
    }
    found = find(intake, change, &ref);
    forget_row(intake);
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
    if (intake->inflight != NULL) {
        take_inflight(intake, xid);
    }
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
    return (struct sink){.context = intake,
                         .begin = begin,
                         .change = change,
                         .wanted = wanted,
                         .keys = keys,
                         .unnameable = unnameable,
                         .unknown = unknown,
                         .redefined = redefined,
                         .rolled_back = rolled_back,
                         .commit = commit};
}

void intake_stop(struct intake *intake)
{
    forget_row(intake);
    intake->unknown.due = false; /* the next resync stands for them */
}
