/* SPDX-License-Identifier: MIT */
/* cable: the links between clients and server. The server's connections call recv, writev and the like; the
 * linker sends those calls here (--wrap). */
#include "world.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

static struct world *world;

void cable_init(struct world *of)
{
    world = of;
}

size_t cable_connect(struct world *of)
{
    for (size_t i = 0; i < LINKS; i++) {
        struct link *link = &of->links[i];
        if (!link->used) {
            *link = (struct link){.used = true, .waiting = true, .number = ++of->link_numbers};
            return i;
        }
    }
    return LINKS;
}

static void free_if_closed(struct link *link)
{
    link->used = !(link->client_closed && link->hub_closed);
}

void cable_close(struct world *of, struct link *link)
{
    link->client_closed = true;
    link->client_reset = world_random(of, 2) == 0;
    link->up.size = (size_t)world_random(of, link->up.size + 1);
    link->down.size = 0;
    free_if_closed(link);
}

void cable_bury(struct world *of, bool all)
{
    for (size_t i = 0; i < LINKS; i++) {
        struct link *link = &of->links[i];
        if (link->used && link->orphan && (all || link->hub_closed)) {
            cable_close(of, link);
            link->orphan = false;
        }
    }
}

unsigned cable_ready(const struct link *link)
{
    const bool gone = link->client_closed || link->client_shut;
    const bool readable = !link->cut && (link->up.size > 0 || gone);
    const bool writable = !link->cut && (link->down.size < PIPE || link->client_closed);
    return (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);
}

int listener_accept(struct loop *loop, struct loop_source *source, struct newcomer *newcomer)
{
    (void)loop;
    (void)source;
    for (size_t i = 0; i < LINKS; i++) {
        struct link *link = &world->links[i];
        if (link->used && link->waiting) {
            link->waiting = false;
            *newcomer = (struct newcomer){.fd = CABLE + (int)i};
            return 0;
        }
    }
    return -EAGAIN;
}

/* --- what conn calls -------------------------------------------------------------------------- */

ssize_t __wrap_recv(int fd, void *at, size_t size, int flags);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
int __wrap_shutdown(int fd, int how);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __wrap_close(int fd);
int __real_close(int fd);

/* Whole runs or small pieces; a kill of the client comes through only when all before it was read. */
ssize_t __wrap_recv(int fd, void *at, size_t size, int flags)
{
    struct link *link = &world->links[fd - CABLE];
    (void)flags;
    if (link->up.size == 0 && link->client_closed && link->client_reset) {
        errno = ECONNRESET;
        return -1;
    }
    if (link->up.size == 0 && (link->client_closed || link->client_shut)) {
        return 0;
    }
    if (link->up.size == 0 || link->cut) {
        errno = EAGAIN;
        return -1;
    }
    size_t taken = link->up.size < size ? link->up.size : size;
    taken = world_random(world, 2) == 0 ? taken : 1 + (size_t)world_random(world, taken);
    memcpy(at, link->up.octets, taken);
    link->up.size -= taken;
    memmove(link->up.octets, link->up.octets + taken, link->up.size);
    return (ssize_t)taken;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    struct link *link = &world->links[fd - CABLE];
    size_t room = PIPE - link->down.size, written = 0;
    if (link->client_closed) {
        errno = EPIPE;
        return -1;
    }
    room = world_random(world, 2) == 0 ? room : (size_t)world_random(world, room + 1);
    for (int i = 0; i < count; i++) {
        const size_t size = parts[i].iov_len < room ? parts[i].iov_len : room;
        memcpy(link->down.octets + link->down.size, parts[i].iov_base, size);
        link->down.size += size;
        written += size;
        room -= size;
    }
    if (written > 0) {
        return (ssize_t)written;
    }
    errno = EAGAIN;
    return -1;
}

int __wrap_shutdown(int fd, int how)
{
    (void)how;
    world->links[fd - CABLE].hub_shut = true;
    return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    (void)level;
    (void)value;
    (void)size;
    world->links[fd - CABLE].hub_reset = world->links[fd - CABLE].hub_reset || name == SO_LINGER;
    return 0;
}

/* Octets that were not read make a reset of it, and that may destroy what the client has not read. */
int __wrap_close(int fd)
{
    if (fd < CABLE) {
        return __real_close(fd);
    }
    struct link *link = &world->links[fd - CABLE];
    link->hub_closed = true;
    if (link->hub_reset || link->up.size > 0) {
        link->hub_reset = true;
        link->down.size = (size_t)world_random(world, link->down.size + 1);
    }
    link->up.size = 0;
    free_if_closed(link);
    return 0;
}
