/* What the tests of windows and items write again and again. */
#ifndef PGNUDGE_TESTS_ARRIVE_H
#define PGNUDGE_TESTS_ARRIVE_H

#include "batch/item.h"
#include "batch/window.h"

/* One row has been inserted. */
#define INSERT_AT(now, wall)                                                                       \
    (&(struct arriving){                                                                           \
        .operation = OPERATION_INSERT, .count = 1, .now_us = (now), .wall_us = (wall)})

#define STYLE(how) (&(struct item_style){.format = (how)})

#endif
