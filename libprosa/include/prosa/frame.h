/* SPDX-License-Identifier: MIT */
/*
 * frame: the outer form of PROSA/1. Finds one frame in a run of octets, walks the fields of its
 * body, checks everything that holds for a frame of any meaning: order, number and zone of tags.
 * It refuses to look into a value; what a field means is the room message's.
 */
#ifndef PROSA_FRAME_H
#define PROSA_FRAME_H

#include <prosa/bytes.h>
#include <prosa/registry.h>
#include <prosa/status.h>

/* One whole frame. Borrows the octets that it was parsed from: valid as long as they are. */
struct prosa_frame {
    uint8_t version;
    uint8_t type;              /* PROSA_FRAME_*, or an odd number that the registry lacks */
    struct prosa_bytes octets; /* header and body */
    struct prosa_bytes body;   /* the fields */
};

/* Looks for a frame at the start of `input`. `cap` is the largest body, in octets, that the state
 * of the connection allows; a longer one is refused from its header alone, and so is a PUBLISH that
 * leaves less than PROSA_PUBLISH_HEADROOM of it [WIRE-06], [MSG-10].
 * PROSA_OK: *frame is set; the caller goes on after frame->octets.size octets.
 * PROSA_IGNORED: likewise, but the type is odd and unknown: the body was not examined.
 * PROSA_PARTIAL: wait for more octets. PROSA_ERR_*: the connection is over. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_frame_parse(struct prosa_bytes input, size_t cap,
                                                              struct prosa_frame *frame);

/* Writes the 8 octets of a header. */
PROSA_API void prosa_frame_header(uint8_t out[static PROSA_HEADER_SIZE], uint8_t type, uint32_t length);

/* One field. Borrows the body's octets. */
struct prosa_field {
    uint16_t tag;
    struct prosa_bytes value;
    struct prosa_bytes octets; /* tag, length and value */
};

/* A walk over encoded fields, in order. */
struct prosa_field_walk {
    struct prosa_reader reader;
    uint8_t type;
    uint8_t count;
    uint16_t last_tag;
};

/* `body`: encoded fields without the header; `type`: of the frame that they stand in. */
PROSA_API void prosa_field_walk_init(struct prosa_field_walk *walk, uint8_t type, struct prosa_bytes body);

/* PROSA_OK: *field is set. PROSA_END: there is no more. PROSA_ERR_BAD_FRAME: the octets are no
 * field, or one that may not stand here. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_field_next(struct prosa_field_walk *walk,
                                                             struct prosa_field *field);

/* The fields of `body` before the first whose tag is `tag` or greater; all when there is none.
 * `body` must have been decoded without a fault. */
PROSA_API struct prosa_bytes prosa_fields_before(struct prosa_bytes body, uint16_t tag);

/* The rows of the registry. NULL: it has no such type; the frame's row has no such tag. */
PROSA_API const struct prosa_frame_spec *prosa_frame_spec_find(uint8_t type);
PROSA_API const struct prosa_field_spec *prosa_field_spec_find(const struct prosa_frame_spec *frame,
                                                               uint16_t tag);

/* Reserved so that unknown ones are really sent: never given a meaning. */
PROSA_API bool prosa_tag_is_grease(uint16_t tag);
PROSA_API bool prosa_type_is_grease(uint8_t type);

/* Even tags and types must be understood, odd ones may be passed over. */
static inline bool prosa_is_critical(unsigned number)
{
    return number % 2 == 0;
}

#endif
