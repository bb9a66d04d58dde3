/*
 * A hash table from byte strings to pointers, open addressing. The keys are
 * borrowed: they must live, unchanged, as long as their entry. Whoever chooses
 * the keys (any SQL user does) can't have them collide: each table hashes by a
 * random key of its own.
 */
#ifndef PGNUDGE_BASE_HASHMAP_H
#define PGNUDGE_BASE_HASHMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct hashmap_slot {
    struct slice key;
    uint64_t hash;
    void *value; /* NULL: the slot is free */
};

struct hashmap {
    struct hashmap_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t len;
    uint64_t key[2]; /* of the hash; set with the first slots */
};

/* The value under `key`, or NULL. */
void *hashmap_get(const struct hashmap *map, struct slice key);

/* Adds a key that is not there yet. False: out of memory (or of random bytes), nothing changed. */
bool hashmap_add(struct hashmap *map, struct slice key, void *value);

/* Takes out the entry under `key`, and returns its value; NULL: there is none. */
void *hashmap_remove(struct hashmap *map, struct slice key);

/*
 * Takes out the entry in slot `i`. Entries behind it may move up, one of them
 * into slot `i` itself.
 */
void hashmap_remove_at(struct hashmap *map, size_t i);

/* Forgets all entries and frees the table, not the keys and values. */
void hashmap_free(struct hashmap *map);

#endif
