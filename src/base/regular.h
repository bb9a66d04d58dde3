/* Files that a user names or keeps in a place of his own: read only if they are regular. */
#ifndef PGNUDGE_BASE_REGULAR_H
#define PGNUDGE_BASE_REGULAR_H

#include <sys/stat.h>

#define REGULAR_FILE_MAX ((off_t)16 << 20) /* bytes */

/*
 * Opens it for reading, without waiting for anybody (a FIFO). -1: errno says why; EINVAL: it is no
 * regular file, EFBIG: it is larger than REGULAR_FILE_MAX.
 */
int regular_open(const char *path, struct stat *status);

#endif
