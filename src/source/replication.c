/*
 * 1. `session` lasts as long as this does; `stream` is there in LIVE alone.
 * 2. `cancel` is there in CANCELLING alone, until the server has taken it.
 */
#include "source/replication.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pq/cancel.h"
#include "repl/stream.h"
#include "server/syncnames.h"
#include "source/read_batching.h"
#include "source/reader.h"
#include "source/wal_reader.h"

#define CANCEL_GRACE_US (2 * CLOCK_S)  /* for the server to give up creating the slot */
#define READS_MAX       16             /* of the stream in one turn */
#define ACK_DELAY_US    (1 * CLOCK_MS) /* see ack_delay */

enum replication_state {
    REPLICATION_CONNECTING,
    REPLICATION_LIVE,
    REPLICATION_CANCELLING, /* the server is asked to give up creating the slot */
    REPLICATION_CLOSED
};

struct replication {
    struct source source;
    struct replication_setup setup;
    enum replication_state state;
    struct session *session;
    struct stream *stream;
    struct cancel *cancel;
    struct reader reader;
    struct wal_reader wal; /* physical: in its place */
    struct read_batching batching;
    bool prepared;        /* PREPARED has been given */
    bool started;         /* the session has done its work */
    bool stopping;        /* CANCELLING ends in CLOSED, not LOST */
    bool fresh;           /* LIVE: what came with the session's last answer is still to be taken */
    bool low_water_works; /* LIVE: poll can tell when READ_BATCH_BYTES wait */
    bool low_water;       /* LIVE: poll is asked to wait for READ_BATCH_BYTES */
    int64_t cancel_until_us; /* CANCELLING: when to give that up */
};

static struct replication *replication(struct source *source)
{
    return (struct replication *)source;
}

static const struct replication *const_replication(const struct source *source)
{
    return (const struct replication *)source;
}

/* ---- connecting ---- */

/* Often enough for the server, and to notice its silence in time. */
static int64_t status_interval(const struct replication *self)
{
    const struct replication_setup *setup = &self->setup;
    int64_t server_us = session_facts(self->session)->wal_sender_timeout_us;
    int64_t most_us = clock_earlier(server_us, setup->liveness_us);

    if (most_us == CLOCK_NEVER || setup->status_interval_us <= most_us / 3) {
        return setup->status_interval_us;
    }
    if (setup->status_interval_given && setup->session.first) {
        log_say(setup->session.log, LOG_WARNING,
                "status interval lowered to %.3f s, a third of the %s",
                (double)most_us / 3 / (double)CLOCK_S,
                most_us == server_us ? "server's wal_sender_timeout" : "liveness timeout");
    }
    return most_us / 3;
}

static void prepare(struct replication *self)
{
    const struct session_facts *from = session_facts(self->session);
    struct source_facts *facts = &self->source.facts;

    self->prepared = true;
    facts->address = conn_address(session_conn(self->session));
    facts->place = facts->address->text;
    memcpy(facts->identity, from->identity, sizeof(facts->identity));
    memcpy(facts->system_id, from->system_id, sizeof(facts->system_id));
    facts->timeline = from->timeline;
    facts->in_recovery = from->in_recovery;
    facts->oldest_xid = from->oldest_xid;
    facts->encoding = session_encoding(self->session);
    facts->status_interval_us = status_interval(self);
}

/* Without the visibility check flush positions are told, so a COMMIT may wait for them. */
static bool may_be_synchronous(const struct replication *self)
{
    return !self->setup.visibility_check &&
           syncnames_match(session_facts(self->session)->synchronous_standby_names,
                           conninfo_text(self->setup.session.info, CONN_APPLICATION_NAME));
}

static void warn_if_synchronous(const struct replication *self)
{
    const struct log *log = self->setup.session.log;

    if (self->setup.session.first && may_be_synchronous(self)) {
        log_say(log, LOG_WARNING,
                "the server may count pgnudge as a synchronous standby "
                "(synchronous_standby_names = %s)",
                session_facts(self->session)->synchronous_standby_names);
        log_hint(log, LOG_WARNING,
                 "Remove --no-visibility-check, or name the real standbys there.");
    }
}

/*
 * Nobody waits for a position that isn't asked for. Where a line follows its COMMIT at once,
 * telling the server then would keep the CPU from the line's reader: a quarter of the time from
 * COMMIT to line. Elsewhere later would only be one more turn.
 */
static int64_t ack_delay(const struct replication *self)
{
    bool line_follows = self->setup.debounce_us < ACK_DELAY_US;

    return line_follows && !may_be_synchronous(self) ? ACK_DELAY_US : 0;
}

/* False: out of memory. */
static bool start_reader(struct replication *self)
{
    const struct session_facts *facts = session_facts(self->session);
    struct wal_reader_setup setup = {
        .log = self->setup.session.log,
        .sink = &self->setup.sink,
        .encoding = session_encoding(self->session),
        .flushed = facts->consistent_lsn,
        .segment_size = facts->segment_size,
        .system_id = strtoull(facts->system_id, NULL, 10),
        .database = facts->database,
        .standby = facts->in_recovery,
    };

    if (self->setup.session.physical) {
        return wal_reader_start(&self->wal, &setup);
    }
    reader_start(&self->reader, session_plugin(self->session), &self->setup.sink,
                 session_encoding(self->session), self->setup.session.log);
    return true;
}

static bool go_live(struct replication *self, int64_t now_us, struct error *error)
{
    struct conn *conn = session_conn(self->session);
    struct stream_setup setup = {
        .conn = conn,
        .status_interval_us = self->source.facts.status_interval_us,
        .liveness_us = self->setup.liveness_us,
        .ack_delay_us = ack_delay(self),
        .never_synchronous = self->setup.visibility_check,
        .physical = self->setup.session.physical,
    };

    self->stream = stream_new(&setup, now_us);
    if (self->stream == NULL || !start_reader(self)) {
        return error_memory(error);
    }
    warn_if_synchronous(self);
    self->state = REPLICATION_LIVE;
    self->fresh = true;
    self->source.facts.consistent_lsn = session_facts(self->session)->consistent_lsn;
    self->source.facts.filters = session_filters(self->session);
    self->source.facts.publications = session_publications(self->session);
    self->low_water_works = conn_low_water(conn, 1);
    read_batching_init(&self->batching, self->setup.debounce_us, self->low_water_works);
    return true;
}

/* While the server creates the slot it doesn't read: closing would leave the slot until it is done. */
static bool start_cancel(struct replication *self)
{
    struct conn *conn = session_conn(self->session);
    struct error ignored;

    if (conn_cancel_key(conn)->len == 0) {
        return false;
    }
    self->cancel = cancel_start(conn, self->setup.session.info, &ignored);
    if (self->cancel != NULL) {
        self->state = REPLICATION_CANCELLING;
    }
    return self->cancel != NULL;
}

static bool slot_given_up(const struct replication *self, struct error *error)
{
    return error_set(error, ERROR_TRANSIENT, "no replication slot within %.3g s (--slot-timeout)",
                     (double)self->setup.slot_timeout_us / (double)CLOCK_S);
}

/* A walsender that creates the slot says nothing, dead or alive: another connection tells. */
static int64_t silent_until(const struct replication *self)
{
    int64_t since_us = session_slot_since(self->session);

    if (self->state != REPLICATION_CONNECTING || since_us == CLOCK_NEVER) {
        return CLOCK_NEVER;
    }
    return clock_after(since_us > self->source.alive_us ? since_us : self->source.alive_us,
                       self->setup.liveness_us);
}

static void note_wait(struct replication *self)
{
    struct source_facts *facts = &self->source.facts;

    facts->slot_since_us =
        self->state == REPLICATION_CONNECTING ? session_slot_since(self->session) : CLOCK_NEVER;
    facts->silent_us = silent_until(self);
    facts->pid =
        facts->slot_since_us != CLOCK_NEVER ? conn_cancel_key(session_conn(self->session))->pid : 0;
}

/* Whether the slot may still be waited for; --slot-timeout frees it first. */
static enum source_event wait_on(struct replication *self, int64_t now_us, struct error *error)
{
    int64_t since_us = session_slot_since(self->session);

    if (now_us >= clock_after(since_us, self->setup.slot_timeout_us)) {
        if (!start_cancel(self)) {
            slot_given_up(self, error);
            return SOURCE_LOST;
        }
        self->cancel_until_us = clock_after(now_us, self->setup.liveness_us);
    } else if (now_us >= silent_until(self)) {
        error_set(error, ERROR_TRANSIENT,
                  "no answer from %s for %.3g s while it creates the replication slot",
                  conn_address(session_conn(self->session))->text,
                  (double)self->setup.liveness_us / (double)CLOCK_S);
        error_detail(error, "The visibility connection is silent, or could not be made.");
        return SOURCE_LOST;
    }
    return SOURCE_NOTHING;
}

static enum source_event step_connecting(struct replication *self, int64_t now_us,
                                         struct error *error)
{
    if (!self->started) {
        enum step step = session_step(self->session, now_us, error);

        if (step == STEP_FAILED) {
            return SOURCE_LOST;
        }
        self->started = step == STEP_DONE;
    }
    if (!self->prepared && session_is_prepared(self->session)) {
        prepare(self);
        return SOURCE_PREPARED;
    }
    if (!self->started) {
        return wait_on(self, now_us, error);
    }
    return go_live(self, now_us, error) ? SOURCE_LIVE : SOURCE_LOST;
}

/* ---- streaming ---- */

static bool take_message(struct replication *self, const struct stream_message *message, bool first,
                         struct error *error)
{
    return self->setup.session.physical ? wal_reader_take(&self->wal, message, first, error)
                                        : reader_take(&self->reader, message, first, error);
}

/* A physical walsender has none of its own. */
static bool take_notice(struct replication *self, const struct stream_message *message,
                        struct error *error)
{
    return self->setup.session.physical || reader_notice(&self->reader, message, error);
}

/* Hands on what has been received. */
static bool take_stream(struct replication *self, struct error *error)
{
    struct stream_message message;
    enum stream_event event;
    bool ok = true;

    self->fresh = false;
    while (ok && (event = stream_next(self->stream, &message, error)) != STREAM_NOTHING) {
        switch (event) {
        case STREAM_BEGIN:
        case STREAM_MORE:
            ok = take_message(self, &message, event == STREAM_BEGIN, error);
            break;
        case STREAM_NOTICE:
            ok = take_notice(self, &message, error);
            break;
        case STREAM_NOTHING:
        case STREAM_FAILED:
            ok = false;
            break;
        }
    }
    return ok;
}

/* Whether the stream is busy and its changes need not be taken at once. */
static bool is_batching(const struct replication *self)
{
    return self->batching.pause_us > 0 && self->source.unhurried;
}

/* When the stream must be read, or answered, whatever poll reports. */
static int64_t live_deadline(const struct replication *self)
{
    int64_t deadline_us = stream_deadline(self->stream);

    if (self->fresh || conn_pending(session_conn(self->session))) {
        return 0;
    }
    return is_batching(self) ? clock_earlier(deadline_us, self->batching.next_us) : deadline_us;
}

/* Reads until nothing is left, but not forever: a server that never pauses must not keep us. */
static bool read_stream(struct replication *self, int64_t now_us, struct error *error)
{
    struct conn *conn = session_conn(self->session);
    uint64_t before = conn_received(conn);
    int reads = 0;

    do {
        if (!stream_receive(self->stream, now_us, error) || !take_stream(self, error)) {
            return false;
        }
    } while (conn_pending(conn) && ++reads < READS_MAX);
    read_batching_took(&self->batching, (size_t)(conn_received(conn) - before), now_us);
    return true;
}

static enum source_event ended(const struct replication *self, struct error *error)
{
    if (error->kind != ERROR_FATAL) {
        error_prefix(error, "the stream from %s has ended",
                     conn_address(session_conn(self->session))->text);
    }
    return SOURCE_LOST;
}

static enum source_event step_live(struct replication *self, bool ready, int64_t now_us,
                                   struct error *error)
{
    if (self->fresh) {
        return take_stream(self, error) ? SOURCE_BUSY : ended(self, error);
    }
    /* At a deadline too: silence is only what a read confirms (we may have been stopped). */
    if ((ready || now_us >= live_deadline(self)) && !read_stream(self, now_us, error)) {
        return ended(self, error);
    }
    return SOURCE_NOTHING;
}

/* ---- cancelling ---- */

/* Over when the server says that it has given up: then the slot is gone. */
static enum source_event step_cancelling(struct replication *self, int64_t now_us,
                                         struct error *error)
{
    if (self->cancel != NULL && cancel_step(self->cancel, error) != STEP_WAIT) {
        cancel_free(self->cancel);
        self->cancel = NULL;
    }
    if (session_makes_slot(self->session) &&
        session_step(self->session, now_us, error) == STEP_WAIT &&
        (self->stopping || now_us < self->cancel_until_us)) {
        return SOURCE_NOTHING;
    }
    self->state = REPLICATION_CLOSED;
    if (self->stopping) {
        return SOURCE_CLOSED;
    }
    slot_given_up(self, error);
    return SOURCE_LOST;
}

/* ---- a source's functions ---- */

static enum source_event step(struct source *source, bool ready, int64_t now_us,
                              struct error *error)
{
    struct replication *self = replication(source);
    enum source_event event = SOURCE_CLOSED;

    error_clear(error);
    switch (self->state) {
    case REPLICATION_CONNECTING:
        event = step_connecting(self, now_us, error);
        break;
    case REPLICATION_LIVE:
        event = step_live(self, ready, now_us, error);
        break;
    case REPLICATION_CANCELLING:
        event = step_cancelling(self, now_us, error);
        break;
    case REPLICATION_CLOSED:
        break;
    }
    note_wait(self);
    return event;
}

static void pollfds(struct source *source, struct pollfd entries[SOURCE_FDS])
{
    struct replication *self = replication(source);
    bool batching = self->state == REPLICATION_LIVE && is_batching(self);

    entries[0] = session_pollfd(self->session);
    if (self->cancel != NULL) {
        entries[1] = cancel_pollfd(self->cancel);
    }
    if (batching && !self->low_water_works) {
        entries[0].events &= (short)~POLLIN;
    } else if (batching != self->low_water) {
        self->low_water = batching;
        conn_low_water(session_conn(self->session), batching ? READ_BATCH_BYTES : 1);
    }
}

static int64_t deadline(const struct source *source)
{
    const struct replication *self = const_replication(source);

    switch (self->state) {
    case REPLICATION_CONNECTING:
        return clock_earlier(
            clock_earlier(session_deadline(self->session), silent_until(self)),
            clock_after(session_slot_since(self->session), self->setup.slot_timeout_us));
    case REPLICATION_LIVE:
        return live_deadline(self);
    case REPLICATION_CANCELLING:
        return self->stopping ? CLOCK_NEVER : self->cancel_until_us;
    case REPLICATION_CLOSED:
        break;
    }
    return 0;
}

static bool acknowledge(struct source *source, uint64_t visible_lsn, int64_t now_us,
                        struct error *error)
{
    struct replication *self = replication(source);

    if (self->state != REPLICATION_LIVE) {
        return true;
    }
    error_clear(error);
    stream_settled(self->stream, visible_lsn);
    if (!stream_answer(self->stream, now_us, error)) {
        ended(self, error);
        return false;
    }
    return true;
}

static uint64_t position(const struct source *source)
{
    const struct replication *self = const_replication(source);

    return self->stream != NULL ? stream_position(self->stream) : 0;
}

static uint64_t received(const struct source *source)
{
    const struct conn *conn = session_conn(const_replication(source)->session);

    return conn != NULL ? conn_received(conn) : 0;
}

static int64_t stop(struct source *source)
{
    struct replication *self = replication(source);

    self->stopping = true;
    if (self->state == REPLICATION_CANCELLING ||
        (self->state == REPLICATION_CONNECTING && session_makes_slot(self->session) &&
         start_cancel(self))) {
        return CANCEL_GRACE_US;
    }
    self->state = REPLICATION_CLOSED;
    return 0;
}

static void replication_free(struct source *source)
{
    struct replication *self = replication(source);

    cancel_free(self->cancel);
    reader_free(&self->reader);
    wal_reader_free(&self->wal);
    stream_free(self->stream);
    session_free(self->session);
    free(self);
}

struct source *replication_new(const struct replication_setup *setup, int64_t now_us,
                               struct error *error)
{
    static const struct source_ops ops = {step,     pollfds,  deadline, acknowledge,
                                          position, received, stop,     replication_free};
    struct replication *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        error_memory(error);
        return NULL;
    }
    self->source = (struct source){.ops = &ops, .alive_us = now_us};
    self->setup = *setup;
    self->session = session_start(&setup->session, now_us, error);
    if (self->session == NULL) {
        free(self);
        return NULL;
    }
    note_wait(self);
    return (struct source *)self; /* gcc's analyzer takes &self->source for a leak */
}
