#include "bridge/follower.h"

#include <stdbool.h>
#include <string.h>

/* Whether `next` comes right behind `last`. */
static bool follows(const struct line_place *last, const struct line_place *next)
{
    if (last->part < last->parts) {
        return next->seq == last->seq && next->part == last->part + 1 && next->parts == last->parts;
    }
    return next->seq == last->seq + 1 && next->part == 1;
}

static bool is_repeated(const struct line_place *last, const struct line_place *next)
{
    return next->seq < last->seq || (next->seq == last->seq && next->part <= last->part);
}

enum follow follower_take(struct follower *follower, const struct line_place *place)
{
    struct line_place last = follower->at;

    if (last.session[0] == '\0') {
        follower->at = *place;
        return FOLLOW_FIRST;
    }
    if (strcmp(last.session, place->session) != 0) {
        follower->at = *place;
        return FOLLOW_SESSION;
    }
    if (is_repeated(&last, place)) {
        return FOLLOW_REPEATED;
    }
    follower->at = *place;
    return follows(&last, place) ? FOLLOW_NEXT : FOLLOW_MISSED;
}
