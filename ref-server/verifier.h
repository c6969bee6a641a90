/* SPDX-License-Identifier: MIT */
/*
 * verifier: checks signatures, on threads and on the loop when that has nothing else to do: with one
 * processor no thread is needed, and none is in the way. Tasks of one connection stand in its lane: their
 * verdicts come in the order of the tasks, whoever was first. Lanes take turns of one task; those who had
 * nothing waiting go before those who always have (as new flows do in FQ-CoDel, RFC 8290), so that one who
 * floods does not stand in front of the others. It refuses to know what is decided by a verdict. Only
 * prosa_verify_job_run() runs on its threads.
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
    bool fresh;     /* private: taken from a lane that was */
    bool dropped;   /* verifier_drop() came first: nobody wants the verdict */
    size_t size;    /* octets of the frame that the job is about */
    size_t body_at; /* where its body begins in `octets` */
    uint8_t octets[];
};

/* All tasks of one connection. */
struct lane {
    void *owner;
    struct list resting;     /* the owner's */
    struct list ready, done; /* private */
    struct verify_task *first, *todo, *last;
    size_t count; /* tasks whose verdicts were not taken */
    bool ahead;   /* private: has the verdict of a task that was taken when it was fresh */
};

struct verifier {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list fresh; /* lanes that had nothing to do when a task came */
    struct list known; /* those that had a turn since; whoever is empty at the next one is fresh again */
    struct list ahead; /* lanes with verdicts that are not to wait */
    struct list done;  /* the others with verdicts */
    size_t todo;       /* tasks that nobody has begun */
    size_t waiting;    /* tasks whose verdicts were not taken */
    uint64_t checked, spent_ns;
    uint64_t since_ns; /* when the first verdict came that may wait */
    bool stopping;
    bool asleep; /* the loop is, or will be: a verdict has to wake it */
    int wake;    /* eventfd: readable when there are verdicts, and the loop was asleep */
    size_t idle; /* threads that wait for work */
    size_t thread_count;
    pthread_t *threads;
};

/* `count` signatures are checked at once, one of them by verifier_help(); 0: as many as there are processors.
 * 0 or -errno. */
PROSA_NODISCARD int verifier_init(struct verifier *verifier, size_t count);

/* Ends the threads. Afterwards lanes with tasks can be freed. */
void verifier_fini(struct verifier *verifier);

void lane_init(struct lane *lane, void *owner);
/* Frees the tasks that are left; none of them is with a thread. After verifier_drop(). */
void lane_fini(struct lane *lane);

/* A task for `job`, whose octets are copied; `frame` is the whole frame, in which those of a PUBLISH lie.
 * NULL: no memory. */
PROSA_NODISCARD struct verify_task *verify_task_new(struct prosa_bytes frame, struct prosa_bytes body,
                                                    const struct prosa_verify_job *job);

/* The task is checked when its turn comes; it is the verifier's until verifier_next() gives it back. */
void verifier_put(struct verifier *verifier, struct lane *lane, struct verify_task *task);

/* Nobody wants what is not taken yet: the tasks come back soon, marked as dropped. */
void verifier_drop(struct verifier *verifier, struct lane *lane);

enum verifier_state {
    VERIFIER_SLEEPS,  /* nothing is to be done; `wake` will be readable when there is a verdict */
    VERIFIER_WORKS,   /* more is to be done, and verdicts are better taken later: many at once cost less */
    VERIFIER_HURRIES, /* verdicts of fresh lanes are to be taken now, the others later */
    VERIFIER_TELLS    /* all verdicts are to be taken now */
};

/* The loop has nothing else to do: it checks a signature or two, if they wait. Verdicts are to be taken when
 * none waits, or the first one is `patience_ns` old; those of fresh lanes as soon as all of these have
 * theirs, unless such a lane has more to be checked. */
PROSA_NODISCARD enum verifier_state verifier_help(struct verifier *verifier, uint64_t patience_ns);

/* `wake` is readable. */
void verifier_hear(struct verifier *verifier);

/* The next verdict, of all lanes or of fresh ones; NULL: there is none now. The task is the caller's to free.
 */
PROSA_NODISCARD struct verify_task *verifier_next(struct verifier *verifier, bool all);

/* Tasks without a verdict that was taken, signatures checked so far, and the processors' time that took. */
size_t verifier_waiting(struct verifier *verifier);
void verifier_measure(struct verifier *verifier, uint64_t *checked, uint64_t *spent_ns);

#endif
