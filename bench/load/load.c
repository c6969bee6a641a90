/* SPDX-License-Identifier: MIT */
#include "load.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define JOINS_AT_ONCE 256u
#define PROBE_MS      10u
#define TURN_SIZE     131072u /* octets that one writer sends before others have a turn */

bool load_fail(struct load *load, const char *who, const char *why)
{
    if (!load->has_failed) {
        snprintf(load->why, sizeof load->why, "%s: %s", who, why);
    }
    load->has_failed = true;
    return false;
}

/* --- beginning and end --- */

static bool init_members(struct load *load)
{
    const struct plan *plan = load->plan;
    const uint32_t apart = plan->dialect->writers_apart ? plan->readers : 0;
    for (uint32_t i = 0; i < load->member_count; i++) {
        struct member *member = &load->members[i];
        member_init(member, load, i);
        member->is_stalled = i >= load->member_count - plan->stalled;
        member->reader = i < plan->readers ? i : MEMBER_NOBODY;
        if (!member->is_stalled && !plan->replays && i >= apart && i - apart < plan->writers) {
            member->writer = i - apart;
            load->speeches[i - apart].member = member;
        }
        if (plan->dialect->make != NULL && !plan->dialect->make(member)) {
            return load_fail(load, member->nick, "no memory");
        }
    }
    return true;
}

bool load_init(struct load *load, const struct plan *plan)
{
    uint32_t count = plan->readers + plan->stalled;
    count += plan->dialect->writers_apart ? plan->writers : 0;
    *load = (struct load){.plan = plan, .beat = {.fd = -1}, .input = {.fd = STDIN_FILENO}};
    entropy_fill(&load->identity, sizeof load->identity);
    if (loop_init(&load->loop) != 0 || loop_add(&load->loop, &load->beat, -1, 0) != 0) {
        return load_fail(load, "load", "the system gives nothing to wait with");
    }
    if (plan->pauses && loop_add(&load->loop, &load->input, STDIN_FILENO, LOOP_READ) != 0) {
        return load_fail(load, "load", "its stdin must be a pipe or a terminal");
    }
    load->members = calloc(count + 1, sizeof *load->members);
    load->speeches = calloc(plan->writers + 1, sizeof *load->speeches);
    load->buffer = malloc(LOAD_READ_SIZE + MEMBER_REST_MAX);
    if (load->members == NULL || load->speeches == NULL || load->buffer == NULL ||
        !judge_init(&load->judge, plan->run, plan->readers, plan->writers, plan->posts,
                    plan->dialect->repeats && plan->seconds > 0)) {
        return load_fail(load, "load", "no memory");
    }
    load->member_count = count;
    return init_members(load);
}

void load_fini(struct load *load)
{
    for (uint32_t i = 0; i < load->member_count; i++) {
        member_leave(&load->members[i]);
        member_fini(&load->members[i]);
    }
    for (uint32_t i = 0; load->speeches != NULL && i < load->plan->writers; i++) {
        free(load->speeches[i].octets);
    }
    free(load->members);
    free(load->speeches);
    free(load->buffer);
    judge_fini(&load->judge);
    loop_fini(&load->loop);
}

/* --- one turn --- */

/* A line, or the end of it all. */
static void read_input(struct load *load)
{
    char octets[64];
    const ssize_t n = read(STDIN_FILENO, octets, sizeof octets);
    load->has_input = n >= 0;
    if (n <= 0) {
        loop_remove(&load->loop, &load->input);
        load->input_has_ended = true;
    }
}

bool load_pause(struct load *load)
{
    load->has_input = load->input_has_ended;
    while (!load->has_input) {
        if (!load_step(load)) {
            return false;
        }
    }
    return true;
}

bool load_step(struct load *load)
{
    struct loop_event event;
    load->has_beaten = false;
    if (load->has_failed) {
        return false;
    }
    if (loop_wait(&load->loop, false) != 0) {
        return load_fail(load, "load", "it cannot wait");
    }
    while (loop_next(&load->loop, &event)) {
        if (event.source == &load->beat) {
            load->has_beaten = true;
        } else if (event.source == &load->input) {
            read_input(load);
        } else if (event.source != NULL) {
            member_wake(event.source->owner, event.ready);
        }
    }
    return !load->has_failed;
}

/* --- arriving and joining --- */

bool load_arrive(struct load *load)
{
    uint32_t next = 0;
    while (load->present < load->member_count) {
        while (next < load->member_count && load->arriving < load->plan->at_once) {
            if (!member_arrive(&load->members[next++])) {
                return false;
            }
        }
        if (!load_step(load)) {
            return false;
        }
    }
    return true;
}

/* Every PROBE_MS, from the first writer. */
static bool probe(struct load *load)
{
    const struct dialect *dialect = load->plan->dialect;
    struct member *writer = load->plan->writers > 0 ? load->speeches[0].member : NULL;
    if (dialect->probe == NULL || writer == NULL || load->beat.deadline_ms != LOOP_NEVER) {
        return true;
    }
    loop_set_deadline(&load->loop, &load->beat, clock_now_ms() + PROBE_MS);
    return writer->stage != MEMBER_JOINED || dialect->probe(writer);
}

bool load_join(struct load *load)
{
    const bool has_probe = load->plan->dialect->probe != NULL; /* its writers come last, and are waited for */
    uint32_t next = 0;
    while (load->joined < load->member_count) {
        while (next < load->member_count && (next - load->joined < JOINS_AT_ONCE || has_probe)) {
            if (!member_join(&load->members[next++])) {
                return false;
            }
        }
        if (load->joined < load->member_count && (!probe(load) || !load_step(load))) {
            return false;
        }
    }
    loop_set_deadline(&load->loop, &load->beat, LOOP_NEVER);
    return true;
}

/* --- saying --- */

static bool prepare(struct load *load, struct speech *speech)
{
    const struct plan *plan = load->plan;
    uint8_t first[MEMBER_REST_MAX];
    const size_t stride = plan->dialect->write(speech->member, 0, first, sizeof first);
    speech->octets = stride > 0 ? malloc(stride * plan->posts + 1) : NULL;
    if (speech->octets == NULL) {
        return load_fail(load, speech->member->nick, "its messages cannot be made ready");
    }
    for (uint32_t i = 0; i < plan->posts; i++) {
        if (plan->dialect->write(speech->member, i, speech->octets + i * stride, stride) != stride) {
            return load_fail(load, speech->member->nick, "its messages are not all of one size");
        }
    }
    speech->stride = stride;
    speech->count = plan->posts;
    speech->total = load->judge.repeats ? UINT64_MAX / stride : plan->posts;
    speech->due = plan->rate > 0 ? 0 : UINT64_MAX;
    return true;
}

bool load_prepare(struct load *load)
{
    for (uint32_t i = 0; i < load->plan->writers; i++) {
        struct speech *speech = &load->speeches[i];
        speech->allowed = speech->allowed > 0 ? speech->allowed : UINT64_MAX;
        if (!prepare(load, speech)) {
            return false;
        }
    }
    return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* So many messages may have been said by now. */
static uint64_t limit_of(const struct load *load, const struct speech *speech)
{
    const struct plan *plan = load->plan;
    const uint32_t writer = speech->member->writer;
    uint64_t limit = least(speech->total, speech->due);
    if (plan->over > 0) {
        const uint64_t beyond = (uint64_t)plan->over * speech->granted;
        return least(limit, speech->allowed < UINT64_MAX ? speech->allowed + beyond : UINT64_MAX);
    }
    limit = least(limit, speech->allowed);
    const uint64_t shown =
        plan->together ? load->judge.whole / plan->writers : judge_progress(&load->judge, writer, writer);
    return least(limit, shown + plan->window);
}

/* Time begins for messages that may go out now; of those that come again it is not measured. */
static void release(struct load *load, struct speech *speech, uint64_t limit)
{
    if (load->judge.repeats || limit <= speech->released) {
        return;
    }
    const uint64_t now_ns = clock_now_ns();
    for (; speech->released < limit; speech->released++) {
        judge_said(&load->judge, speech->member->writer, speech->released, now_ns);
    }
}

void load_speak(struct load *load, struct speech *speech)
{
    struct member *member = speech->member;
    if (speech->octets == NULL || member->stage != MEMBER_JOINED || member->is_blocked ||
        !load->is_measured) {
        return;
    }
    const uint64_t end = limit_of(load, speech) * speech->stride;
    const size_t ready = speech->count * speech->stride;
    size_t turn = TURN_SIZE;
    release(load, speech, end / speech->stride);
    while (speech->sent < end && turn > 0) {
        if (speech->sent % speech->stride == 0 && !member_flush(member)) {
            return;
        }
        const size_t at = (size_t)(speech->sent % ready);
        const size_t size = (size_t)least(least(end - speech->sent, turn), ready - at);
        const size_t sent = member_send(member, speech->octets + at, size);
        speech->sent += sent;
        member->is_amid = speech->sent % speech->stride != 0;
        if (sent < size) {
            return;
        }
        turn -= sent;
    }
    if (speech->sent < end) {
        member_hold(member); /* the others have their turn first */
    }
}

void load_speak_all(struct load *load)
{
    for (uint32_t i = 0; i < load->plan->writers; i++) {
        load_speak(load, &load->speeches[i]);
    }
}

/* --- being shown --- */

bool load_shown(struct member *member, struct prosa_bytes body, struct prosa_bytes sent, struct body *said)
{
    struct load *load = member->load;
    if (member->reader == MEMBER_NOBODY ||
        !judge_shown(&load->judge, member->reader, body, member->now_ns, said)) {
        return false;
    }
    const struct speech *speech = &load->speeches[said->writer];
    if (sent.size > 0 && speech->octets != NULL) {
        const uint8_t *end = speech->octets + ((size_t)said->index + 1) * speech->stride;
        if (sent.size > speech->stride || memcmp(end - sent.size, sent.at, sent.size) != 0) {
            judge_altered(&load->judge);
        }
    }
    return true;
}
