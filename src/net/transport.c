#include "net/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

struct transport {
    int fd;
    bool is_unix;
    bool filled; /* the last read took all that it had room for */
    struct tls *tls;
};

/* Values of 0 and less leave the system's default, as in libpq. */
static bool set_tcp_option(int fd, int option, int value, enum conn_param param,
                           struct error *error)
{
    if (value <= 0 || setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) == 0) {
        return true;
    }
    return error_set(error, ERROR_PERMANENT, "could not set %s to %d: %s", conninfo_keyword(param),
                     value, strerror(errno));
}

/* Where a system has no such option, it is ignored, as by libpq. */
static bool set_tcp_options(int fd, const struct conninfo *info, struct error *error)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* status updates must not wait */
#ifdef TCP_USER_TIMEOUT
    if (!set_tcp_option(fd, TCP_USER_TIMEOUT, info->tcp_user_timeout, CONN_TCP_USER_TIMEOUT,
                        error)) {
        return false;
    }
#endif
    if (!info->keepalives) {
        return true;
    }
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
#ifdef TCP_KEEPIDLE
    return set_tcp_option(fd, TCP_KEEPIDLE, info->keepalives_idle, CONN_KEEPALIVES_IDLE, error) &&
           set_tcp_option(fd, TCP_KEEPINTVL, info->keepalives_interval, CONN_KEEPALIVES_INTERVAL,
                          error) &&
           set_tcp_option(fd, TCP_KEEPCNT, info->keepalives_count, CONN_KEEPALIVES_COUNT, error);
#else
    return true;
#endif
}

/* By errno, with what to look at. */
static void connect_failed(bool is_unix, int failure, struct error *error)
{
    error_set(error, ERROR_TRANSIENT, "%s", strerror(failure));
    if (is_unix) {
        error_hint(error, "Is the server running here? -h names its socket's directory "
                          "(unix_socket_directories), or a host.");
    } else if (failure == ECONNREFUSED) {
        error_hint(error, "Is the server running there, and on this address and port? See its "
                          "listen_addresses and port.");
    } else if (failure == ENETUNREACH || failure == EHOSTUNREACH) {
        error_hint(error, "No route to the server: check routing, and IPv6 if the address is one.");
    }
}

static bool start(int fd, const struct address *address, const struct conninfo *info,
                  struct error *error)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return error_set(error, ERROR_FATAL, "could not set up a socket: %s", strerror(errno));
    }
    if (!address_is_unix(address) && !set_tcp_options(fd, info, error)) {
        return false;
    }
    if (connect(fd, (const struct sockaddr *)&address->storage, address->len) != 0 &&
        errno != EINPROGRESS && errno != EINTR) {
        connect_failed(address_is_unix(address), errno, error);
        return false;
    }
    return true;
}

struct transport *transport_open(const struct address *address, const struct conninfo *info,
                                 struct error *error)
{
    struct transport *transport = calloc(1, sizeof(*transport));

    if (transport == NULL) {
        error_memory(error);
        return NULL;
    }
    transport->is_unix = address_is_unix(address);
    transport->fd = socket(address->storage.ss_family, SOCK_STREAM, 0);
    if (transport->fd < 0) {
        error_set(error, ERROR_TRANSIENT, "could not create socket: %s", strerror(errno));
    } else if (start(transport->fd, address, info, error)) {
        return transport;
    }
    transport_close(transport);
    return NULL;
}

enum io transport_connect(struct transport *transport, struct error *error)
{
    struct pollfd writable = {.fd = transport->fd, .events = POLLOUT};
    int failure = 0;
    socklen_t size = sizeof(failure);

    if (poll(&writable, 1, 0) == 0) {
        return IO_AGAIN;
    }
    if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0) {
        failure = errno;
    }
    if (failure != 0) {
        connect_failed(transport->is_unix, failure, error);
        return IO_ERROR;
    }
    return IO_DONE;
}

bool transport_start_tls(struct transport *transport, const struct conninfo *info, const char *host,
                         struct error *error)
{
    transport->tls = tls_new(transport->fd, info, host, error);
    return transport->tls != NULL;
}

enum io transport_handshake(struct transport *transport, struct error *error)
{
    return tls_handshake(transport->tls, error);
}

/* What a plain send or recv came to. */
static enum io result(ssize_t moved, size_t *len, struct error *error)
{
    if (moved >= 0) {
        *len = (size_t)moved;
        return moved > 0 ? IO_DONE : IO_EOF;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return IO_AGAIN;
    }
    if (errno == EPIPE || errno == ECONNRESET) {
        return IO_EOF;
    }
    error_set(error, ERROR_TRANSIENT, "%s", strerror(errno));
    return IO_ERROR;
}

enum io transport_read(struct transport *transport, void *data, size_t cap, size_t *len,
                       struct error *error)
{
    enum io io;

    if (transport->tls != NULL) {
        return tls_read(transport->tls, data, cap, len, error);
    }
    io = result(recv(transport->fd, data, cap, 0), len, error);
    transport->filled = io == IO_DONE && *len == cap;
    return io;
}

enum io transport_write(struct transport *transport, const void *data, size_t len, size_t *done,
                        struct error *error)
{
    if (transport->tls != NULL) {
        return tls_write(transport->tls, data, len, done, error);
    }
    return result(send(transport->fd, data, len, MSG_NOSIGNAL), done, error);
}

int transport_fd(const struct transport *transport)
{
    return transport->fd;
}

struct pollfd transport_pollfd(const struct transport *transport, bool writes)
{
    const struct tls *tls = transport->tls;
    short reads = POLLIN, writing = POLLOUT;

    if (tls != NULL) {
        reads = tls_read_events(tls);
        writing = tls_write_events(tls);
    }
    return (struct pollfd){.fd = transport->fd,
                           .events = (short)(writes ? reads | writing : reads)};
}

bool transport_pending(const struct transport *transport)
{
    return transport->tls != NULL ? tls_pending(transport->tls) : transport->filled;
}

void transport_read_ahead(struct transport *transport)
{
    if (transport->tls != NULL) {
        tls_read_ahead(transport->tls);
    }
}

bool transport_low_water(struct transport *transport, size_t bytes)
{
    return !transport->is_unix && os_receive_low_water(transport->fd, bytes);
}

const struct tls *transport_tls(const struct transport *transport)
{
    return transport->tls;
}

void transport_close(struct transport *transport)
{
    if (transport == NULL) {
        return;
    }
    tls_free(transport->tls);
    if (transport->fd >= 0) {
        close(transport->fd);
    }
    free(transport);
}
