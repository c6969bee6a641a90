/* SPDX-License-Identifier: MIT */
/*
 * loop: waits for many descriptors and deadlines at once. The only room that knows epoll:
 * level-triggered, with a cached interest, so that asking again for the same costs no system call.
 * It refuses to call anybody: events are pulled, and whoever pulls may remove any source, also one
 * whose event has not been pulled yet.
 */
#ifndef REF_SERVER_LOOP_H
#define REF_SERVER_LOOP_H

#include <prosa/bytes.h>

#define LOOP_READ    1u
#define LOOP_WRITE   2u
#define LOOP_TIMEOUT 4u

#define LOOP_NEVER UINT64_MAX

/* Most events that one wait brings. */
#define LOOP_BATCH 64

/* Embedded in what it wakes; `kind` and `owner` are the caller's. The rest is the loop's. */
struct loop_source {
    void *owner;
    int kind;
    int fd;
    unsigned interest;
    uint32_t place;
    uint64_t deadline_ms;
};

struct loop_event {
    struct loop_source *source; /* NULL: removed since */
    unsigned ready;
};

struct loop {
    int epoll;
    uint64_t now_ms; /* clock_now_ms() after the last wait */
    struct loop_event events[LOOP_BATCH];
    size_t event_count, event_at;
    struct loop_source **heap; /* those with a deadline, the earliest first */
    size_t heap_count, source_count, heap_cap;
};

/* 0 or -errno. */
PROSA_NODISCARD int loop_init(struct loop *loop);
void loop_fini(struct loop *loop);

/* Watches `fd`, which stays the caller's, for LOOP_READ | LOOP_WRITE; no deadline yet. Errors and
 * hang-ups count as readiness for both; without any interest they come once. fd -1: a deadline alone.
 * 0 or -errno. */
PROSA_NODISCARD int loop_add(struct loop *loop, struct loop_source *source, int fd, unsigned interest);
void loop_set_interest(struct loop *loop, struct loop_source *source, unsigned interest);

/* One LOOP_TIMEOUT when clock_now_ms() reaches `at_ms`; LOOP_NEVER for none. */
void loop_set_deadline(struct loop *loop, struct loop_source *source, uint64_t at_ms);

/* Forgets the source and its events. Before its descriptor is closed. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* Sleeps until something is ready or due; looks only, when the caller is `busy`. 0 or -errno. */
PROSA_NODISCARD int loop_wait(struct loop *loop, bool busy);

/* The next event of this wait; false when there is none left. */
PROSA_NODISCARD bool loop_next(struct loop *loop, struct loop_event *event);

#endif
