/* SPDX-License-Identifier: MIT */
#include "client_world.h"

/* --- speaking --------------------------------------------------------------------------------- */

struct book *server_book(struct world *world, const uint8_t *room_id)
{
    for (size_t i = 0; i < ROOMS; i++) {
        if (memcmp(world->books[i].room_id, room_id, PROSA_HASH_SIZE) == 0) {
            return &world->books[i];
        }
    }
    return NULL;
}

/* A frame that is being made true. */
struct draft {
    uint8_t octets[FRAMES_ROOM];
    size_t size;
};

static struct prosa_bytes get(const struct draft *draft, uint16_t tag)
{
    return frames_get(draft->octets, draft->size, tag);
}

static uint64_t get_number(const struct draft *draft, uint16_t tag)
{
    const struct prosa_bytes value = get(draft, tag);
    return value.size == 8 ? prosa_load_u64(value.at) : value.size == 4 ? prosa_load_u32(value.at) : 0;
}

static void set(struct draft *draft, uint16_t tag, const void *value, size_t size)
{
    draft->size = frames_set(draft->octets, draft->size, sizeof draft->octets, tag, prosa_bytes(value, size));
}

static void set_number(struct draft *draft, uint16_t tag, uint64_t number)
{
    uint8_t octets[8];
    prosa_store_u64(octets, number);
    set(draft, tag, octets, sizeof octets);
}

static struct book *book_of(struct world *world, const struct draft *draft)
{
    const struct prosa_bytes room_id = get(draft, PROSA_TAG_ROOM_ID);
    const struct prosa_bytes name = get(draft, PROSA_TAG_ROOM);
    for (size_t i = 0; i < ROOMS; i++) {
        if (name.size > 0 && prosa_bytes_equal(name, prosa_bytes_of_string(world->books[i].name))) {
            return &world->books[i];
        }
    }
    return room_id.size == PROSA_HASH_SIZE ? server_book(world, room_id.at) : NULL;
}

static void fit_keys(struct world *world, struct draft *draft)
{
    static const uint16_t tags[] = {PROSA_TAG_AUTHOR_KEY, PROSA_TAG_MEMBER_KEY};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        const struct prosa_bytes key = get(draft, tags[i]);
        const bool own = key.size > 0 && key.at[0] % 2 == 1;
        set(draft, tags[i], own ? world->config.keypair.key : world->server.key, PROSA_KEY_SIZE);
    }
    set(draft, PROSA_TAG_SERVER_KEY, world->server.key, PROSA_KEY_SIZE);
}

/* One that the client is in, if there is any. */
static struct book *choose_room(struct world *world, uint8_t which)
{
    for (size_t i = 0; i < ROOMS; i++) {
        struct book *book = &world->books[(which + i) % ROOMS];
        if (book->state == ROOM_IN || book->state == ROOM_LEAVING) {
            return book;
        }
    }
    return &world->books[which % ROOMS];
}

static void fit_room(struct world *world, struct draft *draft)
{
    struct book *book = book_of(world, draft);
    const struct prosa_bytes room_id = get(draft, PROSA_TAG_ROOM_ID);
    if (book == NULL && room_id.size > 0) {
        book = choose_room(world, room_id.at[0]);
    }
    if (book != NULL) {
        set(draft, PROSA_TAG_ROOM_ID, book->room_id, PROSA_HASH_SIZE);
        set(draft, PROSA_TAG_EPOCH, book->epoch, PROSA_EPOCH_SIZE);
    }
}

static void fit_joined(const struct book *book, struct draft *draft)
{
    const uint64_t head = get_number(draft, PROSA_TAG_HEAD_SEQ) % 64;
    const uint64_t start = 1 + get_number(draft, PROSA_TAG_START_SEQ) % (head + 1);
    set_number(draft, PROSA_TAG_HEAD_SEQ, head);
    set_number(draft, PROSA_TAG_OLDEST_SEQ, 1);
    set_number(draft, PROSA_TAG_START_SEQ, start);
    set_number(draft, PROSA_TAG_LAST_COUNTER, book->said);
    set_number(draft, PROSA_TAG_LIMIT_COUNTER, book->said + get_number(draft, PROSA_TAG_GRANTED_WINDOW));
}

static void fit_numbers(struct world *world, struct draft *draft)
{
    const struct book *book = book_of(world, draft);
    if (book == NULL) {
        return;
    }
    const struct prosa_client_room *room =
        prosa_client_session_room(&world->session, prosa_bytes_of_string(book->name));
    const uint8_t type = draft->octets[3];
    if (type == PROSA_FRAME_JOINED) {
        fit_joined(book, draft);
    } else if (type == PROSA_FRAME_ACK) {
        const uint64_t more = get_number(draft, PROSA_TAG_LIMIT_COUNTER) % 8;
        set_number(draft, PROSA_TAG_ACKED_COUNTER, book->said);
        set_number(draft, PROSA_TAG_LIMIT_COUNTER, book->said + more);
    } else if (type == PROSA_FRAME_DELIVER && room != NULL) {
        set_number(draft, PROSA_TAG_ROOM_SEQ, room->seen_seq + 1);
        if (room->chain_known) {
            set(draft, PROSA_TAG_PREV_HASH, room->chain, PROSA_HASH_SIZE);
        }
    } else if (type == PROSA_FRAME_CHECKPOINT && room != NULL) {
        set_number(draft, PROSA_TAG_SEQ, room->seen_seq + get_number(draft, PROSA_TAG_SEQ) % 3);
        set(draft, PROSA_TAG_CHAIN, room->chain, PROSA_HASH_SIZE);
    }
}

static bool decodes(const struct draft *draft, struct prosa_frame *frame, struct prosa_message *message)
{
    return prosa_frame_parse(prosa_bytes(draft->octets, draft->size), PROSA_MAX_FRAME_CEILING, frame) ==
               PROSA_OK &&
           frame->octets.size == draft->size &&
           prosa_message_decode(frame, PROSA_FROM_SERVER, message) == PROSA_OK;
}

static void fit_signature(struct world *world, struct draft *draft)
{
    struct prosa_frame frame;
    struct prosa_message message;
    uint8_t sig[PROSA_SIGNATURE_SIZE];
    if (!decodes(draft, &frame, &message)) {
        return;
    }
    if (frame.type == PROSA_FRAME_CHALLENGE && world->has_hello) {
        PROMISE(prosa_challenge_sign(&world->server, &world->hello, draft->octets, draft->size) == PROSA_OK);
    } else if (frame.type == PROSA_FRAME_CHECKPOINT) {
        PROMISE(prosa_checkpoint_sign(&world->server, draft->octets, draft->size) == PROSA_OK);
    } else if (frame.type == PROSA_FRAME_DELIVER) {
        const bool own = memcmp(message.deliver.author_key, world->config.keypair.key, PROSA_KEY_SIZE) == 0;
        PROMISE(prosa_sign(own ? &world->config.keypair : &world->server, PROSA_LABEL(MESSAGE),
                           prosa_author_zone(frame.body), sig) == PROSA_OK);
        set(draft, PROSA_TAG_AUTHOR_SIG, sig, sizeof sig);
    }
}

void server_send(struct world *world, const struct script_step *step)
{
    static struct draft draft;
    draft.size = step->octets.size < sizeof draft.octets ? step->octets.size : sizeof draft.octets;
    if (draft.size > 0) {
        memcpy(draft.octets, step->octets.at, draft.size);
    }
    if (draft.size >= PROSA_HEADER_SIZE) {
        if ((step->how & SCRIPT_FIT_KEYS) != 0) {
            fit_keys(world, &draft);
        }
        if ((step->how & SCRIPT_FIT_ROOM) != 0) {
            fit_room(world, &draft);
        }
        if ((step->how & SCRIPT_FIT_NUMBERS) != 0) {
            fit_numbers(world, &draft);
        }
        if ((step->how & SCRIPT_FIT_SIGNATURE) != 0) {
            fit_signature(world, &draft);
        }
    }
    if (WIRE - world->wire_end >= draft.size) {
        memcpy(world->wire + world->wire_end, draft.octets, draft.size);
        world->wire_end += draft.size;
    }
}

/* The PINGs that the session may have to answer, in their order. */
void server_was_read(struct world *world)
{
    struct prosa_frame frame;
    struct prosa_message message;
    enum prosa_status status = PROSA_OK;
    while (!world->is_lost &&
           (status =
                prosa_frame_parse(prosa_bytes(world->wire + world->parsed, world->wire_start - world->parsed),
                                  PROSA_MAX_FRAME_CEILING, &frame)) >= PROSA_OK &&
           status != PROSA_PARTIAL) {
        world->parsed += frame.octets.size;
        if (status == PROSA_OK && frame.type == PROSA_FRAME_PING && world->ping_count < PINGS &&
            prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK) {
            uint8_t *opaque = world->opaque[world->ping_count++];
            opaque[0] = (uint8_t)message.ping.opaque.size;
            memcpy(opaque + 1, message.ping.opaque.at, message.ping.opaque.size);
        }
    }
    world->is_lost = world->is_lost || status < PROSA_OK;
}

/* --- hearing ---------------------------------------------------------------------------------- */

static void hear_publish(struct world *world, const struct prosa_frame *frame,
                         const struct prosa_publish *publish)
{
    struct book *book = server_book(world, publish->room_id);
    if (book == NULL) {
        return; /* of a room with another epoch, which the script has made */
    }
    PROMISE(publish->counter == book->said + 1); /* [FLOW-24] */
    PROMISE(publish->counter <= book->limit);    /* [FLOW-20] */
    PROMISE(prosa_author_verify(world->config.keypair.key, frame->body, publish->author_sig) == PROSA_OK);
    book->said++;
}

static void hear_ack(struct world *world, const struct prosa_ack *ack)
{
    struct book *book = server_book(world, ack->room_id);
    if (book == NULL) {
        return;
    }
    PROMISE(ack->seen_seq <= book->seen && ack->seen_seq >= book->heard_seen_seq); /* [FLOW-13] */
    PROMISE(ack->limit_seq == ack->seen_seq + book->recv_window);
    book->heard_seen_seq = ack->seen_seq;
}

static void hear_pong(struct world *world, const struct prosa_ping *pong)
{
    if (world->pong_count < PINGS) {
        const uint8_t *opaque = world->opaque[world->pong_count];
        PROMISE(world->pong_count < world->ping_count);
        PROMISE(prosa_bytes_equal(pong->opaque, prosa_bytes(opaque + 1, opaque[0]))); /* [LIVE-01] */
    }
    world->pong_count++;
}

static void hear_frame(void *listener, const struct prosa_frame *frame)
{
    struct world *world = listener;
    struct prosa_message message;
    PROMISE(prosa_message_decode(frame, PROSA_FROM_CLIENT, &message) == PROSA_OK);
    PROMISE(world->farewell == 0); /* [END-04] */
    PROMISE(world->has_hello || frame->type == PROSA_FRAME_HELLO);
    PROMISE(world->has_auth || frame->type == PROSA_FRAME_HELLO || frame->type == PROSA_FRAME_AUTH ||
            frame->type == PROSA_FRAME_ERROR);
    switch (frame->type) {
    case PROSA_FRAME_HELLO:
        PROMISE(!world->has_hello);
        world->has_hello = true;
        prosa_sha256_init(&world->hello);
        prosa_sha256_add(&world->hello, frame->octets);
        break;
    case PROSA_FRAME_AUTH:
        PROMISE(!world->has_auth);
        PROMISE(world->config.pinned_key != NULL || world->seen[PROSA_CLIENT_KEY] == 1); /* [ID-02] */
        world->has_auth = true;
        break;
    case PROSA_FRAME_JOIN:
    case PROSA_FRAME_LEAVE:
    case PROSA_FRAME_PING:
        PROMISE(world->seen[PROSA_CLIENT_READY] == 1);
        break;
    case PROSA_FRAME_PUBLISH:
        hear_publish(world, frame, &message.publish);
        break;
    case PROSA_FRAME_ACK:
        hear_ack(world, &message.ack);
        break;
    case PROSA_FRAME_PONG:
        hear_pong(world, &message.pong);
        break;
    case PROSA_FRAME_ERROR:
        PROMISE(prosa_code_closes(message.error.code));
        PROMISE(!world->in_conflict || message.error.code == PROSA_CODE_FORK); /* [AUD-05] */
        world->farewell = message.error.code;
        break;
    case PROSA_FRAME_BYE:
        PROMISE(!world->in_conflict);
        world->farewell = message.bye.code;
        break;
    default:
        fuzz_broken("only frames that clients send", __FILE__, __LINE__);
    }
}

void server_hear(struct world *world, struct prosa_bytes octets)
{
    frames_hear(&world->heard, octets, hear_frame, world);
}
