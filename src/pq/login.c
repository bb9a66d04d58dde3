#include "pq/login.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/password.h"
#include "base/clock.h"
#include "conninfo/passfile.h"
#include "net/address.h"
#include "net/dial.h"
#include "pq/attempts.h"
#include "pq/query.h"
#include "wire/cursor.h"
#include "wire/message.h"
#include "wire/servererror.h"

#define PROTOCOL_3_0 (3 << 16)

enum login_state {
    LOGIN_ASKING,     /* the user types a password */
    LOGIN_LOOKING_UP, /* a host's name */
    LOGIN_DIALING,
    LOGIN_AUTHENTICATING,
    LOGIN_SETTLING,
    LOGIN_CHECKING, /* asking what target_session_attrs wants to know */
    LOGIN_DONE
};

/*
 * 1. `dial` is there in DIALING alone; `conn` from AUTHENTICATING on; `auth` in AUTHENTICATING alone.
 * 2. A failed attempt leaves none of them behind: close_attempt, and `attempts` has the next one.
 * 3. `password` is wiped as soon as it has been used.
 */
struct login {
    enum login_state state;
    const struct conninfo *info;
    bool replication;
    struct attempts *attempts;
    unsigned lookups;            /* LOOKING_UP: which one has the deadline */
    enum login_stage failed_at;  /* how far the last attempt got that failed */
    int64_t deadline_us;         /* for this address */
    char *password;              /* what the password file says, until it has been used; or NULL */
    struct error no_password;    /* why the password file says nothing, if it isn't just absent */
    struct dial *dial;           /* while DIALING */
    struct conn *conn;           /* from then on */
    struct auth *auth;           /* while AUTHENTICATING */
    const char *method;          /* after that */
    struct query query;          /* while CHECKING */
    enum target_verdict verdict; /* TARGET_UNFIT: the attempt failed for that */
    struct error unfit;          /* why it is not the wanted one */
};

static void close_attempt(struct login *login)
{
    dial_free(login->dial);
    conn_close(login->conn);
    auth_free(login->auth);
    login->dial = NULL;
    login->conn = NULL;
    login->auth = NULL;
}

static void forget_password(struct login *login)
{
    passfile_free(login->password);
    login->password = NULL;
}

/* The password file is asked anew each time: it may have changed. */
static void look_up_password(struct login *login)
{
    bool typed = password_comes_first(login->info->typed) && password_text(login->info->typed);

    forget_password(login);
    if (conninfo_text(login->info, CONN_PASSWORD)[0] == '\0' && !typed) {
        login->password = passfile_lookup(login->info, attempts_address(login->attempts)->host,
                                          &login->no_password);
    }
    if (login->password != NULL && login->password[0] == '\0') {
        forget_password(login);
    }
}

static bool start_attempt(struct login *login, struct error *error)
{
    login->state = LOGIN_DIALING;
    login->verdict = TARGET_UNKNOWN;
    login->dial = dial_start(attempts_address(login->attempts), login->info,
                             attempts_encryption(login->attempts), error);
    return login->dial != NULL;
}

static struct attempt_failure failure_of(const struct login *login, int64_t now_us)
{
    bool connected = login->conn != NULL;

    return (struct attempt_failure){
        .reached = connected || (login->dial != NULL && dial_reached(login->dial)),
        .tls = connected ? conn_tls(login->conn) != NULL
                         : attempts_encryption(login->attempts) != ENCRYPT_NO,
        .talked = login->state > LOGIN_DIALING,
        .no_password = login->auth != NULL && auth_lacks_password(login->auth),
        .let_in = login->state > LOGIN_AUTHENTICATING,
        .unfit = login->verdict == TARGET_UNFIT,
        .late = now_us >= login->deadline_us,
    };
}

static enum login_stage stage_of(const struct attempt_failure *failure)
{
    if (failure->talked) {
        return LOGIN_ANSWERED;
    }
    return failure->reached ? LOGIN_ENCRYPTING : LOGIN_REACHING;
}

/* Begins what is next, and what comes after it, until one can be waited for. */
static enum step begin(struct login *login, enum attempts_next next, int64_t now_us,
                       struct error *error)
{
    while (next != ATTEMPTS_OVER) {
        struct attempt_failure failure;

        if (next == ATTEMPTS_LOOKUP) {
            login->state = LOGIN_LOOKING_UP;
            login->lookups = attempts_lookups(login->attempts);
            login->deadline_us = clock_after(now_us, login->info->connect_timeout_us);
            return STEP_WAIT;
        }
        if (next == ATTEMPTS_ADDRESS) {
            login->deadline_us = clock_after(now_us, login->info->connect_timeout_us);
            look_up_password(login);
        }
        if (start_attempt(login, error)) {
            return STEP_WAIT;
        }
        failure = failure_of(login, now_us);
        login->failed_at = stage_of(&failure);
        next = attempts_failed(login->attempts, &failure, error);
    }
    return STEP_FAILED;
}

/* Whether it is waited for. By then a server's patience may be over: the connection is made anew. */
static bool ask_password(struct login *login)
{
    if (!password_ask(login->info->typed, conninfo_text(login->info, CONN_USER),
                      login->no_password.message)) {
        return false;
    }
    close_attempt(login);
    login->state = LOGIN_ASKING;
    return true;
}

static enum step next_attempt(struct login *login, int64_t now_us, struct error *error)
{
    struct attempt_failure failure = failure_of(login, now_us);

    login->failed_at = stage_of(&failure);
    if (failure.no_password && ask_password(login)) {
        return STEP_WAIT;
    }
    close_attempt(login);
    return begin(login, attempts_failed(login->attempts, &failure, error), now_us, error);
}

struct login *login_start(const struct conninfo *info, const struct address *only, bool replication,
                          int64_t now_us, struct error *error)
{
    struct login *login = calloc(1, sizeof(*login));

    if (login != NULL) {
        login->info = info;
        login->replication = replication;
        login->attempts = attempts_new(info, only);
    }
    if (login == NULL || login->attempts == NULL) {
        login_free(login);
        error_memory(error);
        return NULL;
    }
    if (password_comes_first(info->typed) && conninfo_text(info, CONN_PASSWORD)[0] == '\0' &&
        ask_password(login)) {
        return login;
    }
    if (begin(login, attempts_start(login->attempts, error), now_us, error) == STEP_FAILED) {
        login_free(login);
        return NULL;
    }
    return login;
}

static void send_startup(struct login *login)
{
    struct buffer *out = conn_out(login->conn);
    size_t mark = message_begin(out, 0);

    buffer_be32(out, PROTOCOL_3_0);
    message_string(out, "user");
    message_string(out, conninfo_text(login->info, CONN_USER));
    message_string(out, "database");
    message_string(out, conninfo_text(login->info, CONN_DBNAME));
    if (login->replication) {
        message_string(out, "replication");
        message_string(out, "database");
    }
    message_string(out, "application_name");
    message_string(out, conninfo_text(login->info, CONN_APPLICATION_NAME));
    if (conninfo_text(login->info, CONN_OPTIONS)[0] != '\0') {
        message_string(out, "options");
        message_string(out, conninfo_text(login->info, CONN_OPTIONS));
    }
    /* All text as the database has it: a conversion that fails would end the stream. */
    message_string(out, "client_encoding");
    message_string(out, "SQL_ASCII");
    buffer_byte(out, '\0');
    message_end(out, mark);
}

/* STEP_DONE: connected, the startup packet is ready to go. */
static enum step step_dialing(struct login *login, struct error *error)
{
    const struct address *address = attempts_address(login->attempts);
    struct auth_setup setup = {
        .info = login->info,
        .password = login->password != NULL ? login->password : password_text(login->info->typed),
        .no_password = login->no_password.message,
        .unix_socket = address_is_unix(address)};
    enum io io = dial_step(login->dial, error);

    if (io != IO_DONE) {
        return io == IO_AGAIN ? STEP_WAIT : STEP_FAILED;
    }
    login->conn = conn_new(dial_take(login->dial), address);
    dial_free(login->dial);
    login->dial = NULL;
    if (login->conn != NULL) {
        setup.tls = conn_tls(login->conn);
        login->auth = auth_new(&setup);
    }
    if (login->auth == NULL) {
        error_memory(error);
        return STEP_FAILED;
    }
    send_startup(login);
    login->state = LOGIN_AUTHENTICATING;
    return STEP_DONE;
}

static bool take_key(struct login *login, struct slice body, struct error *error)
{
    struct cancel_key *key = conn_cancel_key(login->conn);
    struct slice bytes;

    if (!cursor_be32(&body, &key->pid) || body.len > CANCEL_KEY_MAX ||
        !cursor_bytes(&body, body.len, &bytes)) {
        return error_set(error, ERROR_TRANSIENT, "malformed BackendKeyData message");
    }
    memcpy(key->key, bytes.data, bytes.len);
    key->len = bytes.len;
    return true;
}

static bool take_auth(struct login *login, struct slice body, struct error *error)
{
    switch (auth_take(login->auth, body, conn_out(login->conn), error)) {
    case AUTH_GOES_ON:
        return true;
    case AUTH_PASSED:
        login->method = auth_method(login->auth);
        auth_free(login->auth);
        login->auth = NULL;
        login->state = LOGIN_SETTLING;
        return true;
    case AUTH_REFUSED:
        break;
    }
    return false;
}

static bool on_check(void *context, struct query_row *row)
{
    struct login *login = context;
    struct slice value;

    if (!query_row_next(row, &value)) {
        return false;
    }
    login->verdict = target_answered(attempts_target(login->attempts), value, &login->unfit);
    return true;
}

/* Judges the server. False: it is none that is wanted. */
static bool check(struct login *login, struct error *error)
{
    enum target target = attempts_target(login->attempts);

    login->verdict = target_judge(target, conn_in_hot_standby(login->conn),
                                  conn_default_read_only(login->conn), error);
    if (login->verdict == TARGET_UNKNOWN) {
        query_start(&login->query, login->conn, target_question(target), on_check, login);
        login->state = LOGIN_CHECKING;
    } else {
        login->state = LOGIN_DONE;
    }
    return login->verdict != TARGET_UNFIT;
}

/* ReadyForQuery. */
static bool settled(struct login *login, struct error *error)
{
    buffer_free(conn_out(login->conn)); /* it held a password, perhaps */
    forget_password(login);
    conn_lift_limit(login->conn);
    return check(login, error);
}

/* Whether the server has asked for the certificate that sslcert names, which isn't there. */
static bool lacks_cert(const struct login *login)
{
    const struct tls *tls = conn_tls(login->conn);

    return tls != NULL && tls_client_cert_wanted(tls) && !tls_client_cert_sent(tls) &&
           conninfo_text(login->info, CONN_SSLCERT)[0] != '\0' &&
           login->info->sslcertmode != SSLCERTMODE_DISABLE;
}

static void read_error(const struct login *login, struct slice body, struct error *error)
{
    server_error_read(body, error);
    if (login->password != NULL && strcmp(error->sqlstate, "28P01") == 0) {
        error_detail(error, "The password came from file \"%s\".",
                     conninfo_text(login->info, CONN_PASSFILE));
    }
    if (strcmp(error->sqlstate, "28000") == 0 && lacks_cert(login)) {
        error_detail(error, "No client certificate was sent: file \"%s\" does not exist.",
                     conninfo_text(login->info, CONN_SSLCERT));
    }
}

/* Takes one message. False: the login failed. */
static bool take_frame(struct login *login, const struct frame *frame, struct error *error)
{
    if (frame->kind == FRAME_MORE) {
        return true; /* the rest of a long notice */
    }
    if (frame->kind == FRAME_BEGIN) {
        switch (frame->type) {
        case 'E':
            read_error(login, frame->body, error);
            return false;
        case 'N': /* NoticeResponse */
        case 'v': /* NegotiateProtocolVersion: 3.0 without options is what it speaks */
            return true;
        case 'R':
            if (login->state == LOGIN_AUTHENTICATING) {
                return take_auth(login, frame->body, error);
            }
            break;
        case 'K':
            if (login->state == LOGIN_SETTLING) {
                return take_key(login, frame->body, error);
            }
            break;
        case 'Z':
            if (login->state == LOGIN_SETTLING) {
                return settled(login, error);
            }
            break;
        default:
            break;
        }
    }
    error_set(error, ERROR_PERMANENT, "invalid response from the server (is this PostgreSQL?)");
    error_hint(error, "Check host and port: something else may listen there.");
    return false;
}

/* SCRAM's iterations may take seconds: they are done in slices. */
static bool is_working(const struct login *login)
{
    return login->auth != NULL && auth_is_working(login->auth);
}

/* One read at most, so that a server that never pauses can't keep the caller from its clock. */
static enum step step_talking(struct login *login, struct error *error)
{
    struct frame frame;
    enum io io;

    if (is_working(login)) {
        if (auth_work(login->auth, conn_out(login->conn), error) == AUTH_REFUSED) {
            return STEP_FAILED;
        }
        return conn_flush(login->conn, error) == IO_ERROR ? STEP_FAILED : STEP_WAIT;
    }
    io = conn_flush(login->conn, error);
    if (io == IO_DONE) {
        io = conn_receive(login->conn, error);
    }
    if (io == IO_EOF) {
        error_set(error, ERROR_TRANSIENT, "the server closed the connection unexpectedly");
    }
    if (io != IO_DONE) {
        return io == IO_AGAIN ? STEP_WAIT : STEP_FAILED;
    }
    while (login->state < LOGIN_CHECKING && !is_working(login) &&
           (frame = conn_next(login->conn)).kind != FRAME_NONE) {
        if (!take_frame(login, &frame, error)) {
            return STEP_FAILED;
        }
    }
    if (login->state >= LOGIN_CHECKING) {
        return STEP_DONE;
    }
    return conn_flush(login->conn, error) == IO_ERROR ? STEP_FAILED : STEP_WAIT;
}

static void timed_out(const struct login *login, struct error *error)
{
    if (login->dial != NULL && !dial_reached(login->dial)) {
        error_set(error, ERROR_TRANSIENT, "timeout expired");
        error_hint(error, "No answer: check host and port, and the firewalls in between.");
    } else {
        error_set(error, ERROR_TRANSIENT, "timeout expired before the login was complete");
        error_hint(error, "Check host and port: something else may listen there. A server that is "
                          "busy may need a longer --connect-timeout.");
    }
}

static enum step step_checking(struct login *login, struct error *error)
{
    enum step step = query_step(&login->query, error);

    if (step == STEP_FAILED) {
        error_prefix(error, "could not determine whether the server meets target_session_attrs");
    } else if (step == STEP_DONE && login->verdict != TARGET_FITS) {
        *error = login->unfit;
        step = STEP_FAILED;
    } else if (step == STEP_DONE) {
        login->state = LOGIN_DONE;
    }
    return step;
}

static enum step step_attempt(struct login *login, struct error *error)
{
    enum step step = STEP_DONE;

    while (step == STEP_DONE && login->state != LOGIN_DONE) {
        switch (login->state) {
        case LOGIN_ASKING:
        case LOGIN_LOOKING_UP:
            step = STEP_WAIT;
            break;
        case LOGIN_DIALING:
            step = step_dialing(login, error);
            break;
        case LOGIN_AUTHENTICATING:
        case LOGIN_SETTLING:
            step = step_talking(login, error);
            break;
        case LOGIN_CHECKING:
            step = step_checking(login, error);
            break;
        case LOGIN_DONE:
            break;
        }
    }
    return step;
}

static enum step step_lookup(struct login *login, int64_t now_us, struct error *error)
{
    enum attempts_next next =
        attempts_look_up(login->attempts, now_us >= login->deadline_us, error);

    if (next == ATTEMPTS_LOOKUP && attempts_lookups(login->attempts) == login->lookups) {
        return STEP_WAIT; /* the same one */
    }
    login->failed_at = LOGIN_REACHING;
    return begin(login, next, now_us, error);
}

enum step login_step(struct login *login, int64_t now_us, struct error *error)
{
    enum step step;

    if (login->state == LOGIN_ASKING && !password_waits(login->info->typed)) {
        return begin(login, attempts_start(login->attempts, error), now_us, error);
    }
    if (login->state == LOGIN_LOOKING_UP) {
        return step_lookup(login, now_us, error);
    }
    step = step_attempt(login, error);
    if (step == STEP_WAIT && login->state != LOGIN_ASKING && now_us >= login->deadline_us) {
        timed_out(login, error);
        step = STEP_FAILED;
    }
    return step == STEP_FAILED ? next_attempt(login, now_us, error) : step;
}

struct pollfd login_pollfd(const struct login *login)
{
    if (login->state == LOGIN_ASKING) {
        return (struct pollfd){.fd = -1};
    }
    if (login->state == LOGIN_LOOKING_UP) {
        return attempts_pollfd(login->attempts);
    }
    return login->conn != NULL ? conn_pollfd(login->conn) : dial_pollfd(login->dial);
}

int64_t login_deadline(const struct login *login)
{
    if (login->state == LOGIN_ASKING) {
        return password_waits(login->info->typed) ? CLOCK_NEVER : 0;
    }
    if (is_working(login)) {
        return 0;
    }
    return login->deadline_us;
}

enum login_stage login_failed_at(const struct login *login)
{
    return login->failed_at;
}

const char *login_method(const struct login *login)
{
    return login->method;
}

struct conn *login_conn(struct login *login)
{
    return login->conn;
}

void login_free(struct login *login)
{
    if (login != NULL) {
        close_attempt(login);
        forget_password(login);
        attempts_free(login->attempts);
        free(login);
    }
}
