/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a hash of a secret key, for hash
 * tables whose keys a stranger chooses. Not OpenSSL's: that one takes a context
 * from the heap for each hash, and this is called for most changes.
 */
#ifndef PGNUDGE_BASE_SIPHASH_H
#define PGNUDGE_BASE_SIPHASH_H

#include <stdint.h>

#include "base/text.h"

uint64_t siphash(const uint64_t key[2], struct slice bytes);

#endif
