#include "catalog/catalog.h"

#include <string.h>

#include "base/clock.h"
#include "wire/lsn.h"

#define ASK_EVERY_US  (1 * CLOCK_S)
#define FIRST_ASK_US  (100 * CLOCK_MS) /* after a rest: by then its transaction can be seen */
#define AGAIN_MIN_US  (5 * CLOCK_MS)   /* about a table that can't be seen yet; doubles */
#define AGAIN_MAX_US  (250 * CLOCK_MS)
#define LOOK_LEAD_US  (10 * CLOCK_MS) /* before a window closes: time for the answer */
#define ROUNDS_MAX    32              /* looks that may leave no fewer unknown tables */
#define EXPECTED_MAX  2000            /* looked up before they change */
#define RENAMED_LIMIT "1000"

/* Two columns: 't' or 's', and the version of a relation that has been renamed, or of a schema. */
#define RENAMED_SQL                                                                                \
    "(SELECT 't', t.xmin::text FROM pg_catalog.pg_type t"                                          \
    " JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind IN ('r', 'p', 'm', 'f')"      \
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum = -1"            \
    " WHERE t.typrelid <> 0 AND age(t.xmin) BETWEEN 0 AND age('%u'::xid)"                          \
    " AND NOT " LOOKUP_UNRENAMED " LIMIT " RENAMED_LIMIT ")"                                       \
    " UNION ALL SELECT 's', n.xmin::text FROM pg_catalog.pg_namespace n"                           \
    " WHERE age(n.xmin) BETWEEN 0 AND age('%u'::xid) AND n.nspname !~ '^pg_'"

void catalog_start(struct catalog *catalog, struct encoding *encoding, uint32_t oldest,
                   int64_t now_us)
{
    catalog_stop(catalog);
    catalog->lookup.encoding = encoding;
    catalog->compare_us = catalog->recheck_us = catalog->ask_us = catalog->hidden_us = now_us;
    catalog->again_us = AGAIN_MIN_US;
    past_connected(&catalog->past, oldest);
    names_connected(catalog->names, encoding);
    definitions_start(&catalog->definitions, encoding);
    if (catalog->by_file) {
        relfiles_start(&catalog->files, now_us);
        ddl_start(&catalog->ddl, encoding, now_us);
    }
}

static void expect(struct catalog *catalog, struct slice schema, struct slice table)
{
    struct encoding *encoding = catalog->lookup.encoding;
    struct buffer raw_schema = {0}, raw_table = {0};
    struct table_ref *ref;

    if (encoding_from_utf8(encoding, schema, &raw_schema) &&
        encoding_from_utf8(encoding, table, &raw_table) &&
        names_find_parts(catalog->names, (struct slice){raw_schema.data, raw_schema.len},
                         (struct slice){raw_table.data, raw_table.len}, false,
                         &ref) == NAMES_FOUND &&
        !ref->known && ref->state == REF_AT_REST) {
        touched_put(&catalog->touched, TOUCHED_UNKNOWN, ref);
    }
    buffer_free(&raw_schema);
    buffer_free(&raw_table);
}

void catalog_expect(struct catalog *catalog, const struct pattern_set *tables)
{
    size_t expected = 0;

    for (size_t i = 0; i < tables->len && expected < EXPECTED_MAX; i++) {
        const struct pattern *pattern = &tables->patterns[i];

        if (pattern_is_name(pattern->schema) && pattern_is_name(pattern->table)) {
            expect(catalog, pattern->schema, pattern->table);
            expected++;
        }
    }
}

void catalog_filter(struct catalog *catalog, const struct pushdown *pushdown)
{
    catalog->filters = pushdown != NULL;
    if (pushdown != NULL) {
        catalog->pushdown = *pushdown;
    }
}

/* What its keys are made of is read again where it doesn't serve the transaction. */
static void define_anew(struct catalog *catalog, struct table_ref *ref,
                        const struct arriving *arriving)
{
    struct definition *definition = ref->definition;

    if (definition == NULL) {
        return;
    }
    if (arriving->operation == OPERATION_TRUNCATE && definition->state == DEFINITION_USABLE) {
        definition->state = DEFINITION_CHANGED; /* it gives pg_class a new row */
    }
    if (!definition_serves(definition, catalog->window->xid)) {
        ref->definition = definitions_want(&catalog->definitions, definition, arriving->now_us);
    }
}

void catalog_touch(struct catalog *catalog, struct table_ref *ref, const struct arriving *arriving)
{
    int64_t now_us = arriving->now_us;

    if (ref->state == REF_AT_REST && ref->known && catalog->compare_us < now_us &&
        !touched_any(&catalog->touched, TOUCHED_KNOWN)) {
        catalog->compare_us = clock_after(now_us, FIRST_ASK_US);
    }
    touched_add(&catalog->touched, ref, catalog->window, arriving, catalog->past.commits);
    define_anew(catalog, ref, arriving);
    if (ref->known) {
        window_other(catalog->window);
    } else {
        window_unknown(catalog->window, now_us);
    }
}

/* False: there is no such wait. */
static bool wait_for(struct catalog *catalog, struct relfile_wait *wait,
                     const struct arriving *arriving)
{
    struct window *window = catalog->window;

    if (wait == NULL) {
        return false;
    }
    window_tally(window, &wait->part.tally, arriving);
    if (window->in_transaction) {
        part_extend(&wait->part, window->xid, catalog->past.commits);
    }
    window_unknown(window, arriving->now_us);
    return true;
}

bool catalog_wait_file(struct catalog *catalog, struct relfile file,
                       const struct arriving *arriving)
{
    return wait_for(catalog, relfiles_wait_file(&catalog->files, file), arriving);
}

bool catalog_wait_rewritten(struct catalog *catalog, uint32_t oid, bool must, uint64_t lsn,
                            const struct arriving *arriving)
{
    struct relfile_wait *wait = relfiles_wait_oid(&catalog->files, oid, true);

    if (wait != NULL) {
        wait->must = must;
        wait->rewritten_lsn = lsn;
    }
    return wait_for(catalog, wait, arriving);
}

bool catalog_wait_oid(struct catalog *catalog, uint32_t oid, bool must,
                      const struct arriving *arriving)
{
    return catalog_wait_rewritten(catalog, oid, must, 0, arriving);
}

void catalog_changed(struct catalog *catalog)
{
    ddl_touch_catalog(&catalog->ddl, catalog->window->xid);
}

/* It may have a new file, or be new. */
static void read_file_of(struct catalog *catalog, uint32_t oid)
{
    struct relfile_wait *wait = oid != 0 ? relfiles_wait_oid(&catalog->files, oid, false) : NULL;

    if (wait != NULL) { /* else it is met as an unknown one */
        part_extend(&wait->part, catalog->window->xid, catalog->past.commits);
    }
}

void catalog_doubt(struct catalog *catalog, uint32_t oid, int64_t now_us)
{
    const struct table_ref *ref = names_doubt(catalog->names, oid);

    ddl_touch(&catalog->ddl, oid, catalog->window->xid);
    read_file_of(catalog, oid);
    if (ref != NULL && ref->state != REF_AT_REST && catalog->compare_us > now_us) {
        catalog->compare_us = now_us;
    }
}

void catalog_begin(struct catalog *catalog)
{
    if (catalog->filters) {
        part_extend(&catalog->ended, catalog->window->xid, 0);
        window_other(catalog->window);
    }
}

bool catalog_commit(struct catalog *catalog)
{
    return past_streamed(&catalog->past, catalog->window->xid);
}

/* The same few tables are redefined as fast as they are looked up. */
static bool is_overrun(const struct catalog *catalog)
{
    return catalog->by_file && catalog->rounds >= ROUNDS_MAX &&
           catalog->unknown_left <= LOOKUP_ASKED_MAX;
}

bool catalog_is_pending(const struct catalog *catalog)
{
    if (is_overrun(catalog)) {
        return false; /* what is named late comes with the next batch */
    }
    return touched_any(&catalog->touched, TOUCHED_UNKNOWN) || catalog->asked_unknown > 0 ||
           catalog->files.pending > 0 || catalog->doubt.any ||
           (catalog->ddl.wanted && !catalog->ddl.ready);
}

bool catalog_is_hidden(const struct catalog *catalog)
{
    return touched_any(&catalog->touched, TOUCHED_HIDDEN) || catalog->asked_hidden > 0 ||
           catalog->files.hidden > 0;
}

/* ---- questions ---- */

static struct past_moment moment_of(const struct part *part)
{
    return (struct past_moment){part->lowest, part->commits};
}

/* First-seen ones wait for each other, as long as the window stays open anyway. */
static int64_t unknown_due(const struct catalog *catalog)
{
    int64_t closes_us = window_lookup_deadline(catalog->window);

    if (!touched_any(&catalog->touched, TOUCHED_UNKNOWN)) {
        return CLOCK_NEVER;
    }
    if (catalog->window->in_transaction &&
        catalog->touched.queues[TOUCHED_UNKNOWN].len < LOOKUP_ASKED_MAX) {
        return CLOCK_NEVER;
    }
    return closes_us == CLOCK_NEVER ? 0 : closes_us - LOOK_LEAD_US;
}

static int64_t hidden_due(const struct catalog *catalog)
{
    return touched_any(&catalog->touched, TOUCHED_HIDDEN) ? catalog->hidden_us : CLOCK_NEVER;
}

static int64_t known_due(const struct catalog *catalog)
{
    if (!touched_any(&catalog->touched, TOUCHED_KNOWN)) {
        return CLOCK_NEVER;
    }
    return catalog->round_left > 0 ? 0 : catalog->compare_us;
}

static int64_t look_due(const struct catalog *catalog)
{
    return clock_earlier(unknown_due(catalog),
                         clock_earlier(hidden_due(catalog), known_due(catalog)));
}

static int64_t recheck_due(const struct catalog *catalog)
{
    return catalog->ended.any || catalog->ended_asked.any ? catalog->recheck_us : CLOCK_NEVER;
}

int64_t catalog_deadline(const struct catalog *catalog)
{
    int64_t due = clock_earlier(look_due(catalog), recheck_due(catalog));

    due = clock_earlier(due, definitions_due(&catalog->definitions));
    due = clock_earlier(due, relfiles_due(&catalog->files));
    due = clock_earlier(due, ddl_due(&catalog->ddl));
    if (catalog->doubt.any) {
        due = 0;
    }
    return due > catalog->ask_us ? due : catalog->ask_us;
}

static void take(struct catalog *catalog, enum touched_queue queue, size_t max)
{
    struct lookup *lookup = &catalog->lookup;
    size_t room = LOOKUP_ASKED_MAX - lookup->asked_count;

    lookup->asked_count += touched_take(
        &catalog->touched, queue, lookup->asked + lookup->asked_count, max < room ? max : room);
}

/* Fills the lookup: the unknown ones first, then whatever else is due. */
static void choose(struct catalog *catalog, int64_t now_us)
{
    size_t before;

    catalog->lookup.asked_count = 0;
    take(catalog, TOUCHED_UNKNOWN, LOOKUP_ASKED_MAX);
    catalog->asked_unknown = catalog->lookup.asked_count;
    if (now_us >= hidden_due(catalog)) {
        take(catalog, TOUCHED_HIDDEN, LOOKUP_ASKED_MAX);
    }
    catalog->asked_hidden = catalog->lookup.asked_count - catalog->asked_unknown;
    if (now_us < known_due(catalog)) {
        return;
    }
    if (catalog->round_left == 0) {
        catalog->round_left = catalog->touched.queues[TOUCHED_KNOWN].len;
        catalog->compare_us = clock_after(now_us, ASK_EVERY_US);
    }
    before = catalog->lookup.asked_count;
    take(catalog, TOUCHED_KNOWN, catalog->round_left);
    catalog->round_left -= catalog->lookup.asked_count - before;
}

void catalog_question(struct catalog *catalog, struct buffer *sql, int64_t now_us)
{
    if (catalog->doubt.any) {
        uint32_t floor = past_floor(&catalog->past, moment_of(&catalog->doubt));

        catalog->state = CATALOG_RENAMES;
        catalog->renamed = false;
        catalog->schemas = 0;
        buffer_format(sql, RENAMED_SQL, floor, floor);
    } else if (now_us >= relfiles_due(&catalog->files)) {
        catalog->state = CATALOG_FILES;
        relfiles_question(&catalog->files, sql);
    } else if (now_us >= ddl_due(&catalog->ddl)) {
        catalog->state = CATALOG_DDL;
        ddl_question(&catalog->ddl, sql);
    } else if (now_us >= look_due(catalog)) {
        catalog->state = CATALOG_LOOKING;
        choose(catalog, now_us);
        lookup_query(&catalog->lookup, sql);
    } else if (now_us >= definitions_due(&catalog->definitions)) {
        catalog->state = CATALOG_DEFINING;
        definitions_question(&catalog->definitions, sql);
    } else {
        catalog->state = CATALOG_FILTERING;
        part_add(&catalog->ended_asked, &catalog->ended);
        catalog->ended = (struct part){0};
        catalog->recheck = catalog->pushdown;
        pushdown_query(&catalog->recheck, sql);
    }
}

/* ---- rows ---- */

/* Those that are older than what is in question don't count. */
static bool take_renamed(struct catalog *catalog, struct query_row *row)
{
    struct past_moment moment = moment_of(&catalog->doubt);
    struct slice kind, text;
    uint32_t xid;

    if (!query_row_next(row, &kind) || !query_row_next(row, &text) || !xid_read(text, &xid)) {
        return false;
    }
    /* The query has left out those ahead of xmax. */
    if (slice_equal(kind, slice_of("t"))) {
        catalog->renamed |= !past_holds(&catalog->past, xid, moment, xid + 1);
    } else if (!past_schema_holds(&catalog->past, xid, moment, xid + 1)) {
        catalog->schemas++;
    }
    return true;
}

bool catalog_row(void *context, struct query_row *row)
{
    struct catalog *catalog = context;

    switch (catalog->state) {
    case CATALOG_FILES:
        return relfiles_row(&catalog->files, row);
    case CATALOG_DDL:
        return ddl_row(&catalog->ddl, row);
    case CATALOG_LOOKING:
        return lookup_row(&catalog->lookup, row);
    case CATALOG_RENAMES:
        return take_renamed(catalog, row);
    case CATALOG_DEFINING:
        return definitions_row(&catalog->definitions, row);
    case CATALOG_FILTERING:
        return pushdown_row(&catalog->recheck, row);
    case CATALOG_IDLE:
        break;
    }
    return false;
}

/* ---- answers ---- */

/* The transactions of all its changes that no look has confirmed. */
static struct window_late late_of(const struct table_ref *ref)
{
    struct window_late late = {
        .any = ref->asked.any || ref->since.any,
        .highest = ref->asked.any ? ref->asked.highest : ref->since.highest,
        .from = ref->known ? UNSEEN_STREAMED : UNSEEN_UNKNOWN,
    };

    if (ref->since.any && xid_precedes(late.highest, ref->since.highest)) {
        late.highest = ref->since.highest;
    }
    return late;
}

/* Its changes can't be named: whoever reloads has missed nothing. */
static void resync(struct catalog *catalog, const struct table_ref *ref, int64_t now_us)
{
    struct window_late late = late_of(ref);

    late.from = UNSEEN_STREAMED;
    window_resync_late(catalog->window, RESYNC_FAILSAFE, &late, now_us);
}

/* Judges it by the lineage; what is now named so, and was not, is let into the window. */
static bool judge(struct catalog *catalog, struct table_ref *ref, const struct lineage *lineage,
                  int64_t now_us)
{
    struct window_late late = late_of(ref);
    struct name *before[TARGETS_MAX];
    size_t count = ref->known ? ref->target_count : 0; /* else none has been named yet */
    struct tally all = ref->asked.tally;
    bool was_truncated = ref->known && ref->truncated;

    if (ref->known && ref->alone && lineage->len == 1 && !lineage->truncated) {
        ref->target_oid = lineage->oid[0]; /* another table may have the name by now */
        return true;
    }
    memcpy(before, ref->targets, sizeof(before));
    tally_add(&all, &ref->since.tally);
    if (!names_judge(catalog->names, ref, lineage)) {
        return false;
    }
    for (size_t i = 0; i < ref->target_count; i++) {
        size_t j = 0;

        while (j < count && before[j] != ref->targets[i]) {
            j++;
        }
        if (j == count && all.count > 0 &&
            !window_late(catalog->window, ref->targets[i], &all, &late, now_us)) {
            return false;
        }
    }
    if (ref->truncated && !was_truncated && all.count > 0) {
        resync(catalog, ref, now_us);
    }
    ref->known = true;
    return true;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
    return a->oid == b->oid && a->version == b->version && a->schema_version == b->schema_version;
}

/* Whether the name meant this relation when the changes were made: see past.h. */
static bool is_certain(const struct catalog *catalog, const struct table_ref *ref,
                       const struct identity *now, uint32_t xmax)
{
    struct past_moment moment = moment_of(&ref->asked);

    if (!ref->asked.any ||
        (is_same(now, &ref->identity) && !xid_precedes(moment.xid, ref->known_since))) {
        return true;
    }
    return past_holds(&catalog->past, now->version, moment, xmax) &&
           past_schema_holds(&catalog->past, now->schema_version, moment, xmax);
}

/* All its changes so far can be seen, so the catalog shows what they did. */
static void confirm(struct catalog *catalog, struct table_ref *ref, const struct identity *now,
                    uint32_t xmax, int64_t now_us)
{
    bool another = ref->identity.oid != 0 && ref->identity.oid != now->oid;

    if (!ref->by_sql && ref->oid == 0 && !is_certain(catalog, ref, now, xmax)) {
        if (now->renamed || another) {
            resync(catalog, ref, now_us);
        } else {
            part_add(&catalog->doubt, &ref->asked);
        }
    }
    if (!is_same(now, &ref->identity)) {
        ref->identity = *now;
        ref->known_since = xmax;
    }
    touched_confirm(&catalog->touched, ref);
}

/*
 * Whether the catalog, when it was asked, showed what all transactions up to `highest` did: also the
 * one whose COMMIT is still on its way, which `unseen` doesn't have yet.
 */
static bool shows_all_to(const struct catalog *catalog, const struct visibility *visibility,
                         uint32_t highest)
{
    const struct window *window = catalog->window;
    bool comes = window->in_transaction && !xid_precedes(highest, window->xid);

    return visibility->in_recovery ||
           (!unseen_any_to(catalog->unseen, highest) &&
            (!comes || snapshot_sees(&visibility->snapshot, window->xid)));
}

/* The catalog doesn't have it. False: out of memory. */
static bool take_gone(struct catalog *catalog, struct table_ref *ref, bool all_seen, int64_t now_us)
{
    struct lineage alone;

    if (ref->by_sql) { /* it need not be a relation */
        lineage_build(&alone, &ref->table, 0, NULL, 0);
        if (!judge(catalog, ref, &alone, now_us)) {
            return false;
        }
        touched_confirm(&catalog->touched, ref);
        return true;
    }
    if (!all_seen) {
        touched_put(&catalog->touched, ref->known ? TOUCHED_KNOWN : TOUCHED_HIDDEN, ref);
        return true;
    }
    if (ref->oid != 0 && ref->known) { /* dropped, and all of it has been named */
        touched_confirm(&catalog->touched, ref);
        return true;
    }
    /* Renamed or dropped since: where its changes are now can't be told any more. */
    if (ref->asked.tally.count > 0) {
        resync(catalog, ref, now_us);
    }
    ref->known = false;
    ref->identity = (struct identity){0};
    touched_confirm(&catalog->touched, ref);
    return true;
}

/* What its keys are made of rests on what it is. */
static void define(struct catalog *catalog, struct table_ref *ref, uint32_t leaf, int64_t now_us)
{
    struct definition *definition = ref->definition;
    bool one_name = ref->target_count == 1 && !ref->truncated && !ref->by_sql;

    if (!catalog->definitions.wanted ||
        (one_name && definition != NULL && definition->leaf == leaf &&
         definition->root == ref->target_oid)) {
        return;
    }
    definition_release(definition);
    ref->definition =
        one_name ? definition_new(leaf, ref->target_oid, ref->raw.schema, ref->raw.table) : NULL;
    if (ref->definition != NULL) {
        ref->definition = definitions_want(&catalog->definitions, ref->definition, now_us);
    }
}

/* One that was asked for by its OID: its present name. False: out of memory. */
static bool take_name(struct catalog *catalog, size_t i)
{
    struct slice schema, table;

    lookup_name(&catalog->lookup, i, &schema, &table);
    return names_give(catalog->names, catalog->lookup.asked[i], schema, table);
}

/* Takes the answer for one of those asked. False: out of memory. */
static bool take_one(struct catalog *catalog, size_t i, const struct visibility *visibility,
                     int64_t now_us)
{
    const struct lookup_found *found = &catalog->lookup.found[i];
    struct table_ref *ref = catalog->lookup.asked[i];
    bool all_seen = !ref->asked.any || shows_all_to(catalog, visibility, ref->asked.highest);
    struct lineage lineage;

    if (!found->found) {
        return take_gone(catalog, ref, all_seen, now_us);
    }
    if (ref->oid != 0 && !take_name(catalog, i)) {
        return false;
    }
    lookup_lineage(&catalog->lookup, i, &lineage);
    lineage.len = found->ignored ? 0 : lineage.len;
    if (!judge(catalog, ref, &lineage, now_us)) {
        return false;
    }
    define(catalog, ref, found->identity.oid, now_us);
    if (all_seen) {
        confirm(catalog, ref, &found->identity, catalog->lookup.xmax, now_us);
    } else {
        touched_put(&catalog->touched, TOUCHED_KNOWN, ref);
    }
    return true;
}

/* Ends a look. New names may come faster than answers: then a resync stands for all. */
static void end_look(struct catalog *catalog, int64_t now_us)
{
    size_t left = catalog->touched.queues[TOUCHED_UNKNOWN].len + catalog->files.pending;

    catalog->rounds = left > 0 && left >= catalog->unknown_left ? catalog->rounds + 1 : 0;
    catalog->unknown_left = left;
    if (catalog->rounds >= ROUNDS_MAX && !is_overrun(catalog)) {
        catalog_overflow(catalog, now_us);
    } else if (left == 0 && !catalog_is_hidden(catalog)) {
        window_all_known(catalog->window);
    }
}

static enum catalog_event take_look(struct catalog *catalog, const struct visibility *visibility,
                                    int64_t now_us)
{
    bool ok = true;

    for (size_t i = 0; i < catalog->lookup.asked_count; i++) {
        ok = take_one(catalog, i, visibility, now_us) && ok;
    }
    catalog->lookup.asked_count = catalog->asked_unknown = catalog->asked_hidden = 0;
    end_look(catalog, now_us);
    if (!catalog_is_hidden(catalog)) {
        catalog->again_us = AGAIN_MIN_US;
        catalog->hidden_us = clock_after(now_us, AGAIN_MIN_US);
    } else if (now_us >= catalog->hidden_us) {
        catalog->hidden_us = clock_after(now_us, catalog->again_us);
        catalog->again_us = clock_earlier(catalog->again_us * 2, AGAIN_MAX_US);
    }
    return ok ? CATALOG_FINE : CATALOG_FAILED;
}

/* Changes that have waited until it was known whose they are. False: out of memory. */
static bool hand_over(struct catalog *catalog, uint32_t oid, const struct part *part,
                      int64_t now_us)
{
    struct window_late late = {part->any, part->highest, UNSEEN_UNKNOWN};
    struct table_ref *ref;
    bool ok = true;

    switch (names_find_oid(catalog->names, oid, &ref)) {
    case NAMES_FOUND:
        break;
    case NAMES_FULL:
        catalog_overflow(catalog, now_us);
        return true;
    case NAMES_UNREADABLE:
    case NAMES_NO_MEMORY:
        return false;
    }
    for (size_t i = 0; ok && ref->known && i < ref->target_count; i++) {
        ok = window_late(catalog->window, ref->targets[i], &part->tally, &late, now_us);
    }
    if (ref->known && ref->truncated) {
        window_resync_late(catalog->window, RESYNC_FAILSAFE, &late, now_us);
    }
    if (ref->state == REF_AT_REST) {
        touched_put(&catalog->touched, ref->known ? TOUCHED_KNOWN : TOUCHED_UNKNOWN, ref);
    }
    part_add(&ref->since, part);
    return ok;
}

/* One whose relation isn't there. Whether to look again: it may come. */
static bool take_gone_file(struct catalog *catalog, struct relfile_wait *wait,
                           const struct visibility *visibility, int64_t now_us)
{
    struct window_late late = {wait->part.any, wait->part.highest, UNSEEN_STREAMED};
    bool by_file = wait->file.node != 0;

    if (wait->part.any && !shows_all_to(catalog, visibility, wait->part.highest)) {
        return true;
    }
    if (by_file && !wait->dropped) {
        /* The COMMIT that dropped it tells of its changes, once it comes through the stream. */
        if (wait->gone_lsn == 0) {
            wait->gone_lsn = visibility->lsn;
        }
        if (visibility->asked_at < lsn_without_header(wait->gone_lsn)) {
            return true;
        }
    }
    if (wait->must && !wait->dropped) {
        window_resync_late(catalog->window, RESYNC_FAILSAFE, &late, now_us);
    }
    return false;
}

/* Whether what the answer says of it may be too old, or nothing: then it is asked for again. */
static bool must_look_again(struct catalog *catalog, struct relfile_wait *wait,
                            enum relfile_kind kind, const struct visibility *visibility,
                            int64_t now_us)
{
    bool may_be_old = kind == RELFILE_SAME || !wait->has_changes;

    return (kind == RELFILE_UNKNOWN && take_gone_file(catalog, wait, visibility, now_us)) ||
           (may_be_old && !shows_all_to(catalog, visibility, wait->part.highest));
}

static enum catalog_event take_files(struct catalog *catalog, const struct visibility *visibility,
                                     int64_t now_us)
{
    struct relfile_wait *wait;
    enum relfile_kind kind;
    uint32_t oid;
    bool ok = true;

    relfiles_answered(&catalog->files);
    while ((wait = relfiles_next(&catalog->files, &kind, &oid)) != NULL) {
        if (must_look_again(catalog, wait, kind, visibility, now_us)) {
            relfiles_again(&catalog->files, wait);
            continue;
        }
        if (kind == RELFILE_TABLE && wait->has_changes) {
            ok = hand_over(catalog, oid, &wait->part, now_us) && ok;
        }
        relfiles_done(&catalog->files, wait);
    }
    relfiles_rest(&catalog->files, now_us);
    end_look(catalog, now_us);
    return ok ? CATALOG_FINE : CATALOG_FAILED;
}

static void take_ddl(struct catalog *catalog, const struct visibility *visibility, int64_t now_us)
{
    const struct part *part = &catalog->ddl.asked_part;
    struct window_late late = {part->any, part->highest, UNSEEN_STREAMED};
    bool all_seen = !part->any || shows_all_to(catalog, visibility, part->highest);

    if (ddl_answered(&catalog->ddl)) {
        window_resync_late(catalog->window, RESYNC_SCHEMA, &late, now_us);
    }
    ddl_confirm(&catalog->ddl, all_seen, now_us);
}

static void take_renames(struct catalog *catalog, int64_t now_us)
{
    struct window_late late = {true, catalog->doubt.highest, UNSEEN_STREAMED};

    /* One schema is the new table's own. */
    if (catalog->doubt.any && (catalog->renamed || catalog->schemas > 1)) {
        window_resync_late(catalog->window, RESYNC_FAILSAFE, &late, now_us);
    }
    catalog->doubt = (struct part){0};
}

static enum catalog_event take_recheck(struct catalog *catalog, const struct visibility *visibility,
                                       int64_t now_us)
{
    struct window_late late = {true, catalog->ended_asked.highest, UNSEEN_STREAMED};

    catalog->recheck_us = clock_after(now_us, ASK_EVERY_US);
    if (!pushdown_fits(&catalog->recheck, &catalog->pushdown)) {
        return CATALOG_REFILTER;
    }
    if (!pushdown_is_same(&catalog->recheck, &catalog->pushdown)) {
        window_resync_late(catalog->window, RESYNC_FAILSAFE, &late, now_us);
        catalog->pushdown = catalog->recheck;
    }
    if (shows_all_to(catalog, visibility, catalog->ended_asked.highest)) {
        catalog->ended_asked = (struct part){0};
    }
    return CATALOG_FINE;
}

enum catalog_event catalog_answered(struct catalog *catalog, const struct visibility *visibility,
                                    int64_t now_us)
{
    enum catalog_state answered = catalog->state;

    catalog->state = CATALOG_IDLE;
    switch (answered) {
    case CATALOG_FILES:
        return take_files(catalog, visibility, now_us);
    case CATALOG_DDL:
        take_ddl(catalog, visibility, now_us);
        break;
    case CATALOG_LOOKING:
        return take_look(catalog, visibility, now_us);
    case CATALOG_RENAMES:
        take_renames(catalog, now_us);
        break;
    case CATALOG_DEFINING:
        definitions_answered(&catalog->definitions, now_us);
        break;
    case CATALOG_FILTERING:
        return take_recheck(catalog, visibility, now_us);
    case CATALOG_IDLE:
        break;
    }
    return CATALOG_FINE;
}

/* ---- ends ---- */

void catalog_not_answered(struct catalog *catalog, int64_t now_us)
{
    for (size_t i = 0; i < catalog->lookup.asked_count; i++) {
        struct table_ref *ref = catalog->lookup.asked[i];

        touched_put(&catalog->touched, ref->known ? TOUCHED_KNOWN : TOUCHED_UNKNOWN, ref);
    }
    catalog->lookup.asked_count = catalog->round_left = 0;
    catalog->asked_unknown = catalog->asked_hidden = 0;
    if (catalog->state == CATALOG_DDL) {
        ddl_not_answered(&catalog->ddl);
    }
    if (catalog->state == CATALOG_FILES) {
        relfiles_not_answered(&catalog->files);
    }
    if (catalog->state == CATALOG_DEFINING) {
        definitions_not_answered(&catalog->definitions, now_us);
    }
    catalog->state = CATALOG_IDLE;
    catalog->ask_us = clock_after(now_us, ASK_EVERY_US);
}

/* A question that is under way stays so: its answer is for nobody. */
void catalog_drop(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->lookup.asked_count; i++) {
        touched_rest(catalog->lookup.asked[i]);
    }
    catalog->lookup.asked_count = catalog->round_left = 0;
    catalog->asked_unknown = catalog->asked_hidden = 0;
    catalog->rounds = 0;
    catalog->doubt = (struct part){0};
    touched_drop(&catalog->touched);
    relfiles_drop(&catalog->files);
    window_all_known(catalog->window);
}

void catalog_overflow(struct catalog *catalog, int64_t now_us)
{
    struct window_late late = {true, unseen_highest(catalog->unseen), UNSEEN_STREAMED};

    window_resync_late(catalog->window, RESYNC_OVERFLOW, &late, now_us);
    catalog_drop(catalog);
}

void catalog_stop(struct catalog *catalog)
{
    catalog_drop(catalog);
    definitions_stop(&catalog->definitions);
    catalog->state = CATALOG_IDLE;
    catalog->filters = false;
    catalog->ended = catalog->ended_asked = (struct part){0};
}

void catalog_free(struct catalog *catalog)
{
    lookup_free(&catalog->lookup);
    definitions_free(&catalog->definitions);
    past_free(&catalog->past);
    relfiles_free(&catalog->files);
    ddl_free(&catalog->ddl);
}
