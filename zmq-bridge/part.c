/* SPDX-License-Identifier: MIT */
#include "part.h"

#include <assert.h>

/* The octets of a header: magic and version, type, length. */
#define TYPE_AT   3
#define LENGTH_AT 4

bool part_is_frame(struct prosa_bytes part)
{
    return part.size >= PROSA_HEADER_SIZE &&
           prosa_load_u32(part.at + LENGTH_AT) == part.size - PROSA_HEADER_SIZE;
}

size_t part_first(struct prosa_bytes stream)
{
    if (stream.size < PROSA_HEADER_SIZE) {
        return 0;
    }
    const uint32_t length = prosa_load_u32(stream.at + LENGTH_AT);
    if (length > PROSA_LIMIT_MAX_FRAME_MAX) {
        return SIZE_MAX;
    }
    const size_t size = PROSA_HEADER_SIZE + (size_t)length;
    return stream.size < size ? 0 : size;
}

bool part_is_hello(struct prosa_bytes frame)
{
    return frame.at[TYPE_AT] == PROSA_FRAME_HELLO;
}

bool part_is_last(struct prosa_bytes octets)
{
    struct prosa_frame frame;
    struct prosa_message message;
    if (prosa_frame_parse(octets, PROSA_LIMIT_MAX_FRAME_MAX, &frame) != PROSA_OK) {
        return false;
    }
    if (frame.type == PROSA_FRAME_BYE) {
        return true;
    }
    return frame.type == PROSA_FRAME_ERROR &&
           prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK &&
           prosa_code_closes(message.error.code);
}

static size_t encode(const struct prosa_message *message, uint8_t out[static PART_OWN_SIZE])
{
    size_t size = 0;
    const enum prosa_status status =
        prosa_message_encode(message, prosa_bytes(NULL, 0), out, PART_OWN_SIZE, &size);
    assert(status == PROSA_OK);
    (void)status;
    return size;
}

size_t part_make_error(enum prosa_status status, const char *reason, uint8_t out[static PART_OWN_SIZE])
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_ERROR,
        .error = {.code = prosa_status_code(status), .reason = prosa_bytes_of_string(reason)}};
    return encode(&message, out);
}

size_t part_make_goodbye(const char *reason, uint8_t out[static PART_OWN_SIZE])
{
    const struct prosa_message message = {.type = PROSA_FRAME_BYE,
                                          .bye = {.code = PROSA_CODE_GATEWAY_LOST,
                                                  .has_reason = true,
                                                  .reason = prosa_bytes_of_string(reason)}};
    return encode(&message, out);
}
