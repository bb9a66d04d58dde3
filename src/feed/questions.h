/*
 * What is asked on the visibility connection beside the visibility: about tables
 * that have changed, whether keys may be printed, what keeps the slot from being created, and whether the
 * server still lives while it creates it.
 */
#ifndef PGNUDGE_FEED_QUESTIONS_H
#define PGNUDGE_FEED_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "catalog/catalog.h"
#include "feed/keycheck.h"
#include "source/source.h"
#include "visible/visconn.h"

struct questions {
    const struct log *log; /* borrowed, as are the next two */
    struct catalog *catalog;
    struct visconn *visconn;
    struct keycheck keycheck;
    const struct publications *published; /* as the stream began, borrowed; NULL: none are used */
    struct publications publications;     /* as they are now */
    int64_t publications_us;              /* when to look again */
    int64_t liveness_us;
    int64_t interval_us;   /* between two looks at the publications */
    bool visibility_check; /* it shows whether the server lives, so that needs no question */
    bool slotwait_asked;   /* of this connection */
    bool life_asked;       /* it is under way, as is the next */
    bool catalog_asked;
};

/* A new connection. */
void questions_start(struct questions *questions, struct visconn *visconn);

/* The stream is live. */
void questions_live(struct questions *questions, const struct source_facts *facts, int64_t now_us);

/* Asks what is due. */
void questions_ask(struct questions *questions, const struct source_facts *facts, bool live,
                   int64_t now_us);

/* When that is. */
int64_t questions_due(const struct questions *questions, const struct source_facts *facts,
                      bool live);

#endif
