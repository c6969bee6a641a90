/* SPDX-License-Identifier: MIT */
#include "folderlock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Both lines together have always the same length, so that a new content covers the old one. */
#define CONTENT_FORMAT "pid %10u\nentries %20" PRIu64 "\n"
#define CONTENT_SIZE   44

static void read_content(int fd, long *pid, uint64_t *mark)
{
    char content[CONTENT_SIZE + 1] = "";
    *pid = 0;
    *mark = 0;
    if (pread(fd, content, CONTENT_SIZE, 0) == CONTENT_SIZE) {
        char *line = strchr(content, '\n');
        *pid = strtol(content + strlen("pid"), NULL, 10);
        if (line != NULL && strncmp(line + 1, "entries ", strlen("entries ")) == 0) {
            *mark = strtoull(line + 1 + strlen("entries"), NULL, 10);
        }
    }
}

bool folderlock_take(struct folderlock *lock, const char *folder, char *why, size_t why_size)
{
    char path[PATH_MAX];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    long pid;
    snprintf(path, sizeof path, "%s/lock", folder);
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (lock->fd < 0) {
        snprintf(why, why_size, "%s cannot be opened: %s", path, strerror(errno));
        return false;
    }
    /* Of this description, not of the process: to close another one of the same file does not undo it. */
    if (fcntl(lock->fd, F_OFD_SETLK, &whole) == 0) {
        read_content(lock->fd, &pid, &lock->mark);
        folderlock_mark(lock, lock->mark);
        return true;
    }
    const int problem = errno;
    read_content(lock->fd, &pid, &lock->mark);
    if (problem == EAGAIN || problem == EACCES) {
        snprintf(why, why_size,
                 "the data folder %s is in use by process %ld; stop that server first, or give this one a "
                 "folder of its own",
                 folder, pid);
    } else {
        snprintf(why, why_size, "%s cannot be locked: %s", path, strerror(problem));
    }
    close(lock->fd);
    return false;
}

void folderlock_mark(struct folderlock *lock, uint64_t mark)
{
    char content[CONTENT_SIZE + 1];
    lock->mark = mark;
    snprintf(content, sizeof content, CONTENT_FORMAT, (unsigned)getpid(), mark);
    /* A mark that cannot be written stays behind, which is harmless. */
    if (pwrite(lock->fd, content, CONTENT_SIZE, 0) < 0) {
        return;
    }
}

void folderlock_release(struct folderlock *lock)
{
    if (lock->fd >= 0) {
        close(lock->fd);
    }
    lock->fd = -1;
}
