#include <stdio.h>
#include <string.h>

#include "model.h"

/* A table as it is for a new snapshot: a count and a sum, or that it isn't there. */
static void fetch(struct follower *follower, size_t i, char copy[64])
{
    const char *name = follower->names[i];

    if (!ask(follower->conn, copy, 64,
             "SELECT count(*) || ' ' || coalesce(sum(hashtext(t::text)::bigint), 0) FROM %s t",
             name)) {
        snprintf(copy, 64, "absent");
    }
}

static bool is_named(const char *line, const char *name, unsigned long long *count)
{
    char payload[80];
    const char *at, *counted;

    snprintf(payload, sizeof(payload), "\"payload\":\"%s\"", name);
    at = strstr(line, payload);
    counted = at != NULL ? strstr(at, "\"count\":") : NULL;
    return counted != NULL && sscanf(counted, "\"count\":%llu", count) == 1;
}

/* Rows that a line counts can be seen when it comes. */
static void check_journal(struct follower *follower, unsigned long long count)
{
    char seen[32];
    unsigned long long rows;

    follower->journal_told += count;
    if (ask(follower->conn, seen, sizeof(seen), "SELECT count(*) FROM m.j") &&
        sscanf(seen, "%llu", &rows) == 1 && rows < follower->journal_told) {
        fail("too early: %llu rows of m.j have been counted, %llu can be seen",
             (unsigned long long)follower->journal_told, rows);
    }
}

static void take_batch(struct follower *follower, const char *line)
{
    size_t named = 0, payloads = 0;
    unsigned long long count;

    for (size_t i = 0; i < follower->count; i++) {
        if (is_named(line, follower->names[i], &count)) {
            named++;
            fetch(follower, i, follower->copy[i]);
            if (strcmp(follower->names[i], "m.j") == 0) {
                check_journal(follower, count);
            }
        }
    }
    for (const char *at = line; (at = strstr(at, "\"payload\":")) != NULL; at++) {
        payloads++;
    }
    if (follower->keyed) {
        keyed_take(follower->conn, line);
    } else if (named != payloads) {
        fail("a payload that nobody watches");
    }
}

void follower_take(struct follower *follower, const char *line)
{
    snprintf(follower->history[follower->lines++ % HISTORY], TEXT_MAX, "%s", line);
    if (strncmp(line, "{\"type\":\"resync\"", 16) == 0) {
        follower->live = true;
        follower->resyncs++;
        follower->journal_told = 0;
        for (size_t i = 0; i < follower->count; i++) {
            fetch(follower, i, follower->copy[i]);
        }
        if (follower->keyed) {
            keyed_take(follower->conn, line);
        }
    } else if (strncmp(line, "{\"type\":\"batch\"", 15) == 0) {
        take_batch(follower, line);
    } else {
        fail("no item: %s", line);
    }
}

bool follower_is_right(struct follower *follower, char wrong[TEXT_MAX])
{
    for (size_t i = 0; i < follower->count; i++) {
        char now[64];

        fetch(follower, i, now);
        if (strcmp(now, follower->copy[i]) != 0) {
            snprintf(wrong, TEXT_MAX, "%s is \"%s\", the copy has \"%s\"", follower->names[i], now,
                     follower->copy[i]);
            return false;
        }
    }
    return !follower->keyed || keyed_is_right(follower->conn, wrong);
}
