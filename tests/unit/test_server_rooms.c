/* SPDX-License-Identifier: MIT */
/* Rooms as a server session applies them: JOIN, PUBLISH, windows, credit, barriers, members, audit. */
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

static bool took_ack(uint64_t acked, uint64_t limit, uint64_t seq)
{
    return rig_take(&rig) == PROSA_FRAME_ACK && rig.message.ack.acked_counter == acked &&
           rig.message.ack.limit_counter == limit && rig.message.ack.acked_seq == seq;
}

static bool took_deliver(uint64_t seq)
{
    return rig_take(&rig) == PROSA_FRAME_DELIVER && rig.message.deliver.room_seq == seq;
}

static void test_join(void)
{
    rig_init(&rig);
    rig_ready(&rig);
    rig.last_counter = 5;
    rig.last_seq = 9;
    rig_join(&rig, "general", 1000, 8);
    CHECK(rig_take(&rig) == PROSA_FRAME_JOINED);
    const struct prosa_joined *answer = &rig.message.joined;
    PROSA_CLAUSE("FLOW-04");
    CHECK(answer->granted_window == 64);
    PROSA_CLAUSE("FLOW-05");
    CHECK(answer->last_counter == 5 && answer->limit_counter == 69);
    PROSA_CLAUSE("FLOW-06");
    CHECK(answer->start_seq == 1 && answer->head_seq == 0 && answer->oldest_seq == 1);
    CHECK(memcmp(answer->room_id, rig.group.room.room_id, PROSA_HASH_SIZE) == 0);

    PROSA_CLAUSE("FLOW-02");
    rig_join(&rig, "general", 1, 2);
    CHECK(rig_took_error(&rig, PROSA_CODE_BAD_STATE, "FLOW-02"));
    rig_fini(&rig);
}

static void test_join_is_refused(void)
{
    rig_init(&rig);
    rig.config.limits.max_rooms = 1;
    rig_restart(&rig);
    rig_ready(&rig);
    PROSA_CLAUSE("MSG-25");
    rig_join(&rig, "@root", 1, 2);
    CHECK(rig_took_error(&rig, PROSA_CODE_NO_ROOM, "MSG-25"));
    CHECK(rig.seen[PROSA_SERVER_JOIN] == 0);
    PROSA_CLAUSE("FLOW-01");
    rig_join(&rig, "nowhere", 1, 2);
    CHECK(rig_took_error(&rig, PROSA_CODE_NO_ROOM, NULL));
    CHECK(prosa_bytes_equal(rig.message.error.room, prosa_bytes_of_string("nowhere")));
    PROSA_CLAUSE("FLOW-03");
    rig_join(&rig, "@host", 1, 2);
    CHECK(rig_take(&rig) == PROSA_FRAME_JOINED && rig.message.joined.granted_window == 1);
    rig_join(&rig, "general", 1, 2);
    CHECK(rig_took_error(&rig, PROSA_CODE_TOO_MANY_ROOMS, "FLOW-03"));
    PROSA_CLAUSE("ERR-04");
    CHECK(prosa_server_session_ready(&rig.session));
    rig_fini(&rig);
}

static void test_joins_keep_their_order(void)
{
    rig_init(&rig);
    rig_ready(&rig);
    rig.hold_join = true;
    rig_join(&rig, "general", 1, 2);
    rig_join(&rig, "@root", 1, 2);
    PROSA_CLAUSE("FLOW-01");
    CHECK(rig_take(&rig) == 0);
    prosa_server_session_refuse_join(&rig.session, PROSA_ERR_NOT_SUPPORTED, rig.now);
    rig_turn(&rig);
    CHECK(rig_took_error(&rig, PROSA_CODE_NOT_SUPPORTED, NULL));
    CHECK(rig_took_error(&rig, PROSA_CODE_NO_ROOM, NULL));
    rig_fini(&rig);
}

/* Where a JOIN with this after_seq and epoch starts; the room has entries 3 to 6. */
static uint64_t start_of(uint32_t features, bool has_epoch, uint8_t epoch, uint64_t after_seq)
{
    const uint8_t octets[PROSA_EPOCH_SIZE] = {epoch};
    rig_init(&rig);
    rig.features = features;
    for (uint64_t n = 1; n <= 6; n++)
        rig_host_says(&rig, &rig.group, n, "before");
    rig.group.room.oldest_seq = 3;
    rig_ready(&rig);
    const struct prosa_message message = {
        .type = PROSA_FRAME_JOIN,
        .join = {.room = prosa_bytes_of_string("general"),
                 .has_epoch = has_epoch,
                 .epoch = octets,
                 .send_window = 1,
                 .recv_window = 2,
                 .has_after_seq = true,
                 .after_seq = after_seq},
    };
    rig_say(&rig, &message);
    uint64_t start = rig_take(&rig) == PROSA_FRAME_JOINED ? rig.message.joined.start_seq : 0;
    if (start != 0 && start <= 6)
        CHECK(took_deliver(start) && (start == 6 || took_deliver(start + 1)) && rig_take(&rig) == 0);
    rig_fini(&rig);
    return start;
}

static void test_resume(void)
{
    PROSA_CLAUSE("RES-01");
    CHECK(start_of(PROSA_FEATURE_RESUME, true, 2, 4) == 5);
    CHECK(start_of(PROSA_FEATURE_RESUME, true, 2, 6) == 7);
    CHECK(start_of(PROSA_FEATURE_RESUME, true, 2, 1) == 3);
    PROSA_CLAUSE("RES-04");
    CHECK(start_of(PROSA_FEATURE_RESUME, false, 0, 0) == 3);
    PROSA_CLAUSE("RES-02");
    CHECK(start_of(PROSA_FEATURE_RESUME, true, 9, 4) == 3);
    CHECK(start_of(PROSA_FEATURE_RESUME, true, 2, 7) == 3);
    PROSA_CLAUSE("RES-06");
    CHECK(start_of(0, true, 2, 4) == 7);
    PROSA_CLAUSE("RES-05");
    CHECK(start_of(PROSA_FEATURE_RESUME, false, 0, 4) == 0);
}

static void test_publish(void)
{
    rig_init(&rig);
    joined("general", 2, 8);
    PROSA_CLAUSE("FLOW-25");
    rig_publish(&rig, &rig.group, 1, "one");
    CHECK(took_ack(1, 3, 1));
    CHECK(took_deliver(1) && prosa_bytes_equal(rig.message.deliver.text, prosa_bytes_of_string("one")));
    rig_publish(&rig, &rig.group, 2, "two");
    PROSA_CLAUSE("FLOW-11");
    CHECK(took_ack(2, 4, 2) && took_deliver(2));

    PROSA_CLAUSE("FLOW-22");
    rig_publish(&rig, &rig.group, 1, "one");
    CHECK(took_ack(2, 4, 2) && rig_take(&rig) == 0);
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
    CHECK(took_ack(3, 5, 7));
    PROSA_CLAUSE("FLOW-23");
    rig_publish(&rig, &rig.group, 2, "nobody knows any more");
    CHECK(took_ack(3, 5, 7));
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
    CHECK(took_ack(1, 2, 1));
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
    CHECK(took_deliver(1) && took_deliver(2) && rig_take(&rig) == 0);
    PROSA_CLAUSE("FLOW-12");
    rig_ack(&rig, &rig.group, 1, 3);
    rig_ack(&rig, &rig.group, 0, 1);
    PROSA_CLAUSE("FLOW-18");
    CHECK(took_deliver(3) && rig_take(&rig) == 0);
    PROSA_CLAUSE("FLOW-34");
    rig_publish(&rig, &rig.group, 1, "no credit is left");
    rig_ping(&rig, "credit");
    CHECK(took_ack(1, 2, 6) && rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
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

static void test_question_and_answer(void)
{
    rig_init(&rig);
    joined("@host", 1, 8);
    rig_publish(&rig, &rig.host, 1, "what time is it?");
    PROSA_CLAUSE("FLOW-27");
    CHECK(took_ack(1, 1, 1) && took_deliver(1) && rig_take(&rig) == 0);
    rig_ping(&rig, "still thinking?");
    PROSA_CLAUSE("LIVE-03");
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    uint64_t seq = rig_host_says(&rig, &rig.host, 1, "late");
    prosa_server_session_answered(&rig.session, &rig.host.room, seq, rig.now);
    rig_turn(&rig);
    PROSA_CLAUSE("FLOW-28");
    CHECK(took_deliver(2) && took_ack(1, 2, 1) && rig_take(&rig) == 0);

    PROSA_CLAUSE("FLOW-29");
    rig_publish(&rig, &rig.host, 2, "anybody?");
    CHECK(took_ack(2, 2, 3) && took_deliver(3));
    prosa_server_session_no_answer(&rig.session, &rig.host.room, 2, rig.now);
    rig_turn(&rig);
    CHECK(rig_took_error(&rig, PROSA_CODE_NO_ANSWER, NULL) && rig.message.error.counter == 2);
    CHECK(took_ack(2, 3, 3) && rig_take(&rig) == 0);

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
    prosa_server_session_answered(&rig.session, &rig.host.room, seq, rig.now);
    rig_turn(&rig);
    PROSA_CLAUSE("FLOW-28");
    CHECK(took_deliver(2) && rig_take(&rig) == 0);
    rig_ack(&rig, &rig.host, 2, 4);
    CHECK(took_deliver(3) && took_ack(1, 2, 1));
    rig_fini(&rig);

    rig_init(&rig);
    joined("@host", 4, 8);
    PROSA_CLAUSE("FLOW-32");
    rig_publish(&rig, &rig.host, 1, "async");
    CHECK(took_ack(1, 5, 1));
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
    CHECK(took_ack(1, 5, 1));
    PROSA_CLAUSE("LIVE-01");
    uint8_t first = rig_take(&rig);
    CHECK(first == PROSA_FRAME_PONG &&
          prosa_bytes_equal(rig.message.pong.opaque, prosa_bytes_of_string("p1")));
    CHECK(took_deliver(1));
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG &&
          prosa_bytes_equal(rig.message.pong.opaque, prosa_bytes_of_string("p2")));

    PROSA_CLAUSE("LIVE-03");
    for (uint64_t n = 2; n <= 5; n++)
        rig_host_says(&rig, &rig.group, n, "visible");
    rig_ping(&rig, "p3");
    CHECK(took_deliver(2) && took_deliver(3)); /* credit ends here */
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig_take(&rig) == 0);
    rig_fini(&rig);
}

static void test_members_and_leave(void)
{
    uint8_t octets[256];
    size_t size = 0;
    rig_init(&rig);
    joined("general", 4, 8);
    const struct prosa_message member = {
        .type = PROSA_FRAME_MEMBER,
        .member = {.has_nick = true,
                   .nick = prosa_bytes_of_string("bob"),
                   .room_id = rig.group.room.room_id,
                   .event = PROSA_EVENT_JOINED,
                   .has_member_key = true,
                   .member_key = rig.config.keypair.key,
                   .at_seq = 1},
    };
    CHECK(prosa_message_encode(&member, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK);
    rig_host_says(&rig, &rig.group, 1, "one");
    rig_host_says(&rig, &rig.group, 2, "two");
    PROSA_CLAUSE("MEM-02");
    struct prosa_bytes frame = prosa_bytes(octets, size);
    CHECK(prosa_server_session_member(&rig.session, &rig.group.room, frame, 1, rig.now) == PROSA_OK);
    rig_turn(&rig);
    CHECK(rig_take(&rig) == PROSA_FRAME_MEMBER && took_deliver(1) && took_deliver(2));

    PROSA_CLAUSE("MEM-02"); /* no room in the output: what follows waits */
    rig.config.limits.output_limit = 1;
    CHECK(prosa_server_session_member(&rig.session, &rig.group.room, frame, 2, rig.now) == PROSA_PARTIAL);
    rig_host_says(&rig, &rig.group, 3, "three");
    rig_turn(&rig);
    CHECK(rig_take(&rig) == 0);
    rig.config.limits.output_limit = 65536;
    CHECK(prosa_server_session_member(&rig.session, &rig.group.room, frame, 2, rig.now) == PROSA_OK);
    rig_turn(&rig);
    CHECK(rig_take(&rig) == PROSA_FRAME_MEMBER && took_deliver(3));

    PROSA_CLAUSE("MEM-07");
    rig_leave(&rig, &rig.group);
    CHECK(rig.seen[PROSA_SERVER_LEAVE] == 1 && rig.left == &rig.group.room);
    CHECK(rig_take(&rig) == PROSA_FRAME_MEMBER && rig.message.member.event == PROSA_EVENT_LEFT);
    CHECK(memcmp(rig.message.member.member_key, rig.client.key, PROSA_KEY_SIZE) == 0);
    CHECK(prosa_server_session_member(&rig.session, &rig.group.room, frame, 3, rig.now) == PROSA_END);
    rig_host_says(&rig, &rig.group, 4, "four");
    rig_turn(&rig);
    CHECK(rig_take(&rig) == 0);
    PROSA_CLAUSE("MEM-08");
    rig_leave(&rig, &rig.group);
    CHECK(rig_took_error(&rig, PROSA_CODE_BAD_STATE, "MEM-08"));
    rig_fini(&rig);

    rig_init(&rig);
    joined("@host", 1, 8);
    PROSA_CLAUSE("MEM-06");
    rig_leave(&rig, &rig.host);
    rig_ping(&rig, "done?");
    CHECK(rig_take(&rig) == PROSA_FRAME_PONG && rig.left == &rig.host.room);
    rig_fini(&rig);
}

static bool took_checkpoint(uint64_t seq)
{
    return rig_take(&rig) == PROSA_FRAME_CHECKPOINT && rig.message.checkpoint.seq == seq &&
           prosa_checkpoint_verify(rig.config.keypair.key, rig.frame.octets) == PROSA_OK;
}

static void test_audit(void)
{
    const uint8_t epoch[PROSA_EPOCH_SIZE] = {2};
    rig_init(&rig);
    rig.features = PROSA_FEATURE_AUDIT | PROSA_FEATURE_RESUME;
    for (uint64_t n = 1; n <= 40; n++)
        rig_host_says(&rig, &rig.group, n, "history");
    rig.group.room.oldest_seq = 3;
    rig_ready(&rig);
    const struct prosa_message join = {
        .type = PROSA_FRAME_JOIN,
        .join = {.room = prosa_bytes_of_string("general"),
                 .has_epoch = true,
                 .epoch = epoch,
                 .send_window = 1,
                 .recv_window = 100,
                 .has_after_seq = true,
                 .after_seq = 1},
    };
    rig_say(&rig, &join);
    CHECK(rig_take(&rig) == PROSA_FRAME_JOINED);
    PROSA_CLAUSE("AUD-07");
    CHECK(took_checkpoint(2));
    PROSA_CLAUSE("AUD-04");
    CHECK(took_checkpoint(40)); /* at JOIN */
    for (uint64_t n = 3; n <= 34; n++)
        CHECK(took_deliver(n));
    CHECK(took_checkpoint(40)); /* every 32 messages */
    for (uint64_t n = 35; n <= 40; n++)
        CHECK(took_deliver(n));
    CHECK(took_checkpoint(40)); /* at the end of the replay */
    rig_host_says(&rig, &rig.group, 41, "live");
    prosa_server_session_bye(&rig.session, PROSA_CODE_SHUTDOWN, rig.now);
    rig_turn(&rig);
    CHECK(took_deliver(41) && took_checkpoint(41)); /* before BYE */
    CHECK(rig_took_bye(&rig, PROSA_CODE_SHUTDOWN));
    rig_fini(&rig);
}

static void test_pruned_member_is_ended(void)
{
    rig_init(&rig);
    joined("general", 1, 2);
    for (uint64_t n = 1; n <= 5; n++)
        rig_host_says(&rig, &rig.group, n, "much");
    rig_turn(&rig);
    rig_skip(&rig);
    PROSA_CLAUSE("FLOW-40");
    rig.group.room.oldest_seq = 3;
    rig_turn(&rig);
    CHECK(rig_take(&rig) == 0);
    rig.group.room.oldest_seq = 4;
    rig_turn(&rig);
    CHECK(rig_took_bye(&rig, PROSA_CODE_SLOW_CONSUMER));
    rig_fini(&rig);
}

static void test_short_writes_keep_frames_whole(void)
{
    rig_init(&rig);
    joined("general", 1, 64);
    for (uint64_t n = 1; n <= 20; n++)
        rig_host_says(&rig, &rig.group, n, "cut anywhere");
    PROSA_CLAUSE("WIRE-05");
    for (size_t turn = 0; turn < 2000; turn++) {
        rig.write_at_most = 1 + turn % 7;
        rig_turn(&rig);
    }
    for (uint64_t n = 1; n <= 20; n++)
        CHECK(took_deliver(n));
    CHECK(rig_take(&rig) == 0 && rig.out_read == rig.out_size);
    rig_fini(&rig);
}

int main(void)
{
    test_join();
    test_join_is_refused();
    test_joins_keep_their_order();
    test_resume();
    test_publish();
    test_ids_of_earlier_sessions();
    test_window_of_ids_survives_the_next_one_in_flight();
    test_publish_faults();
    test_what_came_before_a_fault_counts();
    test_credit();
    test_question_and_answer();
    test_answer_waits_for_credit();
    test_ping_is_a_barrier();
    test_members_and_leave();
    test_audit();
    test_pruned_member_is_ended();
    test_short_writes_keep_frames_whole();
    return check_result();
}
