/* SPDX-License-Identifier: MIT */
/*
 * message: typed messages and their octets, one struct a frame type, members named and ordered as
 * in spec/registry.yaml. Checks kind, length, range and alphabet of each value, that the required
 * fields are there, and the rules between fields ([WIRE-20] to [WIRE-25], [WIRE-30] to [WIRE-33]).
 * It refuses to know a session: whether a frame may come now, and from whom, is not decided here;
 * no key or signature is judged (see sign.h).
 *
 * Everything that a struct points to is borrowed: after decoding from the frame's octets, before
 * encoding from the caller. Pointers to octets have the length of their kind: key, hash and nonce
 * 32, signature 64, epoch 16. An optional member `x` counts only when `has_x` is true.
 */
#ifndef PROSA_MESSAGE_H
#define PROSA_MESSAGE_H

#include <prosa/frame.h>

struct prosa_hello {
    struct prosa_bytes versions;
    const uint8_t *nonce;
    const uint8_t *client_key;
    uint32_t features;
    struct prosa_bytes target;
};

struct prosa_challenge {
    struct prosa_bytes versions;
    const uint8_t *nonce;
    uint32_t features;
    uint8_t version;
    const uint8_t *server_key;
    uint32_t max_frame, max_rooms, max_window, token_rate, token_burst, member_limit;
    uint32_t undecided_limit, output_limit;
    uint32_t handshake_ms, ping_after_ms, dead_after_ms, slow_ms, linger_ms;
    const uint8_t *handshake_sig;
};

struct prosa_auth {
    struct prosa_bytes nick;
    bool has_display;
    struct prosa_bytes display;
    const uint8_t *handshake_sig;
};

struct prosa_welcome {
    uint64_t session;
    uint64_t time; /* ms since 1970 */
};

struct prosa_join {
    struct prosa_bytes room;
    bool has_epoch, has_after_seq;
    const uint8_t *epoch;
    uint32_t send_window, recv_window;
    uint64_t after_seq;
};

struct prosa_joined {
    struct prosa_bytes room;
    const uint8_t *room_id;
    const uint8_t *epoch;
    uint32_t granted_window;
    uint64_t last_counter, limit_counter, head_seq, oldest_seq, start_seq;
};

struct prosa_leave {
    const uint8_t *room_id;
};

struct prosa_member {
    bool has_nick, has_member_key, has_count;
    struct prosa_bytes nick;
    const uint8_t *room_id;
    uint8_t event; /* PROSA_EVENT_*; the frame is to be ignored when it is none of them */
    const uint8_t *member_key;
    uint64_t at_seq;
    uint32_t count;
};

struct prosa_publish {
    struct prosa_bytes nick;
    bool has_display, has_reply_to;
    struct prosa_bytes display;
    const uint8_t *room_id;
    const uint8_t *author_key;
    uint64_t counter;
    uint64_t sent_at; /* ms since 1970, advisory */
    struct prosa_bytes text;
    const uint8_t *reply_to;
    const uint8_t *author_sig;
};

struct prosa_deliver {
    struct prosa_bytes nick;
    bool has_display, has_reply_to, has_prev_hash;
    struct prosa_bytes display;
    const uint8_t *room_id;
    const uint8_t *author_key;
    uint64_t counter;
    uint64_t sent_at;
    struct prosa_bytes text;
    const uint8_t *reply_to;
    const uint8_t *author_sig;
    uint64_t room_seq;
    uint64_t server_time; /* ms since 1970 */
    const uint8_t *prev_hash;
};

struct prosa_ack {
    const uint8_t *room_id;
    bool has_limit_counter, has_acked_counter, has_acked_seq; /* all, from a server */
    bool has_seen_seq, has_limit_seq;                         /* both, from a client */
    uint64_t limit_counter, acked_counter, acked_seq, seen_seq, limit_seq;
};

struct prosa_checkpoint {
    uint64_t time; /* ms since 1970 */
    const uint8_t *room_id;
    uint64_t seq;
    const uint8_t *chain;
    const uint8_t *server_sig;
};

struct prosa_ping {
    struct prosa_bytes opaque;
};

struct prosa_error {
    bool has_room, has_room_id, has_counter, has_after_ms, has_ref_type, has_clause;
    struct prosa_bytes room;
    const uint8_t *room_id;
    uint64_t counter;
    uint16_t code;
    struct prosa_bytes reason;
    uint32_t after_ms;
    uint8_t ref_type;
    struct prosa_bytes clause;
};

struct prosa_bye {
    bool has_reason, has_after_ms;
    uint16_t code;
    struct prosa_bytes reason;
    uint32_t after_ms;
};

struct prosa_message {
    uint8_t type;            /* PROSA_FRAME_*: which member of the union counts */
    bool displayable;        /* false: a DELIVER with an unknown even author tag [MSG-14] */
    struct prosa_bytes body; /* decoded from; unknown fields are found in it */
    union {
        struct prosa_hello hello;
        struct prosa_challenge challenge;
        struct prosa_auth auth;
        struct prosa_welcome welcome;
        struct prosa_join join;
        struct prosa_joined joined;
        struct prosa_leave leave;
        struct prosa_member member;
        struct prosa_publish publish;
        struct prosa_deliver deliver;
        struct prosa_ack ack;
        struct prosa_checkpoint checkpoint;
        struct prosa_ping ping;
        struct prosa_ping pong;
        struct prosa_error error;
        struct prosa_bye bye;
    };
};

/* Decodes a frame that prosa_frame_parse found good. `from`: PROSA_FROM_CLIENT or PROSA_FROM_SERVER
 * sent it, which only decides the form of an ACK. PROSA_OK, or the first fault: PROSA_ERR_BAD_FRAME,
 * PROSA_ERR_BAD_TEXT, PROSA_ERR_UNSUPPORTED. *message lives as long as the frame's octets. */
PROSA_API PROSA_NODISCARD enum prosa_status
prosa_message_decode(const struct prosa_frame *frame, enum prosa_sender from, struct prosa_message *message);

/* Writes the whole frame to `out` and its length to *size. `extra`: encoded fields in ascending
 * order, merged in; those whose tags the frame's row lists are passed over, so that
 * `message->body` as `extra` gives the decoded octets again [WIRE-29], and {NULL, 0} gives none.
 * `message->body` itself is not read.
 * A signature that is not made yet may point to any 64 octets; sign.h fills it in afterwards.
 * PROSA_ERR_NO_SPACE when `cap` is too small; PROSA_ERR_CALL when a decoder would refuse the
 * result: the message or `extra` is at fault. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_message_encode(const struct prosa_message *message,
                                                                 struct prosa_bytes extra, uint8_t *out,
                                                                 size_t cap, size_t *size);

/* Octets of the DELIVER that prosa_deliver_encode() makes of a PUBLISH. */
static inline size_t prosa_deliver_size(struct prosa_bytes publish, bool has_prev_hash)
{
    return PROSA_HEADER_SIZE + publish.size + 2 * (PROSA_FIELD_HEADER_SIZE + sizeof(uint64_t)) +
           (has_prev_hash ? PROSA_FIELD_HEADER_SIZE + PROSA_HASH_SIZE : 0);
}

/* Writes the DELIVER of a PUBLISH whose decoded body is `publish`: its octets verbatim, then the
 * server's fields [MSG-11]. `prev_hash` may be NULL. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_deliver_encode(struct prosa_bytes publish,
                                                                 uint64_t room_seq, uint64_t server_time,
                                                                 const uint8_t *prev_hash, uint8_t *out,
                                                                 size_t cap, size_t *size);

/* Of the decoded body of a PUBLISH or DELIVER: the fields that the author signs [MSG-01]. */
PROSA_API struct prosa_bytes prosa_author_zone(struct prosa_bytes body);

/* Of the decoded body of a DELIVER: all fields of the PUBLISH, the author's signature included. */
PROSA_API struct prosa_bytes prosa_publish_zone(struct prosa_bytes body);

#endif
