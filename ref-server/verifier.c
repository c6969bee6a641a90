/* SPDX-License-Identifier: MIT */
#include "verifier.h"

#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Signatures that the loop checks before it looks again for what has come: about a tenth of a millisecond. */
#define HELPINGS 2u

enum { TASK_WAITS, TASK_RUNS, TASK_DONE };

/* --- checking --------------------------------------------------------------------------------- */

/* The task whose turn it is; NULL: none waits. With the lock. */
static struct verify_task *take(struct verifier *verifier)
{
    struct lane *lane;
    while ((lane = LIST_FIRST(&verifier->fresh, struct lane, ready)) != NULL ||
           (lane = LIST_FIRST(&verifier->known, struct lane, ready)) != NULL) {
        struct verify_task *task = lane->todo;
        const bool fresh = verifier->fresh.next == &lane->ready;
        list_remove(&lane->ready);
        if (task != NULL) {
            list_append(&verifier->known, &lane->ready);
            lane->todo = task->next;
            task->fresh = fresh && lane->todo == NULL; /* the first of many can wait for them */
            task->state = TASK_RUNS;
            verifier->todo--;
            return task;
        }
    }
    return NULL;
}

/* Puts the lane among those with verdicts that can be taken, if it has one. With the lock. */
static void announce(struct verifier *verifier, struct lane *lane)
{
    const uint64_t one = 1;
    list_remove(&lane->done);
    if (lane->first == NULL || lane->first->state != TASK_DONE) {
        return;
    }
    if (!lane->ahead && list_is_empty(&verifier->done)) {
        verifier->since_ns = clock_now_ns();
    }
    list_append(lane->ahead ? &verifier->ahead : &verifier->done, &lane->done);
    if (verifier->asleep) {
        verifier->asleep = false;
        (void)!write(verifier->wake, &one, sizeof one);
    }
}

/* Checks one. The lock is given back meanwhile. */
static void check(struct verifier *verifier, struct verify_task *task)
{
    pthread_mutex_unlock(&verifier->lock);
    const enum prosa_status status = prosa_verify_job_run(&task->job);
    pthread_mutex_lock(&verifier->lock);
    task->status = status;
    task->state = TASK_DONE;
    verifier->checked++;
    if (task->fresh || list_is_empty(&task->lane->done)) {
        task->lane->ahead |= task->fresh;
        announce(verifier, task->lane);
    }
}

static void *work(void *argument)
{
    struct verifier *verifier = argument;
    (void)pthread_setname_np(pthread_self(), "verifier"); /* for top and perf */
    uint64_t before_ns = clock_thread_ns();
    pthread_mutex_lock(&verifier->lock);
    while (!verifier->stopping) {
        struct verify_task *task = take(verifier);
        if (task != NULL) {
            check(verifier, task);
        } else {
            verifier->idle++;
            pthread_cond_wait(&verifier->work, &verifier->lock);
            verifier->idle--;
        }
        const uint64_t now_ns = clock_thread_ns();
        verifier->spent_ns += now_ns - before_ns;
        before_ns = now_ns;
    }
    pthread_mutex_unlock(&verifier->lock);
    return NULL;
}

/* Those that are not to wait have their verdicts, which can be taken. With the lock. */
static bool fresh_are_done(const struct verifier *verifier)
{
    return !list_is_empty(&verifier->ahead) && (list_is_empty(&verifier->fresh) || verifier->todo == 0);
}

/* With the lock. */
static bool is_time(const struct verifier *verifier, uint64_t patience_ns)
{
    return verifier->todo == 0 || clock_now_ns() - verifier->since_ns >= patience_ns;
}

enum verifier_state verifier_help(struct verifier *verifier, uint64_t patience_ns)
{
    enum verifier_state state = VERIFIER_WORKS;
    pthread_mutex_lock(&verifier->lock);
    if (verifier->todo > 0) {
        const uint64_t before_ns = clock_thread_ns();
        struct verify_task *task;
        for (unsigned i = 0; i < HELPINGS && !fresh_are_done(verifier) && (task = take(verifier)) != NULL;
             i++) {
            check(verifier, task);
        }
        verifier->spent_ns += clock_thread_ns() - before_ns;
    }
    const bool may_wait = !list_is_empty(&verifier->done);
    if (may_wait && is_time(verifier, patience_ns)) {
        state = VERIFIER_TELLS;
    } else if (fresh_are_done(verifier)) {
        state = VERIFIER_HURRIES;
    } else if (verifier->todo == 0 && !may_wait) {
        state = VERIFIER_SLEEPS;
    }
    verifier->asleep = state == VERIFIER_SLEEPS;
    pthread_mutex_unlock(&verifier->lock);
    return state;
}

/* --- the loop's side -------------------------------------------------------------------------- */

/* Signals are the loop's. */
static int start_threads(struct verifier *verifier, size_t count)
{
    sigset_t all, before;
    sigfillset(&all);
    int problem = -pthread_sigmask(SIG_SETMASK, &all, &before);
    while (problem == 0 && verifier->thread_count < count) {
        pthread_t *thread = &verifier->threads[verifier->thread_count];
        problem = -pthread_create(thread, NULL, work, verifier);
        if (problem == 0) {
            verifier->thread_count++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return problem;
}

int verifier_init(struct verifier *verifier, size_t count)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const size_t at_once = count > 0 ? count : processors > 0 ? (size_t)processors : 1;

    *verifier = (struct verifier){.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (verifier->wake < 0) {
        return -errno;
    }
    list_init(&verifier->fresh);
    list_init(&verifier->known);
    list_init(&verifier->ahead);
    list_init(&verifier->done);
    pthread_mutex_init(&verifier->lock, NULL);
    pthread_cond_init(&verifier->work, NULL);
    verifier->threads = calloc(at_once, sizeof *verifier->threads);
    const int problem = verifier->threads == NULL ? -ENOMEM : start_threads(verifier, at_once - 1);
    if (problem != 0) {
        verifier_fini(verifier);
    }
    return problem;
}

void verifier_fini(struct verifier *verifier)
{
    pthread_mutex_lock(&verifier->lock);
    verifier->stopping = true;
    pthread_cond_broadcast(&verifier->work);
    pthread_mutex_unlock(&verifier->lock);
    for (size_t i = 0; i < verifier->thread_count; i++) {
        pthread_join(verifier->threads[i], NULL);
    }
    free(verifier->threads);
    pthread_cond_destroy(&verifier->work);
    pthread_mutex_destroy(&verifier->lock);
    close(verifier->wake);
}

void lane_init(struct lane *lane, void *owner)
{
    *lane = (struct lane){.owner = owner};
    list_init(&lane->resting);
    list_init(&lane->ready);
    list_init(&lane->done);
}

void lane_fini(struct lane *lane)
{
    while (lane->first != NULL) {
        struct verify_task *task = lane->first;
        lane->first = task->next;
        free(task);
    }
}

static bool lies_in(struct prosa_bytes octets, struct prosa_bytes whole)
{
    const uintptr_t at = (uintptr_t)octets.at;
    const uintptr_t from = (uintptr_t)whole.at;
    return at >= from && at + octets.size <= from + whole.size;
}

/* Where `octets` stand in a task that has a copy of `frame`; *rest is behind what it has so far. */
static struct prosa_bytes keep(struct prosa_bytes octets, struct prosa_bytes frame,
                               const struct verify_task *task, uint8_t **rest)
{
    if (lies_in(octets, frame)) {
        return prosa_bytes(task->octets + (octets.at - frame.at), octets.size);
    }
    const struct prosa_bytes copy = prosa_bytes(*rest, octets.size);
    memcpy(*rest, octets.at, octets.size);
    *rest += octets.size;
    return copy;
}

struct verify_task *verify_task_new(struct prosa_bytes frame, struct prosa_bytes body,
                                    const struct prosa_verify_job *job)
{
    const struct prosa_bytes parts[] = {job->key, job->message, job->signature};
    size_t size = frame.size;
    for (size_t i = 0; i < 3; i++) {
        size += lies_in(parts[i], frame) ? 0 : parts[i].size;
    }
    struct verify_task *task = malloc(sizeof *task + size);
    if (task == NULL) {
        return NULL;
    }
    *task = (struct verify_task){.size = frame.size, .body_at = (size_t)(body.at - frame.at)};
    memcpy(task->octets, frame.at, frame.size);
    uint8_t *rest = task->octets + frame.size;
    task->job = (struct prosa_verify_job){.label = job->label};
    task->job.key = keep(job->key, frame, task, &rest);
    task->job.message = keep(job->message, frame, task, &rest);
    task->job.signature = keep(job->signature, frame, task, &rest);
    return task;
}

void verifier_put(struct verifier *verifier, struct lane *lane, struct verify_task *task)
{
    task->lane = lane;
    task->next = NULL;
    task->state = TASK_WAITS;
    pthread_mutex_lock(&verifier->lock);
    if (lane->last != NULL) {
        lane->last->next = task;
    } else {
        lane->first = task;
    }
    lane->last = task;
    lane->todo = lane->todo == NULL ? task : lane->todo;
    if (list_is_empty(&lane->ready)) {
        list_append(&verifier->fresh, &lane->ready);
    }
    lane->count++;
    verifier->waiting++;
    verifier->todo++;
    if (verifier->todo > 1 && verifier->idle > 0) { /* one is the loop's */
        pthread_cond_signal(&verifier->work);
    }
    pthread_mutex_unlock(&verifier->lock);
}

void verifier_drop(struct verifier *verifier, struct lane *lane)
{
    pthread_mutex_lock(&verifier->lock);
    for (struct verify_task *task = lane->first; task != NULL; task = task->next) {
        task->dropped = true;
        if (task->state == TASK_WAITS) {
            task->state = TASK_DONE;
            verifier->todo--;
        }
    }
    lane->todo = NULL;
    list_remove(&lane->ready);
    announce(verifier, lane);
    pthread_mutex_unlock(&verifier->lock);
}

void verifier_hear(struct verifier *verifier)
{
    uint64_t unused;
    (void)!read(verifier->wake, &unused, sizeof unused);
}

struct verify_task *verifier_next(struct verifier *verifier, bool all)
{
    pthread_mutex_lock(&verifier->lock);
    struct lane *lane = LIST_FIRST(&verifier->ahead, struct lane, done);
    if (lane == NULL && all) {
        lane = LIST_FIRST(&verifier->done, struct lane, done);
    }
    struct verify_task *task = NULL;
    if (lane != NULL) {
        task = lane->first;
        lane->first = task->next;
        lane->last = lane->first == NULL ? NULL : lane->last;
        lane->ahead = lane->ahead && !task->fresh;
        lane->count--;
        verifier->waiting--;
        announce(verifier, lane); /* lanes take turns here, too */
    }
    pthread_mutex_unlock(&verifier->lock);
    return task;
}

size_t verifier_waiting(struct verifier *verifier)
{
    pthread_mutex_lock(&verifier->lock);
    const size_t waiting = verifier->waiting;
    pthread_mutex_unlock(&verifier->lock);
    return waiting;
}

void verifier_measure(struct verifier *verifier, uint64_t *checked, uint64_t *spent_ns)
{
    pthread_mutex_lock(&verifier->lock);
    *checked = verifier->checked;
    *spent_ns = verifier->spent_ns;
    pthread_mutex_unlock(&verifier->lock);
}
