/* SPDX-License-Identifier: MIT */
/* A server session as a connection: handshake, limits, time, goodbye. */
#include "check.h"
#include "server_rig.h"

static struct rig rig;

static void send_raw(uint8_t type, uint32_t length)
{
    uint8_t header[PROSA_HEADER_SIZE];
    prosa_frame_header(header, type, length);
    rig_feed(&rig, prosa_bytes(header, sizeof header));
}

/* --- handshake -------------------------------------------------------------------------------- */

static void test_challenge(void)
{
    rig_init(&rig);
    rig.features |= UINT32_C(1) << 20; /* a bit that nobody knows */
    rig_hello(&rig);
    PROSA_CLAUSE("AUTH-08");
    CHECK(rig_take(&rig) == PROSA_FRAME_CHALLENGE);
    const struct prosa_challenge *challenge = &rig.message.challenge;
    PROSA_CLAUSE("AUTH-14");
    CHECK(challenge->max_frame == 16384 && challenge->linger_ms == 2000 && challenge->max_window == 64);
    PROSA_CLAUSE("AUTH-10");
    CHECK(challenge->version == 1);
    PROSA_CLAUSE("AUTH-11");
    rig_auth(&rig);
    CHECK(prosa_server_session_features(&rig.session) == (PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME));
    PROSA_CLAUSE("AUTH-18");
    CHECK(rig_take(&rig) == PROSA_FRAME_WELCOME && rig.message.welcome.session == 42);
    CHECK(prosa_bytes_equal(prosa_server_session_nick(&rig.session), prosa_bytes_of_string("ada")));
    rig_fini(&rig);
}

static void test_hello_is_refused(void)
{
    rig_init(&rig);
    rig.client = rig.config.keypair;
    PROSA_CLAUSE("AUTH-06");
    rig_hello(&rig);
    CHECK(rig_took_error(&rig, PROSA_CODE_BAD_KEY, "AUTH-06"));
    rig_fini(&rig);

    rig_init(&rig);
    memset(rig.client.key, 0, PROSA_KEY_SIZE); /* a point of low order */
    rig_hello(&rig);
    CHECK(rig_took_error(&rig, PROSA_CODE_BAD_KEY, "AUTH-06"));
    rig_fini(&rig);

    rig_init(&rig);
    rig.hold_hello = true;
    rig_hello(&rig);
    PROSA_CLAUSE("AUTH-07");
    prosa_server_session_fail(&rig.session, PROSA_ERR_BUSY, rig.now);
    rig_turn(&rig);
    CHECK(rig_took_error(&rig, PROSA_CODE_BUSY, NULL));
    rig_fini(&rig);
}

static void test_auth_is_refused(void)
{
    rig_init(&rig);
    rig_hello(&rig);
    CHECK(rig_take(&rig) == PROSA_FRAME_CHALLENGE);
    rig.frame_octets[20] ^= 1; /* the peer signs another transcript */
    rig_auth(&rig);
    PROSA_CLAUSE("AUTH-16");
    CHECK(rig_took_error(&rig, PROSA_CODE_BAD_SIG, "AUTH-16"));
    CHECK(rig_ended(&rig, PROSA_ENDING_ERROR, PROSA_CODE_BAD_SIG) == false); /* it still reads on */
    rig_advance(&rig, 2000);
    CHECK(rig_ended(&rig, PROSA_ENDING_ERROR, PROSA_CODE_BAD_SIG));
    rig_fini(&rig);

    rig_init(&rig);
    rig.nick = "host";
    rig_hello(&rig);
    CHECK(rig_take(&rig) == PROSA_FRAME_CHALLENGE);
    rig_auth(&rig);
    PROSA_CLAUSE("ID-09");
    CHECK(rig_took_error(&rig, PROSA_CODE_NICK_TAKEN, "ID-09"));
    rig_fini(&rig);
}

static void test_pipelined_frames_wait_for_the_verdict(void)
{
    rig_init(&rig);
    rig.hold_auth = true;
    rig_hello(&rig);
    CHECK(rig_take(&rig) == PROSA_FRAME_CHALLENGE);
    rig_auth(&rig);
    rig_ping(&rig, "early");
    PROSA_CLAUSE("AUTH-19");
    CHECK(rig_take(&rig) == 0);
    prosa_server_session_welcome(&rig.session, 1, 1, rig.now);
    rig_turn(&rig);
    CHECK(rig_take(&rig) == PROSA_FRAME_WELCOME && rig_take(&rig) == PROSA_FRAME_PONG);
    rig_fini(&rig);
}

static void test_deadline_is_absolute(void)
{
    static const uint8_t start[] = {0x50, 0x52, 1, 2};
    rig_init(&rig);
    PROSA_CLAUSE("AUTH-20");
    CHECK(prosa_server_session_deadline_ms(&rig.session) == rig.now + 5000);
    rig_advance(&rig, 4999);
    rig_feed(&rig, prosa_bytes(start, sizeof start));
    CHECK(rig.seen[PROSA_SERVER_ENDED] == 0);
    rig_advance(&rig, 1);
    CHECK(rig_ended(&rig, PROSA_ENDING_QUIET, 0) && rig_take(&rig) == 0);
    CHECK(prosa_server_session_deadline_ms(&rig.session) == PROSA_NEVER);
    rig_fini(&rig);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void test_caps_on_length(void)
{
    rig_init(&rig);
    PROSA_CLAUSE("WIRE-07");
    send_raw(PROSA_FRAME_HELLO, 1025);
    CHECK(rig_took_error(&rig, PROSA_CODE_TOO_LARGE, "WIRE-06"));
    rig_fini(&rig);

    rig_init(&rig);
    rig_ready(&rig);
    PROSA_CLAUSE("WIRE-08");
    send_raw(0x4B, 16384);
    CHECK(rig_take(&rig) == 0 && prosa_server_session_ready(&rig.session));
    rig_fini(&rig);

    rig_init(&rig);
    rig_ready(&rig);
    send_raw(0x4B, 16385);
    CHECK(rig_took_error(&rig, PROSA_CODE_TOO_LARGE, "WIRE-06"));
    rig_fini(&rig);
}

static void test_reading_stops_at_undecided_limit(void)
{
    uint8_t *at;
    char text[4001] = {0};
    memset(text, 'x', 4000);
    rig_init(&rig);
    rig.config.limits.undecided_limit = 16384;
    rig_restart(&rig);
    rig_ready(&rig);
    rig_join(&rig, "general", 16, 64);
    rig.hold_publish = true;
    PROSA_CLAUSE("FLOW-36");
    for (uint64_t n = 1; n <= 3; n++)
        rig_publish(&rig, &rig.group, n, text);
    CHECK(prosa_server_session_recv_space(&rig.session, &at) > 0);
    for (uint64_t n = 4; n <= 8; n++)
        rig_publish(&rig, &rig.group, n, text);
    CHECK(prosa_server_session_recv_space(&rig.session, &at) == 0);
    CHECK(prosa_server_session_memory(&rig.session) < 65536);
    size_t pending = prosa_server_session_pending(&rig.session);
    CHECK(pending == 3);
    for (size_t i = 0; i < pending; i++)
        prosa_server_session_dropped(&rig.session, &rig.group.room, rig.now);
    rig_turn(&rig);
    CHECK(prosa_server_session_recv_space(&rig.session, &at) > 0);
    rig_fini(&rig);
}

static void test_reading_stops_at_output_limit(void)
{
    uint8_t *at;
    rig_init(&rig);
    rig_ready(&rig);
    rig_join(&rig, "general", 16, 64);
    rig_skip(&rig);
    rig.config.limits.output_limit = 10;
    rig.write_at_most = 0;
    PROSA_CLAUSE("FLOW-36");
    rig_ping(&rig, "0123456789");
    CHECK(prosa_server_session_recv_space(&rig.session, &at) == 0);
    rig.write_at_most = SIZE_MAX;
    rig_turn(&rig);
    CHECK(prosa_server_session_recv_space(&rig.session, &at) > 0);
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG);
    rig_fini(&rig);
}

static void test_tokens(void)
{
    rig_init(&rig);
    rig.config.limits.token_burst = 2;
    rig.config.limits.token_rate = 10;
    rig_restart(&rig);
    rig_ready(&rig);
    PROSA_CLAUSE("FLOW-37");
    for (int i = 0; i < 4; i++)
        rig_ping(&rig, "hammer");
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    CHECK(prosa_server_session_deadline_ms(&rig.session) == rig.now + 100);
    rig_advance(&rig, 99);
    CHECK(rig_take(&rig) == 0);
    rig_advance(&rig, 1);
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    rig_advance(&rig, 1000);
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    rig_fini(&rig);
}

static void test_idle_session_is_small(void)
{
    rig_init(&rig);
    CHECK(prosa_server_session_memory(&rig.session) < 4096);
    rig_ready(&rig);
    rig_join(&rig, "general", 64, 64);
    PROSA_CLAUSE("LIM-07");
    CHECK(prosa_server_session_memory(&rig.session) < 640);
    rig_fini(&rig);
}

/* --- time ------------------------------------------------------------------------------------- */

static void test_liveness(void)
{
    rig_init(&rig);
    rig_ready(&rig);
    PROSA_CLAUSE("LIVE-04");
    rig_advance(&rig, 14999);
    CHECK(rig_take(&rig) == 0);
    rig_advance(&rig, 1);
    CHECK(rig_take(&rig) == PROSA_FRAME_PING && rig_take(&rig) == 0);
    PROSA_CLAUSE("LIVE-06");
    rig_feed(&rig, prosa_bytes("P", 1));
    rig_advance(&rig, 15000);
    CHECK(rig_take(&rig) == PROSA_FRAME_PING);
    PROSA_CLAUSE("LIVE-05");
    rig_advance(&rig, 29999);
    CHECK(rig_take(&rig) == 0);
    rig_advance(&rig, 1);
    CHECK(rig_took_bye(&rig, PROSA_CODE_IDLE));
    rig_advance(&rig, 2000);
    CHECK(rig_ended(&rig, PROSA_ENDING_SILENCE, PROSA_CODE_IDLE));
    rig_fini(&rig);

    rig_init(&rig);
    rig.features = 0;
    rig_ready(&rig);
    PROSA_CLAUSE("LIVE-04");
    CHECK(prosa_server_session_deadline_ms(&rig.session) == PROSA_NEVER);
    rig_fini(&rig);
}

static void test_slow_consumer(void)
{
    rig_init(&rig);
    rig.features = 0;
    rig_ready(&rig);
    rig_join(&rig, "general", 1, 2);
    rig_skip(&rig);
    PROSA_CLAUSE("FLOW-39");
    CHECK(prosa_server_session_deadline_ms(&rig.session) == PROSA_NEVER);
    for (uint64_t n = 1; n <= 5; n++)
        rig_host_says(&rig, &rig.group, n, "owed");
    rig_turn(&rig);
    rig_advance(&rig, 9999);
    rig_ack(&rig, &rig.group, 1, 3); /* progress */
    rig_skip(&rig);
    rig_advance(&rig, 9999);
    CHECK(rig_take(&rig) == 0);
    rig_advance(&rig, 1);
    CHECK(rig_took_bye(&rig, PROSA_CODE_SLOW_CONSUMER));
    rig_advance(&rig, 2000);
    CHECK(rig_ended(&rig, PROSA_ENDING_GOODBYE, PROSA_CODE_SLOW_CONSUMER) && rig.ended.reset);
    rig_fini(&rig);
}

/* --- goodbye ---------------------------------------------------------------------------------- */

static void test_bye_of_the_peer(void)
{
    rig_init(&rig);
    rig_ready(&rig);
    rig_join(&rig, "general", 4, 8);
    rig_skip(&rig);
    rig.hold_publish = true;
    rig_publish(&rig, &rig.group, 1, "last words");
    rig_bye(&rig);
    prosa_server_session_recv_eof(&rig.session, rig.now);
    rig_turn(&rig);
    PROSA_CLAUSE("END-03");
    CHECK(rig_take(&rig) == 0);
    uint64_t seq = rig_host_says(&rig, &rig.group, 1, "stands for it");
    prosa_server_session_accepted(&rig.session, &rig.group.room, 1, seq, rig.now);
    rig_turn(&rig);
    CHECK(rig_take(&rig) == PROSA_FRAME_ACK && rig.message.ack.acked_counter == 1);
    CHECK(rig_took_deliver(&rig, 1));
    PROSA_CLAUSE("END-02");
    CHECK(rig_took_bye(&rig, PROSA_CODE_NORMAL) && rig_take(&rig) == 0);
    CHECK(rig.seen[PROSA_SERVER_SHUT] == 1);
    CHECK(rig_ended(&rig, PROSA_ENDING_GOODBYE, PROSA_CODE_NORMAL) && rig.ended.from_peer);
    CHECK(prosa_server_session_room(&rig.session, 0) == &rig.group.room);
    rig_fini(&rig);
}

/* The last words before a BYE, or before a frame with a fault, are refused. */
static void test_a_fault_before_the_end_is_told(bool bye)
{
    rig_init(&rig);
    rig_ready(&rig);
    rig_join(&rig, "general", 1, 8);
    rig_skip(&rig);
    rig.hold_publish = true;
    rig_publish(&rig, &rig.group, 1, "last words");
    if (bye)
        rig_bye(&rig);
    else
        rig_publish(&rig, &rig.group, 2, "beyond the limit");
    CHECK(rig_take(&rig) == 0);
    prosa_server_session_refused(&rig.session, &rig.group.room, 1, PROSA_ERR_BAD_SIG, rig.now);
    rig_turn(&rig);
    PROSA_CLAUSE("ERR-01");
    CHECK(rig_took_error(&rig, PROSA_CODE_BAD_SIG, "MSG-03") && rig.message.error.counter == 1);
    CHECK(rig_take(&rig) == 0);
    prosa_server_session_recv_eof(&rig.session, rig.now);
    rig_turn(&rig);
    CHECK(rig_ended(&rig, PROSA_ENDING_ERROR, PROSA_CODE_BAD_SIG) && !rig.ended.from_peer);
    rig_fini(&rig);
}

static void test_byes_cross(void)
{
    rig_init(&rig);
    rig_ready(&rig);
    rig_join(&rig, "general", 4, 8);
    rig_skip(&rig);
    prosa_server_session_bye(&rig.session, PROSA_CODE_REPLACED, rig.now);
    PROSA_CLAUSE("END-04");
    rig_publish(&rig, &rig.group, 1, "too late");
    CHECK(rig.seen[PROSA_SERVER_PUBLISH] == 0);
    PROSA_CLAUSE("END-05");
    rig_bye(&rig);
    CHECK(rig_took_bye(&rig, PROSA_CODE_REPLACED) && rig_take(&rig) == 0);
    CHECK(rig_ended(&rig, PROSA_ENDING_GOODBYE, PROSA_CODE_REPLACED));
    rig_fini(&rig);
}

static void test_malformed_farewell(void)
{
    rig_init(&rig);
    rig_ready(&rig);
    PROSA_CLAUSE("ERR-10");
    send_raw(PROSA_FRAME_BYE, 0);
    CHECK(rig_take(&rig) == 0 && rig_ended(&rig, PROSA_ENDING_ERROR, PROSA_CODE_BAD_FRAME));
    PROSA_CLAUSE("END-17");
    prosa_server_session_bye(&rig.session, PROSA_CODE_NORMAL, rig.now);
    prosa_server_session_recv_eof(&rig.session, rig.now);
    rig_advance(&rig, 100000);
    CHECK(rig.seen[PROSA_SERVER_ENDED] == 1 && rig_take(&rig) == 0);
    rig_fini(&rig);
}

static void test_error_of_class_05_does_not_end(void)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_ERROR, .error = {.code = 0x0577, .reason = prosa_bytes_of_string("who knows")}};
    rig_init(&rig);
    rig_ready(&rig);
    PROSA_CLAUSE("ERR-05");
    rig_say(&rig, &message);
    CHECK(prosa_server_session_ready(&rig.session));
    rig_ping(&rig, "still here?");
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG);
    rig_fini(&rig);
}

/* Whatever comes, the session stays sane and ends at the latest after linger_ms. */
static void test_noise(void)
{
    static const size_t rounds = 3000;
    uint32_t random = 12345;
    PROSA_CLAUSE("END-17");
    for (size_t round = 0; round < rounds; round++) {
        uint8_t octets[8192];
        rig_init(&rig);
        if (round % 8 != 0)
            rig_ready(&rig);
        if (round % 8 > 2)
            rig_join(&rig, "general", 4, 8);
        struct prosa_bytes publish = rig_publish_octets(&rig, &rig.group, 1, "noise", octets);
        for (size_t i = 0; i < 1 + round % 4; i++) {
            random = random * 1664525 + 1013904223;
            octets[(random >> 8) % publish.size] ^= (uint8_t)(1u << (random >> 29));
        }
        if (round % 16 == 7)
            octets[3] = (uint8_t)(2 * (random >> 16) % 38); /* another type */
        rig_feed(&rig, publish);
        prosa_server_session_recv_eof(&rig.session, rig.now);
        rig_turn(&rig);
        rig_advance(&rig, rig.config.limits.handshake_ms);
        rig_advance(&rig, rig.config.limits.linger_ms);
        CHECK(rig.seen[PROSA_SERVER_ENDED] == 1);
        rig_fini(&rig);
    }
}

static void test_octet_by_octet(void)
{
    uint8_t octets[8192];
    rig_init(&rig);
    rig_ready(&rig);
    rig_join(&rig, "general", 4, 8);
    rig_skip(&rig);
    PROSA_CLAUSE("WIRE-10");
    struct prosa_bytes publish = rig_publish_octets(&rig, &rig.group, 1, "in pieces", octets);
    for (size_t i = 0; i < publish.size; i++) {
        CHECK(rig.seen[PROSA_SERVER_PUBLISH] == 0);
        rig_feed(&rig, prosa_bytes(publish.at + i, 1));
    }
    CHECK(rig.seen[PROSA_SERVER_PUBLISH] == 1);
    rig_fini(&rig);
}

int main(void)
{
    test_challenge();
    test_hello_is_refused();
    test_auth_is_refused();
    test_pipelined_frames_wait_for_the_verdict();
    test_deadline_is_absolute();
    test_caps_on_length();
    test_reading_stops_at_undecided_limit();
    test_reading_stops_at_output_limit();
    test_tokens();
    test_idle_session_is_small();
    test_liveness();
    test_slow_consumer();
    test_bye_of_the_peer();
    test_a_fault_before_the_end_is_told(true);
    test_a_fault_before_the_end_is_told(false);
    test_byes_cross();
    test_malformed_farewell();
    test_error_of_class_05_does_not_end();
    test_octet_by_octet();
    test_noise();
    return check_result();
}
