#include "catalog/state.h"
#include "wire/lsn.h"

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

    if (wait->part.any && !look_shows_all_to(catalog, visibility, wait->part.highest)) {
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
           (may_be_old && !look_shows_all_to(catalog, visibility, wait->part.highest));
}

enum catalog_event by_file_answered(struct catalog *catalog, const struct visibility *visibility,
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
    look_end(catalog, now_us);
    return ok ? CATALOG_FINE : CATALOG_FAILED;
}

void by_file_defined(struct catalog *catalog, const struct visibility *visibility, int64_t now_us)
{
    const struct part *part = &catalog->ddl.asked_part;
    struct window_late late = {part->any, part->highest, UNSEEN_STREAMED};
    bool all_seen = !part->any || look_shows_all_to(catalog, visibility, part->highest);

    if (ddl_answered(&catalog->ddl)) {
        window_resync_late(catalog->window, RESYNC_SCHEMA, &late, now_us);
    }
    ddl_confirm(&catalog->ddl, all_seen, now_us);
}
