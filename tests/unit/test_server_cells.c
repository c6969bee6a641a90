/* SPDX-License-Identifier: MIT */
/* Every cell of the server's table: state x input shows its action and leads to its state. */
#include "check.h"
#include "server_rig.h"
#include "states.h"

static struct rig rig;

static void send_raw(uint8_t type, uint32_t length)
{
    uint8_t header[PROSA_HEADER_SIZE];
    prosa_frame_header(header, type, length);
    rig_feed(&rig, prosa_bytes(header, sizeof header));
}

/* Brings a fresh session to `state`, and forgets what it sent. */
static void bring_to(enum prosa_server_state state)
{
    rig_init(&rig);
    rig.hold_auth = state == SERVER_VERIFYING;
    if (state == SERVER_CHALLENGED || state == SERVER_VERIFYING)
        rig_hello(&rig);
    if (state == SERVER_VERIFYING) {
        CHECK(rig_take(&rig) == PROSA_FRAME_CHALLENGE);
        rig_auth(&rig);
    }
    if (state >= SERVER_READY) {
        rig_ready(&rig);
        rig_join(&rig, "general", 4, 8);
    }
    if (state == SERVER_CLOSING)
        prosa_server_session_bye(&rig.session, PROSA_CODE_NORMAL, rig.now);
    if (state == SERVER_CLOSED)
        prosa_server_session_recv_reset(&rig.session, rig.now);
    rig_turn(&rig);
    rig_skip(&rig);
    CHECK(rig.session.state == state);
}

static void say_plain(uint8_t type)
{
    const struct prosa_message error = {
        .type = PROSA_FRAME_ERROR,
        .error = {.code = PROSA_CODE_INTERNAL, .reason = prosa_bytes_of_string("words")}};
    const struct prosa_message pong = {.type = PROSA_FRAME_PONG};
    if (type == PROSA_FRAME_ERROR)
        rig_say(&rig, &error);
    else
        rig_say(&rig, &pong);
}

static void deadline(uint64_t ms)
{
    prosa_server_session_tick(&rig.session, rig.now += ms);
    rig_turn(&rig);
}

/* A frame that the peer may send. */
static void give_frame(enum prosa_server_input input)
{
    switch (input) {
    case SERVER_ON_HELLO:
        rig_hello(&rig);
        break;
    case SERVER_ON_AUTH:
        if (rig.session.state == SERVER_CHALLENGED) {
            rig.hold_auth = true;
            rig_fini(&rig);
            rig_init(&rig);
            rig.hold_auth = true;
            rig_hello(&rig);
            CHECK(rig_take(&rig) == PROSA_FRAME_CHALLENGE);
        }
        rig_auth(&rig);
        break;
    case SERVER_ON_JOIN:
        rig_join(&rig, "@host", 1, 2);
        break;
    case SERVER_ON_LEAVE:
        rig_leave(&rig, &rig.group);
        break;
    case SERVER_ON_PUBLISH:
        rig_publish(&rig, &rig.group, 1, "text");
        break;
    case SERVER_ON_ACK:
        rig_ack(&rig, &rig.group, 0, 9);
        break;
    case SERVER_ON_PING:
        rig_ping(&rig, "cell");
        break;
    case SERVER_ON_PONG:
        say_plain(PROSA_FRAME_PONG);
        break;
    case SERVER_ON_ERROR:
        say_plain(PROSA_FRAME_ERROR);
        break;
    case SERVER_ON_BYE:
        rig_bye(&rig);
        break;
    default:
        break;
    }
}

/* Any input. */
static void give(enum prosa_server_input input)
{
    static const uint8_t wrong_version[] = {0x50, 0x52, 2};
    const struct prosa_limits *limits = &rig.config.limits;

    give_frame(input);
    switch (input) {
    case SERVER_ON_SERVER_FRAME:
        send_raw(PROSA_FRAME_WELCOME, 0);
        break;
    case SERVER_ON_UNKNOWN_ODD:
        send_raw(0x4B, 0);
        break;
    case SERVER_ON_UNKNOWN_EVEN:
        send_raw(0x4C, 0);
        break;
    case SERVER_ON_MALFORMED:
        rig_feed(&rig, prosa_bytes(wrong_version, sizeof wrong_version));
        break;
    case SERVER_ON_NOT_MAGIC:
        rig_feed(&rig, prosa_bytes("G", 1));
        break;
    case SERVER_ON_VERDICT_GOOD:
        prosa_server_session_welcome(&rig.session, 1, 1, rig.now);
        break;
    case SERVER_ON_VERDICT_BAD:
        if (rig.session.state == SERVER_VERIFYING)
            prosa_server_session_fail(&rig.session, PROSA_ERR_BAD_SIG, rig.now);
        break;
    case SERVER_ON_GOODBYE:
        prosa_server_session_bye(&rig.session, PROSA_CODE_NORMAL, rig.now);
        break;
    case SERVER_ON_END_OF_FILE:
        prosa_server_session_recv_eof(&rig.session, rig.now);
        break;
    case SERVER_ON_HANDSHAKE_DEADLINE:
        if (rig.session.state < SERVER_READY)
            deadline(limits->handshake_ms);
        break;
    case SERVER_ON_PING_DEADLINE:
        if (rig.session.state == SERVER_READY)
            deadline(limits->ping_after_ms);
        break;
    case SERVER_ON_DEAD_DEADLINE:
        if (rig.session.state == SERVER_READY)
            deadline(limits->dead_after_ms);
        break;
    case SERVER_ON_SLOW_DEADLINE:
        rig.write_at_most = 0;
        if (rig.session.state == SERVER_READY) {
            rig_host_says(&rig, &rig.group, 1, "owed");
            rig_turn(&rig);
            deadline(limits->slow_ms);
            rig.write_at_most = SIZE_MAX;
        }
        break;
    case SERVER_ON_LINGER_DEADLINE:
        if (rig.session.state == SERVER_CLOSING)
            deadline(limits->linger_ms);
        break;
    default:
        break;
    }
    rig_turn(&rig);
}

/* What the peer saw fits the action. */
static bool action_shown(const struct prosa_cell *cell)
{
    uint8_t type = 0;
    switch (cell->action) {
    case DO_FATAL:
        return rig_take(&rig) == PROSA_FRAME_ERROR &&
               (cell->code == 0 || rig.message.error.code == cell->code);
    case DO_TIMEOUT:
        return rig_took_error(&rig, PROSA_CODE_TIMEOUT, "AUTH-20");
    case DO_CHALLENGE:
        type = PROSA_FRAME_CHALLENGE;
        break;
    case DO_WELCOME:
        type = PROSA_FRAME_WELCOME;
        break;
    case DO_PING:
        type = PROSA_FRAME_PING;
        break;
    case DO_PONG:
        type = PROSA_FRAME_PONG;
        break;
    case DO_BYE:
    case DO_GOODBYE:
        return rig_took_bye(&rig, PROSA_CODE_NORMAL);
    case DO_IDLE:
        return rig_took_bye(&rig, PROSA_CODE_IDLE);
    case DO_SLOW:
        return rig_take(&rig) == PROSA_FRAME_DELIVER ? rig_took_bye(&rig, PROSA_CODE_SLOW_CONSUMER)
                                                     : rig.message.bye.code == PROSA_CODE_SLOW_CONSUMER;
    case DO_APPLY:
        return true;
    case DO_VERIFY:
        return rig.seen[PROSA_SERVER_AUTH] == 1 && rig_take(&rig) == 0;
    default:
        return rig_take(&rig) == 0;
    }
    return rig_take(&rig) == type;
}

static void test_every_cell(void)
{
    for (int input = 0; input < SERVER_ON_COUNT; input++)
        for (int state = 0; state < SERVER_COUNT; state++) {
            const struct prosa_cell *cell = &prosa_server_cells[input][state];
            PROSA_CLAUSE(cell->clause);
            bring_to((enum prosa_server_state)state);
            give((enum prosa_server_input)input);
            bool next = rig.session.state == cell->next || rig.session.state == cell->other;
            bool shown = action_shown(cell);
            if (!CHECK(next) || !CHECK(shown))
                fprintf(stderr, "  input %d in state %d: now %d\n", input, state, rig.session.state);
            rig_fini(&rig);
        }
}

int main(void)
{
    test_every_cell();
    return check_result();
}
