/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): libc reads it */
#define _GNU_SOURCE /* ppoll, F_SETPIPE_SZ, close_range, struct ucred */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

int os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask)
{
    struct timespec timeout = {
        .tv_sec = (time_t)(timeout_us / CLOCK_S),
        .tv_nsec = (long)(timeout_us % CLOCK_S) * 1000,
    };

    return ppoll(fds, count, timeout_us == CLOCK_NEVER ? NULL : &timeout, mask);
}

int os_reopen_nonblocking(int fd)
{
#ifdef __linux__
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
#else
    (void)fd;
    errno = ENOSYS;
    return -1;
#endif
}

bool os_receive_low_water(int fd, size_t bytes)
{
#if defined(__linux__) && defined(SO_RCVLOWAT)
    int low_water = (int)bytes;

    return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water)) == 0;
#else
    (void)fd;
    (void)bytes;
    return false;
#endif
}

enum os_pipe os_pipe_one_page(int fd)
{
#ifdef F_SETPIPE_SZ
    if (fcntl(fd, F_SETPIPE_SZ, (int)sysconf(_SC_PAGESIZE)) >= 0) {
        return OS_PIPE_SET;
    }
    return errno == EBUSY ? OS_PIPE_BUSY : OS_PIPE_UNSUPPORTED;
#else
    (void)fd;
    return OS_PIPE_UNSUPPORTED;
#endif
}

#define DESCRIPTORS_MAX 65536 /* that are closed one by one, where there is no other way */

static void close_from(int first, int last)
{
    long most = sysconf(_SC_OPEN_MAX);

#if defined(__linux__) && defined(CLOSE_RANGE_UNSHARE)
    if (close_range((unsigned)first, (unsigned)last, 0) == 0) {
        return;
    }
#endif
    most = most > 0 && most < DESCRIPTORS_MAX ? most : DESCRIPTORS_MAX;
    for (int fd = first; fd <= last && fd < (int)most; fd++) {
        close(fd);
    }
}

void os_close_all_but(int fd)
{
    if (fd > 0) {
        close_from(0, fd - 1);
    }
    close_from(fd + 1, INT_MAX);
    for (int standard = 0; standard <= 2; standard++) {
        if (standard != fd && open("/dev/null", O_RDWR) < 0) {
            return;
        }
    }
}

bool os_die_with(pid_t parent)
{
#ifdef __linux__
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        return true;
    }
#endif
    return getppid() == parent;
}

bool os_peer_user(int fd, uid_t *user)
{
#ifdef __linux__
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return false;
    }
    *user = peer.uid;
    return true;
#else
    gid_t group;

    return getpeereid(fd, user, &group) == 0;
#endif
}
