/*
 * What POSIX.1-2008 does not have, in one place, each with a portable
 * fallback behind the same call.
 */
#ifndef PGNUDGE_BASE_OS_H
#define PGNUDGE_BASE_OS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * poll(2) that takes a timeout in microseconds (CLOCK_NEVER: none) and puts
 * `mask` in force while it waits. Returns as poll does.
 */
int os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask);

/*
 * A new, non-blocking open file on what `fd` refers to, for writing, so that
 * O_NONBLOCK doesn't reach the processes that share `fd`. Returns -1 with
 * errno: ENXIO where a pipe has no reader any more.
 */
int os_reopen_nonblocking(int fd);

/*
 * Has poll report data on a TCP socket only once `bytes` of it wait (1: any),
 * or the end; the kernel makes room for twice as much. False: it can't.
 */
bool os_receive_low_water(int fd, size_t bytes);

enum os_pipe { OS_PIPE_SET, OS_PIPE_BUSY, OS_PIPE_UNSUPPORTED };

/*
 * Shrinks a pipe to one page, which makes POLLOUT mean that its reader has
 * taken everything. OS_PIPE_BUSY: more than that is unread, try again later.
 */
enum os_pipe os_pipe_one_page(int fd);

/*
 * In a child: closes every descriptor but `fd`, and opens 0 to 2 on /dev/null, so that no socket
 * takes their place.
 */
void os_close_all_but(int fd);

/*
 * In a child of `parent`: to be killed when that dies, where the system can. False: it has died
 * already.
 */
bool os_die_with(pid_t parent);

/* The resident memory of this process in bytes, or its peak where only that is known; 0: unknown. */
uint64_t os_resident_bytes(void);

/* The user who made the other end of a connected Unix socket listen. False, with errno: unknown. */
bool os_peer_user(int fd, uid_t *user);

#endif
