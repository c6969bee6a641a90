/* SPDX-License-Identifier: MIT */
/* A client session as a connection: every cell of its table, the checks of the handshake, time,
 * goodbye. */
#include "check.h"
#include "client_rig.h"
#include "states.h"

static struct client_rig rig;

static void send_raw(uint8_t type, uint32_t length)
{
    uint8_t header[PROSA_HEADER_SIZE];
    prosa_frame_header(header, type, length);
    client_rig_feed(&rig, prosa_bytes(header, sizeof header));
}

/* --- every cell ------------------------------------------------------------------------------- */

/* OFFLINE and BACKOFF are the program's: a session begins connected, and a new one follows. */
static void bring_to(enum prosa_client_state state)
{
    client_rig_init(&rig);
    if (state == CLIENT_AUTH_SENT)
        client_rig_challenge(&rig);
    if (state == CLIENT_READY || state == CLIENT_CLOSING)
        client_rig_in_room(&rig);
    if (state == CLIENT_CLOSING)
        prosa_client_session_bye(&rig.session, rig.now);
    if (state == CLIENT_STOPPED)
        client_rig_feed(&rig, prosa_bytes("G", 1));
    client_rig_turn(&rig);
    if (state != CLIENT_HELLO_SENT)
        client_rig_skip(&rig);
    CHECK(rig.session.state == state);
}

/* A frame that the peer may send. */
static void give_frame(enum prosa_client_input input)
{
    switch (input) {
    case CLIENT_ON_CHALLENGE:
        if (rig.session.state == CLIENT_HELLO_SENT)
            client_rig_challenge(&rig);
        else
            send_raw(PROSA_FRAME_CHALLENGE, 0);
        break;
    case CLIENT_ON_WELCOME:
        client_rig_welcome(&rig);
        break;
    case CLIENT_ON_JOINED:
        if (rig.session.state == CLIENT_READY) {
            client_rig_fini(&rig);
            client_rig_init(&rig);
            client_rig_ready(&rig);
            CHECK(client_rig_join(&rig, 8, NULL) == PROSA_OK);
            client_rig_skip(&rig);
        }
        client_rig_joined(&rig, 0, 0, 1);
        break;
    case CLIENT_ON_DELIVER:
        client_rig_deliver(&rig, 1, "hello", 0);
        break;
    case CLIENT_ON_ACK:
        client_rig_ack(&rig, 0, 3, 0);
        break;
    case CLIENT_ON_MEMBER:
        client_rig_member(&rig, PROSA_EVENT_HERE, rig.server.key);
        break;
    case CLIENT_ON_CHECKPOINT:
        client_rig_checkpoint(&rig, 0, rig.chain);
        break;
    case CLIENT_ON_PING:
        client_rig_ping(&rig, PROSA_FRAME_PING, "cell");
        break;
    case CLIENT_ON_PONG:
        client_rig_ping(&rig, PROSA_FRAME_PONG, "cell");
        break;
    case CLIENT_ON_ERROR:
        client_rig_error(&rig, rig.session.state == CLIENT_READY ? 0x0577 : PROSA_CODE_INTERNAL, NULL);
        break;
    case CLIENT_ON_BYE:
        client_rig_bye(&rig, PROSA_CODE_SHUTDOWN);
        break;
    default:
        break;
    }
}

/* Any input. */
static void give(enum prosa_client_input input)
{
    static const uint8_t wrong_version[] = {0x50, 0x52, 2};
    give_frame(input);
    switch (input) {
    case CLIENT_ON_CLIENT_FRAME:
        send_raw(PROSA_FRAME_LEAVE, 0);
        break;
    case CLIENT_ON_UNKNOWN_ODD:
        send_raw(0x4B, 0);
        break;
    case CLIENT_ON_UNKNOWN_EVEN:
        send_raw(0x4C, 0);
        break;
    case CLIENT_ON_MALFORMED:
        client_rig_feed(&rig, prosa_bytes(wrong_version, sizeof wrong_version));
        break;
    case CLIENT_ON_NOT_MAGIC:
        client_rig_feed(&rig, prosa_bytes("G", 1));
        break;
    case CLIENT_ON_GOODBYE:
        prosa_client_session_bye(&rig.session, rig.now);
        break;
    case CLIENT_ON_END_OF_FILE:
        prosa_client_session_recv_eof(&rig.session, rig.now);
        break;
    case CLIENT_ON_HANDSHAKE_DEADLINE:
        if (rig.session.state < CLIENT_READY)
            client_rig_advance(&rig, 5000);
        break;
    case CLIENT_ON_PING_DEADLINE:
        if (rig.session.state == CLIENT_READY)
            client_rig_advance(&rig, 1000);
        break;
    case CLIENT_ON_DEAD_DEADLINE:
        if (rig.session.state == CLIENT_READY)
            client_rig_advance(&rig, 3000);
        break;
    case CLIENT_ON_LINGER_DEADLINE:
        if (rig.session.state == CLIENT_CLOSING)
            client_rig_advance(&rig, 500);
        break;
    default: /* connected, connect-failed, backoff-deadline: never here */
        break;
    }
    client_rig_turn(&rig);
}

/* What the server saw fits the action; HELLO stands in front of it in HELLO_SENT. */
static bool action_shown(const struct prosa_cell *cell, enum prosa_client_state state)
{
    uint8_t type = client_rig_take(&rig);
    if (type == PROSA_FRAME_HELLO && state == CLIENT_HELLO_SENT)
        type = client_rig_take(&rig);
    switch (cell->action) {
    case DO_FATAL:
        return type == PROSA_FRAME_ERROR && (cell->code == 0 || rig.message.error.code == cell->code);
    case DO_AUTH:
        return type == PROSA_FRAME_AUTH;
    case DO_READY:
        return rig.seen[PROSA_CLIENT_READY] == 1;
    case DO_PONG:
        return type == PROSA_FRAME_PONG;
    case DO_PING:
        return type == PROSA_FRAME_PING;
    case DO_BYE:
    case DO_GOODBYE:
        return type == PROSA_FRAME_BYE && rig.message.bye.code == PROSA_CODE_NORMAL;
    case DO_APPLY:
        return state == CLIENT_READY || type == 0; /* what follows is tested room by room */
    default:
        return type == 0;
    }
}

static void test_every_cell(void)
{
    static const enum prosa_client_state states[] = {CLIENT_HELLO_SENT, CLIENT_AUTH_SENT, CLIENT_READY,
                                                     CLIENT_CLOSING, CLIENT_STOPPED};
    for (int input = 0; input < CLIENT_ON_COUNT; input++)
        for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
            const struct prosa_cell *cell = &prosa_client_cells[input][states[i]];
            PROSA_CLAUSE(cell->clause);
            bring_to(states[i]);
            give((enum prosa_client_input)input);
            /* again: whether it is BACKOFF or STOPPED follows from the cause */
            bool next = rig.session.state == cell->next ||
                        (cell->action == DO_AGAIN && rig.session.state == CLIENT_STOPPED);
            bool shown = action_shown(cell, states[i]);
            if (!CHECK(next) || !CHECK(shown))
                fprintf(stderr, "  input %d in state %d: now %d\n", input, (int)states[i], rig.session.state);
            client_rig_fini(&rig);
        }
}

/* --- handshake -------------------------------------------------------------------------------- */

static void test_handshake(void)
{
    struct prosa_sha256 hello;
    uint8_t th2[PROSA_HASH_SIZE];

    client_rig_init(&rig);
    rig.hold_trust = true;
    PROSA_CLAUSE("AUTH-01");
    CHECK(client_rig_take(&rig) == PROSA_FRAME_HELLO);
    PROSA_CLAUSE("AUTH-03");
    CHECK(prosa_bytes_equal(rig.message.hello.target, prosa_bytes_of_string("localhost:65432")));
    PROSA_CLAUSE("WIRE-27");
    CHECK(prosa_fields_before(rig.frame.body, 0x0A0B).size + 8 ==
          prosa_fields_before(rig.frame.body, 0x0A0C).size);
    prosa_sha256_init(&hello);
    prosa_sha256_add(&hello, rig.frame.octets);
    rig.out_read = 0;
    client_rig_challenge(&rig);
    PROSA_CLAUSE("ID-02");
    CHECK(rig.seen[PROSA_CLIENT_KEY] == 1 && client_rig_take(&rig) == 0);
    CHECK(memcmp(prosa_client_session_server_key(&rig.session), rig.server.key, PROSA_KEY_SIZE) == 0);
    prosa_client_session_trust(&rig.session, rig.now);
    PROSA_CLAUSE("AUTH-15");
    CHECK(client_rig_take(&rig) == PROSA_FRAME_AUTH);
    memcpy(th2, rig.session.th2, sizeof th2);
    CHECK(prosa_auth_verify(rig.config.keypair.key, th2, rig.frame.octets) == PROSA_OK);
    client_rig_welcome(&rig);
    CHECK(rig.seen[PROSA_CLIENT_READY] == 1 && prosa_client_session_ready(&rig.session));
    PROSA_CLAUSE("AUTH-11");
    CHECK(prosa_client_session_features(&rig.session) == (PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME));
    CHECK(prosa_client_session_limits(&rig.session)->linger_ms == 500);
    client_rig_fini(&rig);
}

/* The ERROR that a CHALLENGE earns; the rig is ready to be changed before. */
static bool challenge_earns(uint16_t code)
{
    client_rig_restart(&rig);
    client_rig_challenge(&rig);
    bool good = client_rig_took_error(&rig, code, "AUTH-13") && rig.seen[PROSA_CLIENT_SHUT] == 1;
    client_rig_advance(&rig, 10000);
    good = good && client_rig_ended(&rig, PROSA_ENDING_ERROR, code, false);
    client_rig_fini(&rig);
    client_rig_init(&rig);
    return good;
}

static void test_challenge_is_refused(void)
{
    static const uint8_t low_order[PROSA_KEY_SIZE] = {1};
    static const uint8_t other_sig[PROSA_SIGNATURE_SIZE] = {1};
    static const uint8_t both[] = {1, 2};

    PROSA_CLAUSE("AUTH-13");
    client_rig_init(&rig);
    rig.challenge.server_key = low_order;
    CHECK(challenge_earns(PROSA_CODE_BAD_KEY));
    rig.challenge.server_key = rig.config.keypair.key;
    CHECK(challenge_earns(PROSA_CODE_BAD_KEY));
    rig.config.pinned_key = rig.config.keypair.key;
    CHECK(challenge_earns(PROSA_CODE_PIN_MISMATCH));
    rig.challenge.handshake_sig = other_sig;
    CHECK(challenge_earns(PROSA_CODE_BAD_SIG));
    rig.challenge.versions = prosa_bytes(both, 2);
    rig.challenge.version = 2;
    CHECK(challenge_earns(PROSA_CODE_DOWNGRADE));
    PROSA_CLAUSE("ID-05");
    rig.config.pinned_key = rig.server.key;
    client_rig_restart(&rig);
    client_rig_ready(&rig);
    CHECK(rig.seen[PROSA_CLIENT_KEY] == 0 && prosa_client_session_ready(&rig.session));
    client_rig_fini(&rig);
}

static void test_caps_on_length(void)
{
    client_rig_init(&rig);
    client_rig_skip(&rig);
    PROSA_CLAUSE("WIRE-07");
    send_raw(PROSA_FRAME_CHALLENGE, 1025);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_TOO_LARGE, "WIRE-06"));
    client_rig_fini(&rig);

    client_rig_init(&rig);
    client_rig_in_room(&rig);
    PROSA_CLAUSE("WIRE-08");
    send_raw(0x4B, 8193);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_TOO_LARGE, "WIRE-06"));
    client_rig_fini(&rig);
}

/* --- time ------------------------------------------------------------------------------------- */

static bool fell_silent(uint32_t silence_ms)
{
    return client_rig_ended(&rig, PROSA_ENDING_SILENCE, 0, true) &&
           rig.last[PROSA_CLIENT_ENDED].ended.silence_ms == silence_ms;
}

static void test_handshake_deadline(void)
{
    PROSA_CLAUSE("AUTH-23");
    client_rig_init(&rig);
    client_rig_advance(&rig, 4999);
    CHECK(rig.seen[PROSA_CLIENT_ENDED] == 0);
    client_rig_advance(&rig, 1);
    CHECK(fell_silent(5000));
    client_rig_fini(&rig);

    client_rig_init(&rig);
    rig.challenge.handshake_ms = 100;
    client_rig_challenge(&rig);
    client_rig_advance(&rig, 100);
    CHECK(fell_silent(100));
    client_rig_fini(&rig);
}

static void test_liveness(void)
{
    client_rig_init(&rig);
    client_rig_in_room(&rig);
    PROSA_CLAUSE("LIVE-04");
    client_rig_advance(&rig, 999);
    CHECK(client_rig_take(&rig) == 0);
    client_rig_advance(&rig, 1);
    CHECK(client_rig_take(&rig) == PROSA_FRAME_PING);
    PROSA_CLAUSE("LIVE-09");
    struct prosa_message pong = {.type = PROSA_FRAME_PONG, .pong = rig.message.ping};
    client_rig_say(&rig, &pong);
    CHECK(rig.seen[PROSA_CLIENT_PONG] == 0);
    PROSA_CLAUSE("LIVE-05");
    client_rig_advance(&rig, 1000);
    CHECK(client_rig_take(&rig) == PROSA_FRAME_PING);
    client_rig_advance(&rig, 1999);
    CHECK(rig.seen[PROSA_CLIENT_ENDED] == 0);
    client_rig_advance(&rig, 1);
    CHECK(fell_silent(3000));
    CHECK(client_rig_take(&rig) == 0);
    client_rig_fini(&rig);
}

/* --- goodbye ---------------------------------------------------------------------------------- */

/* How a client ends that is told this BYE or ERROR, and whether it may come back. */
static bool farewell_ends(bool bye, uint16_t code, bool retry)
{
    client_rig_init(&rig);
    client_rig_in_room(&rig);
    if (bye)
        client_rig_bye(&rig, code);
    else
        client_rig_error(&rig, code, NULL);
    uint8_t answer = client_rig_take(&rig);
    prosa_client_session_recv_eof(&rig.session, rig.now);
    client_rig_turn(&rig);
    bool good = answer == (bye ? PROSA_FRAME_BYE : 0) && rig.seen[PROSA_CLIENT_SHUT] == (bye ? 1u : 0u) &&
                client_rig_ended(&rig, bye ? PROSA_ENDING_GOODBYE : PROSA_ENDING_ERROR, code, retry) &&
                rig.last[PROSA_CLIENT_ENDED].ended.from_peer;
    client_rig_fini(&rig);
    return good;
}

static void test_farewells(void)
{
    PROSA_CLAUSE("RES-13");
    CHECK(farewell_ends(true, PROSA_CODE_NORMAL, false));
    CHECK(farewell_ends(true, PROSA_CODE_REPLACED, false));
    CHECK(farewell_ends(true, PROSA_CODE_KICKED, false));
    PROSA_CLAUSE("END-02");
    CHECK(farewell_ends(true, PROSA_CODE_SHUTDOWN, true));
    CHECK(farewell_ends(true, 0x0677, true));
    PROSA_CLAUSE("ERR-03");
    CHECK(farewell_ends(false, PROSA_CODE_BAD_FRAME, false));
    CHECK(farewell_ends(false, PROSA_CODE_DENIED, false));
    CHECK(farewell_ends(false, PROSA_CODE_FLOW_VIOLATION, true));
    CHECK(farewell_ends(false, PROSA_CODE_BUSY, true));
    PROSA_CLAUSE("ERR-05");
    CHECK(farewell_ends(false, 0x0177, false));
    CHECK(farewell_ends(false, 0x7701, true));
}

static void test_words_of_the_end(void)
{
    client_rig_init(&rig);
    client_rig_in_room(&rig);
    PROSA_CLAUSE("RES-11");
    client_rig_error(&rig, PROSA_CODE_BUSY, NULL);
    const struct prosa_ended *ended = &rig.last[PROSA_CLIENT_ENDED].ended;
    CHECK(ended->after_ms == 700 && prosa_bytes_equal(ended->reason, prosa_bytes_of_string("words")));
    client_rig_fini(&rig);
}

static void test_own_goodbye(void)
{
    client_rig_init(&rig);
    client_rig_in_room(&rig);
    prosa_client_session_bye(&rig.session, rig.now);
    client_rig_turn(&rig);
    PROSA_CLAUSE("END-07");
    CHECK(client_rig_take(&rig) == PROSA_FRAME_BYE && rig.seen[PROSA_CLIENT_SHUT] == 1);
    PROSA_CLAUSE("END-04"); /* it still reads, and says nothing */
    client_rig_deliver(&rig, 1, "last words", 0);
    CHECK(strcmp(rig.text, "last words") == 0 && client_rig_take(&rig) == 0);
    client_rig_ping(&rig, PROSA_FRAME_PING, "?");
    CHECK(client_rig_take(&rig) == 0);
    PROSA_CLAUSE("END-05");
    client_rig_bye(&rig, PROSA_CODE_NORMAL);
    CHECK(client_rig_take(&rig) == 0 &&
          client_rig_ended(&rig, PROSA_ENDING_GOODBYE, PROSA_CODE_NORMAL, false));
    CHECK(!rig.last[PROSA_CLIENT_ENDED].ended.from_peer);
    client_rig_fini(&rig);
}

static void test_vanishing(void)
{
    client_rig_init(&rig);
    client_rig_in_room(&rig);
    PROSA_CLAUSE("END-15");
    prosa_client_session_recv_eof(&rig.session, rig.now);
    client_rig_turn(&rig);
    CHECK(client_rig_ended(&rig, PROSA_ENDING_EOF, 0, true));
    client_rig_fini(&rig);

    client_rig_init(&rig);
    client_rig_in_room(&rig);
    prosa_client_session_recv_reset(&rig.session, rig.now);
    client_rig_turn(&rig);
    CHECK(client_rig_ended(&rig, PROSA_ENDING_RESET, 0, true));
    client_rig_fini(&rig);

    client_rig_init(&rig);
    PROSA_CLAUSE("WIRE-03");
    client_rig_feed(&rig, prosa_bytes("HTTP", 4));
    CHECK(client_rig_ended(&rig, PROSA_ENDING_QUIET, 0, false));
    client_rig_fini(&rig);

    client_rig_init(&rig);
    client_rig_in_room(&rig);
    PROSA_CLAUSE("ERR-10");
    send_raw(PROSA_FRAME_ERROR, 0);
    CHECK(client_rig_take(&rig) == 0 &&
          client_rig_ended(&rig, PROSA_ENDING_ERROR, PROSA_CODE_BAD_FRAME, false));
    client_rig_fini(&rig);
}

static void test_backoff(void)
{
    PROSA_CLAUSE("RES-11");
    CHECK(prosa_backoff_ms(0, 0, 0) == 0 && prosa_backoff_ms(0, UINT32_MAX, 0) == 499);
    CHECK(prosa_backoff_ms(3, UINT32_MAX, 0) == 3999 && prosa_backoff_ms(3, UINT32_MAX / 2, 0) == 1999);
    CHECK(prosa_backoff_ms(6, UINT32_MAX, 0) == 29999 && prosa_backoff_ms(1000, UINT32_MAX, 0) == 29999);
    CHECK(prosa_backoff_ms(0, UINT32_MAX, 5000) == 5000);
}

int main(void)
{
    test_every_cell();
    test_handshake();
    test_challenge_is_refused();
    test_caps_on_length();
    test_handshake_deadline();
    test_liveness();
    test_farewells();
    test_words_of_the_end();
    test_own_goodbye();
    test_vanishing();
    test_backoff();
    return check_result();
}
