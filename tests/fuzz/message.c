/* SPDX-License-Identifier: MIT */
/* A frame, decoded and made anew: u8 of the sender, then the octets of a frame. */
#include "frames.h"

#include <prosa/json.h>
#include <prosa/prosa.h>

enum { LARGEST = PROSA_HEADER_SIZE + PROSA_MAX_FRAME_CEILING };

static uint8_t *room_for(size_t size)
{
    uint8_t *room = malloc(size == 0 ? 1 : size);
    PROMISE(room != NULL);
    return room;
}

/* Octet for octet what was decoded [WIRE-29], in exactly the room that it takes, and not in less. */
static void check_encoding(const struct prosa_frame *frame, const struct prosa_message *message)
{
    size_t size = 0;
    uint8_t *out = room_for(frame->octets.size);
    PROMISE(prosa_message_encode(message, message->body, out, frame->octets.size, &size) == PROSA_OK);
    PROMISE(prosa_bytes_equal(prosa_bytes(out, size), frame->octets));
    PROMISE(prosa_message_encode(message, message->body, out, frame->octets.size - 1, &size) ==
            PROSA_ERR_NO_SPACE);
    free(out);
}

/* Without the fields that nobody knows it is a message, too, and the same one. */
static void check_known_fields(const struct prosa_frame *frame, const struct prosa_message *message,
                               enum prosa_sender from)
{
    uint8_t *first = room_for(LARGEST);
    uint8_t *second = room_for(LARGEST);
    size_t size = 0;
    size_t again = 0;
    struct prosa_frame plain_frame;
    struct prosa_message plain;
    PROMISE(prosa_message_encode(message, prosa_bytes(NULL, 0), first, LARGEST, &size) == PROSA_OK);
    PROMISE(size <= frame->octets.size);
    PROMISE(prosa_frame_parse(prosa_bytes(first, size), PROSA_MAX_FRAME_CEILING, &plain_frame) == PROSA_OK);
    PROMISE(prosa_message_decode(&plain_frame, from, &plain) == PROSA_OK && plain.displayable);
    PROMISE(prosa_message_encode(&plain, prosa_bytes(NULL, 0), second, LARGEST, &again) == PROSA_OK);
    PROMISE(prosa_bytes_equal(prosa_bytes(first, size), prosa_bytes(second, again)));
    PROMISE(prosa_message_encode(&plain, message->body, second, LARGEST, &again) == PROSA_OK);
    PROMISE(prosa_bytes_equal(frame->octets, prosa_bytes(second, again)));
    free(first);
    free(second);
}

/* One line that any terminal may show [WIRE-34]. */
static void check_projection(const struct prosa_frame *frame)
{
    const size_t size = prosa_json_frame(frame, NULL, 0);
    char *out = (char *)room_for(size + 1);
    PROMISE(prosa_json_frame(frame, out, size + 1) == size && strlen(out) == size);
    PROMISE(out[0] == '{' && out[size - 1] == '}' && prosa_text_is_valid(prosa_bytes(out, size)));
    struct prosa_bytes rest = prosa_bytes(out, size);
    while (rest.size > 0) {
        uint32_t code_point;
        PROMISE(prosa_text_next(&rest, &code_point) && !prosa_text_is_unprintable(code_point));
    }
    free(out);
}

/* The server takes the author's octets as they are [MSG-11]. */
static void check_delivery(const struct prosa_frame *publish)
{
    static const uint8_t hash[PROSA_HASH_SIZE];
    const size_t cap = prosa_deliver_size(publish->body, true);
    uint8_t *out = room_for(cap);
    size_t size = 0;
    struct prosa_frame frame;
    struct prosa_message message;
    uint8_t ids[2][PROSA_HASH_SIZE];
    PROMISE(prosa_deliver_encode(publish->body, 1, 2, hash, out, cap, &size) == PROSA_OK && size == cap);
    PROMISE(prosa_frame_parse(prosa_bytes(out, size), PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK);
    PROMISE(prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK);
    PROMISE(message.deliver.room_seq == 1 && message.deliver.server_time == 2);
    PROMISE(prosa_bytes_equal(prosa_publish_zone(frame.body), publish->body));
    PROMISE(prosa_bytes_equal(prosa_author_zone(frame.body), prosa_author_zone(publish->body)));
    prosa_message_id(publish->body, ids[0]);
    prosa_message_id(frame.body, ids[1]);
    PROMISE(memcmp(ids[0], ids[1], sizeof ids[0]) == 0);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prosa_frame frame;
    struct prosa_message message;
    if (size == 0) {
        return 0;
    }
    const enum prosa_sender from = data[0] % 2 == 0 ? PROSA_FROM_CLIENT : PROSA_FROM_SERVER;
    const enum prosa_status parsed =
        prosa_frame_parse(prosa_bytes(data + 1, size - 1), PROSA_MAX_FRAME_CEILING, &frame);
    if (parsed == PROSA_IGNORED) {
        check_projection(&frame);
    }
    if (parsed != PROSA_OK) {
        return 0;
    }
    const enum prosa_status status = prosa_message_decode(&frame, from, &message);
    PROMISE(status == PROSA_OK || status == PROSA_ERR_BAD_FRAME || status == PROSA_ERR_BAD_TEXT ||
            status == PROSA_ERR_UNSUPPORTED);
    if (status != PROSA_OK) {
        return 0;
    }
    PROMISE(message.type == frame.type && message.body.at == frame.body.at);
    PROMISE(message.displayable || frame.type == PROSA_FRAME_DELIVER);
    check_encoding(&frame, &message);
    check_known_fields(&frame, &message, from);
    check_projection(&frame);
    /* A cap on PUBLISH leaves room for what the server adds; here the ceiling is the cap. */
    if (frame.type == PROSA_FRAME_PUBLISH) {
        check_delivery(&frame);
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct dice dice = {seed};
    static uint8_t made[FRAMES_ROOM];
    if (max_size < 2) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    if (size < 1 || dice_one_in(&dice, 20)) {
        const size_t frame =
            frames_make(&dice, dice_one_in(&dice, 2) ? PROSA_FROM_CLIENT : PROSA_FROM_SERVER, made);
        if (frame < max_size) {
            data[0] = (uint8_t)dice_below(&dice, 2);
            memcpy(data + 1, made, frame);
            return frame + 1;
        }
    }
    if (size < 1) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    if (dice_one_in(&dice, 20)) {
        data[0] ^= 1;
    }
    return 1 + frames_change(&dice, data + 1, size - 1, max_size - 1);
}
