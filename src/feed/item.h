/* Items as lines of JSON. */
#ifndef PGNUDGE_FEED_ITEM_H
#define PGNUDGE_FEED_ITEM_H

#include "base/buffer.h"
#include "feed/window.h"

/* Appends the window's whole line. */
void item_line(struct buffer *out, const struct window *window);

#endif
