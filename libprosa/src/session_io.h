/* SPDX-License-Identifier: MIT */
/*
 * session_io: what both sessions do with octets: hold what came until it is parsed, and what goes
 * until it is sent. It knows no state.
 */
#ifndef PROSA_SESSION_IO_H
#define PROSA_SESSION_IO_H

#include <prosa/session.h>

/* The memory of a buffer: the content stands from `start` to `end`. */
struct prosa_run {
    uint32_t start, end, cap;
    uint8_t at[];
};

/* A buffer that is zero is empty. */
static inline size_t prosa_buffer_size(const struct prosa_buffer *buffer)
{
    return buffer->run == NULL ? 0 : buffer->run->end - buffer->run->start;
}

static inline struct prosa_bytes prosa_buffer_view(const struct prosa_buffer *buffer)
{
    return prosa_bytes(buffer->run == NULL ? NULL : buffer->run->at + buffer->run->start,
                       prosa_buffer_size(buffer));
}

/* Octets of memory that it holds. */
static inline size_t prosa_buffer_memory(const struct prosa_buffer *buffer)
{
    return buffer->run == NULL ? 0 : sizeof *buffer->run + buffer->run->cap;
}

/* Makes room for `size` octets behind the content, which may move. False: no memory. */
PROSA_NODISCARD bool prosa_buffer_reserve(struct prosa_buffer *buffer, size_t size);
PROSA_NODISCARD bool prosa_buffer_append(struct prosa_buffer *buffer, struct prosa_bytes octets);
/* `size` octets have been written behind the content, for which there was room. */
static inline void prosa_buffer_commit(struct prosa_buffer *buffer, size_t size)
{
    buffer->run->end += (uint32_t)size;
}

/* Drops `size` octets at the start; they stay where they are until the next call but this one. */
void prosa_buffer_consume(struct prosa_buffer *buffer, size_t size);
/* Gives the memory back if the buffer is empty. */
void prosa_buffer_release(struct prosa_buffer *buffer);
void prosa_buffer_free(struct prosa_buffer *buffer);

/* The capacity after `cap` of a list of joined rooms: doubled, at most `most`; `cap` when that is reached. */
static inline uint16_t prosa_slots_grown(uint16_t cap, uint16_t most)
{
    uint32_t doubled = cap == 0 ? 1 : 2 * (uint32_t)cap;
    return doubled < most ? (uint16_t)doubled : most;
}

/* Appends an encoded message; `extra` as in prosa_message_encode(). PROSA_ERR_NO_SPACE: no memory. */
PROSA_NODISCARD enum prosa_status prosa_buffer_message(struct prosa_buffer *buffer,
                                                       const struct prosa_message *message,
                                                       struct prosa_bytes extra);

/* One ERROR that this side sends. */
struct prosa_fault {
    uint16_t code;
    uint8_t ref_type;  /* 0: about no frame */
    uint8_t room_size; /* 0: no name */
    bool has_room_id, has_counter;
    const char *clause; /* static storage, or NULL */
    uint64_t counter;
    uint8_t room_id[PROSA_HASH_SIZE];
    uint8_t room[33];
};

PROSA_NODISCARD enum prosa_status prosa_buffer_error(struct prosa_buffer *buffer,
                                                     const struct prosa_fault *fault);

/* The clause that a header breaks, or the fields of a frame [ERR-08]. */
const char *prosa_clause_of_header(enum prosa_status status);
const char *prosa_clause_of_fields(enum prosa_status status);

/* What prosa_frame_parse() found, in the words of the state tables. */
enum prosa_found {
    PROSA_FOUND_PARTIAL,
    PROSA_FOUND_FRAME, /* of a registered type */
    PROSA_FOUND_UNKNOWN_ODD,
    PROSA_FOUND_UNKNOWN_EVEN,
    PROSA_FOUND_MALFORMED,
    PROSA_FOUND_NOT_MAGIC
};

/* *status is the parser's own answer. */
enum prosa_found prosa_find_frame(struct prosa_bytes input, size_t cap, struct prosa_frame *frame,
                                  enum prosa_status *status);

#endif
