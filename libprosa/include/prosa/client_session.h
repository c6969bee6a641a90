/* SPDX-License-Identifier: MIT */
/*
 * client_session: one server seen by a client, from HELLO to the close: pin, rooms, windows, order,
 * signatures, credit, audit, liveness, goodbye. See session.h for the turn of a connection.
 * It refuses to keep messages: the caller stores the octets of each PUBLISH before it gives them to
 * be sent [RES-07], and hands them in again after a reconnection. Names, sockets, waiting and trying
 * again are the caller's too; a new connection is a new session.
 */
#ifndef PROSA_CLIENT_SESSION_H
#define PROSA_CLIENT_SESSION_H

#include <prosa/session.h>

/* Must outlive the session. */
struct prosa_client_config {
    struct prosa_keypair keypair;
    struct prosa_bytes nick, display; /* display may be empty */
    struct prosa_bytes target;        /* name:port as the person asked for it [ID-03] */
    const uint8_t *pinned_key;        /* NULL: first contact, the event KEY asks */
    uint32_t features;                /* offered */
    bool grease;                      /* send GREASE in HELLO and PUBLISH [WIRE-27] */
};

/* What a client knows of a room, as the events show it. */
struct prosa_client_room {
    uint8_t name[33];
    uint8_t name_size;
    uint8_t room_id[PROSA_HASH_SIZE];
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint32_t granted_window, recv_window;
    uint64_t sent_counter;        /* highest that was sent; sent_counter + 1 is next */
    uint64_t acked_counter;       /* highest that the server has taken responsibility for */
    uint64_t limit_counter;       /* highest that may be sent [FLOW-20] */
    uint64_t seen_seq;            /* highest room_seq taken: after_seq of a later JOIN */
    uint64_t head_seq, start_seq; /* of JOINED */
    bool chain_known;             /* `chain` is h_seen_seq: to be stored with seen_seq [AUD-05] */
    uint8_t chain[PROSA_HASH_SIZE];
};

enum prosa_client_event_kind {
    PROSA_CLIENT_KEY,      /* first contact, every other check passed: trust() or fail() [ID-02] */
    PROSA_CLIENT_READY,    /* WELCOME came: join() */
    PROSA_CLIENT_JOINED,   /* `room`: send again what is stored from acked_counter + 1 on [RES-08] */
    PROSA_CLIENT_REFUSED,  /* a JOIN was refused: `error`, `name` */
    PROSA_CLIENT_LEFT,     /* a LEAVE is done; `room` is gone after this event */
    PROSA_CLIENT_MESSAGE,  /* a DELIVER that verified */
    PROSA_CLIENT_UNSHOWN,  /* a DELIVER not to be shown: `status` BAD_SIG or UNSUPPORTED [CON-11] */
    PROSA_CLIENT_ACKED,    /* acked_counter or limit_counter of `room` rose */
    PROSA_CLIENT_MEMBER,   /* `member` */
    PROSA_CLIENT_COVERED,  /* a good CHECKPOINT, `octets`, covers the room up to `seq` [AUD-06] */
    PROSA_CLIENT_CONFLICT, /* `octets` contradict the chain: keep both; FORK is sent [AUD-05] */
    PROSA_CLIENT_ERROR,    /* an ERROR of class 04 or 05 that is no REFUSED, e.g. NO_ANSWER */
    PROSA_CLIENT_PONG,     /* the answer to a ping() of the caller */
    PROSA_CLIENT_SHUT,     /* everything is sent: shutdown(SHUT_WR), read on [END-01] */
    PROSA_CLIENT_ENDED     /* close the socket */
};

/* Everything in it is borrowed until the next call on the session. */
struct prosa_client_event {
    enum prosa_client_event_kind kind;
    const struct prosa_client_room *room; /* JOINED to CONFLICT, and ERROR that names a joined one */
    struct prosa_bytes octets;            /* the whole frame, when the event is about one */
    enum prosa_status status;             /* UNSHOWN */
    uint64_t seq;                         /* COVERED, CONFLICT */
    uint64_t acked_counter, acked_seq;    /* ACKED: of the last covered message; seq 0: not said */
    const uint8_t *id;                    /* MESSAGE, UNSHOWN */
    bool own;                             /* MESSAGE: its author is this client */
    bool lost_history;                    /* JOINED: [RES-03] */
    bool same_epoch;                      /* JOINED: the epoch asked for; else what is stored is lost */
    union {
        struct prosa_welcome welcome; /* READY */
        struct prosa_joined joined;   /* JOINED */
        struct prosa_deliver deliver; /* MESSAGE, UNSHOWN */
        struct prosa_member member;   /* MEMBER */
        struct prosa_error error;     /* REFUSED, ERROR */
        struct prosa_ping pong;       /* PONG */
        struct prosa_ended ended;     /* ENDED */
    };
};

/* A wish to join. */
struct prosa_client_join {
    struct prosa_bytes room;
    uint32_t send_window, recv_window; /* at least 1 and PROSA_MIN_RECV_WINDOW */
    bool has_after_seq;
    uint64_t after_seq;   /* 0: all there is */
    const uint8_t *epoch; /* that after_seq refers to; NULL only with 0 [RES-04] */
    const uint8_t *chain; /* h_after_seq as it was stored, or NULL */
};

/* Private. The caller provides the storage. */
struct prosa_client_session {
    const struct prosa_client_config *config;
    struct prosa_sha256 hello;
    struct prosa_limits limits;
    struct prosa_client_slot *slots;
    struct prosa_buffer in, out;
    uint64_t heard_ms, deadline_ms;
    uint32_t features;
    uint16_t slot_count, slot_cap, flags;
    uint8_t state;
    uint8_t server_key[PROSA_KEY_SIZE];
    uint8_t th2[PROSA_HASH_SIZE];
    uint8_t id[PROSA_HASH_SIZE]; /* of the event's message */
    struct prosa_ended end;
    uint8_t reason[255];
};

/* The TCP connection stands; HELLO is ready to be sent. `nonce`: 32 octets of a secure generator,
 * used once [AUTH-02]; copied. PROSA_ERR_CALL: nick or target would be refused by any decoder. */
PROSA_API PROSA_NODISCARD enum prosa_status
prosa_client_session_init(struct prosa_client_session *session, const struct prosa_client_config *config,
                          const uint8_t nonce[static PROSA_NONCE_SIZE], uint64_t now_ms);
PROSA_API void prosa_client_session_fini(struct prosa_client_session *session);

/* Octets in, as in server_session.h. */
PROSA_API size_t prosa_client_session_recv_space(struct prosa_client_session *session, uint8_t **at);
PROSA_API void prosa_client_session_recv_commit(struct prosa_client_session *session, size_t size,
                                                uint64_t now_ms);
PROSA_API void prosa_client_session_recv_eof(struct prosa_client_session *session, uint64_t now_ms);
PROSA_API void prosa_client_session_recv_reset(struct prosa_client_session *session, uint64_t now_ms);

/* PROSA_OK: *event is set. PROSA_END: nothing more for now. A MESSAGE counts as taken, and is
 * acknowledged, when next() is called again after it: store it before. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_client_session_next(struct prosa_client_session *session,
                                                                      struct prosa_client_event *event,
                                                                      uint64_t now_ms);

/* After KEY: the key is pinned, go on. Otherwise fail(PROSA_ERR_PIN_MISMATCH). */
PROSA_API void prosa_client_session_trust(struct prosa_client_session *session, uint64_t now_ms);

/* PROSA_ERR_CALL: not READY, joined already, or the wish is malformed. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_client_session_join(struct prosa_client_session *session,
                                                                      const struct prosa_client_join *join);
/* The event LEFT shows when it is done, by MEMBER or, in "@host", by a PONG [MEM-07].
 * PROSA_ERR_CALL: the room is not joined. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_client_session_leave(struct prosa_client_session *session,
                                                                       struct prosa_bytes room);

/* What one message says. */
struct prosa_client_text {
    uint64_t counter; /* sent_counter + 1, or further on for messages that will wait */
    uint64_t sent_at; /* ms since 1970 */
    struct prosa_bytes text;
    const uint8_t *reply_to; /* id, or NULL */
};

/* Writes the signed PUBLISH for a joined room to `out`: store it, then send(). PROSA_ERR_NO_SPACE:
 * `cap` is below *size or out of memory; PROSA_ERR_BAD_TEXT; PROSA_ERR_CALL: the room is not joined. */
PROSA_API PROSA_NODISCARD enum prosa_status
prosa_client_session_compose(const struct prosa_client_session *session, struct prosa_bytes room,
                             const struct prosa_client_text *text, uint8_t *out, size_t cap, size_t *size);
/* Sends a composed PUBLISH, the octets unchanged, in the order of counters from sent_counter + 1.
 * PROSA_PARTIAL: above limit_counter, try again after ACKED [FLOW-20]. PROSA_ERR_CALL: not joined,
 * not of this room, or not the next counter. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_client_session_send(struct prosa_client_session *session,
                                                                      struct prosa_bytes room,
                                                                      struct prosa_bytes publish);

/* A barrier: the event PONG follows everything that came before it. `opaque`: at most 16 octets. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_client_session_ping(struct prosa_client_session *session,
                                                                      struct prosa_bytes opaque);

/* BYE NORMAL; before READY just the end [END-06] [END-07]. */
PROSA_API void prosa_client_session_bye(struct prosa_client_session *session, uint64_t now_ms);
/* A fatal ERROR by the caller's decision. */
PROSA_API void prosa_client_session_fail(struct prosa_client_session *session, enum prosa_status status,
                                         uint64_t now_ms);

/* Octets to send, borrowed until the next call; empty when there are none. */
PROSA_API struct prosa_bytes prosa_client_session_send_peek(const struct prosa_client_session *session);
PROSA_API void prosa_client_session_send_consume(struct prosa_client_session *session, size_t size,
                                                 uint64_t now_ms);

PROSA_API uint64_t prosa_client_session_deadline_ms(const struct prosa_client_session *session);
PROSA_API void prosa_client_session_tick(struct prosa_client_session *session, uint64_t now_ms);

PROSA_API bool prosa_client_session_ready(const struct prosa_client_session *session); /* and not ending */
PROSA_API uint32_t prosa_client_session_features(const struct prosa_client_session *session); /* active */
/* NULL until CHALLENGE came; also after PIN_MISMATCH, for the two fingerprints [ID-05]. */
PROSA_API const uint8_t *prosa_client_session_server_key(const struct prosa_client_session *session);
PROSA_API const struct prosa_limits *prosa_client_session_limits(const struct prosa_client_session *session);
/* NULL when the room is not joined. */
PROSA_API const struct prosa_client_room *
prosa_client_session_room(const struct prosa_client_session *session, struct prosa_bytes name);

#endif
