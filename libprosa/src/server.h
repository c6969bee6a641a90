/* SPDX-License-Identifier: MIT */
/*
 * server: what the sources of server_session share. server_session.c parses, dispatches and ends;
 * server_handshake.c is everything before READY; server_room.c joins and leaves, server_publish.c
 * takes messages and credit; server_output.c decides what goes out, and when; server_life.c keeps
 * time.
 */
#ifndef PROSA_SERVER_H
#define PROSA_SERVER_H

#include <prosa/server_session.h>

#include "session_io.h"
#include "states.h"

/* Bits of prosa_server_session.flags. */
enum {
    FLAG_EOF = 1 << 0,           /* end of file came; what stands in front of it is parsed first */
    FLAG_PING_SENT = 1 << 1,     /* since the last octet came */
    FLAG_PONG_DUE = 1 << 2,      /* a PING waits for its barrier; nothing is parsed */
    FLAG_THIRSTY = 1 << 3,       /* the next frame waits for a token [FLOW-37] */
    FLAG_OWED = 1 << 4,          /* a DELIVER or output is owed: T_slow runs [FLOW-39] */
    FLAG_END_DUE = 1 << 5,       /* our BYE or ERROR is not in the output yet */
    FLAG_END_ERROR = 1 << 6,     /* it is an ERROR */
    FLAG_END_DECIDED = 1 << 7,   /* it waits until nothing is pending */
    FLAG_END_DELIVERED = 1 << 8, /* it waits for the barrier of each room, too */
    FLAG_END_STATED = 1 << 9,    /* the CHECKPOINTs before it were asked for */
    FLAG_DISCARD = 1 << 10,      /* input is not even parsed any more [ERR-06] */
    FLAG_FINISH = 1 << 11,       /* close as soon as the output is sent */
    FLAG_SHUT = 1 << 12,         /* the event SHUT was given */
    FLAG_ENDED = 1 << 13,        /* the event ENDED was given */
    FLAG_FROM_PEER = 1 << 14,    /* the first BYE or ERROR was the peer's */
    FLAG_RESET = 1 << 15         /* the peer took less than we owed */
};

/* Which answer of the caller parsing waits for. */
enum { WAIT_NOTHING, WAIT_CHALLENGE, WAIT_WELCOME, WAIT_JOINED };

/* Bits of prosa_server_slot.flags. */
enum {
    SLOT_ACK_DUE = 1 << 0,
    SLOT_BOUNDARY_DUE = 1 << 1,    /* a CHECKPOINT of oldest_seq - 1 [AUD-07] */
    SLOT_CHECKPOINT_DUE = 1 << 2,  /* a CHECKPOINT of the head [AUD-04] */
    SLOT_CHECKPOINT_ASKED = 1 << 3 /* the caller has the event */
};

struct prosa_server_handshake {
    struct prosa_sha256 hello;
    uint64_t deadline_ms;
    uint8_t nonce[PROSA_NONCE_SIZE];
    uint8_t signed_octets[PROSA_HASH_SIZE + PROSA_MAX_FRAME_HANDSHAKE]; /* th2, AUTH's fields */
};

enum { ID_PREFIX = 16 }; /* octets of an id that tell an author's messages apart [LIM-07] */

/* One counter that was taken. */
struct prosa_server_taken {
    uint8_t id[ID_PREFIX];
    uint32_t size; /* octets of the frame */
};

struct prosa_server_slot {
    struct prosa_room *room;
    struct prosa_server_taken *ring; /* of ring_size(); counter c stands at c % ring_size(); or NULL */
    uint64_t ring_from;              /* lowest counter that the ring knows */
    uint64_t taken;                  /* highest counter handed to the caller */
    uint64_t last, last_seq;         /* highest committed, and its room_seq */
    uint64_t limit;                  /* limit_counter */
    uint64_t answer_seq;             /* the limit rises when this entry has gone out; 0: none */
    uint64_t cursor;                 /* last room_seq sent */
    uint64_t seen, limit_seq;        /* of the client's ACKs */
    uint64_t replay_end;             /* head_seq at JOIN */
    uint64_t barrier;                /* last room_seq that a PONG or BYE waits for */
    uint64_t hold;                   /* at_seq of a MEMBER that found no room, or PROSA_NEVER */
    uint32_t granted;
    uint8_t flags;
};

/* What a session that ends has to say. */
struct prosa_server_words {
    struct prosa_fault fault;
    uint8_t reason_size;
    uint8_t reason[255];
};

static inline bool prosa_server_has(const struct prosa_server_session *session, unsigned flag)
{
    return (session->flags & flag) != 0;
}

static inline void prosa_server_set(struct prosa_server_session *session, unsigned flag)
{
    session->flags = (uint16_t)(session->flags | flag);
}

static inline void prosa_server_clear(struct prosa_server_session *session, unsigned flag)
{
    session->flags = (uint16_t)(session->flags & ~flag);
}

static inline const struct prosa_cell *prosa_server_cell(const struct prosa_server_session *session,
                                                         enum prosa_server_input input)
{
    return &prosa_server_cells[input][session->state];
}

/* True while frames may still be added to the output [END-04]. */
static inline bool prosa_server_speaks(const struct prosa_server_session *session)
{
    return session->state == SERVER_READY ||
           (session->state == SERVER_CLOSING && prosa_server_has(session, FLAG_END_DUE));
}

/* Two windows: the ids of the last one are known while the next one is in flight [FLOW-23]. */
static inline size_t prosa_server_ring_size(const struct prosa_server_slot *slot)
{
    return 2 * (size_t)slot->granted;
}

static inline uint32_t prosa_server_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* In "@host" with window 1 the limit follows answers [FLOW-27]. */
static inline bool prosa_server_is_sync(const struct prosa_server_slot *slot)
{
    return slot->granted == 1 && slot->room->name[0] == '@';
}

/* --- server_session.c --- */

/* The session ends with an ERROR of ours, after what is pending. Ignored when it ends already. */
void prosa_server_fatal(struct prosa_server_session *session, const struct prosa_fault *fault,
                        uint64_t now_ms);
/* The same about a frame, for a status of the decoder. */
void prosa_server_fault_of(struct prosa_server_session *session, const struct prosa_frame *frame,
                           enum prosa_status status, const char *clause, uint64_t now_ms);
/* The answer to a BYE, or an ERROR about a later frame, is taken back if it has not been said: a frame that
 * came before it has earned an ERROR [ERR-01]. */
void prosa_server_recall_end(struct prosa_server_session *session);
/* The session ends with a BYE of ours; `gates`: FLAG_END_DECIDED, FLAG_END_DELIVERED. */
void prosa_server_goodbye(struct prosa_server_session *session, uint16_t code, unsigned gates,
                          uint64_t now_ms);
/* Over at once. `how` counts if the session was not ending yet. */
void prosa_server_over(struct prosa_server_session *session, enum prosa_ending how, uint16_t code);
/* Appends to the output; without memory the session is over. */
void prosa_server_queue(struct prosa_server_session *session, const struct prosa_message *message);
void prosa_server_queue_error(struct prosa_server_session *session, const struct prosa_fault *fault);

/* --- server_handshake.c --- */

/* Each applies one decoded frame. True: *event is set. */
bool prosa_server_on_hello(struct prosa_server_session *session, const struct prosa_frame *frame,
                           const struct prosa_hello *hello, struct prosa_server_event *event,
                           uint64_t now_ms);
bool prosa_server_on_auth(struct prosa_server_session *session, const struct prosa_frame *frame,
                          const struct prosa_auth *auth, struct prosa_server_event *event);

/* --- server_room.c, server_publish.c --- */

struct prosa_server_slot *prosa_server_slot_of(const struct prosa_server_session *session,
                                               const uint8_t *room_id);
/* What a room says to an input; `slot` NULL: it is not joined. */
const struct prosa_cell *prosa_server_room_cell(const struct prosa_server_slot *slot,
                                                enum prosa_room_server_input input);
/* A fault of a frame about a room; `counter` 0: it has none. */
void prosa_server_room_fault(struct prosa_server_session *session, const struct prosa_frame *frame,
                             uint16_t code, const char *clause, const uint8_t *room_id, uint64_t counter,
                             uint64_t now_ms);
/* False: no memory. */
bool prosa_server_make_ring(struct prosa_server_slot *slot);
bool prosa_server_on_join(struct prosa_server_session *session, const struct prosa_frame *frame,
                          const struct prosa_join *join, struct prosa_server_event *event, uint64_t now_ms);
bool prosa_server_on_leave(struct prosa_server_session *session, const struct prosa_frame *frame,
                           const struct prosa_leave *leave, struct prosa_server_event *event,
                           uint64_t now_ms);
bool prosa_server_on_publish(struct prosa_server_session *session, const struct prosa_frame *frame,
                             const struct prosa_publish *publish, struct prosa_server_event *event,
                             uint64_t now_ms);
void prosa_server_on_ack(struct prosa_server_session *session, const struct prosa_frame *frame,
                         const struct prosa_ack *ack, uint64_t now_ms);
void prosa_server_slots_free(struct prosa_server_session *session);
size_t prosa_server_slots_memory(const struct prosa_server_session *session);

/* --- server_output.c --- */

/* Nothing waits for a MEMBER any more. */
void prosa_server_let_go(struct prosa_server_session *session);

/* Sets the barrier of each room to what is visible now and credit permits [LIVE-03]. */
void prosa_server_set_barriers(struct prosa_server_session *session);
/* Adds what has become due: ACKs, PONG, BYE or ERROR. */
void prosa_server_settle(struct prosa_server_session *session);
/* limit_counter follows acceptance, unless the caller holds credit back or one waits for answers. */
void prosa_server_raise_limit(const struct prosa_server_session *session, struct prosa_server_slot *slot);
void prosa_server_queue_ack(struct prosa_server_session *session, struct prosa_server_slot *slot);
/* True: *event asks for a CHECKPOINT. */
bool prosa_server_ask_checkpoint(struct prosa_server_session *session, struct prosa_server_event *event);

#endif
