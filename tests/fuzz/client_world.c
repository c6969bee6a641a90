/* SPDX-License-Identifier: MIT */
#include "client_world.h"

#include "client.h"

enum { TURNS = 200000, READ_SIZE = 16384 };

static const char *const room_names[ROOMS] = {"@host", "general", "lab"};

/* --- life ------------------------------------------------------------------------------------- */

void world_init(struct world *world, const uint8_t settings[static SCRIPT_HEAD])
{
    static const uint8_t seeds[2][PROSA_SEED_SIZE] = {{1}, {2}};
    static const uint8_t nonce[PROSA_NONCE_SIZE] = {9};
    memset(world, 0, offsetof(struct world, wire));
    world->heard.size = 0;
    world->now = 1000;
    world->takes = SIZE_MAX;
    world->holds_trust = settings[1] % 4 == 3;
    prosa_keypair_from_seed(&world->server, seeds[0]);
    prosa_keypair_from_seed(&world->config.keypair, seeds[1]);
    world->config.nick = prosa_bytes_of_string("ada");
    world->config.display = prosa_bytes_of_string(settings[2] % 2 == 0 ? "" : "Ada \xe2\x80\xae");
    world->config.target = prosa_bytes_of_string("localhost:65432");
    world->config.features = settings[0] % 8;
    world->config.grease = settings[3] % 2 == 0;
    world->config.pinned_key = settings[1] % 2 == 0 ? world->server.key : NULL;
    for (size_t i = 0; i < ROOMS; i++) {
        struct book *book = &world->books[i];
        book->name = room_names[i];
        book->epoch[0] = (uint8_t)(i + 1);
        prosa_room_id(world->server.key, book->epoch, prosa_bytes_of_string(book->name),
                      world->config.keypair.key, book->room_id);
    }
    PROMISE(prosa_client_session_init(&world->session, &world->config, nonce, world->now) == PROSA_OK);
}

/* --- wishes ----------------------------------------------------------------------------------- */

void world_join(struct world *world, struct book *book, uint8_t how, uint16_t number)
{
    static const uint8_t other_epoch[PROSA_EPOCH_SIZE] = {99};
    static const uint8_t chain[PROSA_HASH_SIZE] = {7};
    const struct prosa_client_join join = {
        .room = prosa_bytes_of_string(book->name),
        .send_window = 1 + how / 64,
        .recv_window = PROSA_MIN_RECV_WINDOW + how / 4 % 8,
        .has_after_seq = how % 4 != 0,
        .after_seq = how % 4 < 2 ? 0 : number % 40,
        .epoch = how % 4 == 3 ? other_epoch : book->epoch,
        .chain = how / 32 % 2 == 0 ? chain : NULL,
    };
    const bool may = prosa_client_session_ready(&world->session) && book->state == ROOM_OUT;
    const enum prosa_status status = prosa_client_session_join(&world->session, &join);
    PROMISE((status == PROSA_OK) == may);
    if (may) {
        book->state = ROOM_WISHED;
        book->recv_window = join.recv_window;
    }
}

void world_leave(struct world *world, struct book *book)
{
    const bool may = prosa_client_session_ready(&world->session) && book->state == ROOM_IN;
    PROMISE((prosa_client_session_leave(&world->session, prosa_bytes_of_string(book->name)) == PROSA_OK) ==
            may);
    if (may) {
        book->state = ROOM_LEAVING;
    }
}

void world_send_again(struct world *world, struct book *book)
{
    const struct prosa_bytes name = prosa_bytes_of_string(book->name);
    const struct prosa_client_room *room = prosa_client_session_room(&world->session, name);
    PROMISE((room != NULL) == (book->state == ROOM_IN));
    const uint64_t sent = room == NULL ? 0 : room->sent_counter;
    const uint64_t limit = room == NULL ? 0 : room->limit_counter;
    if (book->stored_size == 0) {
        return;
    }
    const enum prosa_status status =
        prosa_client_session_send(&world->session, name, prosa_bytes(book->stored, book->stored_size));
    PROMISE(status == PROSA_OK || status == PROSA_PARTIAL || status == PROSA_ERR_CALL);
    PROMISE(status != PROSA_OK || (sent < limit && room->sent_counter == sent + 1)); /* [FLOW-20] */
    PROMISE(status != PROSA_PARTIAL || sent >= limit);
}

void world_send(struct world *world, struct book *book, uint16_t size, bool spoilt)
{
    static uint8_t text[4096];
    const struct prosa_bytes name = prosa_bytes_of_string(book->name);
    const struct prosa_client_room *room = prosa_client_session_room(&world->session, name);
    memset(text, 'y', sizeof text);
    text[0] = spoilt ? 0xC3 : 'y';
    const struct prosa_client_text said = {
        .counter = room == NULL ? 1 : room->sent_counter + 1,
        .sent_at = world->now,
        .text = prosa_bytes(text, size % (sizeof text + 1)),
        .reply_to = size % 2 == 0 ? book->room_id : NULL,
    };
    const enum prosa_status status = prosa_client_session_compose(&world->session, name, &said, book->stored,
                                                                  sizeof book->stored, &book->stored_size);
    PROMISE(room != NULL || status == PROSA_ERR_CALL);
    PROMISE(room == NULL || !spoilt || said.text.size == 0 || status == PROSA_ERR_BAD_TEXT);
    if (status != PROSA_OK) {
        book->stored_size = 0;
    }
    world_send_again(world, book);
}

void world_ping(struct world *world, uint8_t size)
{
    static const uint8_t opaque[17];
    const enum prosa_status status =
        prosa_client_session_ping(&world->session, prosa_bytes(opaque, size % sizeof opaque));
    PROMISE((status == PROSA_OK) == prosa_client_session_ready(&world->session));
}

/* --- events ----------------------------------------------------------------------------------- */

static struct book *book_of(struct world *world, const struct prosa_client_event *event)
{
    PROMISE(event->room != NULL);
    for (size_t i = 0; i < ROOMS; i++) {
        const struct prosa_bytes name = prosa_bytes(event->room->name, event->room->name_size);
        if (prosa_bytes_equal(name, prosa_bytes_of_string(room_names[i]))) {
            return &world->books[i];
        }
    }
    fuzz_broken("a room that was asked for", __FILE__, __LINE__);
}

static void on_joined(struct world *world, const struct prosa_client_event *event)
{
    struct book *book = book_of(world, event);
    const struct prosa_client_room *room = event->room;
    uint8_t room_id[PROSA_HASH_SIZE];
    PROMISE(book->state == ROOM_WISHED);
    prosa_room_id(world->server.key, room->epoch, prosa_bytes_of_string(book->name),
                  world->config.keypair.key, room_id);
    PROMISE(memcmp(room_id, room->room_id, sizeof room_id) == 0); /* [MSG-23] */
    PROMISE(room->recv_window == book->recv_window && room->seen_seq == event->joined.start_seq - 1);
    book->state = ROOM_IN;
    book->seen = book->heard_seen_seq = room->seen_seq;
    book->acked = book->said = room->acked_counter;
    book->limit = room->limit_counter;
}

/* A MESSAGE is what its author has said, in its place; what is UNSHOWN has a reason. */
static void on_deliver(struct world *world, const struct prosa_client_event *event)
{
    struct book *book = book_of(world, event);
    struct prosa_frame frame;
    struct prosa_message message;
    uint8_t id[PROSA_HASH_SIZE];
    PROMISE(book->state == ROOM_IN && event->seq == book->seen + 1); /* [MSG-17] */
    book->seen++;
    PROMISE(prosa_frame_parse(event->octets, PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK);
    PROMISE(prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK);
    PROMISE(message.deliver.room_seq == event->seq && event->room->seen_seq == event->seq);
    prosa_message_id(frame.body, id);
    PROMISE(memcmp(id, event->id, sizeof id) == 0);
    const bool good = message.displayable && prosa_author_verify(message.deliver.author_key, frame.body,
                                                                 message.deliver.author_sig) == PROSA_OK;
    PROMISE(good == (event->kind == PROSA_CLIENT_MESSAGE)); /* [MSG-14] [MSG-16] */
    PROMISE(good || event->status == (message.displayable ? PROSA_ERR_BAD_SIG : PROSA_ERR_UNSUPPORTED));
}

static void on_acked(struct world *world, const struct prosa_client_event *event)
{
    struct book *book = book_of(world, event);
    const struct prosa_client_room *room = event->room;
    PROMISE(room->acked_counter >= book->acked && room->limit_counter >= book->limit);
    PROMISE(room->acked_counter > book->acked || room->limit_counter > book->limit);
    PROMISE(room->acked_counter <= room->sent_counter);
    book->acked = room->acked_counter;
    book->limit = room->limit_counter;
}

static void on_covered(struct world *world, const struct prosa_client_event *event)
{
    PROMISE(event->seq == book_of(world, event)->seen);
    PROMISE(event->octets.size == 0 || prosa_checkpoint_verify(world->server.key, event->octets) == PROSA_OK);
}

static void on_event(struct world *world, const struct prosa_client_event *event)
{
    unsigned *seen = world->seen;
    PROMISE(event->kind <= PROSA_CLIENT_ENDED && seen[PROSA_CLIENT_ENDED] == 0);
    seen[event->kind]++;
    PROMISE(event->kind <= PROSA_CLIENT_READY || event->kind >= PROSA_CLIENT_SHUT ||
            seen[PROSA_CLIENT_READY] == 1);
    switch (event->kind) {
    case PROSA_CLIENT_KEY:
        PROMISE(seen[PROSA_CLIENT_KEY] == 1 && world->config.pinned_key == NULL);
        PROMISE(prosa_client_session_server_key(&world->session) != NULL);
        if (!world->holds_trust) {
            prosa_client_session_trust(&world->session, world->now);
        }
        break;
    case PROSA_CLIENT_READY:
        PROMISE(seen[PROSA_CLIENT_READY] == 1);
        PROMISE(world->config.pinned_key != NULL || seen[PROSA_CLIENT_KEY] == 1); /* [ID-02] */
        break;
    case PROSA_CLIENT_JOINED:
        on_joined(world, event);
        break;
    case PROSA_CLIENT_REFUSED: {
        bool was_asked = false;
        for (size_t i = 0; i < ROOMS; i++) {
            if (prosa_bytes_equal(event->error.room, prosa_bytes_of_string(room_names[i]))) {
                was_asked = world->books[i].state == ROOM_WISHED;
                world->books[i].state = ROOM_OUT;
            }
        }
        PROMISE(was_asked);
        break;
    }
    case PROSA_CLIENT_LEFT:
        PROMISE(book_of(world, event)->state == ROOM_LEAVING);
        book_of(world, event)->state = ROOM_OUT;
        book_of(world, event)->stored_size = 0;
        break;
    case PROSA_CLIENT_MESSAGE:
    case PROSA_CLIENT_UNSHOWN:
        on_deliver(world, event);
        break;
    case PROSA_CLIENT_ACKED:
        on_acked(world, event);
        break;
    case PROSA_CLIENT_COVERED:
        on_covered(world, event);
        break;
    case PROSA_CLIENT_CONFLICT:
        PROMISE((prosa_client_session_features(&world->session) & PROSA_FEATURE_AUDIT) != 0);
        break;
    case PROSA_CLIENT_SHUT:
        PROMISE(seen[PROSA_CLIENT_SHUT] == 1);
        PROMISE(world->eof_given || prosa_client_session_send_peek(&world->session).size == 0);
        break;
    case PROSA_CLIENT_ENDED:
        world->ended = event->ended;
        break;
    default:
        break;
    }
}

/* --- a turn ----------------------------------------------------------------------------------- */

static bool read_some(struct world *world)
{
    uint8_t *at = NULL;
    const size_t left = world->wire_end - world->wire_start;
    size_t space = prosa_client_session_recv_space(&world->session, &at);
    PROMISE(space == 0 || (!world_over(world) && !world->eof_given));
    if (space == 0 || (left == 0 && !world->eof_due)) {
        return false;
    }
    if (left == 0) {
        world->eof_given = true;
        prosa_client_session_recv_eof(&world->session, world->now);
        return true;
    }
    space = space < left ? space : left;
    memcpy(at, world->wire + world->wire_start, space);
    world->wire_start += space;
    prosa_client_session_recv_commit(&world->session, space, world->now);
    server_was_read(world);
    return true;
}

static bool write_some(struct world *world)
{
    const struct prosa_bytes out = prosa_client_session_send_peek(&world->session);
    const size_t size = out.size < world->takes ? out.size : world->takes;
    PROMISE(size == 0 || (!world_over(world) && (world->seen[PROSA_CLIENT_SHUT] == 0 || world->eof_given)));
    if (size == 0) {
        return false;
    }
    server_hear(world, prosa_bytes(out.at, size));
    world->takes -= world->takes == SIZE_MAX ? 0 : size;
    prosa_client_session_send_consume(&world->session, size, world->now);
    return true;
}

static void tell(struct world *world)
{
    struct prosa_client_event event;
    bool was_ready = prosa_client_session_ready(&world->session);
    for (unsigned i = 0; prosa_client_session_next(&world->session, &event, world->now) == PROSA_OK; i++) {
        PROMISE(i < TURNS);
        on_event(world, &event);
        /* Who has said BYE, heard or not yet, says nothing of a conflict [END-04]. */
        world->in_conflict |= event.kind == PROSA_CLIENT_CONFLICT && was_ready;
        was_ready = prosa_client_session_ready(&world->session);
    }
}

/* One frame and one read; of output what the last reading may lead to beyond its limit. The rest of the
 * output is the program's own wish. */
static void check_memory(const struct world *world)
{
    const struct prosa_client_session *session = &world->session;
    const size_t frame = session->state < CLIENT_READY ? PROSA_MAX_FRAME_CEILING : session->limits.max_frame;
    const size_t input = PROSA_HEADER_SIZE + frame + 2 * (size_t)READ_SIZE;
    PROMISE(prosa_buffer_memory(&session->in) <= input);
    PROMISE(prosa_buffer_memory(&session->out) <= PROSA_LIMIT_OUTPUT_LIMIT_DEFAULT + 2 * input + 65536);
    PROMISE(session->slot_count <= ROOMS);
}

void world_turn(struct world *world)
{
    bool moved = true;
    for (unsigned i = 0; moved; i++) {
        PROMISE(i < TURNS);
        moved = read_some(world);
        tell(world);
        check_memory(world);
        moved = write_some(world) || moved;
    }
    tell(world);
}
