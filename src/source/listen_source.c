/*
 * 1. `listener` is the connection's: it is called from within probe_step.
 * 2. Lines are held while one is: what comes later must not overtake it.
 */
#include "source/listen_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bridge/channel.h"
#include "conninfo/conncheck.h"
#include "server/probe.h"
#include "source/held_lines.h"
#include "source/line_source.h"

#define SEEK_INTERVAL_US                                                                           \
    (200 * CLOCK_MS)                   /* between questions for a publisher while there is none */
#define NONE_REPORTED_US (1 * CLOCK_S) /* without one, after which that is said */
#define PLACE_MAX        512

enum listen_state {
    LISTEN_CONNECTING,
    LISTEN_SUBSCRIBING,
    LISTEN_SEEKING, /* it listens; a publisher is looked for */
    LISTEN_LIVE
};

struct listen_source {
    struct source source;
    struct listen_setup setup;
    enum listen_state state;
    struct probe *probe;
    struct conn_listener listener;
    struct buffer sql;
    struct held_lines held;
    struct channel_holder holder;
    struct channel_holder coming; /* of the question under way */
    char role[64];                /* of the first publisher */
    uint32_t former;              /* process that published before; its last lines come late */
    bool asking;
    int64_t ask_us;     /* when the holder is asked for again */
    int64_t since_us;   /* SEEKING: when it began */
    bool none_said;     /* SEEKING: that nobody publishes */
    bool stranger_said; /* that somebody else notifies */
    bool refused;       /* by the sink: `error` says why */
    struct error error;
    uint64_t received; /* bytes of lines */
    char place[PLACE_MAX];
};

static struct listen_source *listening(struct source *source)
{
    return (struct listen_source *)source;
}

static const struct listen_source *const_listening(const struct source *source)
{
    return (const struct listen_source *)source;
}

/* ---- lines ---- */

static void hand_on(struct listen_source *self, struct slice line)
{
    if (!self->refused && !self->setup.sink.line(self->setup.sink.context, line, &self->error)) {
        self->refused = true;
    }
}

static void notified(void *context, uint32_t pid, struct slice channel, struct slice payload)
{
    struct listen_source *self = context;

    (void)channel; /* there is one */
    self->received += payload.len;
    if (self->state != LISTEN_LIVE) {
        return; /* the resync stands for it */
    }
    if (pid == self->holder.pid && !held_lines_any(&self->held)) {
        hand_on(self, payload);
    } else if (!held_lines_add(&self->held, pid, payload)) {
        self->setup.sink.missed(self->setup.sink.context);
    }
}

static void say_stranger(struct listen_source *self, uint32_t pid)
{
    if (!self->stranger_said && pid != self->former) {
        self->stranger_said = true;
        log_say(self->setup.log, LOG_WARNING,
                "process %u notifies on the channel without being its publisher: ignored", pid);
        log_hint(self->setup.log, LOG_WARNING,
                 "Use the channel for pgnudge alone. Who it is: SELECT usename, application_name "
                 "FROM pg_stat_activity WHERE pid = %u",
                 pid);
    }
}

static void release_held(struct listen_source *self)
{
    size_t at = 0;
    uint32_t pid;
    struct slice line;

    while (held_lines_next(&self->held, &at, &pid, &line)) {
        if (pid == self->holder.pid) {
            hand_on(self, line);
        } else {
            say_stranger(self, pid);
        }
    }
    held_lines_answered(&self->held);
}

/* ---- questions ---- */

static bool ask(struct listen_source *self, query_row_fn *on_row, void *context, int64_t now_us,
                struct error *error)
{
    if (self->sql.failed) {
        return error_memory(error);
    }
    probe_ask(self->probe, self->sql.data, on_row, context, now_us);
    self->asking = true;
    return true;
}

static bool ask_holder(struct listen_source *self, int64_t now_us, struct error *error)
{
    buffer_clear(&self->sql);
    channel_holder_sql(&self->sql, self->setup.channel);
    held_lines_asked(&self->held);
    return ask(self, channel_holder_row, &self->coming, now_us, error);
}

static bool subscribe(struct listen_source *self, int64_t now_us, struct error *error)
{
    self->state = LISTEN_SUBSCRIBING;
    snprintf(self->place, sizeof(self->place), "channel \"%s\" of %s", self->setup.channel,
             probe_place(self->probe));
    buffer_clear(&self->sql);
    channel_listen_sql(&self->sql, self->setup.channel);
    return ask(self, NULL, NULL, now_us, error);
}

static void say_none(struct listen_source *self, int64_t now_us)
{
    if (!self->none_said && now_us >= clock_after(self->since_us, NONE_REPORTED_US)) {
        self->none_said = true;
        log_say(self->setup.log, LOG_WARNING, "nobody publishes on %s yet", self->place);
        log_hint(self->setup.log, LOG_WARNING, "Start one: pgnudge --notify %s",
                 self->setup.channel);
    }
}

static void change_publisher(struct listen_source *self)
{
    bool foreign = strcmp(self->role, self->holder.role) != 0;

    if (foreign) {
        log_say(self->setup.log, LOG_WARNING,
                "process %u of role \"%s\" publishes on %s, no longer role \"%s\"",
                self->holder.pid, self->holder.role, self->place, self->role);
    }
    self->setup.sink.another(self->setup.sink.context, foreign);
}

static enum source_event take_holder(struct listen_source *self, int64_t now_us)
{
    struct channel_holder last = self->holder;

    self->holder = self->coming;
    self->ask_us = clock_after(now_us, self->setup.interval_us);
    if (self->state == LISTEN_LIVE) {
        if (self->holder.pid == 0) {
            self->holder = last; /* its last lines may still be on their way */
        } else if (self->holder.pid != last.pid) {
            self->former = last.pid;
            change_publisher(self);
        }
        release_held(self);
        return SOURCE_BUSY;
    }
    if (self->holder.pid == 0) {
        self->ask_us = clock_after(now_us, SEEK_INTERVAL_US);
        say_none(self, now_us);
        return SOURCE_BUSY;
    }
    self->state = LISTEN_LIVE;
    memcpy(self->role, self->holder.role, sizeof(self->role));
    self->source.facts.consistent_lsn = self->holder.lsn;
    return SOURCE_LIVE;
}

/* The question under way has been answered. */
static enum source_event take_answer(struct listen_source *self, int64_t now_us)
{
    self->asking = false;
    if (self->state == LISTEN_SUBSCRIBING) {
        self->state = LISTEN_SEEKING;
        self->since_us = self->ask_us = now_us;
        return SOURCE_BUSY;
    }
    return take_holder(self, now_us);
}

static enum source_event refused(struct listen_source *self, struct error *error)
{
    if (strcmp(error->sqlstate, "25006") == 0) {
        error_set(error, ERROR_PERMANENT, "%s is a standby, which has no LISTEN",
                  probe_place(self->probe));
        error_hint(error, "Connect to the primary.");
    } else {
        error_prefix(error, "LISTEN");
    }
    return SOURCE_LOST;
}

/* ---- its turns ---- */

static enum source_event step_probe(struct listen_source *self, int64_t now_us, struct error *error)
{
    switch (probe_step(self->probe, now_us, error)) {
    case PROBE_NOTHING:
        break;
    case PROBE_UP:
        return subscribe(self, now_us, error) ? SOURCE_BUSY : SOURCE_LOST;
    case PROBE_ANSWERED:
        return take_answer(self, now_us);
    case PROBE_REFUSED:
        return refused(self, error);
    case PROBE_DOWN:
        return SOURCE_LOST;
    }
    return SOURCE_NOTHING;
}

static bool holder_due(const struct listen_source *self, int64_t now_us)
{
    return self->state >= LISTEN_SEEKING && !self->asking &&
           (now_us >= self->ask_us || held_lines_any(&self->held));
}

static enum source_event step(struct source *source, bool ready, int64_t now_us,
                              struct error *error)
{
    struct listen_source *self = listening(source);
    enum source_event event = step_probe(self, now_us, error);

    (void)ready;
    if (self->refused) {
        *error = self->error;
        return SOURCE_LOST;
    }
    if (event != SOURCE_LOST && holder_due(self, now_us) && !ask_holder(self, now_us, error)) {
        return SOURCE_LOST;
    }
    return event;
}

static void pollfds(struct source *source, struct pollfd entries[SOURCE_FDS])
{
    entries[0] = probe_pollfd(listening(source)->probe);
}

static int64_t deadline(const struct source *source)
{
    const struct listen_source *self = const_listening(source);
    int64_t deadline_us = probe_deadline(self->probe);

    if (self->state >= LISTEN_SEEKING && !self->asking) {
        deadline_us = clock_earlier(deadline_us, self->ask_us);
    }
    return deadline_us;
}

static uint64_t received(const struct source *source)
{
    return const_listening(source)->received;
}

static void listen_source_free(struct source *source)
{
    struct listen_source *self = listening(source);

    probe_free(self->probe);
    buffer_free(&self->sql);
    held_lines_free(&self->held);
    free(self);
}

struct source *listen_source_new(const struct listen_setup *setup, int64_t now_us)
{
    static const struct source_ops ops = {step,
                                          pollfds,
                                          deadline,
                                          line_source_acknowledge,
                                          line_source_position,
                                          received,
                                          line_source_stop,
                                          listen_source_free};
    struct listen_source *self = calloc(1, sizeof(*self));
    struct probe_setup probe = {.info = setup->info,
                                .response_timeout_us = setup->response_timeout_us};

    if (self == NULL) {
        return NULL;
    }
    self->source.ops = &ops;
    self->source.facts.slot_since_us = CLOCK_NEVER;
    self->source.facts.place = self->place;
    self->setup = *setup;
    self->listener = (struct conn_listener){.context = self, .notification = notified};
    probe.listener = &self->listener;
    conninfo_say(setup->info, setup->log);
    self->probe = probe_new(&probe, now_us);
    if (self->probe == NULL) {
        listen_source_free(&self->source);
        return NULL;
    }
    return (struct source *)self; /* gcc's analyzer takes &self->source for a leak */
}
