/* SPDX-License-Identifier: MIT */
/*
 * client: what the sources of client_session share. client_session.c parses, dispatches, ends and
 * keeps time; client_handshake.c is everything before READY; client_room.c applies frames to rooms
 * and takes the caller's wishes; client_audit.c follows the chains.
 */
#ifndef PROSA_CLIENT_H
#define PROSA_CLIENT_H

#include <prosa/client_session.h>

#include "session_io.h"
#include "states.h"

/* Bits of prosa_client_session.flags. */
enum {
    CLIENT_HAS_KEY = 1 << 0,    /* server_key is known */
    CLIENT_ASKS_TRUST = 1 << 1, /* the event KEY waits for trust(); nothing is parsed */
    CLIENT_EOF = 1 << 2,        /* end of file came; what stands in front of it is parsed first */
    CLIENT_RESET = 1 << 3,      /* ... and it was a reset */
    CLIENT_PING_SENT = 1 << 4,  /* since the last octet came */
    CLIENT_DISCARD = 1 << 5,    /* input is not parsed any more [ERR-06] */
    CLIENT_FINISH = 1 << 6,     /* close as soon as the output is sent */
    CLIENT_SHUT = 1 << 7,       /* the event SHUT was given */
    CLIENT_END_NOTED = 1 << 8,  /* `end` is filled in */
    CLIENT_ENDED = 1 << 9       /* the event ENDED was given */
};

enum {
    KEPT_CHECKPOINTS = 4,   /* that are ahead of the chain, in each room */
    CHECKPOINT_OCTETS = 256 /* of one that is kept; a larger one is kept without its octets */
};

/* A CHECKPOINT whose place the chain has not reached. */
struct prosa_client_checkpoint {
    uint64_t seq;
    uint8_t chain[PROSA_HASH_SIZE];
    uint16_t size; /* 0: the octets were too many */
    uint8_t octets[CHECKPOINT_OCTETS];
};

struct prosa_client_slot {
    struct prosa_client_room room;
    uint8_t state;                            /* enum prosa_room_client_state */
    bool has_after_seq, has_epoch, has_chain; /* of the wish; its chain stands in room.chain */
    uint64_t after_seq;
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint64_t acked_seq;   /* seen_seq of our last ACK */
    uint64_t limit_seq;   /* of our last ACK, or of JOIN */
    uint64_t covered_seq; /* of the last good CHECKPOINT, 0: none */
    uint8_t covered_chain[PROSA_HASH_SIZE];
    uint8_t kept_count;
    struct prosa_client_checkpoint kept[KEPT_CHECKPOINTS];
};

static inline bool prosa_client_has(const struct prosa_client_session *session, unsigned flag)
{
    return (session->flags & flag) != 0;
}

static inline void prosa_client_set(struct prosa_client_session *session, unsigned flag)
{
    session->flags = (uint16_t)(session->flags | flag);
}

static inline void prosa_client_clear(struct prosa_client_session *session, unsigned flag)
{
    session->flags = (uint16_t)(session->flags & ~flag);
}

static inline const struct prosa_cell *prosa_client_cell(const struct prosa_client_session *session,
                                                         enum prosa_client_input input)
{
    return &prosa_client_cells[input][session->state];
}

/* --- client_session.c --- */

/* Ends with an ERROR of ours; while closing the rest of the input is discarded instead [ERR-06]. */
void prosa_client_fatal(struct prosa_client_session *session, const struct prosa_fault *fault,
                        uint64_t now_ms);
/* The same about a frame. */
void prosa_client_fault_of(struct prosa_client_session *session, const struct prosa_frame *frame,
                           enum prosa_status status, const char *clause, uint64_t now_ms);
/* Over at once, in state `next`. `how` and `code` count if the end had no cause yet. */
void prosa_client_over(struct prosa_client_session *session, uint8_t next, enum prosa_ending how,
                       uint16_t code);
/* Appends to the output; without memory the session is over. */
void prosa_client_queue(struct prosa_client_session *session, const struct prosa_message *message,
                        struct prosa_bytes extra);

/* --- client_handshake.c --- */

/* Each applies one decoded frame. True: *event is set. */
bool prosa_client_on_challenge(struct prosa_client_session *session, const struct prosa_frame *frame,
                               const struct prosa_challenge *challenge, struct prosa_client_event *event,
                               uint64_t now_ms);

/* --- client_room.c --- */

bool prosa_client_on_joined(struct prosa_client_session *session, const struct prosa_frame *frame,
                            const struct prosa_joined *joined, struct prosa_client_event *event,
                            uint64_t now_ms);
bool prosa_client_on_deliver(struct prosa_client_session *session, const struct prosa_frame *frame,
                             const struct prosa_message *message, struct prosa_client_event *event,
                             uint64_t now_ms);
bool prosa_client_on_ack(struct prosa_client_session *session, const struct prosa_frame *frame,
                         const struct prosa_ack *ack, struct prosa_client_event *event, uint64_t now_ms);
bool prosa_client_on_member(struct prosa_client_session *session, const struct prosa_frame *frame,
                            const struct prosa_member *member, struct prosa_client_event *event,
                            uint64_t now_ms);
/* An ERROR of class 04 or 05. */
bool prosa_client_on_error(struct prosa_client_session *session, const struct prosa_error *error,
                           struct prosa_client_event *event);
bool prosa_client_on_pong(struct prosa_client_session *session, const struct prosa_ping *pong,
                          struct prosa_client_event *event);
/* Sends the ACKs that are due; `all`: also those that could still be coalesced [FLOW-16] [FLOW-17]. */
void prosa_client_acknowledge(struct prosa_client_session *session, bool all);
struct prosa_client_slot *prosa_client_slot_of(const struct prosa_client_session *session,
                                               const uint8_t *room_id);
/* A fault of a frame about a room; `counter` 0: it has none. */
void prosa_client_room_fault(struct prosa_client_session *session, const struct prosa_frame *frame,
                             uint16_t code, const char *clause, const uint8_t *room_id, uint64_t counter,
                             uint64_t now_ms);

/* --- client_audit.c --- */

/* The chain of a room as JOINED leaves it. */
void prosa_client_chain_begin(const struct prosa_client_session *session, struct prosa_client_slot *slot,
                              bool same_epoch);
/* Moves the chain on by one entry. False: it contradicts what is known [AUD-05]. */
PROSA_NODISCARD bool prosa_client_chain_take(struct prosa_client_slot *slot,
                                             const struct prosa_deliver *deliver,
                                             const uint8_t id[static PROSA_HASH_SIZE]);
bool prosa_client_on_checkpoint(struct prosa_client_session *session, const struct prosa_frame *frame,
                                const struct prosa_checkpoint *checkpoint, struct prosa_client_event *event,
                                uint64_t now_ms);
/* True: the chain has reached a kept CHECKPOINT; *event says COVERED or CONFLICT. */
bool prosa_client_chain_reached(struct prosa_client_session *session, struct prosa_client_event *event,
                                uint64_t now_ms);
/* Keeps the evidence: *event is CONFLICT, and the session ends with FORK. */
void prosa_client_conflict(struct prosa_client_session *session, const struct prosa_client_slot *slot,
                           struct prosa_bytes octets, uint64_t seq, struct prosa_client_event *event,
                           uint64_t now_ms);

#endif
