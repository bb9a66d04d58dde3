#include "catalog/touched.h"

void part_extend(struct part *part, uint32_t xid, uint64_t commits)
{
    part->commits = part->any && part->commits < commits ? part->commits : commits;
    if (!part->any) {
        part->any = true;
        part->lowest = part->highest = xid;
    } else if (xid_precedes(part->highest, xid)) {
        part->highest = xid;
    } else if (xid_precedes(xid, part->lowest)) {
        part->lowest = xid;
    }
}

void part_add(struct part *part, const struct part *more)
{
    tally_add(&part->tally, &more->tally);
    if (more->any) {
        part_extend(part, more->lowest, more->commits);
        part_extend(part, more->highest, more->commits);
    }
}

void touched_put(struct touched *touched, enum touched_queue queue, struct table_ref *ref)
{
    ref->state = REF_WAITING;
    ref->next = NULL;
    if (touched->queues[queue].first == NULL) {
        touched->queues[queue].first = ref;
    } else {
        touched->queues[queue].last->next = ref;
    }
    touched->queues[queue].last = ref;
    touched->queues[queue].len++;
}

void touched_add(struct touched *touched, struct table_ref *ref, struct window *window,
                 const struct arriving *arriving, uint64_t commits)
{
    if (ref->state == REF_AT_REST) {
        touched_put(touched, ref->known ? TOUCHED_KNOWN : TOUCHED_UNKNOWN, ref);
    }
    window_tally(window, &ref->since.tally, arriving);
    if (window->in_transaction) {
        part_extend(&ref->since, window->xid, commits);
    }
}

size_t touched_take(struct touched *touched, enum touched_queue queue, struct table_ref **asked,
                    size_t max)
{
    size_t count = 0;

    while (count < max && touched->queues[queue].first != NULL) {
        struct table_ref *ref = touched->queues[queue].first;

        touched->queues[queue].first = ref->next;
        touched->queues[queue].len--;
        ref->next = NULL;
        ref->state = REF_ASKED;
        part_add(&ref->asked, &ref->since);
        ref->since = (struct part){0};
        asked[count++] = ref;
    }
    return count;
}

void touched_rest(struct table_ref *ref)
{
    ref->state = REF_AT_REST;
    ref->next = NULL;
    ref->asked = ref->since = (struct part){0};
}

void touched_confirm(struct touched *touched, struct table_ref *ref)
{
    struct part since = ref->since;

    touched_rest(ref);
    if (since.tally.count > 0) {
        touched_put(touched, ref->known ? TOUCHED_KNOWN : TOUCHED_UNKNOWN, ref);
        ref->since = since;
    }
}

bool touched_any(const struct touched *touched, enum touched_queue queue)
{
    return touched->queues[queue].first != NULL;
}

void touched_drop(struct touched *touched)
{
    for (int queue = 0; queue < TOUCHED_QUEUES; queue++) {
        struct table_ref *ref = touched->queues[queue].first;

        while (ref != NULL) {
            struct table_ref *next = ref->next;

            touched_rest(ref);
            ref = next;
        }
        touched->queues[queue].first = touched->queues[queue].last = NULL;
        touched->queues[queue].len = 0;
    }
}
