#include "out/line_out.h"

#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"

#define LINE_GRACE_US (1 * CLOCK_S)

struct line_out {
    struct out out;
    struct output output;
    struct item_style style;
    bool has_room; /* poll said so in this turn, and nothing has been written since */
};

static struct line_out *lines(struct out *out)
{
    return (struct line_out *)out;
}

static const struct line_out *const_lines(const struct out *out)
{
    return (const struct line_out *)out;
}

static bool can_take(struct out *out)
{
    struct output *output = &lines(out)->output;
    struct pollfd entry = {.fd = output->fd, .events = output_events(output)};

    if (output_busy(output)) {
        return false;
    }
    if (!lines(out)->has_room && poll(&entry, 1, 0) == 1) {
        lines(out)->has_room = (entry.revents & POLLOUT) != 0;
    }
    return lines(out)->has_room || output->held_up;
}

static void begin(struct out *out, const struct item *item)
{
    item_write(output_line(&lines(out)->output), item, &lines(out)->style);
}

static bool busy(const struct out *out)
{
    return output_busy(&const_lines(out)->output);
}

static enum out_event event_of(enum output_result result)
{
    return result == OUTPUT_GONE ? OUT_GONE : OUT_BROKEN;
}

/* The reader is gone, or nothing can be written: the line that has begun never ends. */
static enum out_event over(struct output *output, enum output_result result)
{
    output_line(output);
    return event_of(result);
}

static enum out_event step(struct out *out, short revents, int64_t now_us, struct error *error)
{
    struct line_out *self = lines(out);
    struct output *output = &self->output;
    enum output_result result = output_check(output, revents);

    (void)now_us;
    if (result != OUTPUT_OK) {
        return over(output, result);
    }
    self->has_room |= (revents & POLLOUT) != 0;
    if (!output_busy(output) || (!self->has_room && !output->held_up)) {
        return OUT_NOTHING;
    }
    self->has_room = false;
    output->held_up = false;
    result = output_write(output, error);
    if (result != OUTPUT_OK) {
        return over(output, result);
    }
    return output_busy(output) ? OUT_NOTHING : OUT_DONE;
}

static struct pollfd pollfd(const struct out *out, bool wanted)
{
    const struct output *output = &const_lines(out)->output;
    struct pollfd entry = {.fd = output->fd};

    if (wanted || output_busy(output)) {
        entry.events = output_events(output);
    } else if (output->kind == OUTPUT_FILE) { /* a file has no reader to lose */
        entry.fd = -1;
    }
    return entry;
}

static int64_t deadline(const struct out *out, bool wanted, int64_t now_us)
{
    (void)wanted;
    return output_deadline(&const_lines(out)->output, now_us);
}

static int64_t stop(struct out *out)
{
    (void)out;
    return LINE_GRACE_US;
}

static void line_out_free(struct out *out)
{
    output_close(&lines(out)->output);
    free(out);
}

struct out *line_out_new(const struct item_style *style, enum output_result *result,
                         struct error *error)
{
    static const struct out_ops ops = {can_take, begin,    busy, step,
                                       pollfd,   deadline, stop, line_out_free};
    struct line_out *self = calloc(1, sizeof(*self));

    *result = OUTPUT_FAILED;
    if (self == NULL) {
        error_memory(error);
        return NULL;
    }
    self->out.ops = &ops;
    self->style = *style;
    *result = output_open(&self->output, error);
    if (*result != OUTPUT_OK) {
        line_out_free(&self->out);
        return NULL;
    }
    return &self->out;
}
