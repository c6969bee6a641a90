/* SPDX-License-Identifier: MIT */
#include "frames.h"

#include "clock.h"

#define FIELD_HEADER 4u

/* Where the fields of the latest frame were that was decoded, from the start of its body. A frame that
 * has others there is decoded, so that a wrong guess costs time alone. */
static struct {
    size_t text_at, text_size, seq_at, size;
} known;

size_t frames_write(const struct frames_post *post, uint8_t *out, size_t cap)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    uint8_t text[BODY_MAX];
    size_t size;
    body_write(post->body, text, post->body_size);
    const struct prosa_message message = {.type = PROSA_FRAME_PUBLISH,
                                          .publish = {.nick = prosa_bytes_of_string(post->nick),
                                                      .room_id = post->room_id,
                                                      .author_key = post->keypair->key,
                                                      .counter = (uint64_t)post->body.index + 1,
                                                      .sent_at = clock_unix_ms(),
                                                      .text = prosa_bytes(text, post->body_size),
                                                      .author_sig = unsigned_yet}};
    if (prosa_message_encode(&message, prosa_bytes(NULL, 0), out, cap, &size) != PROSA_OK ||
        prosa_publish_sign(post->keypair, out, size) != PROSA_OK) {
        return 0;
    }
    return size;
}

static bool has_field(struct prosa_bytes body, size_t value_at, uint16_t tag, size_t size)
{
    const uint8_t *header = body.at + value_at - FIELD_HEADER;
    return value_at >= FIELD_HEADER && value_at + size <= body.size && prosa_load_u16(header) == tag &&
           prosa_load_u16(header + 2) == size;
}

static bool is_as_known(struct prosa_bytes body)
{
    return body.size == known.size && has_field(body, known.text_at, PROSA_TAG_TEXT, known.text_size) &&
           (known.seq_at == 0 || has_field(body, known.seq_at, PROSA_TAG_ROOM_SEQ, sizeof(uint64_t)));
}

static bool learn(const struct prosa_frame *frame)
{
    struct prosa_message message;
    if (prosa_message_decode(frame, PROSA_FROM_SERVER, &message) != PROSA_OK) {
        return false;
    }
    const bool is_deliver = frame->type == PROSA_FRAME_DELIVER;
    const struct prosa_bytes text = is_deliver ? message.deliver.text : message.publish.text;
    known.size = frame->body.size;
    known.text_at = (size_t)(text.at - frame->body.at);
    known.text_size = text.size;
    known.seq_at = is_deliver ? prosa_publish_zone(frame->body).size + FIELD_HEADER : 0;
    return true;
}

bool frames_find(const struct prosa_frame *frame, struct frames_parts *parts)
{
    const struct prosa_bytes body = frame->body;
    const bool has_seq = frame->type == PROSA_FRAME_DELIVER;
    if ((known.size == 0 || has_seq != (known.seq_at > 0) || !is_as_known(body)) &&
        (!learn(frame) || !is_as_known(body))) {
        return false;
    }
    parts->text = prosa_bytes(body.at + known.text_at, known.text_size);
    parts->sent = prosa_bytes(body.at, has_seq ? known.seq_at - FIELD_HEADER : body.size);
    parts->room_seq = has_seq ? prosa_load_u64(body.at + known.seq_at) : 0;
    return true;
}

bool frames_verify(const struct prosa_frame *frame)
{
    struct prosa_message message;
    if (prosa_message_decode(frame, PROSA_FROM_SERVER, &message) != PROSA_OK) {
        return false;
    }
    const bool is_deliver = frame->type == PROSA_FRAME_DELIVER;
    return prosa_author_verify(
               is_deliver ? message.deliver.author_key : message.publish.author_key, frame->body,
               is_deliver ? message.deliver.author_sig : message.publish.author_sig) == PROSA_OK;
}

size_t frames_take(struct member *member, const uint8_t *at, size_t size,
                   bool (*on_frame)(struct member *member, const struct prosa_frame *frame))
{
    struct prosa_frame frame;
    size_t done = 0;
    for (;;) {
        const struct prosa_bytes rest = prosa_bytes(at + done, size - done);
        const enum prosa_status status = prosa_frame_parse(rest, PROSA_MAX_FRAME_CEILING, &frame);
        if (status == PROSA_PARTIAL) {
            return done;
        }
        if (status < 0) {
            (void)member_lose(member, "octets came that are no frame");
            return DIALECT_BROKEN;
        }
        if (status == PROSA_OK && !on_frame(member, &frame)) {
            return DIALECT_BROKEN;
        }
        done += frame.octets.size;
    }
}
