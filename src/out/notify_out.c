/*
 * 1. `probe` mends its connection by itself; in CONNECTING it is at that.
 * 2. In SETTING, LOCKING, SENDING and MEASURING a query is under way, in the others none is.
 * 3. From IDLE on we hold the lock, until the connection is lost.
 */
#include "out/notify_out.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "bridge/channel.h"
#include "bridge/parts.h"
#include "conninfo/conncheck.h"
#include "server/probe.h"
#include "wire/servererror.h"

#define LOCK_INTERVAL_US (500 * CLOCK_MS) /* between attempts to get the lock */
#define STOP_GRACE_US    (1 * CLOCK_S)
#define CROWDED_US       (10 * CLOCK_S) /* between items, once the queue is CHANNEL_CROWDED */

enum notify_state {
    NOTIFY_CONNECTING,
    NOTIFY_SETTING,
    NOTIFY_LOCKING,
    NOTIFY_SPARE, /* another one holds the lock */
    NOTIFY_IDLE,
    NOTIFY_SENDING,
    NOTIFY_MEASURING, /* how full the queue is */
    NOTIFY_RESTING    /* the server has refused an item */
};

struct notify_out {
    struct out out;
    struct notify_setup setup;
    enum notify_state state;
    struct probe *probe;
    struct conn_listener listener;
    struct backoff backoff;
    struct parts parts;
    struct buffer sql;
    struct channel_lock lock;
    double usage;
    bool open;            /* IDLE: for the next item, for all that is known of the queue */
    int64_t next_us;      /* SPARE, RESTING, IDLE if not open: when it goes on */
    bool no_memory;       /* for what is to be asked: it ends at the next step */
    bool has_worked;      /* it has had the lock, or has waited for it */
    bool down_said;       /* that the connection is lost */
    bool usage_said;      /* that the queue is filling up */
    uint32_t holder_said; /* the process for whose end it waits */
    bool spare;           /* it waits for that, which has been reported */
    bool stopping;
};

static struct notify_out *notify(struct out *out)
{
    return (struct notify_out *)out;
}

static const struct notify_out *const_notify(const struct out *out)
{
    return (const struct notify_out *)out;
}

/* ---- questions ---- */

static void ask(struct notify_out *self, enum notify_state state, query_row_fn *on_row,
                void *context, int64_t now_us)
{
    self->state = state;
    if (self->sql.failed) {
        self->no_memory = true;
        return;
    }
    probe_ask(self->probe, self->sql.data, on_row, context, now_us);
}

static void ask_lock(struct notify_out *self, int64_t now_us)
{
    buffer_clear(&self->sql);
    channel_lock_sql(&self->sql, self->setup.channel);
    ask(self, NOTIFY_LOCKING, channel_lock_row, &self->lock, now_us);
}

static void ask_usage(struct notify_out *self, int64_t now_us)
{
    buffer_clear(&self->sql);
    channel_usage_sql(&self->sql);
    ask(self, NOTIFY_MEASURING, channel_usage_row, &self->usage, now_us);
}

/* ---- the queue ---- */

static void say_usage(struct notify_out *self)
{
    const struct log *log = self->setup.log;

    if (self->usage <= CHANNEL_CROWDED) {
        self->usage_said = false;
    } else if (!self->usage_said) {
        self->usage_said = true;
        log_say(log, LOG_WARNING, "the server's queue of notifications is %.0f%% full",
                self->usage * 100);
        log_detail(log, LOG_WARNING,
                   "Above %.0f%% pgnudge notifies once in %d s, above %.0f%% not at all: when the "
                   "queue is full, COMMITs with NOTIFY fail.",
                   CHANNEL_CROWDED * 100, (int)(CROWDED_US / CLOCK_S), CHANNEL_FULL * 100);
        log_hint(log, LOG_WARNING,
                 "Find the session that keeps it, one that listens and is in a transaction: SELECT "
                 "pid, xact_start FROM pg_stat_activity ORDER BY xact_start LIMIT 5");
    }
}

/* Nothing is under way any more. An item may begin up to this usage; else after a rest and a look. */
static void idle(struct notify_out *self, double usage_max, int64_t now_us)
{
    say_usage(self);
    self->state = NOTIFY_IDLE;
    self->open = self->usage <= usage_max;
    self->next_us = clock_after(now_us, CROWDED_US);
}

/* ---- the lock ---- */

static void say_holder(struct notify_out *self)
{
    const struct channel_lock *lock = &self->lock;
    const struct log *log = self->setup.log;

    if (lock->holder == 0 || lock->holder == self->holder_said) {
        return;
    }
    self->holder_said = lock->holder;
    if (lock->same_role) {
        log_say(log, LOG_INFO, "process %u publishes on channel \"%s\": waiting for its end",
                lock->holder, self->setup.channel);
        return;
    }
    log_say(log, LOG_WARNING, "process %u of role \"%s\" holds the lock of channel \"%s\"",
            lock->holder, lock->role, self->setup.channel);
    log_hint(log, LOG_WARNING,
             "If it is no pgnudge, it keeps this one from publishing: SELECT "
             "pg_terminate_backend(%u)",
             lock->holder);
}

static enum out_event take_lock(struct notify_out *self, int64_t now_us, struct error *error)
{
    bool spare;

    self->has_worked = true;
    if (!self->lock.ours) {
        say_holder(self);
        self->state = NOTIFY_SPARE;
        self->next_us = clock_after(now_us, LOCK_INTERVAL_US);
        spare = !self->spare;
        self->spare = true;
        return spare ? OUT_SPARE : OUT_NOTHING;
    }
    self->spare = false;
    if (!sequence_start(&self->setup.sequence)) {
        error_set(error, ERROR_FATAL, "no source of randomness for a session's name");
        return OUT_BROKEN;
    }
    log_say(self->setup.log, LOG_INFO, "publishing on channel \"%s\", session %s",
            self->setup.channel, self->setup.sequence.session);
    if (self->down_said) {
        log_say(self->setup.log, LOG_WARNING, "--notify: publishing again");
    }
    self->down_said = false;
    self->holder_said = 0;
    self->usage = self->lock.usage;
    idle(self, CHANNEL_FULL, now_us);
    return OUT_RESTART;
}

/* ---- what goes wrong ---- */

static enum out_event down(struct notify_out *self, struct error *error)
{
    bool sending = self->state == NOTIFY_SENDING;

    self->state = NOTIFY_CONNECTING;
    error_prefix(error, "--notify");
    if (error->kind == ERROR_FATAL || (error->kind == ERROR_PERMANENT && !self->has_worked)) {
        return OUT_BROKEN;
    }
    if (!self->down_said) {
        self->down_said = true;
        error_detail(error, "Nothing is published until the connection is back.");
        log_report(self->setup.log, LOG_WARNING, error);
    }
    return sending ? OUT_FAILED : OUT_NOTHING; /* a new session follows */
}

/* The server refuses the query under way; the connection lives. */
static enum out_event refused(struct notify_out *self, int64_t now_us, struct error *error)
{
    uint32_t random = 0;

    if (self->state != NOTIFY_SENDING) {
        probe_reject(self->probe, now_us);
        return down(self, error);
    }
    RAND_bytes((unsigned char *)&random, sizeof(random)); /* without it there is no jitter */
    self->state = NOTIFY_RESTING;
    self->next_us = clock_after(now_us, backoff_failed(&self->backoff, random));
    error_prefix(error, "--notify");
    log_report(self->setup.log, LOG_WARNING, error);
    return OUT_MISSED;
}

static void noticed(void *context, struct slice body)
{
    const struct notify_out *self = context;
    struct error notice;

    server_error_read(body, &notice);
    log_report(self->setup.log, LOG_WARNING, &notice);
}

/* ---- its turns ---- */

static enum out_event take_answer(struct notify_out *self, int64_t now_us, struct error *error)
{
    switch (self->state) {
    case NOTIFY_SETTING:
        ask_lock(self, now_us);
        break;
    case NOTIFY_LOCKING:
        if (self->lock.in_recovery) {
            error_set(error, ERROR_PERMANENT, "%s is a standby, which has no NOTIFY",
                      probe_place(self->probe));
            error_hint(error, "Connect to the primary, or name it in --notify-to.");
            probe_reject(self->probe, now_us);
            return down(self, error);
        }
        return take_lock(self, now_us, error);
    case NOTIFY_SENDING:
        backoff_reset(&self->backoff);
        idle(self, CHANNEL_CROWDED, now_us);
        return OUT_DONE;
    case NOTIFY_MEASURING:
        idle(self, CHANNEL_FULL, now_us);
        break;
    case NOTIFY_CONNECTING:
    case NOTIFY_SPARE:
    case NOTIFY_IDLE:
    case NOTIFY_RESTING:
        break;
    }
    return OUT_NOTHING;
}

/* What is due by the clock. */
static void go_on(struct notify_out *self, int64_t now_us)
{
    if (now_us < self->next_us || self->stopping) {
        return;
    }
    if (self->state == NOTIFY_SPARE) {
        ask_lock(self, now_us);
    } else if (self->state == NOTIFY_IDLE && !self->open) {
        ask_usage(self, now_us);
    } else if (self->state == NOTIFY_RESTING) {
        self->state = NOTIFY_IDLE; /* and open, as it was */
    }
}

static enum out_event step(struct out *out, short revents, int64_t now_us, struct error *error)
{
    struct notify_out *self = notify(out);

    if (self->no_memory) {
        self->no_memory = false;
        error_memory(error);
        return OUT_BROKEN;
    }
    if (revents == 0 && now_us < probe_deadline(self->probe)) {
        go_on(self, now_us);
        return OUT_NOTHING;
    }
    switch (probe_step(self->probe, now_us, error)) {
    case PROBE_NOTHING:
        go_on(self, now_us);
        return OUT_NOTHING;
    case PROBE_UP:
        self->state = NOTIFY_SETTING;
        probe_ask(self->probe, channel_settings_sql, NULL, NULL, now_us);
        return OUT_NOTHING;
    case PROBE_ANSWERED:
        return take_answer(self, now_us, error);
    case PROBE_REFUSED:
        return refused(self, now_us, error);
    case PROBE_DOWN:
        break;
    }
    return down(self, error);
}

static bool can_take(struct out *out)
{
    return notify(out)->state == NOTIFY_IDLE && notify(out)->open;
}

static void begin(struct out *out, const struct item *item)
{
    struct notify_out *self = notify(out);

    self->no_memory = !parts_write(&self->parts, item, &self->setup.style);
    buffer_clear(&self->sql);
    channel_notify_sql(&self->sql, self->setup.channel, &self->parts);
    self->sql.failed |= self->no_memory;
    ask(self, NOTIFY_SENDING, channel_usage_row, &self->usage, clock_now_us());
}

static bool busy(const struct out *out)
{
    return const_notify(out)->state == NOTIFY_SENDING;
}

static struct pollfd pollfd(const struct out *out, bool wanted)
{
    (void)wanted;
    return probe_pollfd(const_notify(out)->probe);
}

static int64_t deadline(const struct out *out, bool wanted, int64_t now_us)
{
    const struct notify_out *self = const_notify(out);
    int64_t deadline_us = probe_deadline(self->probe);

    if (self->no_memory || (self->state == NOTIFY_IDLE && self->open && wanted)) {
        return now_us;
    }
    if (self->state == NOTIFY_SPARE || self->state == NOTIFY_RESTING ||
        (self->state == NOTIFY_IDLE && !self->open)) {
        deadline_us = clock_earlier(deadline_us, self->next_us);
    }
    return deadline_us;
}

static int64_t stop(struct out *out)
{
    notify(out)->stopping = true;
    return busy(out) ? STOP_GRACE_US : 0;
}

static void notify_out_free(struct out *out)
{
    struct notify_out *self = notify(out);

    probe_free(self->probe);
    parts_free(&self->parts);
    buffer_free(&self->sql);
    free(self);
}

struct out *notify_out_new(const struct notify_setup *setup, int64_t now_us)
{
    static const struct out_ops ops = {can_take, begin,    busy, step,
                                       pollfd,   deadline, stop, notify_out_free};
    struct notify_out *self = calloc(1, sizeof(*self));
    struct probe_setup probe = {
        .info = setup->info,
        .response_timeout_us = setup->response_timeout_us,
        .backoff = {.min_us = setup->backoff_min_us, .max_us = setup->backoff_max_us}};

    if (self == NULL) {
        return NULL;
    }
    self->out.ops = &ops;
    self->setup = *setup;
    self->setup.style.sequence = &self->setup.sequence;
    self->backoff = probe.backoff;
    self->listener = (struct conn_listener){.context = self, .notice = noticed};
    probe.listener = &self->listener;
    conninfo_say(setup->info, setup->log);
    self->probe = probe_new(&probe, now_us);
    if (self->probe == NULL) {
        notify_out_free(&self->out);
        return NULL;
    }
    return (struct out *)self; /* gcc's analyzer takes &self->out for a leak */
}
