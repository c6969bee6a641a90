/* SPDX-License-Identifier: MIT */
/* What flows through a room of a server session: PUBLISH, windows, credit, answers, barriers. */
#include "check.h"
#include "server_rig.h"

static struct rig rig;

/* A READY session in a room; everything sent so far is forgotten. */
static void joined(const char *room, uint32_t send_window, uint32_t recv_window)
{
    rig_ready(&rig);
    rig_join(&rig, room, send_window, recv_window);
    rig_skip(&rig);
}

static void test_publish(void)
{
    rig_init(&rig);
    joined("general", 2, 8);
    PROSA_CLAUSE("FLOW-25");
    rig_publish(&rig, &rig.group, 1, "one");
    CHECK(rig_took_ack(&rig, 1, 3, 1));
    CHECK(rig_took_deliver(&rig, 1) &&
          prosa_bytes_equal(rig.message.deliver.text, prosa_bytes_of_string("one")));
    rig_publish(&rig, &rig.group, 2, "two");
    PROSA_CLAUSE("FLOW-11");
    CHECK(rig_took_ack(&rig, 2, 4, 2) && rig_took_deliver(&rig, 2));

    PROSA_CLAUSE("FLOW-22");
    rig_publish(&rig, &rig.group, 1, "one");
    CHECK(rig_took_ack(&rig, 2, 4, 2) && rig_take(&rig) == 0);
    PROSA_CLAUSE("FLOW-23");
    rig_publish(&rig, &rig.group, 1, "another one");
    CHECK(rig_took_error(&rig, PROSA_CODE_COUNTER_REUSE, "FLOW-23"));
    PROSA_CLAUSE("ERR-07");
    CHECK(rig.message.error.ref_type == PROSA_FRAME_PUBLISH && rig.message.error.counter == 1);
    CHECK(memcmp(rig.message.error.room_id, rig.group.room.room_id, PROSA_HASH_SIZE) == 0);
    rig_fini(&rig);
}

static void test_ids_of_earlier_sessions(void)
{
    uint8_t octets[8192];
    rig_init(&rig);
    struct prosa_bytes third = rig_publish_octets(&rig, &rig.group, 3, "three", octets);
    prosa_message_id(prosa_bytes(third.at + PROSA_HEADER_SIZE, third.size - PROSA_HEADER_SIZE), rig.ids[0]);
    rig.id_count = 1;
    rig.last_counter = 3;
    rig.last_seq = 7;
    joined("general", 2, 8);
    PROSA_CLAUSE("FLOW-22");
    rig_publish(&rig, &rig.group, 3, "three");
    CHECK(rig_took_ack(&rig, 3, 5, 7));
    PROSA_CLAUSE("FLOW-23");
    rig_publish(&rig, &rig.group, 2, "nobody knows any more");
    CHECK(rig_took_ack(&rig, 3, 5, 7));
    rig_publish(&rig, &rig.group, 3, "not three");
    CHECK(rig_took_error(&rig, PROSA_CODE_COUNTER_REUSE, "FLOW-23"));
    rig_fini(&rig);
}

static void test_window_of_ids_survives_the_next_one_in_flight(void)
{
    rig_init(&rig);
    joined("general", 4, 64);
    for (uint64_t n = 1; n <= 4; n++)
        rig_publish(&rig, &rig.group, n, "accepted");
    rig.hold_publish = true;
    for (uint64_t n = 5; n <= 8; n++)
        rig_publish(&rig, &rig.group, n, "pending");
    CHECK(prosa_server_session_pending(&rig.session) == 4);
    rig_skip(&rig);
    PROSA_CLAUSE("FLOW-23");
    rig_publish(&rig, &rig.group, 1, "other");
    CHECK(rig_take(&rig) == 0); /* the ERROR waits for what is pending */
    for (int i = 0; i < 4; i++)
        prosa_server_session_dropped(&rig.session, &rig.group.room, rig.now);
    rig_turn(&rig);
    CHECK(rig_took_error(&rig, PROSA_CODE_COUNTER_REUSE, "FLOW-23"));
    rig_fini(&rig);
}

/* What a PUBLISH with this counter earns in a fresh room with window 2. */
static bool publish_earns(uint64_t counter, uint16_t code, const char *clause)
{
    rig_init(&rig);
    joined("general", 2, 8);
    rig_publish(&rig, &rig.group, counter, "x");
    bool good = rig_took_error(&rig, code, clause) && rig.seen[PROSA_SERVER_SHUT] == 1;
    rig_fini(&rig);
    return good;
}

static void test_publish_faults(void)
{
    PROSA_CLAUSE("FLOW-21");
    CHECK(publish_earns(3, PROSA_CODE_FLOW_VIOLATION, "FLOW-21"));
    PROSA_CLAUSE("FLOW-24");
    CHECK(publish_earns(2, PROSA_CODE_COUNTER_GAP, "FLOW-24"));

    rig_init(&rig);
    joined("general", 2, 8);
    PROSA_CLAUSE("MSG-05");
    rig_publish(&rig, &rig.host, 1, "in a room that is not joined");
    CHECK(rig_took_error(&rig, PROSA_CODE_WRONG_ROOM, "MSG-05"));
    rig_fini(&rig);

    rig_init(&rig);
    joined("general", 2, 8);
    PROSA_CLAUSE("MSG-04");
    rig.nick = "eve";
    rig_publish(&rig, &rig.group, 1, "under another name");
    CHECK(rig_took_error(&rig, PROSA_CODE_WRONG_AUTHOR, "MSG-04"));
    rig_fini(&rig);

    rig_init(&rig);
    joined("general", 2, 8);
    PROSA_CLAUSE("MSG-03");
    uint8_t octets[8192];
    struct prosa_bytes publish = rig_publish_octets(&rig, &rig.group, 1, "tampered", octets);
    octets[publish.size - 1] ^= 1;
    rig_feed(&rig, publish);
    CHECK(rig_took_error(&rig, PROSA_CODE_BAD_SIG, "MSG-03"));
    PROSA_CLAUSE("ERR-06");
    rig_publish(&rig, &rig.group, 1, "after the fault");
    CHECK(rig.seen[PROSA_SERVER_PUBLISH] == 1 && rig_take(&rig) == 0);
    rig_fini(&rig);
}

static void test_what_came_before_a_fault_counts(void)
{
    rig_init(&rig);
    joined("general", 1, 8);
    rig.hold_publish = true;
    rig_publish(&rig, &rig.group, 1, "good");
    rig_publish(&rig, &rig.group, 2, "too many");
    PROSA_CLAUSE("FLOW-21");
    CHECK(rig_take(&rig) == 0);
    uint64_t seq = rig_host_says(&rig, &rig.group, 1, "stands for it");
    prosa_server_session_accepted(&rig.session, &rig.group.room, 1, seq, rig.now);
    rig_turn(&rig);
    CHECK(rig_took_ack(&rig, 1, 2, 1) && rig_took_deliver(&rig, 1));
    CHECK(rig_took_error(&rig, PROSA_CODE_FLOW_VIOLATION, "FLOW-21"));
    rig_fini(&rig);
}

static void test_credit(void)
{
    rig_init(&rig);
    joined("general", 1, 2);
    for (uint64_t n = 1; n <= 5; n++)
        rig_host_says(&rig, &rig.group, n, "much");
    rig_turn(&rig);
    PROSA_CLAUSE("FLOW-07");
    CHECK(rig_took_deliver(&rig, 1) && rig_took_deliver(&rig, 2) && rig_take(&rig) == 0);
    PROSA_CLAUSE("FLOW-12");
    rig_ack(&rig, &rig.group, 1, 3);
    rig_ack(&rig, &rig.group, 0, 1);
    PROSA_CLAUSE("FLOW-18");
    CHECK(rig_took_deliver(&rig, 3) && rig_take(&rig) == 0);
    PROSA_CLAUSE("FLOW-34");
    rig_publish(&rig, &rig.group, 1, "no credit is left");
    rig_ping(&rig, "credit");
    CHECK(rig_took_ack(&rig, 1, 2, 6) && rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    rig_fini(&rig);

    rig_init(&rig);
    joined("general", 1, 2);
    PROSA_CLAUSE("FLOW-13");
    rig_ack(&rig, &rig.group, 1, 3);
    CHECK(rig_took_error(&rig, PROSA_CODE_ACK_TOO_HIGH, "FLOW-13"));
    rig_fini(&rig);

    rig_init(&rig);
    joined("general", 1, 2);
    PROSA_CLAUSE("FLOW-15");
    rig_ack(&rig, &rig.host, 0, 3);
    CHECK(rig_took_error(&rig, PROSA_CODE_WRONG_ROOM, "FLOW-15"));
    rig_fini(&rig);
}

static void test_credit_held_back(void)
{
    rig_init(&rig);
    joined("general", 2, 8);
    rig.config.credit_held = true;
    PROSA_CLAUSE("FLOW-35"); /* what the limit allows is taken */
    rig_publish(&rig, &rig.group, 1, "one");
    CHECK(rig_took_ack(&rig, 1, 2, 1) && rig_took_deliver(&rig, 1));
    rig_publish(&rig, &rig.group, 2, "two");
    CHECK(rig_took_ack(&rig, 2, 2, 2) && rig_took_deliver(&rig, 2));
    rig_ping(&rig, "p");
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    rig.config.credit_held = false;
    rig_turn(&rig);
    PROSA_CLAUSE("FLOW-11");
    CHECK(rig_took_ack(&rig, 2, 4, 2) && rig_take(&rig) == 0);
    rig.config.credit_held = true;
    PROSA_CLAUSE("FLOW-21");
    rig_publish(&rig, &rig.group, 5, "too many");
    CHECK(rig_took_error(&rig, PROSA_CODE_FLOW_VIOLATION, "FLOW-21"));
    rig_fini(&rig);
}

static void test_question_and_answer(void)
{
    rig_init(&rig);
    joined("@host", 1, 8);
    rig_publish(&rig, &rig.host, 1, "what time is it?");
    PROSA_CLAUSE("FLOW-27");
    CHECK(rig_took_ack(&rig, 1, 1, 1) && rig_took_deliver(&rig, 1) && rig_take(&rig) == 0);
    rig_ping(&rig, "still thinking?");
    PROSA_CLAUSE("LIVE-03");
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    uint64_t seq = rig_host_says(&rig, &rig.host, 1, "late");
    prosa_server_session_answered(&rig.session, &rig.host.room, 1, seq, rig.now);
    rig_turn(&rig);
    PROSA_CLAUSE("FLOW-28");
    CHECK(rig_took_deliver(&rig, 2) && rig_took_ack(&rig, 1, 2, 1) && rig_take(&rig) == 0);

    PROSA_CLAUSE("FLOW-29");
    rig_publish(&rig, &rig.host, 2, "anybody?");
    CHECK(rig_took_ack(&rig, 2, 2, 3) && rig_took_deliver(&rig, 3));
    prosa_server_session_no_answer(&rig.session, &rig.host.room, 2, rig.now);
    rig_turn(&rig);
    CHECK(rig_took_error(&rig, PROSA_CODE_NO_ANSWER, NULL) && rig.message.error.counter == 2);
    CHECK(rig_took_ack(&rig, 2, 3, 3) && rig_take(&rig) == 0);

    PROSA_CLAUSE("FLOW-31");
    rig_publish(&rig, &rig.host, 3, "one");
    rig_skip(&rig);
    rig_publish(&rig, &rig.host, 4, "two");
    CHECK(rig_took_error(&rig, PROSA_CODE_FLOW_VIOLATION, "FLOW-21"));
    rig_fini(&rig);
}

static void test_answer_waits_for_credit(void)
{
    rig_init(&rig);
    joined("@host", 1, 2);
    rig_publish(&rig, &rig.host, 1, "question");
    rig_host_says(&rig, &rig.host, 1, "by the way");
    rig_skip(&rig);
    uint64_t seq = rig_host_says(&rig, &rig.host, 2, "answer");
    prosa_server_session_answered(&rig.session, &rig.host.room, 1, seq, rig.now);
    rig_turn(&rig);
    PROSA_CLAUSE("FLOW-28");
    CHECK(rig_took_deliver(&rig, 2) && rig_take(&rig) == 0);
    rig_ack(&rig, &rig.host, 2, 4);
    CHECK(rig_took_deliver(&rig, 3) && rig_took_ack(&rig, 1, 2, 1));
    rig_fini(&rig);

    rig_init(&rig);
    joined("@host", 4, 8);
    PROSA_CLAUSE("FLOW-32");
    rig_publish(&rig, &rig.host, 1, "async");
    CHECK(rig_took_ack(&rig, 1, 5, 1));
    rig_fini(&rig);
}

static void test_ping_is_a_barrier(void)
{
    rig_init(&rig);
    joined("general", 4, 3);
    rig.hold_publish = true;
    rig_publish(&rig, &rig.group, 1, "slow store");
    rig_ping(&rig, "p1");
    rig_ping(&rig, "p2");
    PROSA_CLAUSE("LIVE-02");
    CHECK(rig_take(&rig) == 0);
    uint64_t seq = rig_host_says(&rig, &rig.group, 1, "stands for it");
    prosa_server_session_accepted(&rig.session, &rig.group.room, 1, seq, rig.now);
    rig_turn(&rig);
    CHECK(rig_took_ack(&rig, 1, 5, 1));
    CHECK(rig_took_deliver(&rig, 1));
    PROSA_CLAUSE("LIVE-01");
    uint8_t first = rig_take(&rig);
    CHECK(first == PROSA_FRAME_PONG &&
          prosa_bytes_equal(rig.message.pong.opaque, prosa_bytes_of_string("p1")));
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG &&
          prosa_bytes_equal(rig.message.pong.opaque, prosa_bytes_of_string("p2")));

    PROSA_CLAUSE("LIVE-03");
    for (uint64_t n = 2; n <= 5; n++)
        rig_host_says(&rig, &rig.group, n, "visible");
    rig_ping(&rig, "p3");
    CHECK(rig_took_deliver(&rig, 2) && rig_took_deliver(&rig, 3)); /* credit ends here */
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    rig_fini(&rig);
}

int main(void)
{
    test_publish();
    test_ids_of_earlier_sessions();
    test_window_of_ids_survives_the_next_one_in_flight();
    test_publish_faults();
    test_what_came_before_a_fault_counts();
    test_credit();
    test_credit_held_back();
    test_question_and_answer();
    test_answer_waits_for_credit();
    test_ping_is_a_barrier();
    return check_result();
}
