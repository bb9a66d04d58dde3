#include "repl/timeline.h"

#include <string.h>

#include "wire/lsn.h"

/* Up to a blank, a tab or the end. */
static struct slice next_word(struct slice *line)
{
    struct slice word = {line->data, 0};

    while (word.len < line->len && strchr(" \t", line->data[word.len]) == NULL) {
        word.len++;
    }
    line->data += word.len;
    line->len -= word.len;
    while (line->len > 0 && strchr(" \t", line->data[0]) != NULL) {
        line->data++;
        line->len--;
    }
    return word;
}

static struct slice next_line(struct slice *content)
{
    const char *end = memchr(content->data, '\n', content->len);
    struct slice line = {content->data, end != NULL ? (size_t)(end - content->data) : content->len};
    size_t used = line.len + (end != NULL ? 1 : 0);

    content->data += used;
    content->len -= used;
    return line;
}

/* "1<tab>0/3000148<tab>reason"; empty lines and comments are skipped. */
static bool take_line(struct timeline *timeline, struct slice line)
{
    uint64_t id, end;

    if (line.len == 0 || line.data[0] == '#') {
        return true;
    }
    if (timeline->len == TIMELINES_MAX || !slice_number(next_word(&line), &id) || id > UINT32_MAX ||
        !lsn_read(next_word(&line), &end)) {
        return false;
    }
    timeline->ancestors[timeline->len].id = (uint32_t)id;
    timeline->ancestors[timeline->len++].end = end;
    return true;
}

bool timeline_read(struct timeline *timeline, uint32_t id, struct slice content)
{
    timeline->id = id;
    timeline->len = 0;
    while (content.len > 0) {
        if (!take_line(timeline, next_line(&content))) {
            timeline->id = 0;
            return false;
        }
    }
    return true;
}

static uint32_t id_at(const struct timeline *timeline, size_t i)
{
    return i < timeline->len ? timeline->ancestors[i].id : timeline->id;
}

static uint64_t end_at(const struct timeline *timeline, size_t i)
{
    return i < timeline->len ? timeline->ancestors[i].end : UINT64_MAX;
}

uint64_t timeline_common(const struct timeline *a, const struct timeline *b)
{
    uint64_t common = 0;

    if (a->id == 0 || b->id == 0) {
        return 0;
    }
    for (size_t i = 0; i <= a->len && i <= b->len && id_at(a, i) == id_at(b, i); i++) {
        uint64_t x = end_at(a, i), y = end_at(b, i);

        common = x < y ? x : y;
        if (x != y) {
            break;
        }
    }
    return common;
}
