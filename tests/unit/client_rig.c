/* SPDX-License-Identifier: MIT */
#include "client_rig.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t nonce[PROSA_NONCE_SIZE] = {9};
static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
static const uint8_t versions[] = {1};
static const uint8_t epoch[PROSA_EPOCH_SIZE] = {2};
static const struct prosa_bytes nothing = {NULL, 0};

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "client rig: %s\n", what);
    exit(1);
}

/* --- life ------------------------------------------------------------------------------------- */

void client_rig_init(struct client_rig *rig)
{
    const uint8_t server_seed[32] = {1}, client_seed[32] = {2};
    const uint32_t features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME;

    need(prosa_sign_init() == PROSA_OK, "libsodium");
    *rig = (struct client_rig){.now = 1000, .author_seed = 1};
    prosa_keypair_from_seed(&rig->server, server_seed);
    prosa_keypair_from_seed(&rig->config.keypair, client_seed);
    rig->config.nick = prosa_bytes_of_string("ada");
    rig->config.target = prosa_bytes_of_string("localhost:65432");
    rig->config.features = features;
    rig->config.grease = true;
    rig->challenge = (struct prosa_challenge){
        .versions = prosa_bytes(versions, sizeof versions),
        .nonce = nonce,
        .features = features | PROSA_FEATURE_AUDIT,
        .version = 1,
        .server_key = rig->server.key,
        .max_frame = 8192,
        .max_rooms = 8,
        .max_window = 64,
        .token_rate = 32,
        .token_burst = 64,
        .member_limit = 256,
        .undecided_limit = 65536,
        .output_limit = 262144,
        .handshake_ms = 5000,
        .ping_after_ms = 1000,
        .dead_after_ms = 3000,
        .slow_ms = 10000,
        .linger_ms = 500,
        .handshake_sig = unsigned_yet,
    };
    prosa_room_id(rig->server.key, epoch, prosa_bytes_of_string("general"), NULL, rig->room_id);
    prosa_chain_start(rig->room_id, rig->chain);
    need(prosa_client_session_init(&rig->session, &rig->config, nonce, rig->now) == PROSA_OK, "HELLO");
}

void client_rig_restart(struct client_rig *rig)
{
    prosa_client_session_fini(&rig->session);
    need(prosa_client_session_init(&rig->session, &rig->config, nonce, rig->now) == PROSA_OK, "HELLO");
}

void client_rig_fini(struct client_rig *rig)
{
    prosa_client_session_fini(&rig->session);
}

static void collect(struct client_rig *rig)
{
    struct prosa_bytes out = prosa_client_session_send_peek(&rig->session);
    need(rig->out_size + out.size <= sizeof rig->out, "a smaller output");
    if (out.size > 0)
        memcpy(rig->out + rig->out_size, out.at, out.size);
    rig->out_size += out.size;
    prosa_client_session_send_consume(&rig->session, out.size, rig->now);
}

static void on_event(struct client_rig *rig, const struct prosa_client_event *event)
{
    rig->seen[event->kind]++;
    rig->last[event->kind] = *event;
    if (event->kind == PROSA_CLIENT_KEY && !rig->hold_trust)
        prosa_client_session_trust(&rig->session, rig->now);
    if (event->kind == PROSA_CLIENT_MESSAGE)
        snprintf(rig->text, sizeof rig->text, "%.*s", (int)event->deliver.text.size,
                 (const char *)event->deliver.text.at);
}

void client_rig_turn(struct client_rig *rig)
{
    struct prosa_client_event event;
    for (int i = 0; i < 2; i++) { /* once more: what was sent can lead to an event */
        while (prosa_client_session_next(&rig->session, &event, rig->now) == PROSA_OK)
            on_event(rig, &event);
        collect(rig);
    }
    while (prosa_client_session_next(&rig->session, &event, rig->now) == PROSA_OK)
        on_event(rig, &event);
}

void client_rig_advance(struct client_rig *rig, uint64_t ms)
{
    rig->now += ms;
    prosa_client_session_tick(&rig->session, rig->now);
    client_rig_turn(rig);
}

void client_rig_feed(struct client_rig *rig, struct prosa_bytes octets)
{
    if (rig->keeps) {
        need(rig->kept_size + octets.size <= sizeof rig->kept, "less to keep");
        memcpy(rig->kept + rig->kept_size, octets.at, octets.size);
        rig->kept_size += octets.size;
        return;
    }
    while (octets.size > 0) {
        uint8_t *at = NULL;
        size_t space = prosa_client_session_recv_space(&rig->session, &at);
        if (space == 0)
            break;
        if (space > octets.size)
            space = octets.size;
        memcpy(at, octets.at, space);
        prosa_client_session_recv_commit(&rig->session, space, rig->now);
        octets = prosa_bytes(octets.at + space, octets.size - space);
        client_rig_turn(rig);
    }
}

void client_rig_say(struct client_rig *rig, const struct prosa_message *message)
{
    uint8_t octets[8192];
    size_t size = 0;
    need(prosa_message_encode(message, nothing, octets, sizeof octets, &size) == PROSA_OK, "message");
    client_rig_feed(rig, prosa_bytes(octets, size));
}

/* --- what the session sent -------------------------------------------------------------------- */

uint8_t client_rig_take(struct client_rig *rig)
{
    struct prosa_frame frame;
    collect(rig);
    struct prosa_bytes left = prosa_bytes(rig->out + rig->out_read, rig->out_size - rig->out_read);
    if (prosa_frame_parse(left, CLIENT_RIG_FRAME, &frame) != PROSA_OK)
        return 0;
    memcpy(rig->frame_octets, frame.octets.at, frame.octets.size);
    rig->out_read += frame.octets.size;
    need(prosa_frame_parse(prosa_bytes(rig->frame_octets, frame.octets.size), CLIENT_RIG_FRAME,
                           &rig->frame) == PROSA_OK &&
             prosa_message_decode(&rig->frame, PROSA_FROM_CLIENT, &rig->message) == PROSA_OK,
         "a frame of the client that decodes");
    return frame.type;
}

void client_rig_skip(struct client_rig *rig)
{
    collect(rig);
    rig->out_read = rig->out_size;
}

bool client_rig_took_error(struct client_rig *rig, uint16_t code, const char *clause)
{
    if (client_rig_take(rig) != PROSA_FRAME_ERROR || rig->message.error.code != code)
        return false;
    return clause == NULL || (rig->message.error.has_clause &&
                              prosa_bytes_equal(rig->message.error.clause, prosa_bytes_of_string(clause)));
}

bool client_rig_ended(const struct client_rig *rig, enum prosa_ending how, uint16_t code, bool retry)
{
    const struct prosa_ended *ended = &rig->last[PROSA_CLIENT_ENDED].ended;
    return rig->seen[PROSA_CLIENT_ENDED] == 1 && ended->how == how && ended->code == code &&
           ended->retry == retry;
}

/* --- the server's side ------------------------------------------------------------------------ */

void client_rig_challenge(struct client_rig *rig)
{
    struct prosa_message message = {.type = PROSA_FRAME_CHALLENGE, .challenge = rig->challenge};
    uint8_t octets[1024];
    struct prosa_sha256 hello;
    size_t size = 0;

    need(client_rig_take(rig) == PROSA_FRAME_HELLO, "HELLO");
    prosa_sha256_init(&hello);
    prosa_sha256_add(&hello, rig->frame.octets);
    need(prosa_message_encode(&message, nothing, octets, sizeof octets, &size) == PROSA_OK, "CHALLENGE");
    if (rig->challenge.handshake_sig == unsigned_yet)
        need(prosa_challenge_sign(&rig->server, &hello, octets, size) == PROSA_OK, "signature");
    client_rig_feed(rig, prosa_bytes(octets, size));
}

void client_rig_welcome(struct client_rig *rig)
{
    const struct prosa_message message = {.type = PROSA_FRAME_WELCOME, .welcome = {.session = 42, .time = 1}};
    client_rig_say(rig, &message);
}

void client_rig_ready(struct client_rig *rig)
{
    client_rig_challenge(rig);
    need(client_rig_take(rig) == PROSA_FRAME_AUTH, "AUTH");
    client_rig_welcome(rig);
}

enum prosa_status client_rig_join(struct client_rig *rig, uint32_t recv_window, const uint64_t *after_seq)
{
    const struct prosa_client_join wish = {
        .room = prosa_bytes_of_string("general"),
        .send_window = 4,
        .recv_window = recv_window,
        .has_after_seq = after_seq != NULL,
        .after_seq = after_seq == NULL ? 0 : *after_seq,
        .epoch = epoch,
    };
    return prosa_client_session_join(&rig->session, &wish);
}

void client_rig_joined(struct client_rig *rig, uint64_t last, uint64_t head_seq, uint64_t start_seq)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_JOINED,
        .joined = {.room = prosa_bytes_of_string("general"),
                   .room_id = rig->room_id,
                   .epoch = epoch,
                   .granted_window = 2,
                   .last_counter = last,
                   .limit_counter = last + 2,
                   .head_seq = head_seq,
                   .oldest_seq = 1,
                   .start_seq = start_seq},
    };
    client_rig_say(rig, &message);
}

void client_rig_in_room(struct client_rig *rig)
{
    client_rig_ready(rig);
    need(client_rig_join(rig, 8, NULL) == PROSA_OK, "JOIN");
    client_rig_joined(rig, 0, 0, 1);
    client_rig_skip(rig);
}

void client_rig_deliver(struct client_rig *rig, uint64_t room_seq, const char *text, unsigned fault)
{
    static const uint8_t unknown_even[] = {0x30, 0x00, 0x00, 0x00};
    const uint8_t seed[32] = {rig->author_seed};
    uint8_t publish[8192], octets[8192], id[PROSA_HASH_SIZE];
    struct prosa_keypair author;
    size_t size = 0;

    prosa_keypair_from_seed(&author, seed);
    struct prosa_message message = {
        .type = PROSA_FRAME_DELIVER, /* a PUBLISH may not have the unknown tag */
        .deliver = {.nick = prosa_bytes_of_string("host"),
                    .room_id = rig->room_id,
                    .author_key = author.key,
                    .counter = room_seq,
                    .sent_at = rig->now,
                    .text = prosa_bytes_of_string(text),
                    .author_sig = unsigned_yet,
                    .room_seq = room_seq,
                    .server_time = rig->now,
                    .has_prev_hash = true,
                    .prev_hash = rig->chain},
    };
    struct prosa_bytes extra = prosa_bytes(unknown_even, (fault & 2) != 0 ? sizeof unknown_even : 0);
    need(prosa_message_encode(&message, extra, publish, sizeof publish, &size) == PROSA_OK, "DELIVER");
    struct prosa_bytes body =
        prosa_publish_zone(prosa_bytes(publish + PROSA_HEADER_SIZE, size - PROSA_HEADER_SIZE));
    memmove(octets + PROSA_HEADER_SIZE, body.at, body.size);
    prosa_frame_header(octets, PROSA_FRAME_PUBLISH, (uint32_t)body.size);
    need(prosa_publish_sign(&author, octets, PROSA_HEADER_SIZE + body.size) == PROSA_OK, "signature");
    octets[PROSA_HEADER_SIZE + body.size - 1] ^= (uint8_t)(fault & 1);
    body = prosa_bytes(octets + PROSA_HEADER_SIZE, body.size);
    need(prosa_deliver_encode(body, room_seq, rig->now, rig->chain, publish, sizeof publish, &size) ==
             PROSA_OK,
         "DELIVER");
    prosa_message_id(body, id);
    prosa_chain_next(rig->chain, room_seq, rig->now, id, rig->chain);
    client_rig_feed(rig, prosa_bytes(publish, size));
}

void client_rig_ack(struct client_rig *rig, uint64_t acked, uint64_t limit, uint64_t seq)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_ACK,
        .ack = {.room_id = rig->room_id,
                .has_limit_counter = true,
                .has_acked_counter = true,
                .has_acked_seq = true,
                .limit_counter = limit,
                .acked_counter = acked,
                .acked_seq = seq},
    };
    client_rig_say(rig, &message);
}

void client_rig_checkpoint(struct client_rig *rig, uint64_t seq, const uint8_t *chain)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_CHECKPOINT,
        .checkpoint =
            {.time = 1, .room_id = rig->room_id, .seq = seq, .chain = chain, .server_sig = unsigned_yet},
    };
    uint8_t octets[512];
    size_t size = 0;
    need(prosa_message_encode(&message, nothing, octets, sizeof octets, &size) == PROSA_OK &&
             prosa_checkpoint_sign(&rig->server, octets, size) == PROSA_OK,
         "CHECKPOINT");
    client_rig_feed(rig, prosa_bytes(octets, size));
}

void client_rig_member(struct client_rig *rig, uint8_t event, const uint8_t *key)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_MEMBER,
        .member = {.has_nick = true,
                   .nick = prosa_bytes_of_string("bob"),
                   .room_id = rig->room_id,
                   .event = event,
                   .has_member_key = true,
                   .member_key = key},
    };
    client_rig_say(rig, &message);
}

void client_rig_error(struct client_rig *rig, uint16_t code, const char *room)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_ERROR,
        .error = {.has_room = room != NULL,
                  .room = prosa_bytes_of_string(room == NULL ? "" : room),
                  .code = code,
                  .reason = prosa_bytes_of_string("words"),
                  .has_after_ms = true,
                  .after_ms = 700},
    };
    client_rig_say(rig, &message);
}

void client_rig_bye(struct client_rig *rig, uint16_t code)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_BYE,
        .bye = {.code = code, .has_reason = true, .reason = prosa_bytes_of_string("until then")}};
    client_rig_say(rig, &message);
}

void client_rig_ping(struct client_rig *rig, uint8_t type, const char *opaque)
{
    const struct prosa_message message = {.type = type, .ping = {.opaque = prosa_bytes_of_string(opaque)}};
    client_rig_say(rig, &message);
}
