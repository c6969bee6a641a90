/* SPDX-License-Identifier: MIT */
/* PROSA/1, as a member that checks what it must and signs what it must, and no more: the session of
 * libprosa verifies every message, which a hundred members in one process cannot. */
#include "frames.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOM                   "bench"
#define CHALLENGE_SAMPLE_EVERY 16u    /* handshakes of which the server's signature is checked */
#define DELIVER_SAMPLE_EVERY   16384u /* likewise deliveries */
#define SMALL_FRAME            1024u

struct talk {
    struct prosa_keypair keypair;
    struct prosa_sha256 hello;
    uint8_t room_id[PROSA_HASH_SIZE];
    uint64_t next_seq, limit_seq;
    uint32_t recv_window;
};

static struct talk *talk_of(const struct member *member)
{
    return member->talk;
}

static bool make(struct member *member)
{
    uint8_t seed[PROSA_SEED_SIZE];
    struct talk *talk = calloc(1, sizeof *talk);
    if (talk == NULL) {
        return false;
    }
    entropy_fill(seed, sizeof seed);
    prosa_keypair_from_seed(&talk->keypair, seed);
    talk->recv_window = member->load->plan->recv_window;
    member->talk = talk;
    return true;
}

static bool say(struct member *member, const struct prosa_message *message)
{
    uint8_t frame[SMALL_FRAME];
    size_t size;
    return prosa_message_encode(message, prosa_bytes(NULL, 0), frame, sizeof frame, &size) == PROSA_OK &&
           member_say(member, frame, size);
}

/* --- the handshake --- */

static bool greet(struct member *member)
{
    static const uint8_t versions[] = {PROSA_VERSION};
    struct talk *talk = talk_of(member);
    uint8_t nonce[PROSA_NONCE_SIZE], frame[SMALL_FRAME];
    size_t size;
    entropy_fill(nonce, sizeof nonce);
    const struct prosa_message hello = {.type = PROSA_FRAME_HELLO,
                                        .hello = {.versions = prosa_bytes(versions, sizeof versions),
                                                  .nonce = nonce,
                                                  .client_key = talk->keypair.key,
                                                  .features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME,
                                                  .target = member->load->plan->target}};
    if (prosa_message_encode(&hello, prosa_bytes(NULL, 0), frame, sizeof frame, &size) != PROSA_OK) {
        return false;
    }
    prosa_sha256_init(&talk->hello);
    prosa_sha256_add(&talk->hello, prosa_bytes(frame, size));
    return member_say(member, frame, size);
}

static bool on_challenge(struct member *member, const struct prosa_frame *frame,
                         const struct prosa_challenge *challenge)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    const struct talk *talk = talk_of(member);
    uint8_t th2[PROSA_HASH_SIZE], auth[SMALL_FRAME];
    size_t size;
    if (member->load->present % CHALLENGE_SAMPLE_EVERY == 0 &&
        prosa_challenge_verify(challenge->server_key, &talk->hello, frame->octets) != PROSA_OK) {
        return member_lose(member, "the server's signature is not good");
    }
    const struct prosa_message message = {
        .type = PROSA_FRAME_AUTH,
        .auth = {.nick = prosa_bytes_of_string(member->nick), .handshake_sig = unsigned_yet}};
    prosa_transcript_th2(&talk->hello, frame->octets, th2);
    if (prosa_message_encode(&message, prosa_bytes(NULL, 0), auth, sizeof auth, &size) != PROSA_OK ||
        prosa_auth_sign(&talk->keypair, th2, auth, size) != PROSA_OK) {
        return member_lose(member, "its AUTH cannot be made");
    }
    return member_say(member, auth, size);
}

/* --- the room --- */

static bool join(struct member *member)
{
    const struct plan *plan = member->load->plan;
    const struct prosa_message message = {.type = PROSA_FRAME_JOIN,
                                          .join = {.room = prosa_bytes_of_string(ROOM),
                                                   .send_window = plan->window,
                                                   .recv_window = talk_of(member)->recv_window,
                                                   .has_after_seq = plan->replays}};
    return say(member, &message);
}

/* Where a writer goes on; one that comes again has said some of it before. */
static bool on_joined(struct member *member, const struct prosa_joined *joined)
{
    struct talk *talk = talk_of(member);
    memcpy(talk->room_id, joined->room_id, sizeof talk->room_id);
    talk->next_seq = joined->start_seq;
    talk->limit_seq = joined->start_seq + talk->recv_window - 1;
    if (member->writer != MEMBER_NOBODY) {
        struct speech *speech = &member->load->speeches[member->writer];
        speech->granted = joined->granted_window;
        speech->allowed = joined->limit_counter;
        speech->sent = joined->last_counter * speech->stride;
    }
    member_has_joined(member);
    return true;
}

static bool on_ack(struct member *member, const struct prosa_ack *ack)
{
    if (member->writer != MEMBER_NOBODY) {
        struct speech *speech = &member->load->speeches[member->writer];
        speech->allowed = ack->limit_counter > speech->allowed ? ack->limit_counter : speech->allowed;
    }
    return true;
}

/* [FLOW-17] */
static bool acknowledge(struct member *member)
{
    struct talk *talk = talk_of(member);
    if (talk->limit_seq - (talk->next_seq - 1) > talk->recv_window / 2) {
        return true;
    }
    talk->limit_seq = talk->next_seq - 1 + talk->recv_window;
    const struct prosa_message message = {.type = PROSA_FRAME_ACK,
                                          .ack = {.room_id = talk->room_id,
                                                  .has_seen_seq = true,
                                                  .has_limit_seq = true,
                                                  .seen_seq = talk->next_seq - 1,
                                                  .limit_seq = talk->limit_seq}};
    return say(member, &message);
}

static bool on_deliver(struct member *member, const struct prosa_frame *frame)
{
    struct load *load = member->load;
    struct talk *talk = talk_of(member);
    struct frames_parts parts;
    struct body body;
    if (!frames_find(frame, &parts)) {
        return member_lose(member, "a malformed DELIVER came");
    }
    if (load->sampled_at-- == 0) {
        load->sampled_at = DELIVER_SAMPLE_EVERY - 1;
        load->verified++;
        if (!frames_verify(frame)) {
            judge_altered(&load->judge);
        }
    }
    if (load_shown(member, parts.text, parts.sent, &body)) {
        judge_placed(&load->judge, &body, parts.room_seq);
    }
    if (parts.room_seq != talk->next_seq && member->reader != MEMBER_NOBODY) {
        load->judge.faults.gaps++;
    }
    talk->next_seq = parts.room_seq + 1;
    return acknowledge(member);
}

/* --- frames --- */

static bool on_error(struct member *member, const struct prosa_error *error)
{
    char why[128];
    const char *name = prosa_code_name(error->code);
    snprintf(why, sizeof why, "the server said %s: %.*s", name != NULL ? name : "an unknown code",
             (int)(error->reason.size < 64 ? error->reason.size : 64), (const char *)error->reason.at);
    return member_lose(member, why);
}

static bool on_bye(struct member *member, const struct prosa_bye *bye)
{
    char why[64];
    const char *name = prosa_code_name(bye->code);
    snprintf(why, sizeof why, "the server said goodbye: %s", name != NULL ? name : "an unknown code");
    return member_lose(member, why);
}

static bool on_ping(struct member *member, const struct prosa_ping *ping)
{
    const struct prosa_message message = {.type = PROSA_FRAME_PONG, .pong = *ping};
    return say(member, &message);
}

static bool on_frame(struct member *member, const struct prosa_frame *frame)
{
    struct prosa_message message;
    if (frame->type == PROSA_FRAME_DELIVER) {
        return on_deliver(member, frame);
    }
    if (prosa_message_decode(frame, PROSA_FROM_SERVER, &message) != PROSA_OK) {
        return member_lose(member, "a malformed frame came");
    }
    switch (frame->type) {
    case PROSA_FRAME_CHALLENGE:
        return on_challenge(member, frame, &message.challenge);
    case PROSA_FRAME_WELCOME:
        member_is_present(member);
        return true;
    case PROSA_FRAME_JOINED:
        return on_joined(member, &message.joined);
    case PROSA_FRAME_ACK:
        return on_ack(member, &message.ack);
    case PROSA_FRAME_PING:
        return on_ping(member, &message.ping);
    case PROSA_FRAME_ERROR:
        return on_error(member, &message.error);
    case PROSA_FRAME_BYE:
        return on_bye(member, &message.bye);
    default:
        return true; /* who else is there does not matter */
    }
}

static size_t take(struct member *member, const uint8_t *at, size_t size)
{
    return frames_take(member, at, size, on_frame);
}

static size_t write_post(struct member *member, uint32_t index, uint8_t *out, size_t cap)
{
    const struct talk *talk = talk_of(member);
    const struct plan *plan = member->load->plan;
    const struct frames_post post = {.keypair = &talk->keypair,
                                     .nick = member->nick,
                                     .room_id = talk->room_id,
                                     .body = {plan->run, (uint16_t)member->writer, index},
                                     .body_size = plan->body_size};
    return frames_write(&post, out, cap);
}

const struct dialect dialect_prosa = {
    .name = "prosa", .make = make, .greet = greet, .take = take, .join = join, .write = write_post};
