#include "wal/open_xacts.h"

#include <stdlib.h>
#include <string.h>

#include "snapshot/xids.h"

#define CAP_MIN ((size_t)64)

static const struct relfile head_file = {OPEN_SPECIAL, OPEN_HEAD};

/* ---- the hash table ---- */

static size_t home_of(const struct open_xacts *open, uint32_t xid, struct relfile file)
{
    uint64_t mixed = ((uint64_t)xid << 32 | file.node) * UINT64_C(0x9e3779b97f4a7c15) ^
                     (uint64_t)file.tablespace * UINT64_C(0xc2b2ae3d27d4eb4f);

    return (size_t)(mixed ^ mixed >> 29 ^ mixed >> 43) & (open->slot_cap - 1);
}

static bool is(const struct open_node *node, uint32_t xid, struct relfile file)
{
    return node->xid == xid && node->file.node == file.node &&
           node->file.tablespace == file.tablespace;
}

/* The slot of a node, or the free one where it belongs. */
static size_t find(const struct open_xacts *open, uint32_t xid, struct relfile file)
{
    size_t at = home_of(open, xid, file);

    while (open->slots[at] != 0 && !is(&open->nodes[open->slots[at]], xid, file)) {
        at = (at + 1) & (open->slot_cap - 1);
    }
    return at;
}

static uint32_t index_of(const struct open_xacts *open, uint32_t xid, struct relfile file)
{
    return open->slot_cap > 0 ? open->slots[find(open, xid, file)] : 0;
}

/* Takes a slot's entry out; those behind it move up. */
static void empty_slot(struct open_xacts *open, size_t gap)
{
    size_t mask = open->slot_cap - 1, at = gap;

    open->slots[gap] = 0;
    while (open->slots[at = (at + 1) & mask] != 0) {
        const struct open_node *node = &open->nodes[open->slots[at]];
        size_t home = home_of(open, node->xid, node->file);

        /* Unless it stands between its home and the gap's other side, a search would end there. */
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            open->slots[gap] = open->slots[at];
            open->slots[at] = 0;
            gap = at;
        }
    }
}

/* Twice as many nodes. False: out of memory. */
static bool grow(struct open_xacts *open)
{
    size_t cap = open->cap > 0 ? open->cap * 2 : CAP_MIN;
    uint32_t *slots = calloc(cap * 2, sizeof(*slots));
    struct open_node *nodes = NULL;

    if (slots != NULL) {
        nodes = realloc(open->nodes, cap * sizeof(*nodes));
    }
    if (nodes == NULL) {
        free(slots);
        return false;
    }
    open->nodes = nodes;
    for (size_t i = 0; i < open->slot_cap; i++) {
        if (open->slots[i] != 0) {
            const struct open_node *node = &nodes[open->slots[i]];
            struct open_xacts bigger = {.nodes = nodes, .slots = slots, .slot_cap = cap * 2};

            slots[find(&bigger, node->xid, node->file)] = open->slots[i];
        }
    }
    free(open->slots);
    open->slots = slots;
    open->slot_cap = cap * 2;
    open->used = open->cap > 0 ? open->used : 1;
    open->cap = cap;
    return true;
}

/* ---- nodes ---- */

static void drop_all(struct open_xacts *open)
{
    free(open->nodes);
    free(open->slots);
    open->nodes = NULL;
    open->slots = NULL;
    open->used = open->cap = open->slot_cap = open->len = open->xacts = 0;
    open->free = open->last = 0;
}

/* A node that isn't there yet; 0: out of memory. */
static uint32_t new_node(struct open_xacts *open, uint32_t xid, struct relfile file)
{
    uint32_t index = open->free;

    if (index != 0) {
        open->free = open->nodes[index].next;
    } else {
        if (open->used >= open->cap && !grow(open)) {
            return 0;
        }
        index = (uint32_t)open->used++;
    }
    open->nodes[index] = (struct open_node){.xid = xid, .file = file};
    open->slots[find(open, xid, file)] = index;
    open->len++;
    return index;
}

static void free_node(struct open_xacts *open, uint32_t index)
{
    struct open_node *node = &open->nodes[index];

    empty_slot(open, find(open, node->xid, node->file));
    node->next = open->free;
    open->free = index;
    open->len--;
}

/* Too many: nothing is known any more of those up to now. */
static void lose(struct open_xacts *open)
{
    open->lost = true;
    open->lost_to = open->newest;
    drop_all(open);
}

/* Whether one more node, or one more transaction, is too many. */
static bool is_full(const struct open_xacts *open, uint32_t head)
{
    return open->len + 2 >= OPEN_NODES_MAX || (head == 0 && open->xacts >= OPEN_XACTS_MAX);
}

static bool add_new(struct open_xacts *open, uint32_t xid, struct relfile file, uint64_t count)
{
    uint32_t head = index_of(open, xid, head_file), index;

    if (is_full(open, head)) {
        lose(open);
        return true;
    }
    if (head == 0) {
        head = new_node(open, xid, head_file);
        if (head == 0) {
            return false;
        }
        open->nodes[head].count = head;
        open->xacts++;
    }
    index = new_node(open, xid, file);
    if (index == 0) {
        return false;
    }
    open->nodes[index].count = count;
    open->nodes[open->nodes[head].count].next = index;
    open->nodes[head].count = index;
    open->last = index;
    return true;
}

/* 0 is none, but stands for one whose number is read later. */
static void note_newest(struct open_xacts *open, uint32_t xid)
{
    if (open->newest == 0 || (xid != 0 && xid_precedes(open->newest, xid))) {
        open->newest = xid;
    }
}

bool open_add(struct open_xacts *open, uint32_t xid, struct relfile file, uint64_t count)
{
    uint32_t index = open->last;

    if (index == 0 || !is(&open->nodes[index], xid, file)) { /* else a statement's next row */
        note_newest(open, xid);
        if (open_is_lost(open, xid)) {
            return true;
        }
        index = index_of(open, xid, file);
    }
    if (index == 0) {
        return add_new(open, xid, file, count);
    }
    open->nodes[index].count += count;
    open->last = index;
    return true;
}

bool open_merge(struct open_xacts *open, uint32_t to, uint32_t from)
{
    uint32_t head = index_of(open, from, head_file);
    uint32_t index = head != 0 && to != from ? open->nodes[head].next : 0;
    bool ok = true;

    while (ok && index != 0) {
        struct open_node node = open->nodes[index];

        ok = open_add(open, to, node.file, node.count);
        index = open->nodes == NULL ? 0 : node.next; /* it may have lost all */
    }
    if (to != from) {
        open_drop(open, from);
    }
    return ok;
}

const struct open_node *open_first(const struct open_xacts *open, uint32_t xid)
{
    uint32_t head = index_of(open, xid, head_file);

    return head != 0 ? open_next(open, &open->nodes[head]) : NULL;
}

const struct open_node *open_next(const struct open_xacts *open, const struct open_node *node)
{
    return node->next != 0 ? &open->nodes[node->next] : NULL;
}

bool open_is_lost(const struct open_xacts *open, uint32_t xid)
{
    return open->lost && !xid_precedes(open->lost_to, xid);
}

/* ---- ends ---- */

/* Frees all nodes behind, and with, the head in `index`. */
static void drop_chain(struct open_xacts *open, uint32_t index)
{
    while (index != 0) {
        uint32_t next = open->nodes[index].next;

        free_node(open, index);
        index = next;
    }
    open->xacts--;
    open->last = 0;
}

/* Gives memory back where nothing is open. */
static void shrink(struct open_xacts *open)
{
    if (open->len == 0 && open->cap > CAP_MIN) {
        drop_all(open);
    }
}

void open_drop(struct open_xacts *open, uint32_t xid)
{
    uint32_t index = index_of(open, xid, head_file);

    if (index != 0) {
        drop_chain(open, index);
        shrink(open);
    }
}

/* Drops those that `ends` says. */
static void drop_where(struct open_xacts *open,
                       bool (*ends)(const struct open_xacts *open, uint32_t xid, uint32_t than),
                       uint32_t than)
{
    for (uint32_t i = 1; i < open->used; i++) {
        uint32_t xid = open->nodes[i].xid;

        /* A free node's slot has another one, or none. */
        if (is(&open->nodes[i], xid, head_file) && index_of(open, xid, head_file) == i &&
            ends(open, xid, than)) {
            drop_chain(open, i);
        }
    }
    shrink(open);
}

static bool is_below(const struct open_xacts *open, uint32_t xid, uint32_t than)
{
    (void)open;
    return xid_precedes(xid, than);
}

static bool is_unprepared(const struct open_xacts *open, uint32_t xid, uint32_t than)
{
    (void)than;
    return index_of(open, xid, (struct relfile){OPEN_SPECIAL, OPEN_PREPARED}) == 0;
}

void open_drop_below(struct open_xacts *open, uint32_t oldest)
{
    open->lost &= !xid_precedes(open->lost_to, oldest);
    drop_where(open, is_below, oldest);
}

void open_drop_unprepared(struct open_xacts *open)
{
    drop_where(open, is_unprepared, 0);
}

void open_free(struct open_xacts *open)
{
    drop_all(open);
    *open = (struct open_xacts){0};
}
