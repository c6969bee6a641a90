/* SPDX-License-Identifier: MIT */
/* A script of frames and calls, played to a server's session; server_world.h has what is promised. */
#include "server_world.h"

enum call {
    CALL_TAKE,
    CALL_TAKE_ALL,
    CALL_POLICY,
    CALL_ANSWER,
    CALL_SAY,
    CALL_PRUNE,
    CALL_MEMBER,
    CALL_WAIT,
    CALL_DEADLINE,
    CALL_EOF,
    CALL_RESET,
    CALL_BYE,
    CALL_FAIL,
    CALL_CREDIT,
    CALL_ANSWERED,
    CALL_NO_ANSWER,
    CALLS
};

static struct world world;

static void tick(uint64_t now)
{
    world.now = now;
    prosa_server_session_tick(&world.session, now);
    world_turn(&world);
    PROMISE(prosa_server_session_deadline_ms(&world.session) > now); /* or a loop would turn for nothing */
}

static void any_bye(uint8_t which)
{
    const struct prosa_code_spec *code = &prosa_registry_codes[which % PROSA_CODES_COUNT];
    if (code->frame == PROSA_FRAME_BYE) {
        prosa_server_session_bye(&world.session, code->code, world.now);
    }
}

static void play_call(const struct script_step *step)
{
    struct prosa_reader reader;
    prosa_reader_init(&reader, step->octets);
    const uint8_t which = prosa_read_u8(&reader);
    const uint8_t small = prosa_read_u8(&reader);
    const uint16_t large = prosa_read_u16(&reader);
    struct book *book = &world.books[which % ROOMS];
    switch ((step->kind - SCRIPT_CALLS) % CALLS) {
    case CALL_TAKE:
        world.takes = large;
        break;
    case CALL_TAKE_ALL:
        world.takes = SIZE_MAX;
        break;
    case CALL_POLICY:
        world.policy = which;
        world.window = 1 + small % 8;
        break;
    case CALL_ANSWER:
        world_answer(&world, which, small % 4 == 3);
        break;
    case CALL_SAY:
        for (unsigned i = small % 16 + 1; i > 0 && world_say(&world, book, large); i--) {
        }
        break;
    case CALL_PRUNE:
        book->room.oldest_seq += small % 8;
        if (book->room.oldest_seq > book->room.head_seq + 1) {
            book->room.oldest_seq = book->room.head_seq + 1;
        }
        break;
    case CALL_MEMBER:
        world_member(&world, book, large);
        break;
    case CALL_WAIT:
        tick(world.now + large);
        return;
    case CALL_DEADLINE:
        if (prosa_server_session_deadline_ms(&world.session) != PROSA_NEVER) {
            tick(prosa_server_session_deadline_ms(&world.session));
        }
        return;
    case CALL_EOF:
        world.eof_due = true;
        break;
    case CALL_RESET:
        if (small % 4 == 0) { /* it ends all, so not too often */
            prosa_server_session_recv_reset(&world.session, world.now);
        }
        break;
    case CALL_BYE:
        any_bye(small);
        break;
    case CALL_FAIL:
        if (small % 4 == 0) {
            prosa_server_session_fail(&world.session, PROSA_ERR_INTERNAL, world.now);
        }
        break;
    case CALL_CREDIT:
        world.config.credit_held = small % 2 == 1;
        break;
    case CALL_ANSWERED:
        if (world_say(&world, book, large)) {
            prosa_server_session_answered(&world.session, &book->room, book->committed, book->room.head_seq,
                                          world.now);
        }
        break;
    default:
        prosa_server_session_no_answer(&world.session, &book->room, book->committed, world.now);
        break;
    }
    world_turn(&world);
}

static void play_frame(const struct script_step *step)
{
    const size_t before = world.wire_end;
    peer_send(&world, step);
    const size_t all = world.wire_end;
    if ((step->how & SCRIPT_IN_PIECES) != 0) {
        world.wire_end = before;
        while (world.wire_end < all) {
            world.wire_end += all - world.wire_end > 5 ? 5 : all - world.wire_end;
            world_turn(&world);
        }
    }
    if ((step->how & SCRIPT_WITH_NEXT) == 0) {
        world_turn(&world);
    }
}

/* Whatever happened: with every answer given, a peer that takes all and says no more, and time, it ends. */
static void come_to_the_end(void)
{
    world.policy = 0;
    world.takes = SIZE_MAX;
    world.config.credit_held = false;
    world.eof_due = true;
    for (unsigned i = 0; !world_over(&world); i++) {
        PROMISE(i < 100);
        world_answer_all(&world);
        world_turn(&world);
        if (!world_over(&world)) {
            PROMISE(prosa_server_session_deadline_ms(&world.session) != PROSA_NEVER);
            tick(prosa_server_session_deadline_ms(&world.session));
        }
    }
}

/* Late calls are harmless. */
static void call_behind_the_end(void)
{
    struct prosa_server_event event;
    struct prosa_batch batch;
    struct prosa_room *room;
    uint64_t seq;
    uint8_t *at;
    PROMISE(world.ended.how <= PROSA_ENDING_QUIET);
    PROMISE(prosa_server_session_deadline_ms(&world.session) == PROSA_NEVER);
    PROMISE(prosa_server_session_recv_space(&world.session, &at) == 0);
    PROMISE(!prosa_server_session_ready(&world.session));
    prosa_server_session_challenge(&world.session, world.now);
    prosa_server_session_welcome(&world.session, 1, 1, world.now);
    for (size_t i = 0; i < ROOMS; i++) {
        struct book *book = &world.books[i];
        prosa_server_session_accepted(&world.session, &book->room, book->given + 1, 1, world.now);
        prosa_server_session_refused(&world.session, &book->room, 1, PROSA_ERR_BAD_SIG, world.now);
        prosa_server_session_dropped(&world.session, &book->room, world.now);
        prosa_server_session_no_answer(&world.session, &book->room, 1, world.now);
        prosa_server_session_answered(&world.session, &book->room, 1, 1, world.now);
        PROMISE(!prosa_server_session_joined(&world.session, &(struct prosa_join_answer){.room = &book->room},
                                             world.now));
        prosa_server_session_refuse_join(&world.session, PROSA_ERR_NO_ROOM, world.now);
        PROMISE(prosa_server_session_delivered(&world.session, &book->room) == 0);
    }
    prosa_server_session_bye(&world.session, PROSA_CODE_SHUTDOWN, world.now);
    prosa_server_session_fail(&world.session, PROSA_ERR_INTERNAL, world.now);
    prosa_server_session_tick(&world.session, world.now + 1000000);
    prosa_server_session_batch(&world.session, &batch, world.now);
    PROMISE(batch.octets == 0 && !prosa_server_session_want(&world.session, &batch, &room, &seq));
    prosa_server_session_sent(&world.session, &batch, 0, world.now);
    PROMISE(prosa_server_session_next(&world.session, &event, world.now) == PROSA_END);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the form is libFuzzer's */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    PROMISE(prosa_sign_init() == PROSA_OK);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prosa_reader reader;
    struct script_step step;
    uint8_t settings[SCRIPT_HEAD] = {0};
    memcpy(settings, data, size < SCRIPT_HEAD ? size : SCRIPT_HEAD);
    prosa_reader_init(&reader, prosa_bytes(data, size));
    (void)prosa_read_bytes(&reader, SCRIPT_HEAD);
    world_init(&world, settings);
    while (!world_over(&world) && script_next(&reader, &step)) {
        if (step.kind < SCRIPT_CALLS) {
            play_frame(&step);
        } else {
            play_call(&step);
        }
    }
    come_to_the_end();
    call_behind_the_end();
    world_fini(&world);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    return script_mutate(data, size, max_size, seed, PROSA_FROM_CLIENT, CALLS);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
                                 uint8_t *out, size_t max_out_size, unsigned int seed)
{
    return script_cross(prosa_bytes(data1, size1), prosa_bytes(data2, size2), out, max_out_size, seed);
}
