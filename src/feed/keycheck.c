#include "feed/keycheck.h"

#include <string.h>

#include "catalog/definitions.h"

void keycheck_start(struct keycheck *check)
{
    check->asked = false;
}

static bool waits(const struct delivery *delivery)
{
    return delivery->has_closed && !delivery->is_with_out && !delivery->keys_hold;
}

/* Not yet visible, the first question goes along with the visibility's, which then may show it. */
bool keycheck_due(const struct keycheck *check)
{
    const struct delivery *delivery = check->delivery;

    return waits(delivery) && !check->asked &&
           (check->about != delivery->closings || delivery_is_visible_here(delivery));
}

static const struct definition *definition_at(void *context, size_t n)
{
    return ((const struct item *)context)->definitions[n].definition;
}

void keycheck_question(struct keycheck *check, struct buffer *sql)
{
    struct item *item = &check->delivery->closed;

    check->asked = true;
    check->about = check->delivery->closings;
    memset(check->same, 0, sizeof(check->same));
    definitions_query(sql, definition_at, item, item->definition_len);
}

bool keycheck_row(void *context, struct query_row *row)
{
    struct keycheck *check = context;
    const struct delivery *delivery = check->delivery;
    const struct definition *definition;
    struct slice fingerprint;
    size_t number;

    if (!definitions_read(row, &number, &fingerprint)) {
        return false;
    }
    if (check->about != delivery->closings || !waits(delivery) || fingerprint.data == NULL ||
        number >= delivery->closed.definition_len) {
        return true; /* the item has been dropped meanwhile, or it is about a column */
    }
    definition = delivery->closed.definitions[number].definition;
    check->same[number] =
        slice_equal(fingerprint, (struct slice){definition->fingerprint, FINGERPRINT_LEN});
    return true;
}

/* Drops the keys that rest on what has changed; what they rested on is to be read anew. */
static void drop_changed(struct keycheck *check)
{
    struct item *item = &check->delivery->closed;

    for (size_t i = 0; i < item->definition_len; i++) {
        if (!check->same[i]) {
            item->definitions[i].definition->state = DEFINITION_CHANGED;
            item_drop_keys_of(item, item->definitions[i].name);
        }
    }
}

void keycheck_answered(struct keycheck *check)
{
    struct delivery *delivery = check->delivery;

    check->asked = false;
    if (check->about == delivery->closings && waits(delivery)) {
        drop_changed(check);
        delivery->keys_hold = delivery_is_visible_here(delivery);
    }
}

void keycheck_refused(struct keycheck *check)
{
    struct delivery *delivery = check->delivery;

    check->asked = false;
    if (waits(delivery)) {
        item_drop_keys(&delivery->closed);
        delivery->keys_hold = true;
    }
}

void keycheck_lost(struct keycheck *check)
{
    if (waits(check->delivery) && delivery_is_visible_here(check->delivery)) {
        keycheck_refused(check);
    }
    check->asked = false;
}
