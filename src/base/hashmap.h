/*
 * A hash table from byte strings to pointers, open addressing. The keys are
 * borrowed: they must live, unchanged, as long as their entry.
 */
#ifndef PGNUDGE_BASE_HASHMAP_H
#define PGNUDGE_BASE_HASHMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct hashmap_slot {
    struct slice key;
    size_t hash;
    void *value; /* NULL: the slot is free */
};

struct hashmap {
    struct hashmap_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t len;
};

/* The value under `key`, or NULL. */
void *hashmap_get(const struct hashmap *map, struct slice key);

/* Adds a key that is not there yet. False: out of memory, nothing changed. */
bool hashmap_add(struct hashmap *map, struct slice key, void *value);

/* Forgets all entries and frees the table, not the keys and values. */
void hashmap_free(struct hashmap *map);

#endif
