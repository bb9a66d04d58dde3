#include "pq/login.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pq/address.h"
#include "pq/auth.h"
#include "pq/cursor.h"
#include "pq/dial.h"
#include "pq/message.h"
#include "pq/passfile.h"
#include "pq/servererror.h"

#define PROTOCOL_3_0 (3 << 16)

enum login_state { LOGIN_DIALING, LOGIN_AUTHENTICATING, LOGIN_SETTLING, LOGIN_DONE };

struct login {
    enum login_state state;
    const struct conninfo *info;
    bool replication;
    struct address_list addresses;
    size_t at;                  /* the address being tried */
    enum encryption encryption; /* … and how */
    bool second_try;            /* allow's and prefer's other way, same address */
    struct error first_try;     /* why the first way failed */
    int64_t deadline_us;        /* for this address */
    char *password;             /* what the password file says, until it has been used; or NULL */
    struct error no_password;   /* why the password file says nothing, if it isn't just absent */
    struct dial *dial;          /* while DIALING */
    struct conn *conn;          /* from then on */
    struct auth *auth;          /* while AUTHENTICATING */
    const char *method;         /* after that */
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

static bool start_attempt(struct login *login, enum encryption encryption, struct error *error)
{
    const struct address *address = &login->addresses.at[login->at];

    close_attempt(login);
    login->state = LOGIN_DIALING;
    login->encryption = encryption;
    login->dial = dial_start(address, login->info, encryption, error);
    return login->dial != NULL;
}

static enum encryption first_way(const struct login *login)
{
    if (address_is_unix(&login->addresses.at[login->at])) {
        return ENCRYPT_NO;
    }
    switch (login->info->sslmode) {
    case SSLMODE_DISABLE:
    case SSLMODE_ALLOW:
        return ENCRYPT_NO;
    case SSLMODE_PREFER:
        return ENCRYPT_IF_OFFERED;
    case SSLMODE_REQUIRE:
    case SSLMODE_VERIFY_CA:
    case SSLMODE_VERIFY_FULL:
        break;
    }
    return ENCRYPT_YES;
}

static bool start_address(struct login *login, size_t at, int64_t now_us, struct error *error)
{
    login->at = at;
    login->second_try = false;
    login->deadline_us = clock_after(now_us, login->info->connect_timeout_us);
    return start_attempt(login, first_way(login), error);
}

/*
 * Whether what failed may work with the other encryption, as libpq decides it.
 * What we refuse after TLS (a forged SCRAM signature, …) is never tried in clear.
 */
static bool has_other_way(const struct login *login, const struct error *error)
{
    bool tls =
        login->conn != NULL ? conn_tls(login->conn) != NULL : login->encryption != ENCRYPT_NO;
    bool reached = login->conn != NULL || (login->dial != NULL && dial_reached(login->dial));

    if (login->second_try || !reached || login->state > LOGIN_AUTHENTICATING ||
        address_is_unix(&login->addresses.at[login->at])) {
        return false;
    }
    return (login->info->sslmode == SSLMODE_ALLOW && !tls) ||
           (login->info->sslmode == SSLMODE_PREFER && tls &&
            (login->state == LOGIN_DIALING || error->sqlstate[0] != '\0'));
}

/* Completes the error of the attempt that failed last. */
static void describe(const struct login *login, struct error *error)
{
    error_prefix(error, "connection to %s failed", login->addresses.at[login->at].text);
    if (login->second_try && error->detail[0] == '\0' &&
        strcmp(login->first_try.message, error->message) != 0) {
        error_detail(error, "Before that, %s TLS: %s",
                     login->info->sslmode == SSLMODE_ALLOW ? "without" : "with",
                     login->first_try.message);
    }
}

/* After a failed attempt: the other encryption, the next address, or the end. */
static enum step next_attempt(struct login *login, int64_t now_us, struct error *error)
{
    for (;;) {
        if (error->kind == ERROR_FATAL) {
            return STEP_FAILED;
        }
        if (now_us < login->deadline_us && has_other_way(login, error)) {
            login->first_try = *error;
            login->second_try = true;
            if (start_attempt(login,
                              login->info->sslmode == SSLMODE_ALLOW ? ENCRYPT_YES : ENCRYPT_NO,
                              error)) {
                return STEP_WAIT;
            }
            continue;
        }
        describe(login, error);
        if (error->kind == ERROR_PERMANENT || login->at + 1 >= login->addresses.count) {
            close_attempt(login);
            return STEP_FAILED;
        }
        if (start_address(login, login->at + 1, now_us, error)) {
            return STEP_WAIT;
        }
    }
}

static bool find_addresses(struct login *login, const struct address *only, struct error *error)
{
    if (only == NULL) {
        return address_resolve(login->info, &login->addresses, error);
    }
    login->addresses.at[0] = *only;
    login->addresses.count = 1;
    return true;
}

struct login *login_start(const struct conninfo *info, const struct address *only, bool replication,
                          int64_t now_us, struct error *error)
{
    struct login *login = calloc(1, sizeof(*login));

    if (login == NULL) {
        error_memory(error);
        return NULL;
    }
    login->info = info;
    login->replication = replication;
    if (conninfo_text(info, CONN_PASSWORD)[0] == '\0') { /* anew each time: it may have changed */
        login->password = passfile_lookup(info, &login->no_password);
    }
    if (!find_addresses(login, only, error) ||
        (!start_address(login, 0, now_us, error) &&
         next_attempt(login, now_us, error) == STEP_FAILED)) {
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
    const struct address *address = &login->addresses.at[login->at];
    struct auth_setup setup = {.info = login->info,
                               .password = login->password,
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

static void forget_password(struct login *login)
{
    passfile_free(login->password);
    login->password = NULL;
}

static void settled(struct login *login)
{
    buffer_free(conn_out(login->conn)); /* it held a password, perhaps */
    forget_password(login);
    conn_trust(login->conn);
    login->state = LOGIN_DONE;
}

static void read_error(const struct login *login, struct slice body, struct error *error)
{
    server_error_read(body, error);
    if (login->password != NULL && strcmp(error->sqlstate, "28P01") == 0 &&
        error->detail[0] == '\0') {
        error_detail(error, "The password came from file \"%s\".",
                     conninfo_text(login->info, CONN_PASSFILE));
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
                settled(login);
                return true;
            }
            break;
        default:
            break;
        }
    }
    error_set(error, ERROR_PERMANENT, "received what is not PostgreSQL's protocol");
    error_hint(error, "Check host and port: something else may listen there.");
    return false;
}

/* One read at most, so that a server that never pauses can't keep the caller from its clock. */
static enum step step_talking(struct login *login, struct error *error)
{
    struct frame frame;
    enum io io = conn_flush(login->conn, error);

    if (io == IO_DONE) {
        io = conn_receive(login->conn, error);
    }
    if (io == IO_EOF) {
        error_set(error, ERROR_TRANSIENT, "the server closed the connection unexpectedly");
    }
    if (io != IO_DONE) {
        return io == IO_AGAIN ? STEP_WAIT : STEP_FAILED;
    }
    while (login->state != LOGIN_DONE && (frame = conn_next(login->conn)).kind != FRAME_NONE) {
        if (!take_frame(login, &frame, error)) {
            return STEP_FAILED;
        }
    }
    if (login->state == LOGIN_DONE) {
        return STEP_DONE;
    }
    return conn_flush(login->conn, error) == IO_ERROR ? STEP_FAILED : STEP_WAIT;
}

static void timed_out(const struct login *login, struct error *error)
{
    if (login->dial != NULL && !dial_reached(login->dial)) {
        error_set(error, ERROR_TRANSIENT, "timeout expired");
        error_hint(error, "Nothing answers there: check host and port, and the firewalls between.");
    } else {
        error_set(error, ERROR_TRANSIENT, "timeout expired before the login was through");
        error_hint(error, "Check host and port: something else may listen there. A server that is "
                          "busy may need a longer --connect-timeout.");
    }
}

enum step login_step(struct login *login, int64_t now_us, struct error *error)
{
    enum step step = STEP_DONE;

    if (login->state == LOGIN_DIALING) {
        step = step_dialing(login, error);
    }
    if (step == STEP_DONE && login->state != LOGIN_DONE) {
        step = step_talking(login, error);
    }
    if (step == STEP_WAIT && now_us >= login->deadline_us) {
        timed_out(login, error);
        step = STEP_FAILED;
    }
    return step == STEP_FAILED ? next_attempt(login, now_us, error) : step;
}

int login_fd(const struct login *login)
{
    return login->conn != NULL ? conn_fd(login->conn) : dial_fd(login->dial);
}

short login_events(const struct login *login)
{
    return login->conn != NULL ? conn_events(login->conn) : dial_events(login->dial);
}

int64_t login_deadline(const struct login *login)
{
    return login->deadline_us;
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
        free(login);
    }
}
