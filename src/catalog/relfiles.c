#include "catalog/relfiles.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wire/lsn.h"

#define AGAIN_MIN_US (5 * CLOCK_MS) /* about one that can't be seen yet; doubles */
#define AGAIN_MAX_US (250 * CLOCK_MS)

#define SEED_MAX 60000 /* files read when the stream begins */

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number
#define FIRST_OID        TEXT_OF(WAL_FIRST_OID)

/*
 * Five columns: tablespace and node of a file; the relation's OID, or NULL; 't' for a table or
 * materialized view; an LSN up to which, at most, this is how it is: the query's snapshot is older.
 * Of a relation that has no file the node is 0.
 */
#define IS_TABLE                                                                                   \
    "(c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND c.oid >= " FIRST_OID ")::text"
#define LSN                                                                                        \
    ", CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"          \
    " ELSE pg_catalog.pg_current_wal_insert_lsn() END::text"
#define RELATION_SQL                                                                               \
    "SELECT coalesce(nullif(c.reltablespace, 0), d.dattablespace)::text,"                          \
    " coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::text, c.oid::text, " IS_TABLE LSN       \
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_database d"                                    \
    " ON d.datname = pg_catalog.current_database() WHERE "
#define SEED_SQL                                                                                   \
    "(" RELATION_SQL "c.oid >= " FIRST_OID                                                         \
    " AND c.relkind IN ('r', 'm', 't', 'i', 'S') AND c.relpersistence <> 't'"                      \
    " LIMIT " TEXT_OF(SEED_MAX) ")"
#define NO_SEED_SQL "SELECT NULL, NULL, NULL, NULL, NULL WHERE false"
#define OIDS_SQL    RELATION_SQL "c.oid = ANY ('{"
#define FILES_SQL                                                                                  \
    "SELECT v.tablespace::text, v.node::text, c.oid::text, " IS_TABLE LSN " FROM (VALUES "
#define FILES_TAIL                                                                                 \
    ") v(tablespace, node) LEFT JOIN pg_catalog.pg_class c"                                        \
    " ON c.oid = pg_catalog.pg_filenode_relation(v.tablespace, v.node)"

/* ---- the map ---- */

static struct slice key_of(const struct relfile *file)
{
    return (struct slice){(const char *)file, sizeof(*file)};
}

static struct relfile_entry *entry_of(const struct relfiles *files, struct relfile file)
{
    return hashmap_get(&files->map, key_of(&file));
}

static void free_entries(struct relfiles *files)
{
    for (size_t i = 0; i < files->map.cap; i++) {
        free(files->map.slots[i].value);
    }
    hashmap_free(&files->map);
}

/* Forgets what is known; those that wait stay. */
static void begin_anew(struct relfiles *files)
{
    struct hashmap before = files->map;

    files->map = (struct hashmap){0};
    for (size_t i = 0; i < before.cap; i++) {
        struct relfile_entry *entry = before.slots[i].value;

        if (entry != NULL && (entry->kind != RELFILE_UNKNOWN ||
                              !hashmap_add(&files->map, key_of(&entry->file), entry))) {
            free(entry);
        }
    }
    hashmap_free(&before);
}

/* NULL: out of memory. */
static struct relfile_entry *add_entry(struct relfiles *files, struct relfile file)
{
    struct relfile_entry *entry = malloc(sizeof(*entry));

    if (files->map.len >= RELFILES_MAX) {
        begin_anew(files);
    }
    if (entry == NULL) {
        return NULL;
    }
    *entry = (struct relfile_entry){.file = file, .kind = RELFILE_UNKNOWN};
    if (!hashmap_add(&files->map, key_of(&entry->file), entry)) {
        free(entry);
        return NULL;
    }
    return entry;
}

static void remove_entry(struct relfiles *files, struct relfile file)
{
    free(hashmap_remove(&files->map, key_of(&file)));
}

enum relfile_kind relfiles_find(const struct relfiles *files, struct relfile file, uint32_t *oid)
{
    const struct relfile_entry *entry = entry_of(files, file);

    *oid = entry != NULL ? entry->oid : 0;
    return entry != NULL ? entry->kind : RELFILE_UNKNOWN;
}

/* ---- waits ---- */

static void count(struct relfiles *files, const struct relfile_wait *wait, size_t by)
{
    files->len += by;
    files->unlooked += wait->looked ? 0 : by;
    files->pending += wait->has_changes && !wait->looked ? by : 0;
    files->hidden += wait->has_changes && wait->looked ? by : 0;
}

static void append(struct relfiles *files, struct relfile_wait *wait)
{
    wait->next = NULL;
    if (files->first == NULL) {
        files->first = wait;
    } else {
        files->last->next = wait;
    }
    files->last = wait;
    count(files, wait, 1);
}

static struct relfile_wait *new_wait(struct relfiles *files, bool has_changes)
{
    struct relfile_wait *wait = files->len < RELFILES_WAITS_MAX ? calloc(1, sizeof(*wait)) : NULL;

    if (wait != NULL) {
        wait->has_changes = has_changes;
        append(files, wait);
    }
    return wait;
}

struct relfile_wait *relfiles_wait_file(struct relfiles *files, struct relfile file)
{
    struct relfile_entry *entry = entry_of(files, file);

    if (entry != NULL && entry->wait != NULL) {
        return entry->wait;
    }
    entry = entry != NULL ? entry : add_entry(files, file);
    if (entry == NULL) {
        return NULL;
    }
    entry->wait = new_wait(files, true);
    if (entry->wait == NULL) {
        remove_entry(files, file);
        return NULL;
    }
    entry->wait->file = file;
    entry->wait->must = true;
    return entry->wait;
}

struct relfile_wait *relfiles_wait_oid(struct relfiles *files, uint32_t oid, bool has_changes)
{
    struct relfile_wait *wait = new_wait(files, has_changes);

    if (wait != NULL) {
        wait->oid = oid;
    }
    return wait;
}

bool relfiles_dropped(struct relfiles *files, struct relfile file)
{
    struct relfile_entry *entry = entry_of(files, file);

    if (entry == NULL) {
        return false;
    }
    if (entry->wait != NULL) {
        entry->wait->dropped = true;
        return true;
    }
    remove_entry(files, file);
    return false;
}

/* ---- the question ---- */

int64_t relfiles_due(const struct relfiles *files)
{
    if (files->seed || files->unlooked > 0) {
        return 0;
    }
    return files->len > 0 ? files->next_us : CLOCK_NEVER;
}

static void append_oids(const struct relfiles *files, struct buffer *sql)
{
    const struct relfile_wait *wait = files->first;
    size_t count = 0;

    for (size_t i = 0; i < files->asked; i++, wait = wait->next) {
        if (wait->file.node == 0) {
            buffer_text(sql, count++ > 0 ? "," : " UNION ALL " OIDS_SQL);
            buffer_decimal(sql, wait->oid, 1);
        }
    }
    buffer_text(sql, count > 0 ? "}')" : "");
}

static void append_files(const struct relfiles *files, struct buffer *sql)
{
    const struct relfile_wait *wait = files->first;
    size_t count = 0;

    for (size_t i = 0; i < files->asked; i++, wait = wait->next) {
        if (wait->file.node != 0) {
            buffer_text(sql, count++ > 0 ? ", " : " UNION ALL " FILES_SQL);
            buffer_format(sql, "(%" PRIu32 "::oid, %" PRIu32 "::oid)", wait->file.tablespace,
                          wait->file.node);
        }
    }
    buffer_text(sql, count > 0 ? FILES_TAIL : "");
}

void relfiles_question(struct relfiles *files, struct buffer *sql)
{
    struct relfile_wait *wait = files->first;

    files->asked = files->len < RELFILES_ASKED_MAX ? files->len : RELFILES_ASKED_MAX;
    for (size_t i = 0; i < files->asked; i++, wait = wait->next) {
        wait->answer = RELFILE_UNKNOWN;
    }
    files->seeding = files->seed;
    files->seed = false;
    buffer_text(sql, files->seeding ? SEED_SQL : NO_SEED_SQL);
    append_oids(files, sql);
    append_files(files, sql);
}

/*
 * Those that ask for this relation have it. One that may have been rewritten was not where it still
 * has the file that it had before; what was read when WAL ended at that COMMIT may be of after it.
 */
static void answer_waits(const struct relfiles *files, uint32_t oid, enum relfile_kind kind,
                         const struct relfile_entry *entry)
{
    struct relfile_wait *wait = files->first;

    for (size_t i = 0; i < files->asked; i++, wait = wait->next) {
        if (wait->file.node == 0 && wait->oid == oid) {
            bool same = entry != NULL && entry->oid == oid && entry->lsn < wait->rewritten_lsn;

            wait->answer = same ? RELFILE_SAME : kind;
        }
    }
}

bool relfiles_row(void *context, struct query_row *row)
{
    struct relfiles *files = context;
    struct slice columns[5];
    struct relfile file;
    struct relfile_entry *entry;
    uint32_t oid = 0;
    uint64_t lsn;
    enum relfile_kind kind;

    for (int i = 0; i < 5; i++) {
        if (!query_row_next(row, &columns[i])) {
            return false;
        }
    }
    if (!slice_u32(columns[0], &file.tablespace) || !slice_u32(columns[1], &file.node) ||
        (columns[2].data != NULL && !slice_u32(columns[2], &oid)) || columns[4].data == NULL ||
        !lsn_read(columns[4], &lsn)) {
        return false;
    }
    if (oid == 0) {
        return true; /* the file is gone, or can't be seen yet */
    }
    kind = slice_equal(columns[3], slice_of("true")) ? RELFILE_TABLE : RELFILE_OTHER;
    entry = file.node != 0 ? entry_of(files, file) : NULL;
    answer_waits(files, oid, kind, entry);
    if (file.node != 0 && entry == NULL) {
        entry = add_entry(files, file);
    }
    if (entry != NULL && entry->kind == RELFILE_UNKNOWN) {
        entry->oid = oid;
        entry->kind = kind;
        entry->lsn = lsn;
    }
    return file.node == 0 || entry != NULL;
}

/* ---- the answer ---- */

void relfiles_answered(struct relfiles *files)
{
    files->seeding = false;
}

struct relfile_wait *relfiles_next(struct relfiles *files, enum relfile_kind *kind, uint32_t *oid)
{
    struct relfile_wait *wait = files->first;
    struct relfile_entry *entry;

    if (files->asked == 0) {
        return NULL;
    }
    files->asked--;
    count(files, wait, (size_t)-1);
    files->first = wait->next;
    entry = wait->file.node != 0 ? entry_of(files, wait->file) : NULL;
    *kind = entry != NULL ? entry->kind : wait->answer;
    *oid = entry != NULL ? entry->oid : wait->oid;
    return wait;
}

void relfiles_done(struct relfiles *files, struct relfile_wait *wait)
{
    struct relfile_entry *entry = wait->file.node != 0 ? entry_of(files, wait->file) : NULL;

    if (entry != NULL) {
        entry->wait = NULL;
        if (entry->kind == RELFILE_UNKNOWN || wait->dropped) {
            remove_entry(files, wait->file);
        }
    }
    free(wait);
}

void relfiles_again(struct relfiles *files, struct relfile_wait *wait)
{
    wait->looked = true;
    append(files, wait);
}

void relfiles_rest(struct relfiles *files, int64_t now_us)
{
    files->again_us = files->len > files->unlooked
                          ? clock_earlier(files->again_us * 2, AGAIN_MAX_US)
                          : AGAIN_MIN_US;
    files->next_us = clock_after(now_us, files->again_us);
}

void relfiles_not_answered(struct relfiles *files)
{
    files->seed |= files->seeding;
    files->seeding = false;
    files->asked = 0;
}

/* ---- beginnings and ends ---- */

void relfiles_drop(struct relfiles *files)
{
    while (files->first != NULL) {
        struct relfile_wait *wait = files->first;

        files->first = wait->next;
        relfiles_done(files, wait);
    }
    files->len = files->asked = files->unlooked = files->pending = files->hidden = 0;
}

void relfiles_start(struct relfiles *files, int64_t now_us)
{
    relfiles_free(files);
    files->seed = true;
    files->next_us = now_us;
    files->again_us = AGAIN_MIN_US;
}

void relfiles_free(struct relfiles *files)
{
    relfiles_drop(files);
    free_entries(files);
    *files = (struct relfiles){0};
}
