#include "source/held_lines.h"

#define HEADER (2 * sizeof(uint32_t))

bool held_lines_any(const struct held_lines *held)
{
    return held->text.len > 0;
}

bool held_lines_add(struct held_lines *held, uint32_t pid, struct slice line)
{
    uint32_t header[2] = {pid, (uint32_t)line.len};
    bool fits = held->text.len + HEADER + line.len <= HELD_LINES_MAX;

    if (fits) {
        buffer_append(&held->text, header, sizeof(header));
        buffer_append(&held->text, line.data, line.len);
    }
    if (!fits || held->text.failed) {
        buffer_clear(&held->text);
        held->asked = 0;
        return false;
    }
    return true;
}

void held_lines_asked(struct held_lines *held)
{
    held->asked = held->text.len;
}

bool held_lines_next(struct held_lines *held, size_t *at, uint32_t *pid, struct slice *line)
{
    uint32_t header[2];

    if (*at >= held->asked) {
        return false;
    }
    memcpy(header, held->text.data + *at, sizeof(header));
    *pid = header[0];
    *line = (struct slice){held->text.data + *at + HEADER, header[1]};
    *at += HEADER + line->len;
    return true;
}

void held_lines_answered(struct held_lines *held)
{
    buffer_consume(&held->text, held->asked);
    held->asked = 0;
}

void held_lines_free(struct held_lines *held)
{
    buffer_free(&held->text);
}
