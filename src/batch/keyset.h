/*
 * The keys of one event: distinct, in the order in which they came. A key is
 * the text of its parts, each with a NUL behind it, which PostgreSQL's text
 * cannot have.
 */
#ifndef PGNUDGE_BATCH_KEYSET_H
#define PGNUDGE_BATCH_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

/* What all keysets have in common; all zero at first. */
struct keyset_pool {
    uint64_t hash_key[2]; /* whoever writes rows chooses the keys: see siphash.h */
    bool has_hash_key;
    size_t bytes; /* that all of them hold */
};

struct keyset_slot {
    uint32_t hash;
    uint32_t place; /* 1 + that of the key in `text`; 0: the slot is free */
};

struct keyset {
    struct keyset_pool *pool;  /* borrowed */
    struct buffer text;        /* of each key: its length (16 bits) and its bytes */
    struct keyset_slot *slots; /* a hash table */
    size_t cap;                /* a power of two, or 0 */
    size_t len;
    size_t newest; /* its place in `text` */
};

/* `pool` is borrowed. NULL: out of memory, or of random bytes. */
struct keyset *keyset_new(struct keyset_pool *pool);

enum keyset_result {
    KEYSET_TAKEN,
    KEYSET_FULL /* it would be more than `max` */,
    KEYSET_NO_MEMORY
};

/* Adds a key of at most 65 535 bytes, unless it is there already. */
enum keyset_result keyset_add(struct keyset *keys, struct slice key, size_t max);

/* Takes the next key, borrowed; `*at` is 0 for the first one. False: there are no more. */
bool keyset_next(const struct keyset *keys, size_t *at, struct slice *key);

/* The bytes that it holds. */
size_t keyset_bytes(const struct keyset *keys);

/* NULL is fine. */
void keyset_free(struct keyset *keys);

#endif
