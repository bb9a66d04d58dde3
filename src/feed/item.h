/* Items as lines of JSON. */
#ifndef PGNUDGE_FEED_ITEM_H
#define PGNUDGE_FEED_ITEM_H

#include "base/buffer.h"
#include "base/text.h"
#include "feed/window.h"

/* Appends `"payload":"s.t","schema":"s","table":"t"`, escaped; bytes that are not UTF-8 become
 * U+FFFD. */
void item_name(struct buffer *out, struct slice schema, struct slice table);

/* Appends the window's whole line. */
void item_line(struct buffer *out, const struct window *window);

#endif
