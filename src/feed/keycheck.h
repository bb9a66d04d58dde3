/*
 * Whether what the closed item's keys rest on has changed since it was read: asked of a snapshot
 * that sees all of the item's transactions. Where it has, the keys are dropped.
 */
#ifndef PGNUDGE_FEED_KEYCHECK_H
#define PGNUDGE_FEED_KEYCHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "feed/delivery.h"
#include "pq/query.h"

struct keycheck {
    struct delivery *delivery; /* borrowed */
    bool asked;
    uint64_t about;         /* ASKED: the number of the closed item */
    bool same[CHECKED_MAX]; /* ASKED: of its definitions */
};

/* A new connection. */
void keycheck_start(struct keycheck *check);

/* Whether it is to be asked now. */
bool keycheck_due(const struct keycheck *check);

/* Appends the question. */
void keycheck_question(struct keycheck *check, struct buffer *sql);

/* Takes its rows; `context` is the struct keycheck. */
query_row_fn keycheck_row;

/* All rows are there; `visible` knows the visibility that was taken right before them. */
void keycheck_answered(struct keycheck *check);

/* The server refused it: the item goes without keys. */
void keycheck_refused(struct keycheck *check);

/* The connection is lost: an item that is visible doesn't wait for the next one. */
void keycheck_lost(struct keycheck *check);

#endif
