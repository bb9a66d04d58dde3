#include "catalog/catalog.h"

#include <string.h>

#include "base/clock.h"

#define ASK_EVERY_US  (1 * CLOCK_S)
#define FIRST_ASK_US  (100 * CLOCK_MS) /* after a rest: by then its transaction can be seen */
#define LOOK_LEAD_US  (10 * CLOCK_MS)  /* before a window closes: time for the answer */
#define EXPECTED_MAX  2000             /* looked up before they change */
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
    catalog->again_us = CATALOG_AGAIN_MIN_US;
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

/* ---- questions ---- */

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
        uint32_t floor = past_floor(&catalog->past, look_moment(&catalog->doubt));

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
    struct past_moment moment = look_moment(&catalog->doubt);
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
    if (look_shows_all_to(catalog, visibility, catalog->ended_asked.highest)) {
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
        return by_file_answered(catalog, visibility, now_us);
    case CATALOG_DDL:
        by_file_defined(catalog, visibility, now_us);
        break;
    case CATALOG_LOOKING:
        return look_answered(catalog, visibility, now_us);
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
