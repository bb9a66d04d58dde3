/* Answers for the catalog, without a server: every table that it asks about is an ordinary one. */
#ifndef PGNUDGE_TESTS_KNOW_H
#define PGNUDGE_TESTS_KNOW_H

#include "catalog/catalog.h"

/* Answers its questions, as of a moment when all below `xmax` has ended. False: out of memory. */
static inline bool know_tables(struct catalog *catalog, uint32_t xmax, int64_t now_us)
{
    struct visibility visibility = {.known = true, .snapshot = {.xmax = xmax}};
    struct buffer sql = {0};
    bool ok = unseen_see(catalog->unseen, &visibility.snapshot);

    while (ok && catalog_deadline(catalog) <= now_us) {
        catalog_question(catalog, &sql, now_us);
        for (size_t i = 0; i < catalog->lookup.asked_count; i++) {
            catalog->lookup.xmax = xmax;
            catalog->lookup.found[i].found = true;
            catalog->lookup.found[i].identity = (struct identity){(uint32_t)i + 1, 2, 2, false};
        }
        ok = catalog_answered(catalog, &visibility, now_us) == CATALOG_FINE;
    }
    buffer_free(&sql);
    return ok;
}

#endif
