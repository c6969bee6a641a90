/* SPDX-License-Identifier: MIT */
/*
 * server_session: one peer seen by a server, from the first octet to the close: handshake, rooms,
 * windows, credit, tokens, barriers, liveness, goodbye. See session.h for the turn of a connection.
 * It refuses to know what is in a room: it says JOIN, PUBLISH, LEAVE, and the caller, who owns
 * rooms, order, members and store, answers. It keeps no message: entries are encoded once by the
 * caller, and lent for one writev.
 *
 * Memory: about 3 KiB, fixed, before authentication [WIRE-07]; then input up to
 * undecided_limit + one frame, output up to output_limit + one frame [FLOW-36], a slot for each
 * room [FLOW-03] with the ids of one window once it is written in [FLOW-23]. Idle: the struct and
 * the slots.
 * Every answer may be given at once or in a later turn. After the event ENDED every call is
 * harmless and does nothing, so late answers need no care.
 */
#ifndef PROSA_SERVER_SESSION_H
#define PROSA_SERVER_SESSION_H

#include <prosa/session.h>

/* The same for all sessions of a server; must outlive them. */
struct prosa_server_config {
    struct prosa_keypair keypair;
    uint32_t features; /* offered: PROSA_FEATURE_*; resume and audit are promises of the caller */
    struct prosa_limits limits;
    uint32_t read_size; /* octets that recv_space offers beyond a partial frame, e.g. 4096 */
    bool credit_held;   /* limits do not rise while this is true [FLOW-35]; the caller may change it at any
                         * time, and gives each session a turn when it becomes false */
};

/* What all members of a room share. The caller owns it, moves head_seq on when entries are
 * committed and oldest_seq when they are pruned, and keeps it alive while a session has it joined.
 * After moving head_seq it flushes each member. "@host" is a room of one member. */
struct prosa_room {
    uint8_t room_id[PROSA_HASH_SIZE];
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint8_t name[33];
    uint8_t name_size;
    uint64_t head_seq;   /* last committed entry, 0 for none [FLOW-26] */
    uint64_t oldest_seq; /* oldest entry kept; head_seq + 1 when there is none */
};

/* Sets name, epoch and room_id; an empty log. `client_key` counts for "@host" alone [MSG-22]. */
PROSA_API void prosa_room_init(struct prosa_room *room, const uint8_t server_key[static PROSA_KEY_SIZE],
                               const uint8_t epoch[static PROSA_EPOCH_SIZE], struct prosa_bytes name,
                               const uint8_t *client_key);

enum prosa_server_event_kind {
    PROSA_SERVER_HELLO,      /* answer: challenge() or fail(PROSA_ERR_BUSY) [AUTH-07] */
    PROSA_SERVER_AUTH,       /* run the job, then look up nick and key [AUTH-17]; welcome() or fail() */
    PROSA_SERVER_JOIN,       /* answer: joined() or refuse_join() */
    PROSA_SERVER_LEAVE,      /* `room` is left: tell the others [MEM-03]; the leaver has its answer */
    PROSA_SERVER_PUBLISH,    /* run the job, append, commit; answer: accepted(), refused(), dropped() */
    PROSA_SERVER_CHECKPOINT, /* answer: checkpoint() [AUD-04] */
    PROSA_SERVER_SHUT,       /* everything is sent: shutdown(SHUT_WR), read on [END-01] */
    PROSA_SERVER_ENDED       /* close the socket; rooms still joined are left [MEM-03] */
};

/* What it points to is borrowed until the next call on the session. */
struct prosa_server_event {
    enum prosa_server_event_kind kind;
    struct prosa_room *room;     /* LEAVE, PUBLISH, CHECKPOINT */
    struct prosa_verify_job job; /* AUTH, PUBLISH */
    struct prosa_bytes octets;   /* HELLO, AUTH, JOIN, PUBLISH: the whole frame */
    struct prosa_bytes body;     /* likewise: its fields, for prosa_deliver_encode() */
    uint8_t id[PROSA_HASH_SIZE]; /* PUBLISH: the message's id */
    uint64_t seq;                /* CHECKPOINT: entry to state, head_seq or the boundary [AUD-07] */
    union {
        struct prosa_hello hello;
        struct prosa_auth auth;
        struct prosa_join join;
        struct prosa_publish publish;
        struct prosa_ended ended;
    };
};

/* Answer to JOIN. */
struct prosa_join_answer {
    struct prosa_room *room;
    uint64_t last_counter;                 /* the client's last committed message in the room, 0 for none */
    uint64_t last_seq;                     /* its room_seq, 0 for none [FLOW-10] */
    uint32_t window;                       /* at most this; lowered to send_window and max_window [FLOW-04] */
    const uint8_t (*ids)[PROSA_HASH_SIZE]; /* ids of the last `id_count` messages up to last_counter, */
    size_t id_count;                       /* ascending [FLOW-23]; copied; more than a window is no use */
};

struct prosa_server_slot; /* private: one joined room */

/* Private. The caller provides the storage. */
struct prosa_server_session {
    const struct prosa_server_config *config;
    struct prosa_server_slot *slots;
    struct prosa_buffer in, out;
    uint64_t heard_ms, progress_ms;
    uint32_t features, undecided, pending;
    uint16_t slot_count, slot_cap, turn;
    uint16_t end_code, flags;
    uint8_t state, waiting, ending, opaque_size, nick_size;
    uint8_t opaque[16];
    uint8_t nick[32];
    uint8_t client_key[PROSA_KEY_SIZE];
    uint64_t deadline_ms, token_ms, tokens;
    struct prosa_server_handshake *handshake; /* until READY */
    struct prosa_server_words *words;         /* of a session that ends: its ERROR, the peer's reason */
};

/* `nonce`: 32 octets of a secure generator, used once [AUTH-09]; copied. The handshake's deadline
 * runs from now [AUTH-20]. PROSA_ERR_NO_SPACE: no memory; nothing to fini. */
PROSA_API PROSA_NODISCARD enum prosa_status
prosa_server_session_init(struct prosa_server_session *session, const struct prosa_server_config *config,
                          const uint8_t nonce[static PROSA_NONCE_SIZE], uint64_t now_ms);
/* Frees what the session holds. Allowed at any time; the session is not told to anybody. */
PROSA_API void prosa_server_session_fini(struct prosa_server_session *session);

/* --- Octets in --- */

/* Where to read to. Returns the room in octets; 0: do not read now [FLOW-36] [FLOW-37]; ask again
 * after each turn. Without memory the session ends with ERROR INTERNAL. */
PROSA_API size_t prosa_server_session_recv_space(struct prosa_server_session *session, uint8_t **at);
/* `size` octets were read there. */
PROSA_API void prosa_server_session_recv_commit(struct prosa_server_session *session, size_t size,
                                                uint64_t now_ms);
PROSA_API void prosa_server_session_recv_eof(struct prosa_server_session *session, uint64_t now_ms);
PROSA_API void prosa_server_session_recv_reset(struct prosa_server_session *session, uint64_t now_ms);

/* PROSA_OK: *event is set. PROSA_END: nothing more for now. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_server_session_next(struct prosa_server_session *session,
                                                                      struct prosa_server_event *event,
                                                                      uint64_t now_ms);

/* --- Answers of the caller --- */

PROSA_API void prosa_server_session_challenge(struct prosa_server_session *session, uint64_t now_ms);
/* `number` of the session and the time of day in ms since 1970, for WELCOME. The nick "host" is
 * refused here [ID-09]. Ask ready() whether the session is. */
PROSA_API void prosa_server_session_welcome(struct prosa_server_session *session, uint64_t number,
                                            uint64_t time_ms, uint64_t now_ms);
/* False: the session is ending, nothing is joined. */
PROSA_API bool prosa_server_session_joined(struct prosa_server_session *session,
                                           const struct prosa_join_answer *answer, uint64_t now_ms);
/* `status`: of class 04, e.g. PROSA_ERR_NO_ROOM. */
PROSA_API void prosa_server_session_refuse_join(struct prosa_server_session *session,
                                                enum prosa_status status, uint64_t now_ms);

/* Each PUBLISH event is answered exactly once, those of one room in their order. Until all are, no
 * PONG, BYE or fatal ERROR goes out: they follow the outcome of what came before [LIVE-02] [END-03].
 * accepted: it is committed, as room_seq. refused: fatal, e.g. PROSA_ERR_BAD_SIG; the caller drops
 * the later ones. dropped: never to be decided [END-14]. */
PROSA_API void prosa_server_session_accepted(struct prosa_server_session *session, struct prosa_room *room,
                                             uint64_t counter, uint64_t room_seq, uint64_t now_ms);
PROSA_API void prosa_server_session_refused(struct prosa_server_session *session, struct prosa_room *room,
                                            uint64_t counter, enum prosa_status status, uint64_t now_ms);
PROSA_API void prosa_server_session_dropped(struct prosa_server_session *session, struct prosa_room *room,
                                            uint64_t now_ms);
/* PUBLISH events that are not answered yet. */
PROSA_API size_t prosa_server_session_pending(const struct prosa_server_session *session);

/* In "@host" with window 1: the answer to question `counter` is committed as room_seq; the limit rises
 * when its DELIVER has gone out [FLOW-27] [FLOW-28]. Elsewhere, and when another question is open by
 * now, it does nothing. */
PROSA_API void prosa_server_session_answered(struct prosa_server_session *session, struct prosa_room *room,
                                             uint64_t counter, uint64_t room_seq, uint64_t now_ms);
/* Nobody answers question `counter`: ERROR NO_ANSWER, then the limit rises [FLOW-29]. */
PROSA_API void prosa_server_session_no_answer(struct prosa_server_session *session, struct prosa_room *room,
                                              uint64_t counter, uint64_t now_ms);

/* Whole MEMBER frames of the room with one at_seq, at most 64 KiB; copied. PROSA_PARTIAL: too much output
 * is pending; later DELIVERs and PONGs wait [MEM-02] until the caller has given these frames, or resync
 * and a new snapshot [MEM-04], in a later turn. PROSA_END: the room is not joined. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_server_session_member(struct prosa_server_session *session,
                                                                        struct prosa_room *room,
                                                                        struct prosa_bytes octets,
                                                                        uint64_t at_seq, uint64_t now_ms);
/* A whole signed CHECKPOINT frame, as the event asked for; copied. */
PROSA_API void prosa_server_session_checkpoint(struct prosa_server_session *session, struct prosa_room *room,
                                               struct prosa_bytes octets, uint64_t now_ms);

/* --- Ending --- */

/* BYE with a code of class 06. Parsing stops; what is pending is awaited, DELIVERs that credit
 * permits go first [LIVE-03], a CHECKPOINT of each room [AUD-04], then BYE. */
PROSA_API void prosa_server_session_bye(struct prosa_server_session *session, uint16_t code, uint64_t now_ms);
/* A fatal ERROR by the caller's decision: answer to HELLO and AUTH, or PROSA_ERR_INTERNAL. */
PROSA_API void prosa_server_session_fail(struct prosa_server_session *session, enum prosa_status status,
                                         uint64_t now_ms);

/* --- Octets out: one batch a writev, lent by caller and session; nothing else is called on the
 *     session between batch() and sent() --- */

#define PROSA_BATCH_SLICES 256
#define PROSA_BATCH_OCTETS 262144 /* a batch asks for no more entries beyond this */

/* One a thread is enough. */
struct prosa_batch {
    size_t count, octets;
    struct prosa_bytes slices[PROSA_BATCH_SLICES]; /* for writev, in order */
    uint16_t owner[PROSA_BATCH_SLICES];            /* private: slot of each slice */
    uint64_t seq, last;                            /* private: entries wanted next */
    uint16_t slot, left;                           /* private */
};

/* Begins a batch with the session's own octets. Also looks at head_seq and oldest_seq of the rooms:
 * this is how a session learns that a DELIVER is owed, or was pruned [FLOW-39] [FLOW-40]. */
PROSA_API void prosa_server_session_batch(struct prosa_server_session *session, struct prosa_batch *batch,
                                          uint64_t now_ms);
/* True: the batch can take entry *room_seq of *room, which credit permits [FLOW-18]. */
PROSA_API PROSA_NODISCARD bool prosa_server_session_want(struct prosa_server_session *session,
                                                         struct prosa_batch *batch, struct prosa_room **room,
                                                         uint64_t *room_seq);
/* Adds that entry: its whole DELIVER frame, lent until sent(). */
PROSA_API void prosa_server_session_lend(struct prosa_batch *batch, struct prosa_bytes deliver);
/* The socket took `octets` of the batch, 0 when it is full. What a short write left of one entry is
 * copied; the entries after it will be wanted again. */
PROSA_API void prosa_server_session_sent(struct prosa_server_session *session,
                                         const struct prosa_batch *batch, size_t octets, uint64_t now_ms);

/* --- Time --- */

/* When tick() is due, or PROSA_NEVER. Ask after each turn. */
PROSA_API uint64_t prosa_server_session_deadline_ms(const struct prosa_server_session *session);
PROSA_API void prosa_server_session_tick(struct prosa_server_session *session, uint64_t now_ms);

/* --- What is known --- */

PROSA_API bool prosa_server_session_ready(const struct prosa_server_session *session); /* and not ending */
PROSA_API bool prosa_server_session_saw_hello(const struct prosa_server_session *session);
/* What was given to init(). */
PROSA_API const struct prosa_server_config *
prosa_server_session_config(const struct prosa_server_session *session);
PROSA_API uint32_t prosa_server_session_features(const struct prosa_server_session *session); /* active */
PROSA_API const uint8_t *prosa_server_session_client_key(const struct prosa_server_session *session);
PROSA_API struct prosa_bytes prosa_server_session_nick(const struct prosa_server_session *session);
/* The i-th joined room, or NULL: what a caller leaves when the session has ended. */
PROSA_API struct prosa_room *prosa_server_session_room(const struct prosa_server_session *session, size_t i);
/* room_seq of the last entry that has gone out, or stood before this JOIN; 0: the room is not joined. */
PROSA_API uint64_t prosa_server_session_delivered(const struct prosa_server_session *session,
                                                  const struct prosa_room *room);
/* room_seq up to which credit permits DELIVERs now [FLOW-18]; 0: the room is not joined. */
PROSA_API uint64_t prosa_server_session_limit(const struct prosa_server_session *session,
                                              const struct prosa_room *room);
/* Octets of memory in use, the struct included. */
PROSA_API size_t prosa_server_session_memory(const struct prosa_server_session *session);

#endif
