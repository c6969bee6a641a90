/* SPDX-License-Identifier: MIT */
/*
 * A script of frames and calls, played to a client's session. The server makes frames true when the script
 * asks for it; what the session tells, and what it says, is judged.
 */
#include "client_world.h"

enum call {
    CALL_TAKE,
    CALL_TAKE_ALL,
    CALL_TRUST,
    CALL_JOIN,
    CALL_LEAVE,
    CALL_SEND,
    CALL_SEND_AGAIN,
    CALL_PING,
    CALL_WAIT,
    CALL_DEADLINE,
    CALL_EOF,
    CALL_RESET,
    CALL_BYE,
    CALL_FAIL,
    CALLS
};

static struct world world;

static void tick(uint64_t now)
{
    world.now = now;
    prosa_client_session_tick(&world.session, now);
    world_turn(&world);
    PROMISE(prosa_client_session_deadline_ms(&world.session) > now || world_over(&world));
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
    case CALL_TRUST:
        world.holds_trust = small % 2 == 1;
        if (!world.holds_trust) {
            prosa_client_session_trust(&world.session, world.now);
        }
        break;
    case CALL_JOIN:
        world_join(&world, book, small, large);
        break;
    case CALL_LEAVE:
        world_leave(&world, book);
        break;
    case CALL_SEND:
        world_send(&world, book, large, small % 4 == 1);
        break;
    case CALL_SEND_AGAIN:
        world_send_again(&world, book);
        break;
    case CALL_PING:
        world_ping(&world, small);
        break;
    case CALL_WAIT:
        tick(world.now + large);
        return;
    case CALL_DEADLINE:
        if (prosa_client_session_deadline_ms(&world.session) != PROSA_NEVER) {
            tick(prosa_client_session_deadline_ms(&world.session));
        }
        return;
    case CALL_EOF:
        world.eof_due = true;
        break;
    case CALL_RESET:
        if (small % 4 == 0) { /* it ends all, so not too often */
            prosa_client_session_recv_reset(&world.session, world.now);
            world.eof_given = true;
        }
        break;
    case CALL_BYE:
        if (small % 2 == 0) {
            prosa_client_session_bye(&world.session, world.now);
        }
        break;
    default:
        if (small % 4 == 0) {
            prosa_client_session_fail(&world.session, PROSA_ERR_PIN_MISMATCH, world.now);
        }
        break;
    }
    world_turn(&world);
}

static void play_frame(const struct script_step *step)
{
    const size_t before = world.wire_end;
    server_send(&world, step);
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

/* Whatever happened: with trust, a server that takes all and says no more, and time, it ends. */
static void come_to_the_end(void)
{
    world.takes = SIZE_MAX;
    world.holds_trust = false;
    world.eof_due = true;
    for (unsigned i = 0; !world_over(&world); i++) {
        PROMISE(i < 100);
        prosa_client_session_trust(&world.session, world.now);
        world_turn(&world);
        if (!world_over(&world)) {
            PROMISE(prosa_client_session_deadline_ms(&world.session) != PROSA_NEVER);
            tick(prosa_client_session_deadline_ms(&world.session));
        }
    }
}

/* Late calls are harmless. */
static void call_behind_the_end(void)
{
    struct prosa_client_event event;
    uint8_t *at;
    const struct prosa_bytes room = prosa_bytes_of_string("general");
    const struct prosa_client_join join = {.room = room, .send_window = 1, .recv_window = 2};
    PROMISE(world.ended.how <= PROSA_ENDING_QUIET);
    PROMISE(prosa_client_session_deadline_ms(&world.session) == PROSA_NEVER);
    PROMISE(prosa_client_session_recv_space(&world.session, &at) == 0);
    PROMISE(prosa_client_session_send_peek(&world.session).size == 0);
    PROMISE(!prosa_client_session_ready(&world.session));
    PROMISE(prosa_client_session_join(&world.session, &join) == PROSA_ERR_CALL);
    PROMISE(prosa_client_session_leave(&world.session, room) == PROSA_ERR_CALL);
    PROMISE(prosa_client_session_ping(&world.session, room) == PROSA_ERR_CALL);
    prosa_client_session_trust(&world.session, world.now);
    prosa_client_session_bye(&world.session, world.now);
    prosa_client_session_fail(&world.session, PROSA_ERR_INTERNAL, world.now);
    prosa_client_session_tick(&world.session, world.now + 10000000);
    PROMISE(prosa_client_session_send_peek(&world.session).size == 0);
    PROMISE(prosa_client_session_next(&world.session, &event, world.now) == PROSA_END);
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
    world_turn(&world);
    while (!world_over(&world) && script_next(&reader, &step)) {
        if (step.kind < SCRIPT_CALLS) {
            play_frame(&step);
        } else {
            play_call(&step);
        }
    }
    come_to_the_end();
    call_behind_the_end();
    prosa_client_session_fini(&world.session);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    return script_mutate(data, size, max_size, seed, PROSA_FROM_SERVER, CALLS);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
                                 uint8_t *out, size_t max_out_size, unsigned int seed)
{
    return script_cross(prosa_bytes(data1, size1), prosa_bytes(data2, size2), out, max_out_size, seed);
}
