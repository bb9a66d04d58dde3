#include "out/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"

#define HELD_UP_RETRY_US (20 * CLOCK_MS)
#define BLOCKING_TERMINAL_TURN                                                                     \
    ((size_t)256) /* bytes for which POLLOUT promises room, in practice */

static enum output_result failed(struct error *error, const char *what)
{
    error_set(error, ERROR_FATAL, "could not write to standard output: %s", what);
    return OUTPUT_FAILED;
}

static enum output_kind kind_of(int fd, const struct stat *info)
{
    if (S_ISFIFO(info->st_mode)) {
        return OUTPUT_PIPE;
    }
    if (S_ISSOCK(info->st_mode)) {
        return OUTPUT_SOCKET;
    }
    return isatty(fd) ? OUTPUT_TERMINAL : OUTPUT_FILE;
}

enum output_result output_open(struct output *output, struct error *error)
{
    struct stat info;
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    int own;

    *output = (struct output){.fd = STDOUT_FILENO};
    output->line.limit = SIZE_MAX / 2; /* --max-pending bounds it */
    if (flags < 0 || fstat(STDOUT_FILENO, &info) != 0) {
        return failed(error, strerror(errno));
    }
    if ((flags & O_ACCMODE) == O_RDONLY) {
        return failed(error, "it is open for reading only");
    }
    output->kind = kind_of(STDOUT_FILENO, &info);
    if (output->kind == OUTPUT_PIPE || output->kind == OUTPUT_TERMINAL) {
        own = os_reopen_nonblocking(STDOUT_FILENO);
        if (own < 0 && errno == ENXIO && output->kind == OUTPUT_PIPE) {
            return OUTPUT_GONE;
        }
        if (own >= 0) {
            output->fd = own;
            output->own = true;
        }
    }
    return OUTPUT_OK;
}

bool output_busy(const struct output *output)
{
    return output->line.failed || output->sent < output->line.len;
}

struct buffer *output_line(struct output *output)
{
    buffer_clear(&output->line);
    output->sent = 0;
    return &output->line;
}

static size_t turn_of(const struct output *output, size_t len)
{
    size_t turn = OUTPUT_TURN;

    if (output->kind == OUTPUT_FILE || output->kind == OUTPUT_SOCKET) {
        return len;
    }
    if (output->kind == OUTPUT_TERMINAL && !output->own) {
        turn = BLOCKING_TERMINAL_TURN;
    }
    return len < turn ? len : turn;
}

/* What others left unread in the pipe must go first: behind it, POLLOUT promises nothing. */
static bool size_pipe(struct output *output)
{
    if (output->kind == OUTPUT_PIPE && !output->pipe_sized) {
        output->pipe_sized = os_pipe_one_page(output->fd) != OS_PIPE_BUSY;
        output->held_up = !output->pipe_sized;
    }
    return !output->held_up;
}

int64_t output_deadline(const struct output *output, int64_t now_us)
{
    return output->held_up ? clock_after(now_us, HELD_UP_RETRY_US) : CLOCK_NEVER;
}

short output_events(const struct output *output)
{
    return output->held_up ? 0 : POLLOUT;
}

enum output_result output_write(struct output *output, struct error *error)
{
    const char *data = output->line.data + output->sent;
    size_t len = turn_of(output, output->line.len - output->sent);
    ssize_t written;

    if (output->line.failed) {
        error_memory(error);
        return OUTPUT_FAILED;
    }
    if (!size_pipe(output)) {
        return OUTPUT_OK;
    }
    written = output->kind == OUTPUT_SOCKET
                  ? send(output->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                  : write(output->fd, data, len);
    if (written >= 0) {
        output->sent += (size_t)written;
        return OUTPUT_OK;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return OUTPUT_OK;
    }
    if (errno == EPIPE || errno == ECONNRESET) {
        return OUTPUT_GONE;
    }
    return failed(error, strerror(errno));
}

enum output_result output_check(const struct output *output, short revents)
{
    /* A file has no reader; some devices report POLLERR as a matter of course. */
    if (output->kind != OUTPUT_FILE && (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        return OUTPUT_GONE;
    }
    return OUTPUT_OK;
}

void output_close(struct output *output)
{
    if (output->own) {
        close(output->fd);
    }
    buffer_free(&output->line);
}
