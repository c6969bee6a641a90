/* SPDX-License-Identifier: MIT */
/* Rooms as a server session applies them: JOIN, resume, members, audit, pruning. */
#include "check.h"
#include "server.h"
#include "server_rig.h"

static struct rig rig;

/* A READY session in a room; everything sent so far is forgotten. */
static void joined(const char *room, uint32_t send_window, uint32_t recv_window)
{
    rig_ready(&rig);
    rig_join(&rig, room, send_window, recv_window);
    rig_skip(&rig);
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
        CHECK(rig_took_deliver(&rig, start) && (start == 6 || rig_took_deliver(&rig, start + 1)) &&
              rig_take(&rig) == 0);
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
    CHECK(rig_take(&rig) == PROSA_FRAME_MEMBER && rig_took_deliver(&rig, 1) && rig_took_deliver(&rig, 2));

    PROSA_CLAUSE("MEM-02"); /* no room in the output: what follows waits */
    rig.config.limits.output_limit = 1;
    CHECK(prosa_server_session_member(&rig.session, &rig.group.room, frame, 2, rig.now) == PROSA_PARTIAL);
    rig_host_says(&rig, &rig.group, 3, "three");
    rig_turn(&rig);
    CHECK(rig_take(&rig) == 0);
    rig.config.limits.output_limit = 65536;
    CHECK(prosa_server_session_member(&rig.session, &rig.group.room, frame, 2, rig.now) == PROSA_OK);
    rig_turn(&rig);
    CHECK(rig_take(&rig) == PROSA_FRAME_MEMBER && rig_took_deliver(&rig, 3));

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

/* READY, in a room whose replay waits for credit: of entries 1 to 6, two have come. */
static void in_replay(void)
{
    const struct prosa_message join = {
        .type = PROSA_FRAME_JOIN,
        .join = {.room = prosa_bytes_of_string("general"),
                 .send_window = 2,
                 .recv_window = 2,
                 .has_after_seq = true},
    };
    rig_init(&rig);
    for (uint64_t n = 1; n <= 6; n++)
        rig_host_says(&rig, &rig.group, n, "history");
    rig_ready(&rig);
    rig_say(&rig, &join);
    rig_skip(&rig);
}

static void test_frames_during_replay(void)
{
    in_replay();
    PROSA_CLAUSE("FLOW-25");
    rig_publish(&rig, &rig.group, 1, "between history");
    CHECK(rig_took_ack(&rig, 1, 3, 7) && rig_take(&rig) == 0);
    PROSA_CLAUSE("FLOW-18");
    rig_ack(&rig, &rig.group, 2, 7);
    for (uint64_t n = 3; n <= 7; n++)
        CHECK(rig_took_deliver(&rig, n));
    rig_fini(&rig);

    in_replay();
    PROSA_CLAUSE("FLOW-02");
    rig_join(&rig, "general", 1, 2);
    CHECK(rig_took_error(&rig, PROSA_CODE_BAD_STATE, "FLOW-02"));
    rig_fini(&rig);

    in_replay();
    PROSA_CLAUSE("MEM-07");
    rig_leave(&rig, &rig.group);
    CHECK(rig_take(&rig) == PROSA_FRAME_MEMBER);
    CHECK(rig_take(&rig) == 0);
    rig_join(&rig, "general", 1, 2); /* and again, live */
    CHECK(rig_take(&rig) == PROSA_FRAME_JOINED && rig.message.joined.start_seq == 7);
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
    for (uint64_t n = 3; n <= 40; n++)
        CHECK(rig_took_deliver(&rig, n));
    CHECK(took_checkpoint(40)); /* at the end of the replay */
    for (uint64_t n = 41; n <= 66; n++)
        rig_host_says(&rig, &rig.group, n, "live");
    rig_turn(&rig);
    for (uint64_t n = 41; n <= 64; n++)
        CHECK(rig_took_deliver(&rig, n));
    CHECK(took_checkpoint(66)); /* behind a multiple of 32, of the head */
    CHECK(rig_took_deliver(&rig, 65) && rig_took_deliver(&rig, 66));
    rig_host_says(&rig, &rig.group, 67, "last");
    prosa_server_session_bye(&rig.session, PROSA_CODE_SHUTDOWN, rig.now);
    rig_turn(&rig);
    CHECK(rig_took_deliver(&rig, 67) && took_checkpoint(67)); /* before BYE */
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
    CHECK(prosa_server_session_delivered(&rig.session, &rig.group.room) == 2);
    CHECK(prosa_server_session_delivered(&rig.session, &rig.host.room) == 0);
    PROSA_CLAUSE("FLOW-40");
    rig.group.room.oldest_seq = 3;
    rig_turn(&rig);
    CHECK(rig_take(&rig) == 0);
    rig.group.room.oldest_seq = 4;
    rig_turn(&rig);
    CHECK(rig_took_bye(&rig, PROSA_CODE_SLOW_CONSUMER));
    rig_fini(&rig);
}

static void test_pruning_does_not_hold_up_a_goodbye(void)
{
    rig_init(&rig);
    joined("general", 1, 64);
    rig.write_at_most = 0;
    for (uint64_t n = 1; n <= 5; n++)
        rig_host_says(&rig, &rig.group, n, "soon gone");
    prosa_server_session_bye(&rig.session, PROSA_CODE_SHUTDOWN, rig.now);
    rig_turn(&rig);
    rig.group.room.oldest_seq = 4; /* the entry that it waits for is not there any more */
    rig.write_at_most = SIZE_MAX;
    rig_turn(&rig);
    PROSA_CLAUSE("FLOW-40");
    CHECK(rig_took_bye(&rig, PROSA_CODE_SHUTDOWN) && rig_take(&rig) == 0);
    rig_fini(&rig);
}

static void test_late_answers_touch_no_room(void)
{
    rig_init(&rig);
    joined("general", 4, 64);
    rig.hold_publish = true;
    rig_publish(&rig, &rig.group, 1, "who is there?");
    prosa_server_session_recv_reset(&rig.session, rig.now);
    rig_turn(&rig);
    CHECK(rig_ended(&rig, PROSA_ENDING_RESET, 0));
    rig.session.slots[0].room = NULL; /* stands for a room that the caller has freed */
    prosa_server_session_accepted(&rig.session, &rig.group.room, 1, 1, rig.now);
    CHECK(prosa_server_session_pending(&rig.session) == 0);
    rig_fini(&rig);
}

static void test_list_of_rooms_grows_to_its_limit(void)
{
    PROSA_CLAUSE("FLOW-03");
    CHECK(prosa_slots_grown(0, 8) == 1 && prosa_slots_grown(1, 8) == 2 && prosa_slots_grown(4, 5) == 5);
    CHECK(prosa_slots_grown(32768, 65535) == 65535);
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
        CHECK(rig_took_deliver(&rig, n));
    CHECK(rig_take(&rig) == 0 && rig.out_read == rig.out_size);
    rig_fini(&rig);
}

int main(void)
{
    test_join();
    test_join_is_refused();
    test_joins_keep_their_order();
    test_resume();
    test_members_and_leave();
    test_frames_during_replay();
    test_audit();
    test_pruned_member_is_ended();
    test_pruning_does_not_hold_up_a_goodbye();
    test_late_answers_touch_no_room();
    test_list_of_rooms_grows_to_its_limit();
    test_short_writes_keep_frames_whole();
    return check_result();
}
