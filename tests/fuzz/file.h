/* SPDX-License-Identifier: MIT */
/* file: a file of which only this process knows, for code that opens one by its name. It holds `content` with
 * mode `mode`, and goes with the process, however that ends. */
#ifndef FILE_H
#define FILE_H

#include "fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its name, valid until the next call. */
static inline const char *file_hold(struct prosa_bytes content, mode_t mode)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        PROMISE(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    PROMISE(ftruncate(fd, 0) == 0 && fchmod(fd, mode) == 0);
    PROMISE(content.size == 0 || pwrite(fd, content.at, content.size, 0) == (ssize_t)content.size);
    return path;
}

#endif
