#include "batch/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "batch/definition.h"
#include "batch/name.h"

#define STOPPED ((struct window_timer){.due_us = CLOCK_NEVER})

void window_init(struct window *window, const struct window_limits *limits, struct unseen *unseen)
{
    *window = (struct window){
        .limits = *limits, .unseen = unseen, .serial = 1, .open = STOPPED, .unknown = STOPPED};
}

void window_connected(struct window *window, uint64_t consistent_lsn)
{
    window->newest_lsn = window->last_lsn = consistent_lsn;
    window->in_transaction = false;
    window->marks = 0;
}

/* ---- tallies ---- */

/* Adds the newest changes of all. */
static void add_arriving(struct tally *tally, const struct arriving *arriving, uint64_t arrival)
{
    if (tally->count == 0) {
        tally->first_seen_us = arriving->wall_us;
        tally->arrival = arrival;
    }
    tally->count += arriving->count;
    tally->operations[arriving->operation] += arriving->count;
    tally->whole |= !arriving->keyed;
}

void window_tally(struct window *window, struct tally *tally, const struct arriving *arriving)
{
    add_arriving(tally, arriving, ++window->arrivals);
}

void tally_add(struct tally *tally, const struct tally *more)
{
    if (tally->count == 0 || (more->count > 0 && more->arrival < tally->arrival)) {
        tally->first_seen_us = more->first_seen_us;
        tally->arrival = more->arrival;
    }
    tally->count += more->count;
    for (int i = 0; i < OPERATIONS; i++) {
        tally->operations[i] += more->operations[i];
    }
    tally->whole |= more->whole;
}

/* ---- events ---- */

/* Keeps what the item waits for. */
static void forget_events(struct window *window)
{
    event_map_clear(&window->map);
    item_drop_events(&window->item);
    window->serial++;
    window->unordered = false;
}

static bool add_event(struct window *window, struct name *name, const struct tally *tally)
{
    struct item *item = &window->item;

    if (item->len == item->cap) {
        size_t cap = item->cap > 0 ? item->cap * 2 : 64;
        struct item_event *bigger = realloc(item->events, cap * sizeof(*bigger));

        if (bigger == NULL) {
            return false;
        }
        item->events = bigger;
        item->cap = cap;
    }
    if (!event_map_add(&window->map, name, item->len)) {
        return false;
    }
    name->refs++;
    item->events[item->len++] = (struct item_event){.name = name, .tally = *tally};
    return true;
}

/* The debounce rolls with each change, the cap stays. */
static void postpone(const struct window *window, struct window_timer *timer, int64_t now_us)
{
    if (timer->due_us == CLOCK_NEVER) {
        timer->first_us = now_us;
    }
    timer->due_us = clock_earlier(clock_after(now_us, window->limits.debounce_us),
                                  clock_after(timer->first_us, window->limits.max_wait_us));
}

/* NULL: it has none, or a resync stands for it. */
static struct item_event *event_of(const struct window *window, const struct name *name)
{
    size_t place = event_map_find(&window->map, name);

    return place != EVENT_NONE ? &window->item.events[place] : NULL;
}

/* Whether one stands for all changes that join. */
static bool is_resync(const struct window *window)
{
    return window->at_once || window->item.resync == RESYNC_OVERFLOW;
}

/* Whether the last event of the item came after it. */
static bool is_late(const struct item *item, const struct tally *tally)
{
    return item->events != NULL && item->len > 0 &&
           tally->arrival < item->events[item->len - 1].tally.arrival;
}

static bool add_new_event(struct window *window, struct name *name, const struct tally *tally)
{
    struct item *item = &window->item;

    if (item->len >= window->limits.max_pending) {
        forget_events(window);
        item->resync = RESYNC_OVERFLOW;
        return true;
    }
    window->unordered |= is_late(item, tally);
    return add_event(window, name, tally);
}

/* An event that means the whole table has no keys. */
static void drop_if_whole(struct item_event *event)
{
    if (event->tally.whole && event->keys != NULL) {
        item_event_whole(event);
    }
}

/* Adds changes whose transactions have joined. */
static bool add_changes(struct window *window, struct name *name, const struct tally *tally)
{
    struct item_event *event = event_of(window, name);

    if (is_resync(window)) {
        return true;
    }
    if (event == NULL) {
        return add_new_event(window, name, tally);
    }
    window->unordered |= tally->arrival < event->tally.arrival; /* late ones */
    tally_add(&event->tally, tally);
    drop_if_whole(event);
    return true;
}

bool window_change(struct window *window, struct name *name, const struct arriving *arriving)
{
    uint64_t arrival = ++window->arrivals;
    struct tally tally = {0};
    struct item_event *event;

    window->marks |= UNSEEN_OPEN;
    if (!window->at_once) {
        postpone(window, &window->open, arriving->now_us);
    }
    if (is_resync(window)) {
        return true;
    }
    event = event_of(window, name);
    if (event == NULL) {
        add_arriving(&tally, arriving, arrival);
        return add_new_event(window, name, &tally);
    }
    add_arriving(&event->tally, arriving, arrival);
    drop_if_whole(event);
    return true;
}

bool window_event(struct window *window, struct name *name, const struct tally *tally,
                  int64_t now_us)
{
    struct tally arrived = *tally;

    arrived.arrival = ++window->arrivals;
    window->marks |= UNSEEN_OPEN;
    if (!window->at_once) {
        postpone(window, &window->open, now_us);
    }
    return add_changes(window, name, &arrived);
}

void window_hold(struct window *window, bool more)
{
    window->in_transaction = more;
}

/* ---- keys ---- */

bool window_wants_keys(const struct window *window, const struct name *name)
{
    const struct item_event *event = event_of(window, name);

    return event != NULL && !event->tally.whole && window->limits.max_keys > 0;
}

void window_whole(struct window *window, const struct name *name)
{
    struct item_event *event = event_of(window, name);

    if (event != NULL) {
        item_event_whole(event);
    }
}

/* The item's keys rest on it from now on. False: there is no room. */
static bool list_definition(struct window *window, struct name *name, struct definition *definition)
{
    struct item *item = &window->item;

    if (definition->listed_in == window->serial && definition->listed_for == name) {
        return true;
    }
    if (item->definition_len == item->definition_cap) {
        size_t cap = item->definition_cap > 0 ? item->definition_cap * 2 : 16;
        struct item_definition *bigger =
            cap <= CHECKED_MAX ? realloc(item->definitions, cap * sizeof(*bigger)) : NULL;

        if (bigger == NULL) {
            return false;
        }
        item->definitions = bigger;
        item->definition_cap = cap;
    }
    definition->listed_in = window->serial;
    definition->listed_for = name;
    name->refs++;
    item->definitions[item->definition_len++] =
        (struct item_definition){name, definition_hold(definition)};
    return true;
}

/* Readies an event for keys by this definition. False: it can't have them. */
static bool prepare_keys(struct window *window, struct item_event *event,
                         struct definition *definition)
{
    if (event->keys == NULL) {
        event->keys = keyset_new(&window->keys);
        event->definition = event->keys != NULL ? definition_hold(definition) : NULL;
    }
    return event->keys != NULL && strcmp(event->definition->json, definition->json) == 0 &&
           list_definition(window, event->name, definition);
}

/* Beyond the bound, the largest lose their keys. */
static void bound_keys(struct window *window)
{
    struct item *item = &window->item;
    size_t largest = 0;

    while (window->keys.bytes > KEYS_BYTES_MAX) {
        for (size_t i = largest = 0; i < item->len; i++) {
            if (item->events[i].keys != NULL &&
                (item->events[largest].keys == NULL ||
                 keyset_bytes(item->events[i].keys) > keyset_bytes(item->events[largest].keys))) {
                largest = i;
            }
        }
        if (item->len == 0 || item->events[largest].keys == NULL) {
            return; /* the closed item has them all */
        }
        item_event_whole(&item->events[largest]);
    }
}

static bool add_keys(const struct window *window, struct item_event *event,
                     const struct row_keys *keys)
{
    for (size_t i = 0; i < keys->len; i++) {
        if (keyset_add(event->keys, keys->at[i], window->limits.max_keys) != KEYSET_TAKEN) {
            return false;
        }
    }
    return keys->len > 0;
}

void window_keys(struct window *window, struct name *name, struct definition *definition,
                 const struct row_keys *keys)
{
    struct item_event *event = event_of(window, name);

    if (event == NULL || event->tally.whole) {
        return;
    }
    if (!prepare_keys(window, event, definition) || !add_keys(window, event, keys)) {
        item_event_whole(event);
    }
    bound_keys(window);
}

/* Adds the keys of an event that is put back to the one of its name. */
static void put_back_keys(struct window *window, const struct item_event *closed)
{
    struct item_event *event = event_of(window, closed->name);
    struct row_keys keys = {.len = 1};
    size_t at = 0;

    if (closed->keys == NULL) {
        window_whole(window, closed->name);
        return;
    }
    while (event != NULL && !event->tally.whole && keyset_next(closed->keys, &at, &keys.at[0])) {
        window_keys(window, closed->name, closed->definition, &keys);
    }
}

void window_unknown(struct window *window, int64_t now_us)
{
    window->marks |= UNSEEN_UNKNOWN;
    postpone(window, &window->unknown, now_us);
}

void window_other(struct window *window)
{
    window->marks |= UNSEEN_STREAMED;
}

void window_all_known(struct window *window)
{
    unseen_move(window->unseen, UNSEEN_UNKNOWN, 0);
    window->unknown = STOPPED;
    window->marks &= ~(unsigned)UNSEEN_UNKNOWN;
}

/* What is late belongs to COMMITs up to now. */
static void join_late(struct window *window, const struct window_late *late)
{
    if (late->any) {
        unseen_mark_to(window->unseen, late->highest, late->from, UNSEEN_OPEN);
        window->marks |= window->in_transaction ? (unsigned)UNSEEN_OPEN : 0;
    }
    window->newest_lsn =
        window->last_lsn > window->newest_lsn ? window->last_lsn : window->newest_lsn;
}

bool window_late(struct window *window, struct name *name, const struct tally *tally,
                 const struct window_late *late, int64_t now_us)
{
    struct tally whole = *tally;

    join_late(window, late);
    window->item.lsn = window->last_lsn > window->item.lsn ? window->last_lsn : window->item.lsn;
    if (window->open.due_us == CLOCK_NEVER) {
        if (window->unknown.due_us != CLOCK_NEVER) {
            window->open = window->unknown; /* it has waited since it came */
        } else {
            postpone(window, &window->open, now_us);
        }
    }
    whole.whole = true; /* their keys have gone by */
    return add_changes(window, name, &whole);
}

void window_begin(struct window *window, uint32_t xid)
{
    window->in_transaction = true;
    window->xid = xid;
    window->marks = 0;
}

bool window_commit(struct window *window, uint64_t lsn)
{
    unsigned marks = window->marks;
    bool ok;

    window->last_lsn = lsn > window->last_lsn ? lsn : window->last_lsn;
    if ((marks & UNSEEN_OPEN) != 0) {
        window->item.lsn = lsn > window->item.lsn ? lsn : window->item.lsn;
        window->newest_lsn = lsn > window->newest_lsn ? lsn : window->newest_lsn;
    }
    ok = marks == 0 || !window->in_transaction ||
         unseen_add(window->unseen, window->xid, marks | UNSEEN_STREAMED);
    window->in_transaction = false;
    window->marks = 0;
    return ok;
}

void window_resync(struct window *window, enum resync reason, int64_t now_us)
{
    int64_t due_us = now_us > window->next_resync_us ? now_us : window->next_resync_us;

    forget_events(window);
    if (window->item.resync == RESYNC_NONE) {
        window->item.resync = reason;
    }
    if (!window->at_once) {
        window->at_once = true;
        window->open = (struct window_timer){due_us, due_us};
        window->next_resync_us = clock_after(due_us, window->limits.debounce_us);
    }
}

void window_resync_from(struct window *window, enum resync reason, int64_t now_us)
{
    window_resync(window, reason, now_us);
    window->marks |= UNSEEN_OPEN;
}

void window_resync_late(struct window *window, enum resync reason, const struct window_late *late,
                        int64_t now_us)
{
    join_late(window, late);
    window_resync(window, reason, now_us);
}

bool window_waits(const struct window *window)
{
    return unseen_any(window->unseen, UNSEEN_OPEN) || (window->marks & UNSEEN_OPEN) != 0;
}

int64_t window_deadline(const struct window *window)
{
    return window->in_transaction ? CLOCK_NEVER : window->open.due_us;
}

int64_t window_lookup_deadline(const struct window *window)
{
    return window->open.due_us != CLOCK_NEVER ? window->open.due_us : window->unknown.due_us;
}

static int by_arrival(const void *a, const void *b)
{
    uint64_t x = ((const struct item_event *)a)->tally.arrival;
    uint64_t y = ((const struct item_event *)b)->tally.arrival;

    return (x > y) - (x < y);
}

void window_close(struct window *window, struct item *closed)
{
    struct item empty = *closed;

    event_map_clear(&window->map);
    if (window->unordered) {
        qsort(window->item.events, window->item.len, sizeof(*window->item.events), by_arrival);
    }
    *closed = window->item;
    if (closed->resync != RESYNC_NONE || closed->lsn == 0) {
        closed->lsn = window->newest_lsn;
    }
    unseen_move(window->unseen, UNSEEN_OPEN, UNSEEN_CLOSED);
    window->item = empty; /* its memory serves again */
    window->serial++;
    window->at_once = window->unordered = false;
    window->open = STOPPED;
}

bool window_put_back(struct window *window, const struct item *closed, int64_t now_us)
{
    struct item *item = &window->item;

    item->lsn = closed->lsn > item->lsn ? closed->lsn : item->lsn;
    if (closed->resync != RESYNC_NONE) {
        item->resync = RESYNC_NONE; /* the first one's reason */
        window_resync(window, closed->resync, now_us);
        return true;
    }
    window->open = (struct window_timer){now_us, now_us};
    for (size_t i = 0; i < closed->len; i++) {
        const struct item_event *event = &closed->events[i];

        if (!add_changes(window, event->name, &event->tally)) {
            return false;
        }
        put_back_keys(window, event);
    }
    for (size_t i = 0; i < closed->definition_len; i++) {
        const struct item_definition *listed = &closed->definitions[i];

        if (!list_definition(window, listed->name, listed->definition)) {
            window_whole(window, listed->name);
        }
    }
    return true;
}

void window_clear(struct window *window)
{
    forget_events(window);
    item_clear(&window->item);
    unseen_move(window->unseen, UNSEEN_OPEN | UNSEEN_UNKNOWN, 0);
    window->at_once = false;
    window->open = window->unknown = STOPPED;
    window->marks = 0;
}

void window_free(struct window *window)
{
    event_map_free(&window->map);
    item_free(&window->item);
}
