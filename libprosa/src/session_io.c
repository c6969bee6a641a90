/* SPDX-License-Identifier: MIT */
#include "session_io.h"

#include <stdlib.h>

enum {
    SMALLEST_BUFFER = 256,      /* octets; doubled up to BUFFER_STEP, then one step at a time [LIM-07] */
    BUFFER_STEP = 2048,         /* octets */
    BACKOFF_FIRST_MS = 500,     /* [RES-11] */
    BACKOFF_CEILING_MS = 30000, /* [RES-11] */
    BACKOFF_DOUBLINGS = 6       /* 0.5 s * 2^6 is above the ceiling */
};

/* --- numbers ---------------------------------------------------------------------------------- */

struct prosa_limits prosa_limits_default(void)
{
    return (struct prosa_limits){
        .max_frame = PROSA_LIMIT_MAX_FRAME_DEFAULT,
        .max_rooms = PROSA_LIMIT_MAX_ROOMS_DEFAULT,
        .max_window = PROSA_LIMIT_MAX_WINDOW_DEFAULT,
        .token_rate = PROSA_LIMIT_TOKEN_RATE_DEFAULT,
        .token_burst = PROSA_LIMIT_TOKEN_BURST_DEFAULT,
        .member_limit = PROSA_LIMIT_MEMBER_LIMIT_DEFAULT,
        .undecided_limit = PROSA_LIMIT_UNDECIDED_LIMIT_DEFAULT,
        .output_limit = PROSA_LIMIT_OUTPUT_LIMIT_DEFAULT,
        .handshake_ms = PROSA_TIMER_HANDSHAKE_MS_DEFAULT,
        .ping_after_ms = PROSA_TIMER_PING_AFTER_MS_DEFAULT,
        .dead_after_ms = PROSA_TIMER_DEAD_AFTER_MS_DEFAULT,
        .slow_ms = PROSA_TIMER_SLOW_MS_DEFAULT,
        .linger_ms = PROSA_TIMER_LINGER_MS_DEFAULT,
    };
}

uint64_t prosa_backoff_ms(unsigned attempt, uint32_t random, uint32_t after_ms)
{
    unsigned doublings = attempt < BACKOFF_DOUBLINGS ? attempt : BACKOFF_DOUBLINGS;
    uint64_t ceiling = (uint64_t)BACKOFF_FIRST_MS << doublings;
    if (ceiling > BACKOFF_CEILING_MS)
        ceiling = BACKOFF_CEILING_MS;
    uint64_t wait = ceiling * random >> 32; /* even over [0, ceiling) */
    return wait > after_ms ? wait : after_ms;
}

enum prosa_status prosa_verify_job_run(const struct prosa_verify_job *job)
{
    return prosa_verify(job->key, job->label, job->message, job->signature);
}

/* --- buffers ---------------------------------------------------------------------------------- */

bool prosa_buffer_reserve(struct prosa_buffer *buffer, size_t size)
{
    struct prosa_run *run = buffer->run;
    size_t held = prosa_buffer_size(buffer);
    if (size > UINT32_MAX / 2 - held)
        return false;
    if (run != NULL && run->cap - run->end >= size)
        return true;
    if (held > 0)
        memmove(run->at, run->at + run->start, held);
    if (run != NULL) {
        run->start = 0;
        run->end = (uint32_t)held;
    }
    if (run != NULL && run->cap - held >= size)
        return true;

    size_t cap = run == NULL ? SMALLEST_BUFFER : run->cap;
    while (cap - held < size)
        cap += cap < BUFFER_STEP ? cap : BUFFER_STEP;
    struct prosa_run *grown = realloc(run, sizeof *run + cap);
    if (grown == NULL)
        return false;
    if (run == NULL)
        grown->start = grown->end = 0;
    grown->cap = (uint32_t)cap;
    buffer->run = grown;
    return true;
}

bool prosa_buffer_append(struct prosa_buffer *buffer, struct prosa_bytes octets)
{
    if (!prosa_buffer_reserve(buffer, octets.size))
        return false;
    if (octets.size > 0)
        memcpy(buffer->run->at + buffer->run->end, octets.at, octets.size);
    prosa_buffer_commit(buffer, octets.size);
    return true;
}

void prosa_buffer_consume(struct prosa_buffer *buffer, size_t size)
{
    if (size > 0)
        buffer->run->start += (uint32_t)size;
}

void prosa_buffer_release(struct prosa_buffer *buffer)
{
    if (buffer->run != NULL && prosa_buffer_size(buffer) == 0)
        prosa_buffer_free(buffer);
}

void prosa_buffer_free(struct prosa_buffer *buffer)
{
    free(buffer->run);
    buffer->run = NULL;
}

enum prosa_status prosa_buffer_message(struct prosa_buffer *buffer, const struct prosa_message *message,
                                       struct prosa_bytes extra)
{
    size_t room = SMALLEST_BUFFER + extra.size;
    for (;;) {
        size_t size = 0;
        if (!prosa_buffer_reserve(buffer, room))
            return PROSA_ERR_NO_SPACE;
        struct prosa_run *run = buffer->run;
        enum prosa_status status =
            prosa_message_encode(message, extra, run->at + run->end, run->cap - run->end, &size);
        if (status == PROSA_OK)
            prosa_buffer_commit(buffer, size);
        if (status != PROSA_ERR_NO_SPACE || room > PROSA_MAX_FRAME_CEILING)
            return status;
        room = 2 * (size_t)(run->cap - run->end);
    }
}

enum prosa_status prosa_buffer_error(struct prosa_buffer *buffer, const struct prosa_fault *fault)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_ERROR,
        .error =
            {
                .has_room = fault->room_size > 0,
                .room = prosa_bytes(fault->room, fault->room_size),
                .has_room_id = fault->has_room_id,
                .room_id = fault->room_id,
                .has_counter = fault->has_counter,
                .counter = fault->counter,
                .code = fault->code,
                .reason = prosa_bytes_of_string(prosa_status_text((enum prosa_status) - (int)fault->code)),
                .has_ref_type = fault->ref_type != 0,
                .ref_type = fault->ref_type,
                .has_clause = fault->clause != NULL,
                .clause = prosa_bytes_of_string(fault->clause == NULL ? "" : fault->clause),
            },
    };
    return prosa_buffer_message(buffer, &message, prosa_bytes(NULL, 0));
}

const char *prosa_clause_of_header(enum prosa_status status)
{
    return status == PROSA_ERR_TOO_LARGE ? "WIRE-06" : "WIRE-04";
}

const char *prosa_clause_of_fields(enum prosa_status status)
{
    if (status == PROSA_ERR_UNSUPPORTED)
        return "WIRE-23";
    return status == PROSA_ERR_BAD_TEXT ? "WIRE-21" : "WIRE-20";
}

/* --- frames ----------------------------------------------------------------------------------- */

enum prosa_found prosa_find_frame(struct prosa_bytes input, size_t cap, struct prosa_frame *frame,
                                  enum prosa_status *status)
{
    *status = input.size == 0 ? PROSA_PARTIAL : prosa_frame_parse(input, cap, frame);
    switch (*status) {
    case PROSA_OK:
        return PROSA_FOUND_FRAME;
    case PROSA_PARTIAL:
        return PROSA_FOUND_PARTIAL;
    case PROSA_IGNORED:
        return PROSA_FOUND_UNKNOWN_ODD;
    case PROSA_ERR_BAD_FRAME: /* of a header only the magic can be that */
        return PROSA_FOUND_NOT_MAGIC;
    case PROSA_ERR_UNSUPPORTED:
        return input.at[2] == PROSA_VERSION ? PROSA_FOUND_UNKNOWN_EVEN : PROSA_FOUND_MALFORMED;
    default:
        return PROSA_FOUND_MALFORMED;
    }
}
