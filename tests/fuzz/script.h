/* SPDX-License-Identifier: MIT */
/*
 * script: an input that tells what happens to a session, step by step: frames of the peer, and calls of the
 * program around the session. SCRIPT_HEAD octets of settings, then steps:
 *     u8 kind, u8 how, u16 size, so many octets
 * A kind below SCRIPT_CALLS is a frame, any other one a call. Mutations keep this form: steps are put in,
 * left out, repeated and moved, frames are changed by their fields.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "frames.h"

enum { SCRIPT_HEAD = 8, SCRIPT_STEP = 4, SCRIPT_CALLS = 128 };

/* What of a frame the target makes true before it is given to the session: whoever plays a peer well gets
 * farther than one who knows no signatures. Nothing else of the frame is changed. */
enum {
    SCRIPT_FIT_KEYS = 1 << 0,    /* keys, nonces, epochs: those of the target */
    SCRIPT_FIT_ROOM = 1 << 1,    /* room_id: of a joined room, which its first octet chooses */
    SCRIPT_FIT_NUMBERS = 1 << 2, /* counters and sequence numbers: those that are due */
    SCRIPT_FIT_SIGNATURE = 1 << 3,
    SCRIPT_IN_PIECES = 1 << 4, /* it comes octet by octet, in small pieces */
    SCRIPT_WITH_NEXT = 1 << 5, /* it comes together with the next frame */
    SCRIPT_FIT_ALL = SCRIPT_FIT_KEYS | SCRIPT_FIT_ROOM | SCRIPT_FIT_NUMBERS | SCRIPT_FIT_SIGNATURE
};

struct script_step {
    uint8_t kind, how;
    struct prosa_bytes octets;
};

/* The next step; false at the end. The last step may have less than it says. */
PROSA_NODISCARD bool script_next(struct prosa_reader *reader, struct script_step *step);

/* As LLVMFuzzerCustomMutator and LLVMFuzzerCustomCrossOver. `from`: whose frames; `calls`: how many there
 * are. */
size_t script_mutate(uint8_t *data, size_t size, size_t max_size, unsigned int seed, enum prosa_sender from,
                     uint8_t calls);
size_t script_cross(struct prosa_bytes a, struct prosa_bytes b, uint8_t *out, size_t cap, unsigned int seed);

#endif
