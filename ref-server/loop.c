/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NOWHERE UINT32_MAX

int loop_init(struct loop *loop)
{
    *loop = (struct loop){.now_ms = clock_now_ms()};
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll < 0 ? -errno : 0;
}

void loop_fini(struct loop *loop)
{
    close(loop->epoll);
    free(loop->heap);
}

/* The heap: a parent is never later than its children. */

static void put(struct loop *loop, size_t place, struct loop_source *source)
{
    loop->heap[place] = source;
    source->place = (uint32_t)place;
}

static void sift_up(struct loop *loop, size_t place, struct loop_source *source)
{
    while (place > 0) {
        const size_t parent = (place - 1) / 2;
        if (loop->heap[parent]->deadline_ms <= source->deadline_ms) {
            break;
        }
        put(loop, place, loop->heap[parent]);
        place = parent;
    }
    put(loop, place, source);
}

static void sift_down(struct loop *loop, size_t place, struct loop_source *source)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= loop->heap_count) {
            break;
        }
        if (child + 1 < loop->heap_count &&
            loop->heap[child + 1]->deadline_ms < loop->heap[child]->deadline_ms) {
            child++;
        }
        if (source->deadline_ms <= loop->heap[child]->deadline_ms) {
            break;
        }
        put(loop, place, loop->heap[child]);
        place = child;
    }
    put(loop, place, source);
}

static void heap_remove(struct loop *loop, struct loop_source *source)
{
    const uint32_t place = source->place;
    if (place == NOWHERE) {
        return;
    }
    source->place = NOWHERE;
    struct loop_source *last = loop->heap[--loop->heap_count];
    if (last != source) {
        sift_down(loop, place, last);
        sift_up(loop, last->place, last);
    }
}

/* Each source has its place reserved, so that setting a deadline cannot fail. */
static int heap_reserve(struct loop *loop, size_t count)
{
    if (count <= loop->heap_cap) {
        return 0;
    }
    const size_t cap = loop->heap_cap == 0 ? 64 : 2 * loop->heap_cap;
    struct loop_source **heap = realloc(loop->heap, cap * sizeof(struct loop_source *));
    if (heap == NULL) {
        return -ENOMEM;
    }
    loop->heap = heap;
    loop->heap_cap = cap;
    return 0;
}

static struct epoll_event event_of(struct loop_source *source, unsigned interest)
{
    struct epoll_event event = {.data.ptr = source};
    event.events |= (interest & LOOP_READ) != 0 ? EPOLLIN : 0u;
    event.events |= (interest & LOOP_WRITE) != 0 ? EPOLLOUT : 0u;
    /* A hang-up is reported whatever one asks for; to whoever asks for nothing it comes once. */
    event.events |= interest == 0 ? EPOLLET : 0u;
    return event;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, unsigned interest)
{
    const int problem = heap_reserve(loop, loop->source_count + 1);
    if (problem != 0) {
        return problem;
    }
    struct epoll_event event = event_of(source, interest);
    if (fd >= 0 && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        return -errno;
    }
    source->fd = fd;
    source->interest = interest;
    source->deadline_ms = LOOP_NEVER;
    source->place = NOWHERE;
    loop->source_count++;
    return 0;
}

void loop_set_interest(struct loop *loop, struct loop_source *source, unsigned interest)
{
    if (source->interest == interest) {
        return;
    }
    struct epoll_event event = event_of(source, interest);
    source->interest = interest;
    const int result = epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event);
    assert(result == 0);
    (void)result;
}

void loop_set_deadline(struct loop *loop, struct loop_source *source, uint64_t at_ms)
{
    if (source->deadline_ms == at_ms) {
        return;
    }
    heap_remove(loop, source);
    source->deadline_ms = at_ms;
    if (at_ms != LOOP_NEVER) {
        sift_up(loop, loop->heap_count++, source);
    }
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    heap_remove(loop, source);
    loop->source_count--;
    if (source->fd >= 0) {
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    }
    for (size_t i = loop->event_at; i < loop->event_count; i++) {
        if (loop->events[i].source == source) {
            loop->events[i].source = NULL;
        }
    }
}

static int timeout_of(const struct loop *loop)
{
    if (loop->heap_count == 0) {
        return -1;
    }
    const uint64_t now = clock_now_ms();
    const uint64_t at = loop->heap[0]->deadline_ms;
    if (at <= now) {
        return 0;
    }
    return at - now < INT_MAX ? (int)(at - now) : INT_MAX;
}

int loop_wait(struct loop *loop, bool busy)
{
    struct epoll_event ready[LOOP_BATCH];
    const int count = epoll_wait(loop->epoll, ready, LOOP_BATCH, busy ? 0 : timeout_of(loop));
    if (count < 0 && errno != EINTR) {
        return -errno;
    }
    loop->now_ms = clock_now_ms();
    loop->event_at = 0;
    loop->event_count = count < 0 ? 0 : (size_t)count;
    for (size_t i = 0; i < loop->event_count; i++) {
        const uint32_t events = ready[i].events;
        const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
        loop->events[i].source = ready[i].data.ptr;
        loop->events[i].ready = ((events & EPOLLIN) != 0 || broken ? LOOP_READ : 0u) |
                                ((events & EPOLLOUT) != 0 || broken ? LOOP_WRITE : 0u);
    }
    return 0;
}

bool loop_next(struct loop *loop, struct loop_event *event)
{
    while (loop->event_at < loop->event_count) {
        *event = loop->events[loop->event_at++];
        if (event->source != NULL) {
            return true;
        }
    }
    if (loop->heap_count == 0 || loop->heap[0]->deadline_ms > loop->now_ms) {
        return false;
    }
    *event = (struct loop_event){loop->heap[0], LOOP_TIMEOUT};
    loop_set_deadline(loop, event->source, LOOP_NEVER);
    return true;
}
