/* SPDX-License-Identifier: MIT */
/* The relays of bench/floors: no greeting, no rooms. A PONG says that one is there; each PUBLISH comes back
 * to all as it was sent. */
#include "frames.h"

#include "clock.h"

#include <stdlib.h>

static const uint8_t no_room[PROSA_HASH_SIZE];

static bool make(struct member *member)
{
    uint8_t seed[PROSA_SEED_SIZE];
    struct prosa_keypair *keypair = malloc(sizeof *keypair);
    if (keypair == NULL) {
        return false;
    }
    entropy_fill(seed, sizeof seed);
    prosa_keypair_from_seed(keypair, seed);
    member->talk = keypair;
    return true;
}

static bool greet(struct member *member)
{
    (void)member; /* the relay has the first word */
    return true;
}

static bool join(struct member *member)
{
    member_has_joined(member);
    return true;
}

static bool on_publish(struct member *member, const struct prosa_frame *frame)
{
    struct frames_parts parts;
    struct body body;
    if (!frames_find(frame, &parts)) {
        return member_lose(member, "a malformed frame came");
    }
    (void)load_shown(member, parts.text, parts.sent, &body);
    return true;
}

static bool on_frame(struct member *member, const struct prosa_frame *frame)
{
    if (frame->type != PROSA_FRAME_PONG) {
        return on_publish(member, frame);
    }
    member_is_present(member);
    return true;
}

static size_t take(struct member *member, const uint8_t *at, size_t size)
{
    return frames_take(member, at, size, on_frame);
}

static size_t write_post(struct member *member, uint32_t index, uint8_t *out, size_t cap)
{
    const struct plan *plan = member->load->plan;
    const struct frames_post post = {.keypair = member->talk,
                                     .nick = member->nick,
                                     .room_id = no_room,
                                     .body = {plan->run, (uint16_t)member->writer, index},
                                     .body_size = plan->body_size};
    return frames_write(&post, out, cap);
}

const struct dialect dialect_relay = {.name = "relay",
                                      .repeats = true,
                                      .make = make,
                                      .greet = greet,
                                      .take = take,
                                      .join = join,
                                      .write = write_post};
