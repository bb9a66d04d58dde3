#include <string.h>

#include "base/clock.h"
#include "catalog/state.h"

#define AGAIN_MAX_US (250 * CLOCK_MS)
#define ROUNDS_MAX   32 /* looks that may leave no fewer unknown tables */

/* The same few tables are redefined as fast as they are looked up. */
static bool is_overrun(const struct catalog *catalog)
{
    return catalog->by_file && catalog->rounds >= ROUNDS_MAX &&
           catalog->unknown_left <= LOOKUP_ASKED_MAX;
}

bool catalog_is_hidden(const struct catalog *catalog)
{
    return touched_any(&catalog->touched, TOUCHED_HIDDEN) || catalog->asked_hidden > 0 ||
           catalog->files.hidden > 0;
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

struct past_moment look_moment(const struct part *part)
{
    return (struct past_moment){part->lowest, part->commits};
}

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
    struct past_moment moment = look_moment(&ref->asked);

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

bool look_shows_all_to(const struct catalog *catalog, const struct visibility *visibility,
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
    bool all_seen = !ref->asked.any || look_shows_all_to(catalog, visibility, ref->asked.highest);
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

void look_end(struct catalog *catalog, int64_t now_us)
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

enum catalog_event look_answered(struct catalog *catalog, const struct visibility *visibility,
                                 int64_t now_us)
{
    bool ok = true;

    for (size_t i = 0; i < catalog->lookup.asked_count; i++) {
        ok = take_one(catalog, i, visibility, now_us) && ok;
    }
    catalog->lookup.asked_count = catalog->asked_unknown = catalog->asked_hidden = 0;
    look_end(catalog, now_us);
    if (!catalog_is_hidden(catalog)) {
        catalog->again_us = CATALOG_AGAIN_MIN_US;
        catalog->hidden_us = clock_after(now_us, CATALOG_AGAIN_MIN_US);
    } else if (now_us >= catalog->hidden_us) {
        catalog->hidden_us = clock_after(now_us, catalog->again_us);
        catalog->again_us = clock_earlier(catalog->again_us * 2, AGAIN_MAX_US);
    }
    return ok ? CATALOG_FINE : CATALOG_FAILED;
}
