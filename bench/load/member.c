/* SPDX-License-Identifier: MIT */
#include "member.h"

#include "clock.h"
#include "load.h"
#include "net.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the kernel keeps for one that never reads. */
#define STALLED_BUFFER 4096

void member_init(struct member *member, struct load *load, uint32_t number)
{
    *member = (struct member){.load = load, .reader = MEMBER_NOBODY, .writer = MEMBER_NOBODY};
    member->source = (struct loop_source){.owner = member, .fd = -1};
    snprintf(member->nick, sizeof member->nick, "%c%06x%05u", load->plan->source[0],
             (unsigned)(load->identity & 0xFFFFFF), (unsigned)(number % 100000));
}

static void close_down(struct member *member)
{
    if (member->source.fd >= 0) {
        loop_remove(&member->load->loop, &member->source);
        close(member->source.fd);
        member->source.fd = -1;
    }
    member->rest.size = 0;
    member->out.size = 0;
    member->is_blocked = false;
    member->is_amid = false;
}

void member_fini(struct member *member)
{
    close_down(member);
    free(member->talk);
    free(member->rest.at);
    free(member->out.at);
}

bool member_lose(struct member *member, const char *why)
{
    struct load *load = member->load;
    if (member->stage == MEMBER_GONE) {
        return false;
    }
    load->arriving -= member->stage == MEMBER_CONNECTING || member->stage == MEMBER_GREETING ? 1 : 0;
    member->stage = MEMBER_GONE;
    load->gone++;
    if (load->is_measured && load->why[0] == '\0') {
        snprintf(load->why, sizeof load->why, "%s: %s", member->nick, why);
    } else if (!load->is_measured) {
        (void)load_fail(load, member->nick, why);
    }
    return false;
}

void member_leave(struct member *member)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (member->source.fd >= 0) {
        (void)setsockopt(member->source.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    close_down(member);
    member->stage = MEMBER_AWAY;
}

/* --- octets out --- */

static void set_interest(struct member *member)
{
    const bool reads = !(member->is_stalled && member->stage == MEMBER_JOINED);
    const bool writes = member->is_blocked || member->stage == MEMBER_CONNECTING;
    if (member->source.fd >= 0) {
        loop_set_interest(&member->load->loop, &member->source,
                          (reads ? LOOP_READ : 0) | (writes ? LOOP_WRITE : 0));
    }
}

static bool append(struct member_octets *octets, const void *at, size_t size)
{
    if (octets->cap - octets->size < size) {
        const size_t cap = 2 * (octets->size + size);
        uint8_t *larger = realloc(octets->at, cap);
        if (larger == NULL) {
            return false;
        }
        octets->at = larger;
        octets->cap = cap;
    }
    memcpy(octets->at + octets->size, at, size);
    octets->size += size;
    return true;
}

bool member_say(struct member *member, const void *at, size_t size)
{
    return append(&member->out, at, size) || member_lose(member, "no memory");
}

void member_hold(struct member *member)
{
    member->is_blocked = true;
    set_interest(member);
}

size_t member_send(struct member *member, const uint8_t *at, size_t size)
{
    const ssize_t n = net_send(member->source.fd, prosa_bytes(at, size));
    const size_t sent = n > 0 ? (size_t)n : 0;
    if (n < 0 && n != -EAGAIN && n != -EINTR) {
        member->is_blocked = false; /* its last words may wait to be read */
    } else if (sent < size) {
        member_hold(member);
    }
    return sent;
}

bool member_flush(struct member *member)
{
    struct member_octets *out = &member->out;
    if (member->is_blocked || member->is_amid || member->source.fd < 0) {
        return false;
    }
    if (out->size == 0) {
        return true;
    }
    const size_t sent = member_send(member, out->at, out->size);
    out->size -= sent;
    memmove(out->at, out->at + sent, out->size);
    return out->size == 0;
}

/* --- octets in --- */

static void keep_rest(struct member *member, const uint8_t *at, size_t size)
{
    member->rest.size = 0;
    if (size > MEMBER_REST_MAX) {
        (void)member_lose(member, "a message without an end came");
    } else if (size > 0 && !append(&member->rest, at, size)) {
        (void)member_lose(member, "no memory");
    }
}

static void receive(struct member *member)
{
    uint8_t *buffer = member->load->buffer;
    const size_t kept = member->rest.size;
    if (kept > 0) {
        memcpy(buffer, member->rest.at, kept);
    }
    const ssize_t n = net_receive(member->source.fd, buffer + kept, LOAD_READ_SIZE);
    if (n == -EAGAIN || n == -EINTR) {
        return;
    }
    if (n <= 0) {
        (void)member_lose(member, n == 0 ? "the server ended the connection" : strerror((int)-n));
        return;
    }
    member->now_ns = clock_now_ns();
    const size_t size = kept + (size_t)n;
    const size_t done = member->load->plan->dialect->take(member, buffer, size);
    if (done != DIALECT_BROKEN && member->stage != MEMBER_AWAY) {
        keep_rest(member, buffer + done, size - done);
    }
}

/* --- steps --- */

static void finish_step(struct member *member, enum member_stage stage)
{
    const uint64_t us = (clock_now_ns() - member->began_ns) / 1000;
    member->step_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    member->stage = stage;
}

void member_is_present(struct member *member)
{
    finish_step(member, MEMBER_PRESENT);
    member->load->arriving--;
    member->load->present++;
}

void member_has_joined(struct member *member)
{
    finish_step(member, MEMBER_JOINED);
    member->load->joined++;
    set_interest(member);
}

static int open_socket(const struct member *member)
{
    const int on = 1, small = STALLED_BUFFER;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (member->is_stalled && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) != 0)) {
        const int problem = errno;
        close(fd);
        return -problem;
    }
    return fd;
}

bool member_arrive(struct member *member)
{
    struct load *load = member->load;
    const bool is_apart = member->writer != MEMBER_NOBODY && load->plan->dialect->writers_apart;
    const struct sockaddr_in *address = is_apart ? &load->plan->entrance : &load->plan->server;
    close_down(member);
    member->has_greeted = false;
    member->began_ns = clock_now_ns();
    const int fd = open_socket(member);
    int problem = fd < 0 ? fd : 0;
    if (problem == 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
        errno != EINPROGRESS) {
        problem = -errno;
        close(fd);
    }
    if (problem == 0) {
        problem = loop_add(&load->loop, &member->source, fd, LOOP_WRITE);
    }
    if (problem != 0) {
        return load_fail(load, member->nick, strerror(-problem));
    }
    member->stage = MEMBER_CONNECTING;
    load->arriving++;
    return true;
}

bool member_join(struct member *member)
{
    member->stage = MEMBER_JOINING;
    member->began_ns = clock_now_ns();
    if (!member->load->plan->dialect->join(member)) {
        return member_lose(member, "it cannot join");
    }
    (void)member_flush(member);
    return true;
}

static void greet(struct member *member)
{
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(member->source.fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
        (void)member_lose(member, strerror(problem));
        return;
    }
    member->stage = MEMBER_GREETING;
    if (!member->load->plan->dialect->greet(member)) {
        (void)member_lose(member, "no memory");
    }
}

void member_wake(struct member *member, unsigned ready)
{
    struct load *load = member->load;
    if (member->is_stalled && member->stage == MEMBER_JOINED && (ready & LOOP_READ) != 0) {
        load->cut++;
        member_leave(member);
        return;
    }
    if (member->stage == MEMBER_CONNECTING) {
        greet(member);
    } else if ((ready & LOOP_READ) != 0 && (member->source.interest & LOOP_READ) != 0) {
        receive(member);
    }
    if ((ready & LOOP_WRITE) != 0) {
        member->is_blocked = false;
    }
    if (member->stage == MEMBER_GONE) {
        close_down(member);
    }
    if (member->source.fd < 0) {
        return;
    }
    if (member->writer != MEMBER_NOBODY) {
        load_speak(load, &load->speeches[member->writer]);
    } else if (member->reader < load->plan->writers) {
        load_speak(load, &load->speeches[member->reader]);
    }
    (void)member_flush(member);
    set_interest(member);
}
