/* SPDX-License-Identifier: MIT */
/*
 * part: what a relay has to know of the frames that it passes on: where one ends, whether it begins or
 * ends a session, and the few frames that a relay says itself. Pure.
 * It refuses to judge a frame's body: that is for the two ends [ZMQ-03].
 */
#ifndef ZMQ_BRIDGE_PART_H
#define ZMQ_BRIDGE_PART_H

#include <prosa/message.h>

/* Octets of the largest frame, header included: what a ROUTER takes at most [ZMQ-08]. */
#define PART_SIZE_MAX (PROSA_HEADER_SIZE + PROSA_LIMIT_MAX_FRAME_MAX)

/* Octets of the longest frame that a relay makes. */
#define PART_OWN_SIZE 160

/* True when `part` is one frame from its first octet to its last, as its header says [ZMQ-01]. */
PROSA_NODISCARD bool part_is_frame(struct prosa_bytes part);

/* Octets of the frame at the start of `stream`; 0: it is not whole yet. SIZE_MAX: no frame can begin so. */
PROSA_NODISCARD size_t part_first(struct prosa_bytes stream);

/* Of a frame: does it begin a session; does it end one, as BYE and a fatal ERROR do? */
PROSA_NODISCARD bool part_is_hello(struct prosa_bytes frame);
PROSA_NODISCARD bool part_is_last(struct prosa_bytes frame);

/* Write a frame of the relay's own, ERROR with the code of `status` or BYE GATEWAY_LOST. Return its octets.
 */
size_t part_make_error(enum prosa_status status, const char *reason, uint8_t out[static PART_OWN_SIZE]);
size_t part_make_goodbye(const char *reason, uint8_t out[static PART_OWN_SIZE]);

#endif
