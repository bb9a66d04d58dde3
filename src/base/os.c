/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): libc reads it */
#define _GNU_SOURCE /* ppoll, F_SETPIPE_SZ, close_range, struct ucred */
#include "base/os.h"

#if defined(__linux__) && !defined(OS_PORTABLE) /* OS_PORTABLE: to try the fallbacks on Linux */
#define OS_LINUX
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef OS_LINUX
#include <sys/prctl.h>
#else
#include <sys/resource.h>
#include <sys/select.h>
#endif
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static struct timespec timespec_of(int64_t time_us)
{
    return (struct timespec){
        .tv_sec = (time_t)(time_us / CLOCK_S),
        .tv_nsec = (long)(time_us % CLOCK_S) * 1000,
    };
}

#ifdef OS_LINUX

int os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask)
{
    struct timespec timeout = timespec_of(timeout_us);

    return ppoll(fds, count, timeout_us == CLOCK_NEVER ? NULL : &timeout, mask);
}

#else

#define SELECT_MAX_US (100 * CLOCK_MS) /* between two looks at what pselect knows nothing of */

/*
 * Waits by pselect, which lets signals in as ppoll does. It doesn't know of an end that nobody asks to
 * read or write, and takes no descriptor from FD_SETSIZE on: poll looks again and again.
 */
static int select_once(const struct pollfd *fds, nfds_t count, int64_t timeout_us,
                       const sigset_t *mask)
{
    struct timespec timeout = timespec_of(timeout_us < SELECT_MAX_US ? timeout_us : SELECT_MAX_US);
    fd_set readable, writable;
    int end = 0;

    FD_ZERO(&readable);
    FD_ZERO(&writable);
    for (nfds_t i = 0; i < count; i++) {
        int fd = fds[i].fd;

        if (fd < 0 || fd >= FD_SETSIZE) {
            continue;
        }
        if ((fds[i].events & POLLIN) != 0) {
            FD_SET(fd, &readable);
        }
        if ((fds[i].events & POLLOUT) != 0) {
            FD_SET(fd, &writable);
        }
        end = fd >= end ? fd + 1 : end;
    }
    return pselect(end, &readable, &writable, NULL, &timeout, mask);
}

int os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask)
{
    int64_t until_us = clock_after(clock_now_us(), timeout_us);
    int64_t left_us = timeout_us;

    for (;;) {
        int ready = poll(fds, count, 0);

        if (ready != 0) {
            return ready;
        }
        if (select_once(fds, count, left_us, mask) < 0) {
            return -1;
        }
        if (until_us != CLOCK_NEVER) {
            left_us = until_us - clock_now_us();
            if (left_us <= 0) {
                return poll(fds, count, 0);
            }
        }
    }
}

#endif

int os_reopen_nonblocking(int fd)
{
#ifdef OS_LINUX
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
#if defined(OS_LINUX) && defined(SO_RCVLOWAT)
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
#if defined(OS_LINUX) && defined(F_SETPIPE_SZ)
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

#if defined(OS_LINUX) && defined(CLOSE_RANGE_UNSHARE)
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
#ifdef OS_LINUX
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        return true;
    }
#endif
    return getppid() == parent;
}

uint64_t os_resident_bytes(void)
{
#ifdef OS_LINUX
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;
    char line[128];
    char *second;

    if (file != NULL) {
        if (fgets(line, sizeof(line), file) != NULL && (second = strchr(line, ' ')) != NULL) {
            pages = strtoull(second, NULL, 10);
        }
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
#else
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
#endif
}

bool os_peer_user(int fd, uid_t *user)
{
#ifdef SO_PEERCRED
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
