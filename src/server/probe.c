#include "server/probe.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pq/login.h"
#include "server/hints.h"
#include "server/pooler.h"
#include "server/serversql.h"
#include "wire/servererror.h"

enum probe_state {
    PROBE_ASLEEP,
    PROBE_WAITING,
    PROBE_LOGIN,
    PROBE_POOLER, /* asking who answers */
    PROBE_SETTINGS,
    PROBE_IDLE,
    PROBE_ASKING
};

/*
 * 1. `login` is there in all states but ASLEEP and WAITING.
 * 2. In POOLER, SETTINGS and ASKING a query is under way; in IDLE none is, and the server is silent.
 */
struct probe {
    struct probe_setup setup;
    enum probe_state state;
    struct login *login; /* owns the connection too; NULL while WAITING */
    struct query query;
    uint32_t pid;     /* POOLER: who answers */
    int64_t asked_us; /* POOLER, SETTINGS, ASKING: since when */
    int64_t retry_us; /* WAITING: until when */
};

struct probe *probe_new(const struct probe_setup *setup, int64_t now_us)
{
    struct probe *probe = calloc(1, sizeof(*probe));

    if (probe != NULL) {
        probe->setup = *setup;
        probe->state = PROBE_WAITING; /* for no time */
        probe->retry_us = now_us;
    }
    return probe;
}

void probe_reject(struct probe *probe, int64_t now_us)
{
    uint32_t random = 0;

    login_free(probe->login);
    probe->login = NULL;
    probe->state = PROBE_WAITING;
    RAND_bytes((unsigned char *)&random, sizeof(random)); /* without it there is no jitter */
    probe->retry_us = clock_after(now_us, backoff_failed(&probe->setup.backoff, random));
}

void probe_sleep(struct probe *probe)
{
    login_free(probe->login);
    probe->login = NULL;
    probe->state = PROBE_ASLEEP;
}

void probe_wake(struct probe *probe, int64_t now_us)
{
    if (probe->state == PROBE_ASLEEP) {
        probe->state = PROBE_WAITING; /* for no time */
        probe->retry_us = now_us;
    }
}

static void ask(struct probe *probe, enum probe_state state, const char *sql, query_row_fn *on_row,
                void *context, int64_t now_us)
{
    probe->state = state;
    probe->asked_us = now_us;
    query_start(&probe->query, login_conn(probe->login), sql, on_row, context);
}

static enum probe_event step_waiting(struct probe *probe, int64_t now_us, struct error *error)
{
    if (now_us < probe->retry_us) {
        return PROBE_NOTHING;
    }
    probe->login =
        login_start(probe->setup.info, probe->setup.only, probe->setup.replication, now_us, error);
    if (probe->login == NULL) {
        return PROBE_DOWN;
    }
    probe->state = PROBE_LOGIN;
    return PROBE_NOTHING;
}

static enum probe_event step_login(struct probe *probe, int64_t now_us, struct error *error)
{
    switch (login_step(probe->login, now_us, error)) {
    case STEP_WAIT:
        break;
    case STEP_DONE:
        probe->pid = 0;
        conn_listen(login_conn(probe->login), probe->setup.listener);
        if (probe->setup.replication) { /* no pooler shares a walsender */
            ask(probe, PROBE_SETTINGS, SQL_SETTINGS, NULL, NULL, now_us);
        } else {
            ask(probe, PROBE_POOLER, POOLER_SQL, pooler_row, &probe->pid, now_us);
        }
        break;
    case STEP_FAILED:
        hint_login(error, probe->setup.info);
        return PROBE_DOWN;
    }
    return PROBE_NOTHING;
}

/* The query under way has been answered. */
static enum probe_event take_answer(struct probe *probe, int64_t now_us, struct error *error)
{
    switch (probe->state) {
    case PROBE_POOLER:
        if (!pooler_absent(login_conn(probe->login), probe->pid, error)) {
            return PROBE_DOWN;
        }
        ask(probe, PROBE_SETTINGS, SQL_SETTINGS, NULL, NULL, now_us);
        return PROBE_NOTHING;
    case PROBE_SETTINGS:
        probe->state = PROBE_IDLE;
        backoff_reset(&probe->setup.backoff);
        return PROBE_UP;
    case PROBE_ASKING:
        probe->state = PROBE_IDLE;
        return PROBE_ANSWERED;
    case PROBE_ASLEEP:
    case PROBE_WAITING:
    case PROBE_LOGIN:
    case PROBE_IDLE:
        break;
    }
    return PROBE_NOTHING;
}

static enum probe_event step_asking(struct probe *probe, int64_t now_us, struct error *error)
{
    switch (query_step(&probe->query, error)) {
    case STEP_WAIT:
        if (now_us >= clock_after(probe->asked_us, probe->setup.response_timeout_us)) {
            error_set(error, ERROR_TRANSIENT, "the server does not answer");
            return PROBE_DOWN;
        }
        return PROBE_NOTHING;
    case STEP_DONE:
        return take_answer(probe, now_us, error);
    case STEP_FAILED:
        break;
    }
    if (probe->state != PROBE_ASKING || !probe->query.ready) {
        return PROBE_DOWN;
    }
    probe->state = PROBE_IDLE;
    return PROBE_REFUSED;
}

/* Nothing was asked: whatever comes is the end, or a notice. */
static enum probe_event step_idle(struct probe *probe, struct error *error)
{
    struct frame frame;
    enum io io = conn_receive(login_conn(probe->login), error);

    if (io == IO_EOF) {
        error_set(error, ERROR_TRANSIENT, "the server closed the connection unexpectedly");
    }
    if (io == IO_EOF || io == IO_ERROR) {
        return PROBE_DOWN;
    }
    while ((frame = conn_next(login_conn(probe->login))).kind != FRAME_NONE) {
        if (frame.kind == FRAME_BEGIN && frame.type == 'E') {
            server_error_read(frame.body, error);
            return PROBE_DOWN;
        }
        if (frame.kind == FRAME_BAD) {
            error_set(error, ERROR_TRANSIENT, "received a message of an impossible length");
            return PROBE_DOWN;
        }
    }
    return PROBE_NOTHING;
}

enum probe_event probe_step(struct probe *probe, int64_t now_us, struct error *error)
{
    enum probe_event event = PROBE_NOTHING;

    switch (probe->state) {
    case PROBE_ASLEEP:
        break;
    case PROBE_WAITING:
        event = step_waiting(probe, now_us, error);
        break;
    case PROBE_LOGIN:
        event = step_login(probe, now_us, error);
        break;
    case PROBE_POOLER:
    case PROBE_SETTINGS:
    case PROBE_ASKING:
        event = step_asking(probe, now_us, error);
        break;
    case PROBE_IDLE:
        event = step_idle(probe, error);
        break;
    }
    if (event == PROBE_DOWN) {
        probe_reject(probe, now_us);
    }
    return event;
}

void probe_prefer_replication(struct probe *probe, bool replication)
{
    probe->setup.replication = replication;
}

bool probe_ready(const struct probe *probe)
{
    return probe->state == PROBE_IDLE;
}

void probe_ask(struct probe *probe, const char *sql, query_row_fn *on_row, void *context,
               int64_t now_us)
{
    struct error ignored; /* a failure shows at the next step */

    ask(probe, PROBE_ASKING, sql, on_row, context, now_us);
    conn_flush(login_conn(probe->login), &ignored);
}

const char *probe_place(const struct probe *probe)
{
    bool logged_in = probe->state != PROBE_ASLEEP && probe->state != PROBE_WAITING &&
                     probe->state != PROBE_LOGIN;

    return logged_in ? conn_address(login_conn(probe->login))->text : "";
}

struct pollfd probe_pollfd(const struct probe *probe)
{
    return probe->login != NULL ? login_pollfd(probe->login) : (struct pollfd){.fd = -1};
}

int64_t probe_deadline(const struct probe *probe)
{
    switch (probe->state) {
    case PROBE_WAITING:
        return probe->retry_us;
    case PROBE_LOGIN:
        return login_deadline(probe->login);
    case PROBE_POOLER:
    case PROBE_SETTINGS:
    case PROBE_ASKING:
        return clock_after(probe->asked_us, probe->setup.response_timeout_us);
    case PROBE_ASLEEP:
    case PROBE_IDLE:
        break;
    }
    return CLOCK_NEVER;
}

void probe_free(struct probe *probe)
{
    if (probe != NULL) {
        login_free(probe->login);
        free(probe);
    }
}
