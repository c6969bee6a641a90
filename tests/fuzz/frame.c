/* SPDX-License-Identifier: MIT */
/* Any octets as the beginning of a frame: u16 of the cap, then the octets. */
#include "fuzz.h"

#include <prosa/frame.h>

enum { PREFIXES = 300 }; /* octets that are given one by one; longer inputs are given in eighths, too */

static void check_walk(const struct prosa_frame *frame)
{
    struct prosa_field_walk walk;
    struct prosa_field field;
    enum prosa_status status;
    size_t size = 0;
    unsigned count = 0;
    uint16_t last = 0;
    prosa_field_walk_init(&walk, frame->type, frame->body);
    while ((status = prosa_field_next(&walk, &field)) == PROSA_OK) {
        PROMISE(field.tag > last && ++count <= PROSA_MAX_FIELDS);
        PROMISE(field.octets.at == frame->body.at + size);
        PROMISE(field.octets.size == PROSA_FIELD_HEADER_SIZE + field.value.size);
        PROMISE(prosa_load_u16(field.octets.at) == field.tag);
        PROMISE(prosa_load_u16(field.octets.at + 2) == field.value.size);
        PROMISE(prosa_fields_before(frame->body, field.tag).size == size);
        size += field.octets.size;
        PROMISE(size <= frame->body.size);
        last = field.tag;
    }
    PROMISE(status == (size == frame->body.size ? PROSA_END : PROSA_ERR_BAD_FRAME) ||
            status == PROSA_ERR_BAD_FRAME);
    PROMISE(prosa_field_next(&walk, &field) == status);
}

static void check_frame(struct prosa_bytes input, size_t cap, enum prosa_status status,
                        const struct prosa_frame *frame)
{
    uint8_t header[PROSA_HEADER_SIZE];
    PROMISE(frame->octets.at == input.at && frame->octets.size <= input.size);
    PROMISE(frame->body.at == input.at + PROSA_HEADER_SIZE);
    PROMISE(frame->octets.size == PROSA_HEADER_SIZE + frame->body.size && frame->body.size <= cap);
    prosa_frame_header(header, frame->type, (uint32_t)frame->body.size);
    PROMISE(frame->version == PROSA_VERSION && memcmp(header, input.at, sizeof header) == 0);
    PROMISE((prosa_frame_spec_find(frame->type) != NULL) == (status == PROSA_OK));
    PROMISE(status == PROSA_OK || !prosa_is_critical(frame->type));
    check_walk(frame);
}

/* What a prefix says is not taken back, and a whole frame is said of no prefix that has not all of it. */
static void check_prefix(struct prosa_bytes input, size_t size, size_t cap, enum prosa_status whole,
                         size_t consumed)
{
    struct prosa_frame frame;
    const enum prosa_status status = prosa_frame_parse(prosa_bytes(input.at, size), cap, &frame);
    PROMISE(status == whole || status == PROSA_PARTIAL);
    PROMISE(status == PROSA_PARTIAL || size >= consumed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prosa_reader reader;
    struct prosa_frame frame;
    prosa_reader_init(&reader, prosa_bytes(data, size));
    const size_t cap = prosa_read_u16(&reader) + (size_t)1;
    const struct prosa_bytes input = prosa_bytes(reader.at, reader.left);
    const enum prosa_status status = prosa_frame_parse(input, cap, &frame);
    const bool whole = status == PROSA_OK || status == PROSA_IGNORED;
    PROMISE(whole || status == PROSA_PARTIAL || status == PROSA_ERR_BAD_FRAME ||
            status == PROSA_ERR_UNSUPPORTED || status == PROSA_ERR_TOO_LARGE);
    if (whole) {
        check_frame(input, cap, status, &frame);
    }
    for (size_t n = 0; n <= input.size; n += n < PREFIXES ? 1 : input.size / 8 + 1) {
        check_prefix(input, n, cap, status, whole ? frame.octets.size : 0);
    }
    return 0;
}
