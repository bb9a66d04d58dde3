#include "wal/transactions.h"

#include <stdlib.h>
#include <string.h>

#include "decode/change.h"

#define MESSAGE_HEADER 24 /* bytes: database, transactional, sizes of prefix and content */
#define RUNNING_HEADER 24 /* bytes: what is wanted of RUNNING_XACTS */
#define MULTI_HEADER   4
#define MAIN_MAX       (MESSAGE_HEADER + sizeof(MESSAGE_PREFIX) + WAL_CONTENT_MAX)

struct content {
    size_t len;
    char text[WAL_CONTENT_MAX];
};

/*
 * 1. `open` has nothing of a transaction that has ended.
 * 2. `main` has the first bytes of the record's main data, but for those that `xact` reads.
 */
struct wal_transactions {
    struct wal_taker taker;
    struct wal_records records;
    struct open_xacts open;
    struct xact xact;
    size_t have;
    unsigned char main[MAIN_MAX];

    /* Of the end of a transaction that is being read. */
    uint32_t top;
    struct wal_commit commit;
    struct wal_files dropped;
    struct wal_oids redefined;

    struct content *contents;
    size_t content_count;
};

struct wal_transactions *wal_transactions_new(const struct wal_taker *taker, uint64_t position,
                                              uint32_t segment_size, uint64_t system_id,
                                              uint32_t database)
{
    struct wal_transactions *self = calloc(1, sizeof(*self));

    if (self != NULL) {
        self->taker = *taker;
        wal_records_start(&self->records, position, segment_size, system_id, database);
    }
    return self;
}

/* ---- what a COMMIT lists ---- */

/* A bigger array, or NULL: no memory. */
static void *grow(void *array, size_t *cap, size_t size)
{
    void *bigger = realloc(array, (*cap > 0 ? *cap * 2 : 64) * size);

    if (bigger != NULL) {
        *cap = *cap > 0 ? *cap * 2 : 64;
    }
    return bigger;
}

static bool add_file(struct wal_files *files, struct relfile file)
{
    if (files->len == WAL_LIST_MAX) {
        files->more = true;
        return true;
    }
    if (files->len == files->cap) {
        struct relfile *bigger = grow(files->at, &files->cap, sizeof(*files->at));

        if (bigger == NULL) {
            return false;
        }
        files->at = bigger;
    }
    files->at[files->len++] = file;
    return true;
}

static bool add_oid(struct wal_oids *oids, uint32_t oid)
{
    if (oids->len > 0 && oids->at[oids->len - 1] == oid) {
        return true; /* mostly they come several times in a row */
    }
    if (oids->len == WAL_LIST_MAX) {
        oids->more = true;
        return true;
    }
    if (oids->len == oids->cap) {
        uint32_t *bigger = grow(oids->at, &oids->cap, sizeof(*oids->at));

        if (bigger == NULL) {
            return false;
        }
        oids->at = bigger;
    }
    oids->at[oids->len++] = oid;
    return true;
}

static int compare_files(const void *a, const void *b)
{
    const struct relfile *left = a, *right = b;

    return left->node != right->node
               ? (left->node > right->node) - (left->node < right->node)
               : (left->tablespace > right->tablespace) - (left->tablespace < right->tablespace);
}

bool wal_commit_drops(const struct wal_commit *commit, struct relfile file)
{
    const struct wal_files *dropped = commit->dropped;

    return dropped->len > 0 &&
           bsearch(&file, dropped->at, dropped->len, sizeof(*dropped->at), compare_files) != NULL;
}

int wal_oid_order(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* Each once. */
static void sort_oids(struct wal_oids *oids)
{
    size_t len = 0;

    if (oids->len > 1) {
        qsort(oids->at, oids->len, sizeof(*oids->at), wal_oid_order);
    }
    for (size_t i = 0; i < oids->len; i++) {
        if (len == 0 || oids->at[len - 1] != oids->at[i]) {
            oids->at[len++] = oids->at[i];
        }
    }
    oids->len = len;
}

/* ---- messages ---- */

/* The number of a content; WAL_CONTENTS_MAX: there is no room, or no memory. */
static size_t intern(struct wal_transactions *self, struct slice text)
{
    if (self->open.len == 0) {
        self->content_count = 0;
    }
    for (size_t i = 0; i < self->content_count; i++) {
        if (slice_equal((struct slice){self->contents[i].text, self->contents[i].len}, text)) {
            return i;
        }
    }
    if (self->contents == NULL) {
        self->contents = calloc(WAL_CONTENTS_MAX, sizeof(*self->contents));
    }
    if (self->contents == NULL || self->content_count == WAL_CONTENTS_MAX) {
        return WAL_CONTENTS_MAX;
    }
    self->contents[self->content_count].len = text.len;
    memcpy(self->contents[self->content_count].text, text.data, text.len);
    return self->content_count++;
}

/* Of a transaction: it waits for the COMMIT. What can't be kept asks for a resync. */
static bool keep_message(struct wal_transactions *self, struct slice content)
{
    struct relfile special = {OPEN_SPECIAL, OPEN_RESYNC};

    if (content.data != NULL && content.len > 0) {
        size_t number = intern(self, content);

        special.node = number < WAL_CONTENTS_MAX ? (uint32_t)(OPEN_MESSAGE + number) : OPEN_RESYNC;
    }
    return open_add(&self->open, self->records.record.xid, special, 1);
}

/* pg_logical_emit_message (xl_logical_message). */
static bool take_message(struct wal_transactions *self)
{
    const unsigned char *main = self->main;
    size_t prefix_at = MESSAGE_HEADER, content_at = MESSAGE_HEADER + sizeof(MESSAGE_PREFIX);
    uint64_t size;
    struct slice content = {NULL, 0};

    if (self->have < content_at || wal_u32(main) != self->records.database ||
        wal_u64(main + 8) != sizeof(MESSAGE_PREFIX) ||
        memcmp(main + prefix_at, MESSAGE_PREFIX, sizeof(MESSAGE_PREFIX)) != 0) {
        return true;
    }
    size = wal_u64(main + 16);
    if (size <= WAL_CONTENT_MAX && size <= self->have - content_at) {
        content = (struct slice){(const char *)main + content_at, (size_t)size};
    }
    return main[4] != 0
               ? keep_message(self, content)
               : self->taker.message(self->taker.context, content, wal_records_end(&self->records));
}

enum wal_change wal_change_of(const struct wal_transactions *self, const struct open_node *change,
                              struct slice *content)
{
    const struct content *kept;

    if (change->file.tablespace != OPEN_SPECIAL) {
        return WAL_CHANGE_FILE;
    }
    if (change->file.node == OPEN_RESYNC) {
        return WAL_CHANGE_RESYNC;
    }
    if (change->file.node < OPEN_MESSAGE) {
        return WAL_CHANGE_NONE;
    }
    kept = &self->contents[change->file.node - OPEN_MESSAGE];
    *content = (struct slice){kept->text, kept->len};
    return WAL_CHANGE_CONTENT;
}

const struct open_node *wal_change_next(const struct wal_transactions *self,
                                        const struct open_node *change)
{
    return open_next(&self->open, change);
}

/* ---- changes ---- */

/* False: out of memory. */
static bool take_rows(struct wal_transactions *self, uint64_t count)
{
    const struct wal_record *record = &self->records.record;

    for (size_t i = 0; i < record->file_count; i++) {
        struct relfile file = record->files[i];

        /* Below it are the system's catalogs, as long as they haven't been rewritten. */
        if (file.node >= WAL_FIRST_OID && file.tablespace != OPEN_SPECIAL && record->xid != 0 &&
            !open_add(&self->open, record->xid, file, count)) {
            return false;
        }
    }
    return true;
}

/* ---- ends ---- */

static void begin_end(struct wal_transactions *self)
{
    self->top = self->records.record.xid;
    self->commit = (struct wal_commit){.lost = false};
    self->dropped.len = self->redefined.len = 0;
    self->dropped.more = self->redefined.more = false;
    xact_start(&self->xact, self->records.pages.format, self->records.record.info);
}

static uint8_t xact_kind(const struct wal_transactions *self)
{
    return self->records.record.info & WAL_OTHER_MASK;
}

/* Its changes are the top one's, which is known by now but for a prepared one's COMMIT. */
static bool take_subxid(struct wal_transactions *self, uint32_t xid)
{
    switch (xact_kind(self)) {
    case XACT_ABORT:
    case XACT_ABORT_PREPARED:
        open_drop(&self->open, xid);
        return true;
    case XACT_COMMIT_PREPARED: /* of the xid 0 until the end */
        return open_merge(&self->open, 0, xid);
    default:
        return open_merge(&self->open, self->top, xid);
    }
}

static bool take_said(struct wal_transactions *self, enum xact_event event,
                      const struct xact_said *said)
{
    struct wal_commit *commit = &self->commit;
    bool is_ours = said->database == self->records.database;

    switch (event) {
    case XACT_HAS_SUBXID:
        return take_subxid(self, said->value);
    case XACT_HAS_FILE:
        return !is_ours || said->file.node < WAL_FIRST_OID || add_file(&self->dropped, said->file);
    case XACT_HAS_INVAL:
        commit->catalog |= is_ours;
        commit->all_redefined |= is_ours && said->value == 0;
        return !is_ours || said->value < WAL_FIRST_OID || add_oid(&self->redefined, said->value);
    case XACT_HAS_CATALOG:
        commit->catalog |= is_ours;
        break;
    case XACT_HAS_TOP:
        self->top = said->value;
        break;
    case XACT_MORE:
        break;
    }
    return true;
}

static bool take_xact(struct wal_transactions *self, struct slice piece)
{
    struct xact_said said = {0};
    enum xact_event event;

    while ((event = xact_next(&self->xact, &piece, &said)) != XACT_MORE) {
        if (!take_said(self, event, &said)) {
            return false;
        }
    }
    return true;
}

static bool committed(struct wal_transactions *self)
{
    struct wal_commit *commit = &self->commit;
    bool ok;

    if (self->top != self->records.record.xid && !open_merge(&self->open, self->top, 0)) {
        return false;
    }
    sort_oids(&self->redefined);
    if (self->dropped.len > 1) {
        qsort(self->dropped.at, self->dropped.len, sizeof(*self->dropped.at), compare_files);
    }
    commit->xid = self->top;
    commit->lsn = wal_records_end(&self->records);
    commit->lost = open_is_lost(&self->open, self->top);
    commit->first = open_first(&self->open, self->top);
    commit->dropped = &self->dropped;
    commit->redefined = &self->redefined;
    ok = self->taker.commit(self->taker.context, commit);
    open_drop(&self->open, self->top);
    return ok;
}

/* The record of a transaction's end, or of its PREPARE, is complete. */
static bool end_xact(struct wal_transactions *self)
{
    switch (xact_kind(self)) {
    case XACT_PREPARE:
        return open_first(&self->open, self->top) == NULL ||
               open_add(&self->open, self->top, (struct relfile){OPEN_SPECIAL, OPEN_PREPARED}, 1);
    case XACT_ABORT:
    case XACT_ABORT_PREPARED:
        open_drop(&self->open, self->top);
        self->taker.abort(self->taker.context, self->top);
        return true;
    default:
        return committed(self);
    }
}

/* ---- records ---- */

static bool begin_record(struct wal_transactions *self)
{
    const struct wal_record *record = &self->records.record;

    self->have = 0;
    switch (record->manager) {
    case WAL_XACT:
        begin_end(self);
        return true;
    case WAL_XLOG: /* only prepared transactions survive a restart */
        open_drop_unprepared(&self->open);
        return true;
    case WAL_HEAP2:
    case WAL_MESSAGE:
    case WAL_STANDBY:
        return true;
    default:
        return take_rows(self, 1);
    }
}

static bool take_main(struct wal_transactions *self, struct slice piece)
{
    size_t len = MAIN_MAX - self->have;

    if (self->records.record.manager == WAL_XACT) {
        return take_xact(self, piece);
    }
    len = piece.len < len ? piece.len : len;
    memcpy(self->main + self->have, piece.data, len);
    self->have += len;
    return true;
}

static bool end_record(struct wal_transactions *self)
{
    struct wal_running running;

    switch (self->records.record.manager) {
    case WAL_XACT:
        return end_xact(self);
    case WAL_HEAP2:
        return take_rows(self, self->have >= MULTI_HEADER ? wal_u16(self->main + 2) : 1);
    case WAL_MESSAGE:
        return take_message(self);
    case WAL_STANDBY:
        if (self->have >= RUNNING_HEADER) {
            running = (struct wal_running){wal_u32(self->main + 12), wal_u32(self->main + 16)};
            open_drop_below(&self->open, running.oldest);
            self->taker.running(self->taker.context, &running);
        }
        return true;
    default:
        return true;
    }
}

bool wal_transactions_take(struct wal_transactions *self, struct slice wal, struct error *error)
{
    struct slice piece = {NULL, 0};
    bool ok = true;

    while (ok) {
        switch (wal_records_next(&self->records, &wal, &piece, error)) {
        case WAL_NOTHING:
            return true;
        case WAL_RECORD:
            ok = begin_record(self);
            break;
        case WAL_MAIN:
            ok = take_main(self, piece);
            break;
        case WAL_END:
            ok = end_record(self);
            break;
        case WAL_BAD:
            return false;
        }
    }
    return error_memory(error);
}

uint64_t wal_transactions_position(const struct wal_transactions *self)
{
    return self->records.pages.position + self->records.pages.have;
}

void wal_transactions_free(struct wal_transactions *self)
{
    if (self != NULL) {
        open_free(&self->open);
        free(self->dropped.at);
        free(self->redefined.at);
        free(self->contents);
        free(self);
    }
}
