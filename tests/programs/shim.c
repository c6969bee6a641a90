/* SPDX-License-Identifier: MIT */
/*
 * shim: what a test puts between a program and the system, by LD_PRELOAD:
 *   PROSA_SHIM=resolver  a resolver that says so on stderr, and never answers
 *   PROSA_SHIM=publish   the program is killed when it is about to send its first PUBLISH
 *   PROSA_SHIM=fat       a file system that has neither modes nor second names of a file
 *   PROSA_SHIM=nfs       one that cannot give a name without replacing
 *   PROSA_SHIM=stray     who takes in a connection also tries to leave its folder, and says how that went
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <prosa/registry.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_asked_for(const char *habit)
{
    const char *asked = getenv("PROSA_SHIM");
    return asked != NULL && strcmp(asked, habit) == 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static const char words[] = "resolving\n";
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    const bool asks = hints == NULL || (hints->ai_flags & AI_NUMERICHOST) == 0; /* an address asks nobody */
    while (asks && is_asked_for("resolver")) {
        if (write(STDERR_FILENO, words, sizeof words - 1) > 0) {
            pause();
        }
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, found);
}

/* Whether one of the frames that begin at `at` is a PUBLISH. */
static bool has_publish(const uint8_t *at, size_t size)
{
    while (size >= PROSA_HEADER_SIZE) {
        const size_t length = PROSA_HEADER_SIZE + ((size_t)at[6] << 8 | at[7]);
        if (at[3] == PROSA_FRAME_PUBLISH) {
            return true;
        }
        at += length < size ? length : size;
        size -= length < size ? length : size;
    }
    return false;
}

ssize_t send(int fd, const void *at, size_t size, int flags)
{
    if (is_asked_for("publish") && has_publish(at, size)) {
        raise(SIGKILL);
    }
    return syscall(SYS_sendto, fd, at, size, flags, NULL, 0);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    if (is_asked_for("stray") && level == IPPROTO_TCP && option == TCP_NODELAY) {
        dprintf(STDERR_FILENO, "stray: %s\n", chdir("/") == 0 ? "gone" : strerror(errno));
    }
    return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}

static int refuse(int problem)
{
    errno = problem;
    return -1;
}

int fchmod(int fd, mode_t mode)
{
    return is_asked_for("fat") ? refuse(EPERM) : (int)syscall(SYS_fchmod, fd, mode);
}

int link(const char *from, const char *to)
{
    return is_asked_for("fat") ? refuse(EPERM) : linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if (is_asked_for("nfs") && flags != 0) {
        return refuse(EINVAL);
    }
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}
