/*
 * Keeps the tree that verdicts rest on in step with the server's catalog: one
 * cheap comparison at most once a second while changes flow, at once for a
 * table that is met for the first time; the whole of it only when it has moved.
 */
#ifndef PGNUDGE_FEED_CATALOG_H
#define PGNUDGE_FEED_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buffer.h"
#include "base/encoding.h"
#include "feed/names.h"
#include "feed/pushdown.h"
#include "feed/window.h"
#include "feed/xids.h"
#include "pq/query.h"

#define FINGERPRINT_MAX 96 /* bytes, NUL included */

enum catalog_state {
    CATALOG_IDLE,
    CATALOG_COMPARING, /* the fingerprint has been asked for */
    CATALOG_LOADING,   /* the tree has */
    CATALOG_FILTERING  /* … whether what is filtered in the server may still be */
};

enum catalog_event {
    CATALOG_FINE,
    CATALOG_REFILTER, /* the stream must begin anew, with other filters in the server */
    CATALOG_FAILED    /* out of memory, or the tree is too large: too_large */
};

struct catalog {
    struct names *names; /* borrowed */
    struct window *window;
    struct encoding *encoding; /* of this connection, borrowed */
    enum catalog_state state;
    struct tree *coming;
    char fingerprint[FINGERPRINT_MAX];        /* of the tree in use */
    char coming_fingerprint[FINGERPRINT_MAX]; /* the newest one */
    struct spelling *asked[CATALOG_ASKED_MAX];
    size_t asked_count;
    const struct pushdown *pushdown; /* what is filtered in the server, borrowed; NULL: nothing */
    struct pushdown recheck;
    struct xids ended;  /* transactions that may have changed what the filters rest on */
    int64_t compare_us; /* no comparison before that, but for unknown tables */
    int64_t recheck_us;
    int64_t retry_us; /* nothing is asked before that: a failure, or nothing new to be seen */
    int64_t again_us; /* the delay after the latter; doubles */
    bool too_large;
};

/* A new connection: begins with CATALOG_LOADING. False: out of memory. */
bool catalog_start(struct catalog *catalog, struct encoding *encoding, int64_t now_us);

/* When it has a question to ask; CLOCK_NEVER: none. */
int64_t catalog_deadline(const struct catalog *catalog);

/* Appends the question; goes from IDLE to what is asked for. */
void catalog_question(struct catalog *catalog, struct buffer *sql);

/* Takes its rows; `context` is the struct catalog. */
query_row_fn catalog_row;

/*
 * The question has been answered; `sight` is what was visible before it was
 * asked, NULL where nobody asks. If then not IDLE, there is a further question.
 */
enum catalog_event catalog_answered(struct catalog *catalog, const struct snapshot *sight,
                                    int64_t now_us);

/* It could not be: it is asked again, later. */
void catalog_not_answered(struct catalog *catalog, int64_t now_us);

/* A transaction has come: it may have done DDL. False: out of memory. */
bool catalog_ended(struct catalog *catalog, uint32_t xid);

/* The connection is gone. */
void catalog_stop(struct catalog *catalog);

void catalog_free(struct catalog *catalog);

/* What CATALOG_FAILED means. Returns false. */
bool catalog_error(const struct catalog *catalog, struct error *error);

#endif
