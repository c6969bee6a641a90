/* SPDX-License-Identifier: MIT */
/*
 * verifier: threads that check signatures. Tasks of one connection stand in its lane: their verdicts come
 * in the order of the tasks, whichever thread was first. Lanes take turns, a few tasks each, so that one
 * who floods does not stand in front of the others.
 * It refuses to know what is decided by a verdict. Only verify_task_run() runs on its threads.
 */
#ifndef REF_SERVER_VERIFIER_H
#define REF_SERVER_VERIFIER_H

#include "list.h"

#include <prosa/session.h>

#include <pthread.h>

/* One signature, with the octets that it needs. */
struct verify_task {
    struct verify_task *next; /* private, as are state and lane */
    struct lane *lane;
    void *room; /* the caller's, like counter and id: what the task is about */
    uint64_t counter;
    uint8_t id[PROSA_HASH_SIZE];
    struct prosa_verify_job job;
    enum prosa_status status; /* the verdict */
    uint8_t state;
    bool dropped;   /* verify_lane_drop() came first: nobody wants the verdict */
    size_t size;    /* octets of the frame that the job is about */
    size_t body_at; /* where its body begins in `octets` */
    uint8_t octets[];
};

/* All tasks of one connection. */
struct lane {
    void *owner;
    struct list ready, done; /* private */
    struct verify_task *first, *todo, *last;
    size_t count; /* tasks whose verdicts were not taken */
};

struct verifier {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list ready, done; /* lanes with tasks to do, and with verdicts */
    size_t waiting;          /* tasks whose verdicts were not taken */
    uint64_t checked, spent_ns;
    bool stopping;
    int wake; /* eventfd: readable when there are verdicts */
    size_t thread_count;
    pthread_t *threads;
};

/* Starts `threads` of them; 0: one a processor. 0 or -errno. */
PROSA_NODISCARD int verifier_init(struct verifier *verifier, size_t threads);

/* Ends the threads. Afterwards lanes with tasks can be freed. */
void verifier_fini(struct verifier *verifier);

void lane_init(struct lane *lane, void *owner);
/* Frees the tasks that are left; none of them is with a thread. */
void lane_fini(struct lane *lane);

/* A task for `job`, whose octets are copied; `frame` is the whole frame, in which those of a PUBLISH lie.
 * NULL: no memory. */
PROSA_NODISCARD struct verify_task *verify_task_new(struct prosa_bytes frame, struct prosa_bytes body,
                                                    const struct prosa_verify_job *job);

/* The task is checked when its turn comes; it is the verifier's until verifier_next() gives it back. */
void verifier_put(struct verifier *verifier, struct lane *lane, struct verify_task *task);

/* Nobody wants what is not taken yet: the tasks come back soon, marked as dropped. */
void verifier_drop(struct verifier *verifier, struct lane *lane);

/* The next verdict, or NULL: there is none now. The task is the caller's to free. */
PROSA_NODISCARD struct verify_task *verifier_next(struct verifier *verifier);

/* Tasks without a verdict that was taken, signatures checked so far, and the time that took. */
size_t verifier_waiting(struct verifier *verifier);
void verifier_measure(struct verifier *verifier, uint64_t *checked, uint64_t *spent_ns);

#endif
