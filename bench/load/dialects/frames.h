/* SPDX-License-Identifier: MIT */
/*
 * frames: what PROSA/1 and the plain relays have in common: signed PUBLISH frames, and finding text and
 * place in frames that come back by the ten thousand. The first one is decoded; those that have their
 * fields where it had them are not decoded again.
 */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include "../load.h"

#include <prosa/message.h>
#include <prosa/sign.h>

struct frames_post {
    const struct prosa_keypair *keypair;
    const char *nick;
    const uint8_t *room_id;
    struct body body;
    size_t body_size;
};

/* Writes the signed PUBLISH number body.index + 1; 0 when it cannot. */
size_t frames_write(const struct frames_post *post, uint8_t *out, size_t cap);

struct frames_parts {
    struct prosa_bytes text;
    struct prosa_bytes sent; /* the author's fields, as they stood in the PUBLISH */
    uint64_t room_seq;       /* 0: a PUBLISH, that has none */
};

/* Of a PUBLISH or DELIVER. False: it is malformed. */
PROSA_NODISCARD bool frames_find(const struct prosa_frame *frame, struct frames_parts *parts);

/* False: its author did not sign it. */
PROSA_NODISCARD bool frames_verify(const struct prosa_frame *frame);

/* Takes the whole frames at `at`; `on_frame` is false when the member is lost. Returns their octets, or
 * DIALECT_BROKEN. */
size_t frames_take(struct member *member, const uint8_t *at, size_t size,
                   bool (*on_frame)(struct member *member, const struct prosa_frame *frame));

#endif
