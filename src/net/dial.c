#include "net/dial.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/os.h"
#include "conninfo/conncheck.h"
#include "wire/message.h"

#define SSL_REQUEST_CODE 80877103

enum dial_state { DIAL_CONNECTING, DIAL_ASKING, DIAL_HANDSHAKE, DIAL_DONE };

/*
 * 1. `transport` is there until dial_take.
 * 2. In ASKING the one byte of the answer is still to come, and nothing else may be in the socket.
 */
struct dial {
    enum dial_state state;
    enum encryption encryption;
    bool unix_socket;
    const struct conninfo *info;
    const struct host *host;
    struct transport *transport;
    struct buffer request; /* what is still to be sent of SSLRequest */
};

struct dial *dial_start(const struct address *address, const struct conninfo *info,
                        enum encryption encryption, struct error *error)
{
    struct dial *dial = calloc(1, sizeof(*dial));

    if (dial == NULL) {
        error_memory(error);
        return NULL;
    }
    dial->info = info;
    dial->host = address->host;
    dial->encryption = encryption;
    dial->unix_socket = address_is_unix(address);
    dial->transport = transport_open(address, info, error);
    if (dial->transport == NULL) {
        dial_free(dial);
        return NULL;
    }
    return dial;
}

/* requirepeer: the server at a Unix socket must run as this user. */
static bool check_peer(const struct dial *dial, struct error *error)
{
    const char *wanted = conninfo_text(dial->info, CONN_REQUIREPEER);
    const struct passwd *entry;
    uid_t user;

    if (!dial->unix_socket || wanted[0] == '\0') {
        return true;
    }
    if (!os_peer_user(transport_fd(dial->transport), &user)) {
        return error_set(error, ERROR_PERMANENT, "could not get the peer's credentials: %s",
                         strerror(errno));
    }
    entry = getpwuid(user);
    if (entry == NULL) {
        return error_set(error, ERROR_PERMANENT,
                         "requirepeer specifies \"%s\", but the server runs as user ID %ld, "
                         "which has no name",
                         wanted, (long)user);
    }
    return strcmp(entry->pw_name, wanted) == 0 ||
           error_set(error, ERROR_PERMANENT,
                     "requirepeer specifies \"%s\", but the server runs as user \"%s\"", wanted,
                     entry->pw_name);
}

static enum io start_handshake(struct dial *dial, struct error *error)
{
    dial->state = DIAL_HANDSHAKE;
    return transport_start_tls(dial->transport, dial->info, dial->host->name, error) ? IO_DONE
                                                                                     : IO_ERROR;
}

static enum io step_connecting(struct dial *dial, struct error *error)
{
    enum io io = transport_connect(dial->transport, error);
    size_t mark;

    if (io != IO_DONE) {
        return io;
    }
    if (!check_peer(dial, error)) {
        return IO_ERROR;
    }
    if (dial->encryption == ENCRYPT_NO) {
        dial->state = DIAL_DONE;
        return IO_DONE;
    }
    if (dial->info->direct_tls) {
        return start_handshake(dial, error);
    }
    mark = message_begin(&dial->request, 0);
    buffer_be32(&dial->request, SSL_REQUEST_CODE);
    message_end(&dial->request, mark);
    dial->state = DIAL_ASKING;
    return IO_DONE;
}

static enum io take_answer(struct dial *dial, const char *answer, size_t len, struct error *error)
{
    if (answer[0] != 'S' && answer[0] != 'N') {
        /* An 'E' too: what comes unencrypted here is nobody's word. */
        error_set(error, ERROR_TRANSIENT, "received an invalid answer to the TLS request");
        error_hint(error, "Check host and port: something else may listen there.");
        return IO_ERROR;
    }
    if (len > 1) { /* CVE-2021-23222: it would be taken for what came through TLS */
        error_set(error, ERROR_PERMANENT,
                  "received unencrypted data after the answer to the TLS request");
        return IO_ERROR;
    }
    if (answer[0] == 'S') {
        return start_handshake(dial, error);
    }
    if (dial->encryption == ENCRYPT_IF_OFFERED) {
        dial->state = DIAL_DONE;
        return IO_DONE;
    }
    error_set(error, ERROR_PERMANENT, "the server does not support TLS, but sslmode is \"%s\"",
              sslmode_name(dial->info->sslmode));
    error_hint(error, "ALTER SYSTEM SET ssl = on, with a certificate; or choose another sslmode.");
    return IO_ERROR;
}

static enum io step_asking(struct dial *dial, struct error *error)
{
    char answer[2];
    size_t len = 0;
    enum io io;

    if (dial->request.failed) {
        error_memory(error);
        return IO_ERROR;
    }
    while (dial->request.len > 0) {
        io = transport_write(dial->transport, dial->request.data, dial->request.len, &len, error);
        if (io != IO_DONE) {
            return io;
        }
        buffer_consume(&dial->request, len);
    }
    io = transport_read(dial->transport, answer, sizeof(answer), &len, error);
    return io == IO_DONE ? take_answer(dial, answer, len, error) : io;
}

static enum io step_handshake(struct dial *dial, struct error *error)
{
    enum io io = transport_handshake(dial->transport, error);

    if (io == IO_DONE) {
        dial->state = DIAL_DONE;
    }
    return io;
}

enum io dial_step(struct dial *dial, struct error *error)
{
    enum io io = IO_DONE;

    while (io == IO_DONE && dial->state != DIAL_DONE) {
        switch (dial->state) {
        case DIAL_CONNECTING:
            io = step_connecting(dial, error);
            break;
        case DIAL_ASKING:
            io = step_asking(dial, error);
            break;
        case DIAL_HANDSHAKE:
            io = step_handshake(dial, error);
            break;
        case DIAL_DONE:
            break;
        }
    }
    if (io == IO_EOF) {
        error_set(error, ERROR_TRANSIENT, "the server closed the connection unexpectedly");
        io = IO_ERROR;
    }
    return io;
}

bool dial_reached(const struct dial *dial)
{
    return dial->state != DIAL_CONNECTING;
}

struct pollfd dial_pollfd(const struct dial *dial)
{
    struct pollfd entry = transport_pollfd(dial->transport, false);

    if (dial->state == DIAL_CONNECTING || dial->request.len > 0) {
        entry.events = POLLOUT;
    }
    return entry;
}

struct transport *dial_take(struct dial *dial)
{
    struct transport *transport = dial->transport;

    dial->transport = NULL;
    return transport;
}

void dial_free(struct dial *dial)
{
    if (dial != NULL) {
        buffer_free(&dial->request);
        transport_close(dial->transport);
        free(dial);
    }
}
