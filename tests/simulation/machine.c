/* SPDX-License-Identifier: MIT */
/* machine: what the server's rooms call, without any thread, clock or descriptor: loop, verifier, answerer,
 * log and clock of the world. */
#include "world.h"

#include "clock.h"
#include "keyfile.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* 2026-01-01, about. */
#define DATE_MS UINT64_C(1767225600000)

enum { TASK_WAITS, TASK_DONE };

static struct world *world;

void machine_init(struct world *of)
{
    world = of;
}

/* --- clock ------------------------------------------------------------------------------------ */

uint64_t clock_now_ns(void)
{
    return world->now * 1000000;
}

uint64_t clock_unix_ms(void)
{
    return DATE_MS + world->now + (uint64_t)world->skew;
}

void entropy_fill(void *at, size_t size)
{
    world_random_octets(world, at, size);
}

/* --- loop ------------------------------------------------------------------------------------- */

int loop_add(struct loop *loop, struct loop_source *source, int fd, unsigned interest)
{
    (void)loop;
    source->fd = fd;
    source->interest = interest;
    source->deadline_ms = LOOP_NEVER;
    if (fd >= CABLE) {
        world->links[fd - CABLE].source = source;
    }
    return 0;
}

void loop_set_interest(struct loop *loop, struct loop_source *source, unsigned interest)
{
    (void)loop;
    source->interest = interest;
}

void loop_set_deadline(struct loop *loop, struct loop_source *source, uint64_t at_ms)
{
    (void)loop;
    source->deadline_ms = at_ms;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    (void)loop;
    if (source->fd >= CABLE) {
        world->links[source->fd - CABLE].source = NULL;
    }
}

/* --- verifier --------------------------------------------------------------------------------- */

int verifier_init(struct verifier *verifier, size_t count)
{
    (void)count;
    *verifier = (struct verifier){.wake = -1};
    list_init(&verifier->known);
    return 0;
}

void verifier_fini(struct verifier *verifier)
{
    (void)verifier;
}

void lane_init(struct lane *lane, void *owner)
{
    *lane = (struct lane){.owner = owner};
    list_init(&lane->resting);
    list_init(&lane->ready);
}

void lane_fini(struct lane *lane)
{
    while (lane->first != NULL) {
        struct verify_task *task = lane->first;
        lane->first = task->next;
        free(task);
    }
    list_remove(&lane->ready);
}

static bool lies_in(struct prosa_bytes octets, struct prosa_bytes whole)
{
    const uintptr_t at = (uintptr_t)octets.at;
    return at >= (uintptr_t)whole.at && at + octets.size <= (uintptr_t)whole.at + whole.size;
}

/* A copy in the task: of the frame, or behind it. */
static struct prosa_bytes copy(struct prosa_bytes octets, struct prosa_bytes frame, uint8_t *at,
                               uint8_t **rest)
{
    if (lies_in(octets, frame)) {
        return prosa_bytes(at + (octets.at - frame.at), octets.size);
    }
    uint8_t *to = *rest;
    memcpy(to, octets.at, octets.size);
    *rest += octets.size;
    return prosa_bytes(to, octets.size);
}

struct verify_task *verify_task_new(struct prosa_bytes frame, struct prosa_bytes body,
                                    const struct prosa_verify_job *job)
{
    const size_t most = frame.size + job->key.size + job->message.size + job->signature.size;
    struct verify_task *task = malloc(sizeof *task + most);
    if (task == NULL) {
        return NULL;
    }
    *task = (struct verify_task){.size = frame.size, .body_at = (size_t)(body.at - frame.at)};
    memcpy(task->octets, frame.at, frame.size);
    uint8_t *rest = task->octets + frame.size;
    task->job.label = job->label;
    task->job.key = copy(job->key, frame, task->octets, &rest);
    task->job.message = copy(job->message, frame, task->octets, &rest);
    task->job.signature = copy(job->signature, frame, task->octets, &rest);
    return task;
}

void verifier_put(struct verifier *verifier, struct lane *lane, struct verify_task *task)
{
    task->lane = lane;
    task->state = TASK_WAITS;
    if (lane->last != NULL) {
        lane->last->next = task;
    } else {
        lane->first = task;
        list_append(&verifier->known, &lane->ready);
    }
    lane->last = task;
    lane->count++;
    verifier->waiting++;
}

void verifier_drop(struct verifier *verifier, struct lane *lane)
{
    (void)verifier;
    for (struct verify_task *task = lane->first; task != NULL; task = task->next) {
        task->dropped = true;
        task->state = TASK_DONE;
    }
}

/* machine_verify() does it. */
enum verifier_state verifier_help(struct verifier *verifier, uint64_t patience_ns)
{
    (void)verifier;
    (void)patience_ns;
    return VERIFIER_SLEEPS;
}

void verifier_hear(struct verifier *verifier)
{
    (void)verifier;
}

/* Verdicts of one lane come in the order of its tasks. */
struct verify_task *verifier_next(struct verifier *verifier, bool all)
{
    assert(all); /* nobody hurries who never asks for help */
    LIST_EACH(at, &verifier->known)
    {
        struct lane *lane = LIST_OF(at, struct lane, ready);
        struct verify_task *task = lane->first;
        if (task->state != TASK_DONE) {
            continue;
        }
        lane->first = task->next;
        lane->count--;
        verifier->waiting--;
        list_remove(&lane->ready);
        if (lane->first == NULL) {
            lane->last = NULL;
        } else {
            list_append(&verifier->known, &lane->ready);
        }
        return task;
    }
    return NULL;
}

size_t verifier_waiting(struct verifier *verifier)
{
    return verifier->waiting;
}

void verifier_measure(struct verifier *verifier, uint64_t *checked, uint64_t *spent_ns)
{
    *checked = verifier->checked;
    *spent_ns = verifier->spent_ns;
}

static void verify_lane(struct verifier *verifier, struct lane *lane)
{
    struct verify_task *task = lane->first;
    while (task != NULL && task->state == TASK_DONE) {
        task = task->next;
    }
    if (task != NULL) {
        task->status = prosa_verify_job_run(&task->job);
        task->state = TASK_DONE;
        verifier->checked++;
    }
}

void machine_verify(struct world *of)
{
    struct verifier *verifier = &of->hub.verifier;
    const uint64_t many = world_chance(of, 2) ? 12 : 2; /* the threads have other things to do at times */
    LIST_EACH(at, &verifier->known)
    {
        if (world_random(of, many) == 0) {
            verify_lane(verifier, LIST_OF(at, struct lane, ready));
        }
    }
}

/* --- what nobody needs here ------------------------------------------------------------------- */

bool answerer_ask(struct answerer *answerer, const struct question *question)
{
    (void)answerer;
    (void)question;
    return false;
}

void answerer_forget(struct answerer *answerer, const void *asker)
{
    (void)answerer;
    (void)asker;
}

bool answerer_next(struct answerer *answerer, struct verdict *verdict)
{
    (void)answerer;
    (void)verdict;
    return false;
}

bool settings_list_has(const char *list, struct prosa_bytes word)
{
    (void)list;
    (void)word;
    return false;
}

void key_suffix_format(const uint8_t key[static PROSA_KEY_SIZE], char out[static KEY_SUFFIX_SIZE])
{
    (void)key;
    memcpy(out, "0000", KEY_SUFFIX_SIZE);
}

/* --- log -------------------------------------------------------------------------------------- */

/* An error is one that the world has made, or a fault of the server. */
static void judge(enum log_level level, const char *event)
{
    if (level == LOG_LEVEL_ERROR && strcmp(event, "commit-failed") != 0) {
        world_violated(world, "the server logs an error");
    }
}

bool log_shows(enum log_level level)
{
    (void)level;
    return true;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[300];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    judge(level, event);
    if (strcmp(event, "client-gone") == 0 && strstr(line, "code=REPLACED") != NULL) {
        world_happened(world, REPLACED);
    }
}

void log_flood(enum log_level level, const char *event, const char *format, ...)
{
    (void)format;
    judge(level, event);
}

void log_say(const char *format, ...)
{
    (void)format;
}

const char *log_text(struct prosa_bytes text, char out[static LOG_TEXT_SIZE])
{
    (void)text;
    out[0] = '\0';
    return out;
}

const char *log_value(struct prosa_bytes text, char out[static LOG_VALUE_SIZE])
{
    return log_text(text, out);
}
