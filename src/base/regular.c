#include "base/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int regular_open(const char *path, struct stat *status)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int reason;

    if (fd < 0) {
        return -1;
    }
    reason = fstat(fd, status) != 0               ? errno
             : !S_ISREG(status->st_mode)          ? EINVAL
             : status->st_size > REGULAR_FILE_MAX ? EFBIG
                                                  : 0;
    if (reason != 0) {
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}
