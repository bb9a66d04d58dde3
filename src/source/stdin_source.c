#include "source/stdin_source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/line_source.h"

#define READ_MAX ((size_t)64 * 1024) /* bytes in a turn */

/* `line` has the front of one whose end is still to come; while `skipping`, nothing of it. */
struct stdin_source {
    struct source source;
    struct line_sink sink;
    bool live;
    bool skipping; /* the line is too long */
    uint64_t received;
    struct buffer line;
};

static struct stdin_source *input(struct source *source)
{
    return (struct stdin_source *)source;
}

static const struct stdin_source *const_input(const struct source *source)
{
    return (const struct stdin_source *)source;
}

/* ---- lines ---- */

static bool hand_on(struct stdin_source *self, struct slice line, struct error *error)
{
    if (line.len > 0 && line.data[line.len - 1] == '\r') {
        line.len--;
    }
    return line.len == 0 || line.data[0] != '{' || self->sink.line(self->sink.context, line, error);
}

/* The line ends with `piece`. */
static bool end_line(struct stdin_source *self, struct slice piece, struct error *error)
{
    struct buffer *line = &self->line;
    bool ok;

    if (self->skipping) {
        self->skipping = false;
        return true;
    }
    if (line->len == 0) {
        return hand_on(self, piece, error);
    }
    buffer_append(line, piece.data, piece.len);
    ok = line->failed ? error_memory(error)
                      : hand_on(self, (struct slice){line->data, line->len}, error);
    buffer_clear(line);
    return ok;
}

/* More of the line is to come. */
static bool keep(struct stdin_source *self, struct slice piece, struct error *error)
{
    if (self->skipping) {
        return true;
    }
    if (self->line.len + piece.len > STDIN_LINE_MAX) {
        self->skipping = true;
        buffer_free(&self->line);
        self->sink.missed(self->sink.context);
        return true;
    }
    buffer_append(&self->line, piece.data, piece.len);
    return !self->line.failed || error_memory(error);
}

static bool take(struct stdin_source *self, struct slice data, struct error *error)
{
    const char *end;

    while (data.len > 0 && (end = memchr(data.data, '\n', data.len)) != NULL) {
        struct slice piece = {data.data, (size_t)(end - data.data)};

        if (!end_line(self, piece, error)) {
            return false;
        }
        data.data += piece.len + 1;
        data.len -= piece.len + 1;
    }
    return data.len == 0 || keep(self, data, error);
}

/* ---- its turns ---- */

static enum source_event step(struct source *source, bool ready, int64_t now_us,
                              struct error *error)
{
    struct stdin_source *self = input(source);
    char data[READ_MAX];
    ssize_t len;

    (void)now_us;
    if (!self->live) {
        self->live = true;
        return SOURCE_LIVE;
    }
    if (!ready) {
        return SOURCE_NOTHING;
    }
    len = read(STDIN_FILENO, data, sizeof(data));
    if (len > 0) {
        self->received += (uint64_t)len;
        return take(self, (struct slice){data, (size_t)len}, error) ? SOURCE_NOTHING : SOURCE_LOST;
    }
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return SOURCE_NOTHING;
    }
    if (len == 0) {
        error_set(error, ERROR_FATAL, "standard input has ended");
    } else {
        error_set(error, ERROR_FATAL, "could not read standard input: %s", strerror(errno));
    }
    return SOURCE_LOST;
}

static void pollfds(struct source *source, struct pollfd entries[SOURCE_FDS])
{
    (void)source;
    entries[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
}

static int64_t deadline(const struct source *source)
{
    return const_input(source)->live ? CLOCK_NEVER : 0;
}

static uint64_t received(const struct source *source)
{
    return const_input(source)->received;
}

static void stdin_source_free(struct source *source)
{
    buffer_free(&input(source)->line);
    free(source);
}

struct source *stdin_source_new(const struct line_sink *sink)
{
    static const struct source_ops ops = {
        step,     pollfds,          deadline,         line_source_acknowledge, line_source_position,
        received, line_source_stop, stdin_source_free};
    struct stdin_source *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        return NULL;
    }
    self->source.ops = &ops;
    self->source.facts.slot_since_us = CLOCK_NEVER;
    self->source.facts.place = "standard input";
    self->sink = *sink;
    return (struct source *)self; /* gcc's analyzer takes &self->source for a leak */
}
