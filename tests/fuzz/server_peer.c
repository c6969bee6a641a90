/* SPDX-License-Identifier: MIT */
#include "server_world.h"

/* --- speaking --------------------------------------------------------------------------------- */

struct book *peer_book(struct world *world, const uint8_t *room_id)
{
    for (size_t i = 0; i < ROOMS; i++) {
        if (memcmp(world->books[i].room.room_id, room_id, PROSA_HASH_SIZE) == 0) {
            return &world->books[i];
        }
    }
    return NULL;
}

static bool decodes(const uint8_t *octets, size_t size, struct prosa_message *message)
{
    struct prosa_frame frame;
    return prosa_frame_parse(prosa_bytes(octets, size), PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
           frame.octets.size == size && prosa_message_decode(&frame, PROSA_FROM_CLIENT, message) == PROSA_OK;
}

static struct prosa_bytes number(uint64_t value, uint8_t octets[static 8])
{
    prosa_store_u64(octets, value);
    return prosa_bytes(octets, 8);
}

/* Of a frame that a room's name or id chooses, the numbers that are due. */
static size_t fit_numbers(struct world *world, uint8_t *frame, size_t size)
{
    uint8_t octets[8];
    const struct prosa_bytes room_id = frames_get(frame, size, PROSA_TAG_ROOM_ID);
    struct book *book = room_id.size == PROSA_HASH_SIZE ? peer_book(world, room_id.at) : NULL;
    if (book == NULL) {
        return size;
    }
    if (frame[3] == PROSA_FRAME_PUBLISH) {
        return frames_set(frame, size, FRAMES_ROOM, PROSA_TAG_COUNTER, number(book->said + 1, octets));
    }
    const uint64_t seen = book->next_seq == 0 ? 0 : book->next_seq - 1;
    const struct prosa_bytes limit = frames_get(frame, size, PROSA_TAG_LIMIT_SEQ);
    const uint64_t more = limit.size == 8 ? limit.at[7] % 16 : 0;
    size = frames_set(frame, size, FRAMES_ROOM, PROSA_TAG_SEEN_SEQ, number(seen, octets));
    return frames_set(frame, size, FRAMES_ROOM, PROSA_TAG_LIMIT_SEQ, number(seen + 2 + more, octets));
}

/* One that is joined, if there is any. */
static const struct prosa_room *choose_room(const struct world *world, uint8_t which)
{
    for (size_t i = 0; i < ROOMS; i++) {
        if (world->books[(which + i) % ROOMS].in) {
            return &world->books[(which + i) % ROOMS].room;
        }
    }
    return &world->books[which % ROOMS].room;
}

static size_t fit_room(struct world *world, uint8_t *frame, size_t size)
{
    const struct prosa_bytes room_id = frames_get(frame, size, PROSA_TAG_ROOM_ID);
    const struct prosa_bytes name = frames_get(frame, size, PROSA_TAG_ROOM);
    if (room_id.size > 0 &&
        peer_book(world, room_id.size == PROSA_HASH_SIZE ? room_id.at : world->client.key) == NULL) {
        const struct prosa_room *room = choose_room(world, room_id.at[0]);
        size = frames_set(frame, size, FRAMES_ROOM, PROSA_TAG_ROOM_ID,
                          prosa_bytes(room->room_id, PROSA_HASH_SIZE));
    }
    for (size_t i = 0; i < ROOMS && name.size > 0; i++) {
        const struct prosa_room *room = &world->books[i].room;
        if (prosa_bytes_equal(name, prosa_bytes(room->name, room->name_size))) {
            return frames_set(frame, size, FRAMES_ROOM, PROSA_TAG_EPOCH,
                              prosa_bytes(room->epoch, PROSA_EPOCH_SIZE));
        }
    }
    return size;
}

static size_t fit_keys(struct world *world, uint8_t *frame, size_t size)
{
    const struct prosa_bytes key = prosa_bytes(world->client.key, PROSA_KEY_SIZE);
    if (frame[3] == PROSA_FRAME_PUBLISH && world->nick_size > 0) {
        size =
            frames_set(frame, size, FRAMES_ROOM, PROSA_TAG_NICK, prosa_bytes(world->nick, world->nick_size));
    }
    size = frames_set(frame, size, FRAMES_ROOM, PROSA_TAG_CLIENT_KEY, key);
    return frames_set(frame, size, FRAMES_ROOM, PROSA_TAG_AUTHOR_KEY, key);
}

/* Signs a good frame as the client that the session knows. */
static void fit_signature(struct world *world, uint8_t *frame, size_t size)
{
    struct prosa_message message;
    if (!decodes(frame, size, &message)) {
        return;
    }
    if (message.type == PROSA_FRAME_AUTH && world->has_challenge) {
        PROMISE(prosa_auth_sign(&world->client, world->th2, frame, size) == PROSA_OK);
    } else if (message.type == PROSA_FRAME_PUBLISH) {
        PROMISE(prosa_publish_sign(&world->client, frame, size) == PROSA_OK);
    }
}

/* What the peer itself has to remember of what it says. */
static void remember(struct world *world, const uint8_t *frame, size_t size)
{
    struct prosa_message message;
    if (!decodes(frame, size, &message)) {
        return;
    }
    if (message.type == PROSA_FRAME_AUTH) {
        world->nick_size = message.auth.nick.size;
        memcpy(world->nick, message.auth.nick.at, world->nick_size);
    } else if (message.type == PROSA_FRAME_PUBLISH) {
        struct book *book = peer_book(world, message.publish.room_id);
        if (book != NULL && message.publish.counter == book->said + 1) {
            book->said++;
        }
    }
}

void peer_send(struct world *world, const struct script_step *step)
{
    static uint8_t frame[FRAMES_ROOM];
    size_t size = step->octets.size < FRAMES_ROOM ? step->octets.size : FRAMES_ROOM;
    if (size > 0) {
        memcpy(frame, step->octets.at, size);
    }
    if (size >= PROSA_HEADER_SIZE) {
        size = (step->how & SCRIPT_FIT_KEYS) != 0 ? fit_keys(world, frame, size) : size;
        size = (step->how & SCRIPT_FIT_ROOM) != 0 ? fit_room(world, frame, size) : size;
        size = (step->how & SCRIPT_FIT_NUMBERS) != 0 ? fit_numbers(world, frame, size) : size;
        if ((step->how & SCRIPT_FIT_SIGNATURE) != 0) {
            fit_signature(world, frame, size);
        }
        remember(world, frame, size);
    }
    if (WIRE - world->wire_end < size) {
        return; /* the peer's own socket is full */
    }
    memcpy(world->wire + world->wire_end, frame, size);
    world->wire_end += size;
}

/* What the session may have understood by now: an upper bound of the credit that it was given, and the
 * PINGs that it has to answer, in their order. */
void peer_was_read(struct world *world)
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
        if (status == PROSA_IGNORED ||
            prosa_message_decode(&frame, PROSA_FROM_CLIENT, &message) != PROSA_OK) {
            continue;
        }
        struct book *book = frame.type == PROSA_FRAME_ACK ? peer_book(world, message.ack.room_id) : NULL;
        if (book != NULL && message.ack.limit_seq > book->allowed_seq) {
            book->allowed_seq = message.ack.limit_seq;
        }
        if (frame.type == PROSA_FRAME_HELLO && !world->has_hello) {
            prosa_sha256_init(&world->hello);
            prosa_sha256_add(&world->hello, frame.octets);
            world->has_hello = true;
        }
        for (size_t i = 0; i < ROOMS && frame.type == PROSA_FRAME_JOIN; i++) {
            const struct prosa_room *room = &world->books[i].room;
            if (prosa_bytes_equal(message.join.room, prosa_bytes(room->name, room->name_size)) &&
                message.join.recv_window > world->books[i].recv_window) {
                world->books[i].recv_window = message.join.recv_window;
            }
        }
        if (frame.type == PROSA_FRAME_PING && world->ping_count < PINGS) {
            uint8_t *opaque = world->opaque[world->ping_count++];
            opaque[0] = (uint8_t)message.ping.opaque.size;
            memcpy(opaque + 1, message.ping.opaque.at, message.ping.opaque.size);
        }
    }
    world->is_lost = world->is_lost || status < PROSA_OK;
}

/* --- hearing ---------------------------------------------------------------------------------- */

static void hear_challenge(struct world *world, const struct prosa_frame *frame,
                           const struct prosa_challenge *challenge)
{
    PROMISE(!world->has_challenge && world->has_hello);
    PROMISE(prosa_challenge_verify(challenge->server_key, &world->hello, frame->octets) == PROSA_OK);
    prosa_transcript_th2(&world->hello, frame->octets, world->th2);
    world->has_challenge = true;
}

static void hear_joined(struct world *world, const struct prosa_joined *joined)
{
    struct book *book = peer_book(world, joined->room_id);
    PROMISE(book != NULL && (!book->in || book->room.name[0] == '@'));
    PROMISE(joined->granted_window >= 1 && joined->granted_window <= world->config.limits.max_window);
    PROMISE(joined->limit_counter == joined->last_counter + joined->granted_window); /* [FLOW-05] */
    PROMISE(joined->last_counter <= book->committed && joined->head_seq <= book->room.head_seq);
    PROMISE(joined->start_seq >= 1 && joined->start_seq <= joined->head_seq + 1);
    book->in = true;
    book->next_seq = joined->start_seq;
    if (joined->start_seq - 1 + book->recv_window > book->allowed_seq) {
        book->allowed_seq = joined->start_seq - 1 + book->recv_window; /* [FLOW-07] */
    }
    book->acked = joined->last_counter;
    book->said = book->said > joined->last_counter ? book->said : joined->last_counter;
    book->limit_counter = joined->limit_counter;
    book->granted = joined->granted_window;
}

static void hear_deliver(struct world *world, const struct prosa_frame *frame,
                         const struct prosa_deliver *deliver)
{
    struct book *book = peer_book(world, deliver->room_id);
    PROMISE(book != NULL && book->in && deliver->room_seq == book->next_seq); /* [MSG-17] */
    PROMISE(deliver->room_seq <= book->room.head_seq);
    PROMISE(prosa_bytes_equal(frame->octets, book->entries[deliver->room_seq - 1]));
    PROMISE(deliver->room_seq <= book->allowed_seq); /* [FLOW-18] */
    book->next_seq++;
}

static void hear_ack(struct world *world, const struct prosa_ack *ack)
{
    struct book *book = peer_book(world, ack->room_id);
    PROMISE(book != NULL && book->in);
    PROMISE(ack->acked_counter >= book->acked && ack->acked_counter <= book->committed);
    PROMISE(ack->limit_counter >= book->limit_counter); /* [FLOW-20] */
    PROMISE(ack->limit_counter <= ack->acked_counter + book->granted);
    PROMISE(ack->acked_seq ==
            (ack->acked_counter == 0 ? 0 : book->seqs[ack->acked_counter - 1])); /* [FLOW-10] */
    book->acked = ack->acked_counter;
    book->limit_counter = ack->limit_counter;
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

/* Behind it nothing comes [END-04]. Of what was decided before it, the peer has heard [END-03]. */
static void hear_farewell(struct world *world, uint16_t code)
{
    world->farewell = code;
    if (code == PROSA_CODE_SLOW_CONSUMER || code == PROSA_CODE_IDLE || !world->is_welcome) {
        return;
    }
    for (size_t i = 0; i < ROOMS; i++) {
        const struct book *book = &world->books[i];
        PROMISE(!book->in || book->room.name[0] == '@' || book->acked == book->committed);
    }
}

static void hear_frame(void *listener, const struct prosa_frame *frame)
{
    struct world *world = listener;
    struct prosa_message message;
    PROMISE(prosa_message_decode(frame, PROSA_FROM_SERVER, &message) == PROSA_OK);
    PROMISE(world->farewell == 0);
    PROMISE(world->is_welcome || frame->type == PROSA_FRAME_CHALLENGE || frame->type == PROSA_FRAME_WELCOME ||
            frame->type == PROSA_FRAME_ERROR);
    switch (frame->type) {
    case PROSA_FRAME_CHALLENGE:
        hear_challenge(world, frame, &message.challenge);
        break;
    case PROSA_FRAME_WELCOME:
        PROMISE(world->has_challenge && !world->is_welcome);
        world->is_welcome = true;
        break;
    case PROSA_FRAME_JOINED:
        hear_joined(world, &message.joined);
        break;
    case PROSA_FRAME_DELIVER:
        hear_deliver(world, frame, &message.deliver);
        break;
    case PROSA_FRAME_ACK:
        hear_ack(world, &message.ack);
        break;
    case PROSA_FRAME_MEMBER: {
        struct book *book = peer_book(world, message.member.room_id);
        PROMISE(book != NULL && book->in);
        if (message.member.event == PROSA_EVENT_LEFT) { /* this client: nobody else leaves [MEM-06] */
            PROMISE(memcmp(message.member.member_key, world->client.key, PROSA_KEY_SIZE) == 0);
            PROMISE(book->acked == book->committed);
            book->in = false;
        }
        break;
    }
    case PROSA_FRAME_CHECKPOINT: {
        const struct book *book = peer_book(world, message.checkpoint.room_id);
        PROMISE(book != NULL && book->in);
        break;
    }
    case PROSA_FRAME_PING:
        PROMISE((world->config.features & PROSA_FEATURE_LIVENESS) != 0); /* [LIVE-04] */
        break;
    case PROSA_FRAME_PONG:
        hear_pong(world, &message.pong);
        break;
    case PROSA_FRAME_ERROR:
        if (prosa_code_closes(message.error.code)) {
            hear_farewell(world, message.error.code);
        }
        break;
    case PROSA_FRAME_BYE:
        hear_farewell(world, message.bye.code);
        break;
    default:
        fuzz_broken("only frames that servers send", __FILE__, __LINE__);
        break;
    }
}

void peer_hear(struct world *world, struct prosa_bytes octets)
{
    frames_hear(&world->heard, octets, hear_frame, world);
}
