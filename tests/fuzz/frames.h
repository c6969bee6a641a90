/* SPDX-License-Identifier: MIT */
/*
 * frames: makes frames that the registry calls possible, and changes frames so that they mostly stay so: by
 * whole fields, by values of their kind, at the bounds of their range. The tables of the registry drive all
 * of it: a new field or frame needs nothing here.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include "fuzz.h"

#include <prosa/message.h>

/* Room for the largest frame that is made. */
#define FRAMES_ROOM (PROSA_HEADER_SIZE + 20000u)

/* Writes a frame that `from` may send; its size. */
size_t frames_make(struct dice *dice, enum prosa_sender from, uint8_t out[static FRAMES_ROOM]);

/* Changes `size` octets, a frame or nearly one, in place, never beyond `cap`; the new size. */
size_t frames_change(struct dice *dice, uint8_t *frame, size_t size, size_t cap);

/* Gives the first field with this tag another value, in octets that may be no good frame; the new size, or
 * the old one when there is no such field or no room. A length that was true before is true afterwards. */
size_t frames_set(uint8_t *frame, size_t size, size_t cap, uint16_t tag, struct prosa_bytes value);

/* The value of the first field with this tag; empty: it has none. */
struct prosa_bytes frames_get(const uint8_t *frame, size_t size, uint16_t tag);

/* What came out of a session, and is not yet a frame. */
struct frames_heard {
    size_t size;
    uint8_t octets[1 << 18];
};

/* Octets come out of a session: its whole frames are taken, one after the other. */
void frames_hear(struct frames_heard *heard, struct prosa_bytes octets,
                 void (*take)(void *listener, const struct prosa_frame *frame), void *listener);

#endif
