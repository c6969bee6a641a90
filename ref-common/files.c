/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_read_all(int fd, void *at, size_t size)
{
    uint8_t *next = at;
    while (size > 0) {
        const ssize_t n = read(fd, next, size);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        next += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_all(int fd, struct prosa_bytes content)
{
    while (content.size > 0) {
        const ssize_t n = write(fd, content.at, content.size);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        content.at += n > 0 ? n : 0;
        content.size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* So that a new name outlives a crash, too. */
static bool sync_folder_of(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

/* True when only its owner can read it. A file system without modes, such as FAT, may refuse to set one. */
static bool make_private(int fd)
{
    struct stat info;
    if (fchmod(fd, S_IRUSR | S_IWUSR) == 0) {
        return true;
    }
    const int problem = errno;
    const bool good = fstat(fd, &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    errno = problem;
    return good;
}

static bool write_new(const char *path, struct prosa_bytes content)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return false;
    }
    const bool good = make_private(fd) && write_all(fd, content) && fsync(fd) == 0;
    const int problem = errno;
    close(fd);
    errno = problem;
    return good;
}

/* Gives the file a name that no other has. Some file systems cannot keep the second name of link for a
 * moment (FAT), others not rename without replacing (NFS); each has one of the two. */
static bool name_new(const char *temporary, const char *path)
{
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return true;
    }
    return (errno == EINVAL || errno == ENOSYS) && link(temporary, path) == 0;
}

bool file_write_whole(const char *path, struct prosa_bytes content, bool replace)
{
    char temporary[PATH_MAX];
    const int length = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    bool good = write_new(temporary, content);
    if (good) {
        good = replace ? rename(temporary, path) == 0 : name_new(temporary, path);
    }
    const int problem = errno;
    unlink(temporary); /* there is none after rename */
    errno = problem;
    return good && sync_folder_of(path);
}

static bool write_again(int fd)
{
    uint8_t part[16384];
    off_t at = 0;
    ssize_t size;
    while ((size = pread(fd, part, sizeof part, at)) > 0) {
        if (pwrite(fd, part, (size_t)size, at) != size) {
            return false;
        }
        at += size;
    }
    return size == 0 && fsync(fd) == 0;
}

bool file_write_again(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT;
    }
    errno = ENOSPC; /* what a write that is cut off does not say */
    const bool good = write_again(fd);
    const int problem = errno;
    close(fd);
    errno = problem;
    return good;
}

static bool make_one(const char *path)
{
    struct stat info;
    if (mkdir(path, S_IRWXU) == 0) {
        return true;
    }
    if (errno != EEXIST || stat(path, &info) != 0) {
        return false;
    }
    errno = ENOTDIR;
    return S_ISDIR(info.st_mode);
}

bool folder_make(const char *path)
{
    char copy[PATH_MAX];
    const int length = snprintf(copy, sizeof copy, "%s", path);
    if (length <= 0 || (size_t)length >= sizeof copy) {
        errno = length <= 0 ? ENOENT : ENAMETOOLONG;
        return false;
    }
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const bool good = make_one(copy);
        *slash = '/';
        if (!good) {
            return false;
        }
    }
    return make_one(copy);
}

bool streams_hold(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = open("/dev/null", O_RDWR);
    }
    return fd >= 0 && close(fd) == 0;
}
