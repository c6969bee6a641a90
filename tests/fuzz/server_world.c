/* SPDX-License-Identifier: MIT */
#include "server_world.h"

#include "server.h"

enum { TURNS = 200000, FRAME = PROSA_HEADER_SIZE + PROSA_MAX_FRAME_CEILING };

static const char *const room_names[ROOMS] = {"@host", "general", "lab"};
static const uint8_t zeros[PROSA_SIGNATURE_SIZE];

/* --- life ------------------------------------------------------------------------------------- */

static void set_limits(struct prosa_limits *limits, const uint8_t settings[static SCRIPT_HEAD])
{
    static const uint32_t frames[] = {8192, 16384, 65536};
    static const uint32_t tokens[][2] = {{1, 1}, {32, 64}, {1000, 3}, {1000000, 1000000}};
    *limits = prosa_limits_default();
    limits->max_window = 1 + settings[1] % 8;
    limits->max_rooms = 1 + settings[2] % ROOMS;
    limits->token_rate = tokens[settings[3] % 4][0];
    limits->token_burst = tokens[settings[3] % 4][1];
    limits->max_frame = frames[settings[4] % 3];
    limits->undecided_limit = PROSA_LIMIT_UNDECIDED_LIMIT_MIN;
    limits->output_limit = PROSA_LIMIT_OUTPUT_LIMIT_MIN;
    if (settings[6] % 2 == 1) {
        limits->handshake_ms = limits->ping_after_ms = limits->slow_ms = limits->linger_ms = 50;
        limits->dead_after_ms = 100;
    }
}

void world_init(struct world *world, const uint8_t settings[static SCRIPT_HEAD])
{
    static const uint8_t seeds[2][PROSA_SEED_SIZE] = {{1}, {2}};
    static const uint8_t nonce[PROSA_NONCE_SIZE] = {3};
    static const uint32_t reads[] = {1, 7, 512, 4096};
    memset(world, 0, offsetof(struct world, wire));
    world->heard.size = 0;
    world->now = 1000;
    world->takes = SIZE_MAX;
    world->policy = settings[7];
    world->window = 1 + settings[5] % 8;
    prosa_keypair_from_seed(&world->config.keypair, seeds[0]);
    prosa_keypair_from_seed(&world->client, seeds[1]);
    world->config.features = settings[0] % 8;
    world->config.read_size = reads[settings[5] / 64];
    set_limits(&world->config.limits, settings);
    for (size_t i = 0; i < ROOMS; i++) {
        const uint8_t epoch[PROSA_EPOCH_SIZE] = {(uint8_t)(i + 1)};
        prosa_room_init(&world->books[i].room, world->config.keypair.key, epoch,
                        prosa_bytes_of_string(room_names[i]), world->client.key);
    }
    PROMISE(prosa_server_session_init(&world->session, &world->config, nonce, world->now) == PROSA_OK);
}

static void forget(struct prosa_bytes octets)
{
    free((void *)octets.at); /* owned, whatever its type says */
}

void world_fini(struct world *world)
{
    prosa_server_session_fini(&world->session);
    for (size_t i = 0; i < world->held_count; i++) {
        forget(world->held[i].octets);
    }
    for (size_t i = 0; i < ROOMS; i++) {
        for (size_t n = 0; n < world->books[i].room.head_seq; n++) {
            forget(world->books[i].entries[n]);
        }
    }
}

static struct book *book_of(struct world *world, const struct prosa_room *room)
{
    for (size_t i = 0; i < ROOMS; i++) {
        if (&world->books[i].room == room) {
            return &world->books[i];
        }
    }
    fuzz_broken("a room that the program has made", __FILE__, __LINE__);
}

/* --- logs ------------------------------------------------------------------------------------- */

/* `publish`: the fields. */
static void append(struct world *world, struct book *book, struct prosa_bytes publish)
{
    const size_t cap = PROSA_HEADER_SIZE + publish.size + PROSA_PUBLISH_HEADROOM;
    const uint64_t seq = book->room.head_seq + 1;
    size_t size = 0;
    uint8_t *octets = malloc(cap);
    PROMISE(octets != NULL && seq <= ENTRIES);
    PROMISE(prosa_deliver_encode(publish, seq, world->now,
                                 (world->config.features & PROSA_FEATURE_AUDIT) != 0 ? zeros : NULL, octets,
                                 cap, &size) == PROSA_OK);
    book->entries[seq - 1] = prosa_bytes(octets, size);
    book->room.head_seq = seq;
}

bool world_say(struct world *world, struct book *book, size_t size)
{
    static uint8_t text[4096];
    static uint8_t octets[FRAME];
    memset(text, 'x', sizeof text);
    const struct prosa_message message = {
        .type = PROSA_FRAME_PUBLISH,
        .publish = {.nick = prosa_bytes_of_string("host"),
                    .room_id = book->room.room_id,
                    .author_key = world->config.keypair.key,
                    .counter = book->room.head_seq + 1,
                    .sent_at = world->now,
                    .text = prosa_bytes(text, 1 + size % sizeof text),
                    .author_sig = zeros},
    };
    size_t written = 0;
    if (book->room.head_seq == ENTRIES) {
        return false;
    }
    PROMISE(prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &written) ==
            PROSA_OK);
    append(world, book, prosa_bytes(octets + PROSA_HEADER_SIZE, written - PROSA_HEADER_SIZE));
    return true;
}

static void give_checkpoint(struct world *world, struct book *book)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_CHECKPOINT,
        .checkpoint = {.time = world->now,
                       .room_id = book->room.room_id,
                       .seq = book->checkpoint_seq,
                       .chain = zeros,
                       .server_sig = zeros},
    };
    uint8_t octets[512];
    size_t size = 0;
    PROMISE(prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK);
    book->checkpoint_asked = false;
    prosa_server_session_checkpoint(&world->session, &book->room, prosa_bytes(octets, size), world->now);
}

/* MEMBERs of others, as many as were owed. */
static void give_member(struct world *world, struct book *book)
{
    static uint8_t octets[1 << 16];
    const struct prosa_message message = {
        .type = PROSA_FRAME_MEMBER,
        .member = {.has_nick = true,
                   .nick = prosa_bytes_of_string("bob"),
                   .room_id = book->room.room_id,
                   .event = PROSA_EVENT_JOINED,
                   .has_member_key = true,
                   .member_key = world->config.keypair.key,
                   .at_seq = book->member_seq},
    };
    size_t size = 0;
    size_t all = 0;
    for (uint64_t i = 0; i < book->member_count; i++, all += size) {
        PROMISE(prosa_message_encode(&message, prosa_bytes(NULL, 0), octets + all, sizeof octets - all,
                                     &size) == PROSA_OK);
    }
    const enum prosa_status status = prosa_server_session_member(
        &world->session, &book->room, prosa_bytes(octets, all), book->member_seq, world->now);
    PROMISE(status == PROSA_OK || status == PROSA_PARTIAL || status == PROSA_END);
    PROMISE(!world_over(world) || status == PROSA_END);
    book->member_owed = status == PROSA_PARTIAL;
}

void world_member(struct world *world, struct book *book, uint64_t count)
{
    if (book->member_owed) {
        return; /* the others wait, too */
    }
    book->member_seq = book->room.head_seq;
    book->member_count = 1 + count % 400;
    give_member(world, book);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answer_auth(struct world *world, bool refuse)
{
    const enum prosa_status status = world->auth_status != PROSA_OK ? world->auth_status : PROSA_ERR_DENIED;
    world->auth_held = false;
    if (refuse || world->auth_status != PROSA_OK) {
        prosa_server_session_fail(&world->session, status, world->now);
    } else {
        prosa_server_session_welcome(&world->session, 42, 1700000000000, world->now);
    }
}

static void answer_join(struct world *world, bool refuse)
{
    struct book *book = world->join_book;
    world->join_held = false;
    if (refuse || book == NULL) {
        prosa_server_session_refuse_join(&world->session, PROSA_ERR_NO_ROOM, world->now);
        return;
    }
    const struct prosa_join_answer answer = {
        .room = &book->room,
        .last_counter = book->committed,
        .last_seq = book->committed == 0 ? 0 : book->seqs[book->committed - 1],
        .window = world->window,
        .ids = (const uint8_t(*)[PROSA_HASH_SIZE])book->ids,
        .id_count = (size_t)book->committed,
    };
    const bool joined = prosa_server_session_joined(&world->session, &answer, world->now);
    PROMISE(!joined || !world_over(world));
    if (joined) {
        book->given = book->committed;
    }
}

/* The oldest PUBLISH gets its one answer. */
static void answer_publish(struct world *world, bool refuse)
{
    struct held_publish held = world->held[0];
    struct book *book = held.book;
    const bool full = book->room.head_seq == ENTRIES;
    world->held_count--;
    memmove(world->held, world->held + 1, world->held_count * sizeof held);
    if (world->dropping) {
        prosa_server_session_dropped(&world->session, &book->room, world->now);
    } else if (held.status != PROSA_OK || refuse || full) {
        world->dropping = true;
        prosa_server_session_refused(&world->session, &book->room, held.counter,
                                     held.status != PROSA_OK ? held.status : PROSA_ERR_INTERNAL, world->now);
    } else {
        append(world, book,
               prosa_bytes(held.octets.at + PROSA_HEADER_SIZE, held.octets.size - PROSA_HEADER_SIZE));
        PROMISE(held.counter == book->committed + 1);
        memcpy(book->ids[book->committed], held.id, sizeof held.id);
        book->seqs[book->committed] = book->room.head_seq;
        book->committed = held.counter;
        prosa_server_session_accepted(&world->session, &book->room, held.counter, book->room.head_seq,
                                      world->now);
    }
    forget(held.octets);
    PROMISE(world_over(world) || prosa_server_session_pending(&world->session) == world->held_count);
}

void world_answer(struct world *world, uint8_t which, bool refuse)
{
    struct book *book = &world->books[which / 8 % ROOMS];
    switch (which % 8) {
    case 0:
        if (world->hello_held && refuse) {
            prosa_server_session_fail(&world->session, PROSA_ERR_BUSY, world->now);
        } else if (world->hello_held) {
            prosa_server_session_challenge(&world->session, world->now);
        }
        world->hello_held = false;
        break;
    case 1:
        if (world->auth_held) {
            answer_auth(world, refuse);
        }
        break;
    case 2:
        if (world->join_held) {
            answer_join(world, refuse);
        }
        break;
    case 3:
        if (book->checkpoint_asked) {
            give_checkpoint(world, book);
        }
        break;
    default:
        if (world->held_count > 0) {
            answer_publish(world, refuse);
        }
        break;
    }
}

void world_answer_all(struct world *world)
{
    while (world->held_count > 0) {
        answer_publish(world, false);
    }
    for (unsigned i = 0; i < 8 * ROOMS; i++) {
        if (i % 8 < 4) {
            world_answer(world, (uint8_t)i, false);
        }
    }
}

/* --- events ----------------------------------------------------------------------------------- */

static void on_publish(struct world *world, const struct prosa_server_event *event)
{
    struct book *book = book_of(world, event->room);
    uint8_t *octets = malloc(event->octets.size);
    PROMISE(octets != NULL && world->held_count < sizeof world->held / sizeof world->held[0]);
    PROMISE(memcmp(event->publish.author_key, world->client.key, PROSA_KEY_SIZE) == 0);
    PROMISE(memcmp(event->publish.room_id, book->room.room_id, PROSA_HASH_SIZE) == 0);
    PROMISE(event->publish.counter == book->given + 1); /* [FLOW-24]; once each [FLOW-22] */
    PROMISE(event->publish.counter <= book->committed + world->config.limits.max_window); /* [FLOW-21] */
    book->given++;
    memcpy(octets, event->octets.at, event->octets.size);
    struct held_publish *held = &world->held[world->held_count++];
    *held = (struct held_publish){.book = book,
                                  .counter = event->publish.counter,
                                  .status = prosa_verify_job_run(&event->job),
                                  .octets = prosa_bytes(octets, event->octets.size)};
    memcpy(held->id, event->id, sizeof held->id);
}

static void on_event(struct world *world, const struct prosa_server_event *event)
{
    const uint8_t policy = world->policy;
    unsigned *seen = world->seen;
    PROMISE(event->kind <= PROSA_SERVER_ENDED && seen[PROSA_SERVER_ENDED] == 0);
    seen[event->kind]++;
    /* Nothing about rooms before the session is ready, nothing is asked behind SHUT. */
    PROMISE(event->kind <= PROSA_SERVER_AUTH || event->kind >= PROSA_SERVER_SHUT ||
            seen[PROSA_SERVER_AUTH] == 1);
    PROMISE(event->kind >= PROSA_SERVER_SHUT || seen[PROSA_SERVER_SHUT] == 0);
    switch (event->kind) {
    case PROSA_SERVER_HELLO:
        PROMISE(seen[PROSA_SERVER_HELLO] == 1);
        world->hello_held = true;
        break;
    case PROSA_SERVER_AUTH:
        PROMISE(seen[PROSA_SERVER_HELLO] == 1 && seen[PROSA_SERVER_AUTH] == 1 && !world->hello_held);
        world->auth_held = true;
        world->auth_status = prosa_verify_job_run(&event->job);
        break;
    case PROSA_SERVER_JOIN:
        PROMISE(!world->join_held);
        world->join_held = true;
        world->join_book = NULL;
        for (size_t i = 0; i < ROOMS; i++) {
            if (prosa_bytes_equal(event->join.room, prosa_bytes_of_string(room_names[i]))) {
                world->join_book = &world->books[i];
            }
        }
        break;
    case PROSA_SERVER_LEAVE:
        (void)book_of(world, event->room);
        PROMISE(world->held_count == 0); /* [MEM-07] */
        break;
    case PROSA_SERVER_PUBLISH:
        on_publish(world, event);
        break;
    case PROSA_SERVER_CHECKPOINT:
        PROMISE((world->config.features & PROSA_FEATURE_AUDIT) != 0);
        PROMISE(event->seq <= event->room->head_seq);
        book_of(world, event->room)->checkpoint_asked = true;
        book_of(world, event->room)->checkpoint_seq = event->seq;
        break;
    case PROSA_SERVER_SHUT:
        PROMISE(seen[PROSA_SERVER_SHUT] == 1);
        PROMISE(prosa_buffer_size(&world->session.out) == 0);
        break;
    default:
        world->ended = event->ended;
        break;
    }
    /* Answers that nobody holds back. A refusal is one as well. */
    for (unsigned which = 0; which < 8 * ROOMS; which++) {
        const unsigned kind = which % 8;
        static const uint8_t holds[] = {HOLD_HELLO, HOLD_AUTH, HOLD_JOIN, HOLD_CHECKPOINT, HOLD_PUBLISH};
        static const uint8_t refusals[] = {0, REFUSE_AUTH, REFUSE_JOIN, 0, REFUSE_PUBLISH};
        if (kind < 5 && (policy & holds[kind]) == 0) {
            world_answer(world, (uint8_t)which, (policy & refusals[kind]) != 0);
        }
    }
}

/* --- a turn ----------------------------------------------------------------------------------- */

static bool read_some(struct world *world)
{
    uint8_t *at = NULL;
    const size_t left = world->wire_end - world->wire_start;
    size_t space = prosa_server_session_recv_space(&world->session, &at);
    PROMISE(space == 0 || (!world_over(world) && !world->eof_given));
    PROMISE(space <= world->config.read_size);
    if (space == 0 || (left == 0 && !world->eof_due)) {
        return false;
    }
    if (left == 0) {
        world->eof_given = true;
        prosa_server_session_recv_eof(&world->session, world->now);
        return true;
    }
    space = space < left ? space : left;
    memcpy(at, world->wire + world->wire_start, space);
    world->wire_start += space;
    prosa_server_session_recv_commit(&world->session, space, world->now);
    peer_was_read(world);
    return true;
}

/* One writev as far as the socket takes it. True: it took something. */
static bool write_some(struct world *world)
{
    static struct prosa_batch batch;
    struct prosa_room *room;
    uint64_t seq;
    size_t written = 0;
    prosa_server_session_batch(&world->session, &batch, world->now);
    while (prosa_server_session_want(&world->session, &batch, &room, &seq)) {
        struct book *book = book_of(world, room);
        PROMISE(seq >= room->oldest_seq && seq <= room->head_seq);
        prosa_server_session_lend(&batch, book->entries[seq - 1]);
    }
    PROMISE(batch.count <= PROSA_BATCH_SLICES);
    PROMISE(batch.octets == 0 || (!world_over(world) && world->seen[PROSA_SERVER_SHUT] == 0));
    for (size_t i = 0; i < batch.count && world->takes > 0; i++) {
        const size_t size = batch.slices[i].size < world->takes ? batch.slices[i].size : world->takes;
        peer_hear(world, prosa_bytes(batch.slices[i].at, size));
        world->takes -= world->takes == SIZE_MAX ? 0 : size;
        written += size;
    }
    prosa_server_session_sent(&world->session, &batch, written, world->now);
    return written > 0;
}

/* What the header promises: fixed before READY; then input, output, slots. */
static void check_memory(const struct world *world)
{
    enum {
        STEP = 2048 + 2048 + sizeof(struct prosa_run)
    }; /* octets by which buffers grow, and of small frames behind the last check */
    const struct prosa_limits *limits = &world->config.limits;
    const struct prosa_server_session *session = &world->session;
    const size_t frame = PROSA_HEADER_SIZE + limits->max_frame;
    size_t bound = sizeof *session + sizeof *session->words;
    if (session->handshake != NULL) {
        bound +=
            sizeof *session->handshake + 2 * (size_t)(PROSA_HEADER_SIZE + PROSA_MAX_FRAME_HANDSHAKE) + STEP;
    } else {
        const size_t ring = 2 * (size_t)limits->max_window * sizeof(struct prosa_server_taken);
        bound += limits->undecided_limit + frame + STEP + limits->output_limit + frame + STEP;
        bound += limits->max_rooms * (sizeof(struct prosa_server_slot) + ring);
    }
    PROMISE(prosa_server_session_memory(session) <= bound);
}

static void tell(struct world *world)
{
    struct prosa_server_event event;
    for (unsigned i = 0; prosa_server_session_next(&world->session, &event, world->now) == PROSA_OK; i++) {
        PROMISE(i < TURNS);
        on_event(world, &event);
    }
}

void world_turn(struct world *world)
{
    bool moved = true;
    for (unsigned i = 0; moved; i++) {
        PROMISE(i < TURNS);
        moved = read_some(world);
        tell(world);
        for (size_t n = 0; n < ROOMS; n++) {
            if (world->books[n].member_owed) {
                give_member(world, &world->books[n]);
            }
        }
        moved = write_some(world) || moved;
        check_memory(world);
    }
    tell(world);
    PROMISE(world_over(world) || prosa_server_session_pending(&world->session) == world->held_count);
}
