/* SPDX-License-Identifier: MIT */
/*
 * shim: a disk that a test has in its hands, by LD_PRELOAD, between a program and the files in one folder:
 *   PROSA_DISK_FOLDER   the folder; nothing else is touched
 *   PROSA_DISK_CONTROL  a file of `struct control`, shared with the test: what is counted, and what fails
 *   PROSA_DISK_RECORD   a file to which every change of the folder is appended, in order, and with it what
 *                       the program tells the network: so what was promised when can be held against the disk
 * A write that is to fail writes the first half of its octets. Instead of failing, the program can be killed
 * in the call, before anything of it is done. disk.py is the other side of this.
 */
#undef _FORTIFY_SOURCE /* its calls would take the place of those that stand here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* In the place of an error: the program is killed. */
#define KILLED 9999

/* Descriptors of our own stay out of the program's way. */
#define OWN_FD 512

enum call { CALL_OPEN, CALL_READ, CALL_WRITE, CALL_SYNC, CALL_TRUNCATE, CALL_MAP, CALLS };

/* Files, by their names. */
enum { FILE_DB = 1, FILE_WAL = 2, FILE_SHM = 4, FILE_JOURNAL = 8, FILE_LOCK = 16, FILE_OTHER = 32 };

/* Calls number `from` to `upto` - 1 of those on `files` fail with `error`. */
struct control {
    struct {
        uint64_t seen, failed;
        uint64_t from, upto;
        uint32_t files, error;
    } calls[CALLS];
};

/* A line of the record: `name_size` octets of a name follow, then `size` octets of content. */
struct line {
    uint8_t kind; /* one of the letters below */
    uint8_t error;
    uint16_t name_size;
    uint32_t size;
    uint64_t offset, socket;
};

enum {
    DID_CREATE = 'C',
    DID_WRITE = 'W',
    DID_TRUNCATE = 'T',
    DID_SYNC = 'S',
    DID_REMOVE = 'R',
    DID_RENAME = 'N', /* the content is the new name */
    WILL_SEND = '>',
    HAS_SENT = '<', /* offset: so many octets */
};

static struct control *control;
static int record = -1;
static char folder[PATH_MAX];
static size_t folder_size;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The function that ours stands before. */
#define NEXT(type, name, ...)                                                                                \
    type (*next)(__VA_ARGS__) = NULL;                                                                        \
    *(void **)&next = dlsym(RTLD_NEXT, name)

static int own(int fd)
{
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, OWN_FD);
    close(fd);
    return high;
}

static int open_own(const char *path, int flags)
{
    NEXT(int, "open64", const char *, int, ...);
    const int fd = next(path, flags | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : own(fd);
}

static void begin(void)
{
    const char *name = getenv("PROSA_DISK_FOLDER");
    const char *control_name = getenv("PROSA_DISK_CONTROL");
    const char *record_name = getenv("PROSA_DISK_RECORD");
    if (name == NULL || realpath(name, folder) == NULL) {
        return;
    }
    folder_size = strlen(folder);
    if (control_name != NULL) {
        NEXT(void *, "mmap64", void *, size_t, int, int, int, off_t);
        const int fd = open_own(control_name, O_RDWR);
        void *at = next(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        control = at != MAP_FAILED ? at : NULL;
    }
    if (record_name != NULL) {
        record = open_own(record_name, O_WRONLY | O_APPEND);
    }
}

/* --- which file ------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
    const size_t size = strlen(name);
    return size >= strlen(end) && strcmp(name + size - strlen(end), end) == 0;
}

static uint32_t kind_of(const char *name)
{
    return ends_with(name, "-wal")                             ? FILE_WAL
           : ends_with(name, "-shm")                           ? FILE_SHM
           : ends_with(name, "-journal")                       ? FILE_JOURNAL
           : ends_with(name, ".db") || ends_with(name, ".new") ? FILE_DB
           : strcmp(name, "lock") == 0                         ? FILE_LOCK
                                                               : FILE_OTHER;
}

/* The name within the folder, "." for the folder itself; NULL: it is none of ours. */
static const char *within(char path[static PATH_MAX])
{
    if (folder_size == 0 || strncmp(path, folder, folder_size) != 0 || ends_with(path, " (deleted)")) {
        return NULL;
    }
    return path[folder_size] == '\0' ? "." : path[folder_size] == '/' ? path + folder_size + 1 : NULL;
}

static const char *name_of_fd(int fd, char path[static PATH_MAX])
{
    char link[64];
    pthread_once(&once, begin);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t size = folder_size > 0 ? readlink(link, path, PATH_MAX - 1) : -1;
    if (size < 0) {
        return NULL;
    }
    path[size] = '\0';
    return within(path);
}

/* Of a file that need not be there. */
static const char *name_of_path(const char *name, char path[static PATH_MAX])
{
    char parent[PATH_MAX];
    pthread_once(&once, begin);
    const char *slash = strrchr(name, '/');
    if (folder_size == 0 || slash == NULL || slash == name || (size_t)(slash - name) >= sizeof parent) {
        return NULL;
    }
    memcpy(parent, name, (size_t)(slash - name));
    parent[slash - name] = '\0';
    if (realpath(parent, path) == NULL || strlen(path) + strlen(slash) >= PATH_MAX) {
        return NULL;
    }
    memcpy(path + strlen(path), slash, strlen(slash) + 1);
    return within(path);
}

/* --- what happens ----------------------------------------------------------------------------- */

static bool fails(enum call call, const char *name)
{
    if (name == NULL || control == NULL || (control->calls[call].files & kind_of(name)) == 0) {
        return false;
    }
    const uint64_t number = __atomic_add_fetch(&control->calls[call].seen, 1, __ATOMIC_SEQ_CST);
    const bool now = number >= __atomic_load_n(&control->calls[call].from, __ATOMIC_SEQ_CST) &&
                     number < __atomic_load_n(&control->calls[call].upto, __ATOMIC_SEQ_CST);
    if (now) {
        __atomic_add_fetch(&control->calls[call].failed, 1, __ATOMIC_SEQ_CST);
        errno = (int)control->calls[call].error;
        if (errno == KILLED) {
            raise(SIGKILL);
        }
    }
    return now;
}

static void note(struct line line, const char *name, const void *content)
{
    const int problem = errno;
    if (record >= 0 && name != NULL && kind_of(name) != FILE_SHM) {
        line.name_size = (uint16_t)strlen(name);
        const struct iovec parts[] = {
            {&line, sizeof line}, {(void *)name, line.name_size}, {(void *)content, line.size}};
        NEXT(ssize_t, "writev", int, const struct iovec *, int);
        if (next(record, parts, 3) < 0) {
            abort();
        }
    }
    errno = problem;
}

/* --- calls ------------------------------------------------------------------------------------ */

static int open_file(const char *path, int flags, mode_t mode)
{
    char buffer[PATH_MAX];
    NEXT(int, "open64", const char *, int, ...);
    const char *name = name_of_path(path, buffer);
    if (name == NULL || (flags & O_DIRECTORY) != 0) {
        return next(path, flags, mode);
    }
    if (fails(CALL_OPEN, name)) {
        return -1;
    }
    const bool is_new = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
    const int fd = next(path, flags, mode);
    if (fd >= 0 && is_new) {
        note((struct line){.kind = DID_CREATE}, name, NULL);
    }
    return fd;
}

#define OPEN(name)                                                                                           \
    int name(const char *path, int flags, ...)                                                               \
    {                                                                                                        \
        va_list arguments;                                                                                   \
        va_start(arguments, flags);                                                                          \
        const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;                          \
        va_end(arguments);                                                                                   \
        return open_file(path, flags, mode);                                                                 \
    }
OPEN(open)
OPEN(open64)

static ssize_t read_at(int fd, void *at, size_t size, off_t offset)
{
    char path[PATH_MAX];
    NEXT(ssize_t, "pread64", int, void *, size_t, off_t);
    return fails(CALL_READ, name_of_fd(fd, path)) ? -1 : next(fd, at, size, offset);
}

ssize_t pread(int fd, void *at, size_t size, off_t offset)
{
    return read_at(fd, at, size, offset);
}

ssize_t pread64(int fd, void *at, size_t size, off_t offset)
{
    return read_at(fd, at, size, offset);
}

static ssize_t write_at(int fd, const void *at, size_t size, off_t offset)
{
    char path[PATH_MAX];
    NEXT(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    const char *name = name_of_fd(fd, path);
    const bool is_bad = fails(CALL_WRITE, name);
    const int problem = errno;
    const ssize_t n = next(fd, at, is_bad ? size / 2 : size, offset);
    if (n > 0) {
        note((struct line){.kind = DID_WRITE, .offset = (uint64_t)offset, .size = (uint32_t)n}, name, at);
    }
    if (is_bad) {
        errno = problem;
        return -1;
    }
    return n;
}

ssize_t pwrite(int fd, const void *at, size_t size, off_t offset)
{
    return write_at(fd, at, size, offset);
}

ssize_t pwrite64(int fd, const void *at, size_t size, off_t offset)
{
    return write_at(fd, at, size, offset);
}

/* Files that are written from one end to the other: keys and the like. */
ssize_t write(int fd, const void *at, size_t size)
{
    char path[PATH_MAX];
    NEXT(ssize_t, "write", int, const void *, size_t);
    const char *name = name_of_fd(fd, path);
    if (name == NULL) {
        return next(fd, at, size);
    }
    const off_t offset = lseek(fd, 0, SEEK_CUR);
    const ssize_t n = write_at(fd, at, size, offset);
    if (n > 0) {
        lseek(fd, offset + n, SEEK_SET);
    }
    return n;
}

static int sync_file(int fd, const char *which)
{
    char path[PATH_MAX];
    NEXT(int, which, int);
    const char *name = name_of_fd(fd, path);
    const bool is_bad = fails(CALL_SYNC, name);
    const int result = is_bad ? -1 : next(fd);
    note((struct line){.kind = DID_SYNC, .error = is_bad}, name, NULL);
    return result;
}

int fsync(int fd)
{
    return sync_file(fd, "fsync");
}

int fdatasync(int fd)
{
    return sync_file(fd, "fdatasync");
}

static int truncate_file(int fd, off_t size)
{
    char path[PATH_MAX];
    NEXT(int, "ftruncate64", int, off_t);
    const char *name = name_of_fd(fd, path);
    const int result = fails(CALL_TRUNCATE, name) ? -1 : next(fd, size);
    if (result == 0) {
        note((struct line){.kind = DID_TRUNCATE, .offset = (uint64_t)size}, name, NULL);
    }
    return result;
}

int ftruncate(int fd, off_t size)
{
    return truncate_file(fd, size);
}

int ftruncate64(int fd, off_t size)
{
    return truncate_file(fd, size);
}

static void *map_file(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    char path[PATH_MAX];
    NEXT(void *, "mmap64", void *, size_t, int, int, int, off_t);
    return fd >= 0 && fails(CALL_MAP, name_of_fd(fd, path)) ? MAP_FAILED
                                                            : next(at, size, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map_file(at, size, protection, flags, fd, offset);
}

int unlink(const char *path)
{
    char buffer[PATH_MAX];
    NEXT(int, "unlink", const char *);
    const char *name = name_of_path(path, buffer);
    const int result = next(path);
    if (result == 0) {
        note((struct line){.kind = DID_REMOVE}, name, NULL);
    }
    return result;
}

static void note_rename(const char *from, const char *to)
{
    char from_buffer[PATH_MAX];
    char to_buffer[PATH_MAX];
    const char *from_name = name_of_path(from, from_buffer);
    const char *to_name = name_of_path(to, to_buffer);
    if (from_name != NULL && to_name != NULL) {
        note((struct line){.kind = DID_RENAME, .size = (uint32_t)strlen(to_name)}, from_name, to_name);
    }
}

int rename(const char *from, const char *to)
{
    NEXT(int, "rename", const char *, const char *);
    const int result = next(from, to);
    if (result == 0) {
        note_rename(from, to);
    }
    return result;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    NEXT(int, "renameat2", int, const char *, int, const char *, unsigned);
    const int result = next(from_folder, from, to_folder, to, flags);
    if (result == 0) {
        note_rename(from, to);
    }
    return result;
}

/* What is told to the network: recorded before anybody can have it, and again how much of it went out. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct stat info;
    NEXT(ssize_t, "writev", int, const struct iovec *, int);
    pthread_once(&once, begin);
    if (record < 0 || fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return next(fd, parts, count);
    }
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += parts[i].iov_len;
    }
    uint8_t *octets = malloc(size + 1);
    if (octets == NULL) {
        abort();
    }
    size = 0;
    for (int i = 0; i < count; i++) {
        memcpy(octets + size, parts[i].iov_base, parts[i].iov_len);
        size += parts[i].iov_len;
    }
    note((struct line){.kind = WILL_SEND, .socket = info.st_ino, .size = (uint32_t)size}, "", octets);
    free(octets);
    const ssize_t n = next(fd, parts, count);
    note((struct line){.kind = HAS_SENT, .socket = info.st_ino, .offset = n > 0 ? (uint64_t)n : 0}, "", NULL);
    return n;
}
