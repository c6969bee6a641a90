/* SPDX-License-Identifier: MIT */
/* Rooms as a client session applies them: JOIN, windows, order, signatures, credit, members, audit. */
#include "check.h"
#include "client.h"
#include "client_rig.h"

static struct client_rig rig;
static const struct prosa_bytes general = {(const uint8_t *)"general", 7};

static void in_room(void)
{
    client_rig_init(&rig);
    client_rig_in_room(&rig);
}

static enum prosa_status say(uint64_t counter, const char *text, uint8_t out[static 8192], size_t *size)
{
    const struct prosa_client_text said = {
        .counter = counter, .sent_at = 5, .text = prosa_bytes_of_string(text)};
    return prosa_client_session_compose(&rig.session, general, &said, out, 8192, size);
}

static enum prosa_status publish(uint64_t counter)
{
    uint8_t octets[8192];
    size_t size = 0;
    CHECK(say(counter, "text", octets, &size) == PROSA_OK);
    return prosa_client_session_send(&rig.session, general, prosa_bytes(octets, size));
}

static bool took_ack(uint64_t seen_seq, uint64_t limit_seq)
{
    return client_rig_take(&rig) == PROSA_FRAME_ACK && rig.message.ack.seen_seq == seen_seq &&
           rig.message.ack.limit_seq == limit_seq;
}

static void test_join(void)
{
    const uint64_t after = 3;
    client_rig_init(&rig);
    PROSA_CLAUSE("FLOW-01");
    CHECK(client_rig_join(&rig, 8, NULL) == PROSA_ERR_CALL); /* not READY */
    client_rig_ready(&rig);
    CHECK(client_rig_join(&rig, 8, &after) == PROSA_OK);
    CHECK(client_rig_take(&rig) == PROSA_FRAME_JOIN && rig.message.join.after_seq == 3 &&
          rig.message.join.has_epoch);
    PROSA_CLAUSE("FLOW-02");
    CHECK(client_rig_join(&rig, 8, &after) == PROSA_ERR_CALL);
    client_rig_joined(&rig, 7, 9, 4);
    CHECK(rig.seen[PROSA_CLIENT_JOINED] == 1);
    PROSA_CLAUSE("RES-03");
    CHECK(rig.last[PROSA_CLIENT_JOINED].same_epoch && !rig.last[PROSA_CLIENT_JOINED].lost_history);
    const struct prosa_client_room *room = prosa_client_session_room(&rig.session, general);
    PROSA_CLAUSE("RES-08");
    CHECK(room != NULL && room->sent_counter == 7 && room->acked_counter == 7 && room->limit_counter == 9);
    CHECK(room != NULL && room->seen_seq == 3);
    client_rig_fini(&rig);
}

/* The linker puts this in the place of realloc: the call with this number, counted down, fails. */
static unsigned fails_at;
void *__real_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size);

void *__wrap_realloc(void *at, size_t size)
{
    return fails_at > 0 && --fails_at == 0 ? NULL : __real_realloc(at, size);
}

/* Whatever there is no memory for, a JOIN whose answer would have no place does not go out. */
static void test_join_without_memory(void)
{
    for (unsigned number = 1; number <= 2; number++) {
        client_rig_init(&rig);
        client_rig_ready(&rig);
        client_rig_skip(&rig);
        fails_at = number;
        CHECK(client_rig_join(&rig, 8, NULL) == PROSA_ERR_NO_SPACE);
        CHECK(fails_at == 0);
        CHECK(prosa_client_session_send_peek(&rig.session).size == 0 && client_rig_take(&rig) == 0);
        CHECK(client_rig_join(&rig, 8, NULL) == PROSA_OK);
        CHECK(client_rig_take(&rig) == PROSA_FRAME_JOIN && client_rig_take(&rig) == 0);
        client_rig_fini(&rig);
    }
}

/* lost_history of a JOINED with this start after a JOIN with after_seq 3. */
static bool loses(uint64_t start_seq, uint8_t epoch)
{
    const uint64_t after = 3;
    client_rig_init(&rig);
    client_rig_ready(&rig);
    CHECK(client_rig_join(&rig, 8, &after) == PROSA_OK);
    rig.session.slots[0].epoch[0] = epoch;
    client_rig_joined(&rig, 0, 9, start_seq);
    bool lost = rig.last[PROSA_CLIENT_JOINED].lost_history;
    client_rig_fini(&rig);
    return lost;
}

static void test_lost_history(void)
{
    PROSA_CLAUSE("RES-03");
    CHECK(!loses(4, 2));
    CHECK(loses(6, 2)); /* pruned */
    CHECK(loses(1, 2)); /* beyond the head: the log went back */
    CHECK(loses(4, 9)); /* another epoch */
}

static void test_joined_is_checked(void)
{
    client_rig_init(&rig);
    client_rig_ready(&rig);
    CHECK(client_rig_join(&rig, 8, NULL) == PROSA_OK);
    client_rig_skip(&rig);
    PROSA_CLAUSE("MSG-23");
    rig.room_id[0] ^= 1;
    client_rig_joined(&rig, 0, 0, 1);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_WRONG_ROOM, "MSG-23"));
    client_rig_fini(&rig);

    in_room();
    PROSA_CLAUSE("FLOW-01");
    client_rig_joined(&rig, 0, 0, 1);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_BAD_STATE, "FLOW-01"));
    client_rig_fini(&rig);
}

static void test_join_is_refused(void)
{
    client_rig_init(&rig);
    client_rig_ready(&rig);
    CHECK(client_rig_join(&rig, 8, NULL) == PROSA_OK);
    PROSA_CLAUSE("ERR-04");
    client_rig_error(&rig, PROSA_CODE_NO_ROOM, "elsewhere");
    CHECK(rig.seen[PROSA_CLIENT_REFUSED] == 0 && rig.seen[PROSA_CLIENT_ERROR] == 1);
    client_rig_error(&rig, 0x0477, "general"); /* [ERR-05] by its class */
    CHECK(rig.seen[PROSA_CLIENT_REFUSED] == 1 && prosa_client_session_ready(&rig.session));
    CHECK(client_rig_join(&rig, 8, NULL) == PROSA_OK); /* it may try again */
    client_rig_fini(&rig);
}

static void test_window(void)
{
    uint8_t octets[8192];
    size_t size = 0;
    in_room();
    PROSA_CLAUSE("FLOW-20");
    CHECK(publish(1) == PROSA_OK && publish(2) == PROSA_OK && publish(3) == PROSA_PARTIAL);
    CHECK(client_rig_take(&rig) == PROSA_FRAME_PUBLISH && rig.message.publish.counter == 1);
    PROSA_CLAUSE("MSG-01");
    CHECK(prosa_author_verify(rig.config.keypair.key, rig.frame.body, rig.message.publish.author_sig) ==
          PROSA_OK);
    CHECK(client_rig_take(&rig) == PROSA_FRAME_PUBLISH && client_rig_take(&rig) == 0);
    PROSA_CLAUSE("MSG-06");
    CHECK(publish(5) == PROSA_ERR_CALL && publish(2) == PROSA_ERR_CALL);

    client_rig_ack(&rig, 1, 3, 1);
    CHECK(rig.seen[PROSA_CLIENT_ACKED] == 1 && rig.last[PROSA_CLIENT_ACKED].acked_seq == 1);
    CHECK(publish(3) == PROSA_OK);
    PROSA_CLAUSE("FLOW-12");
    client_rig_ack(&rig, 0, 1, 0);
    CHECK(rig.seen[PROSA_CLIENT_ACKED] == 1);
    CHECK(prosa_client_session_room(&rig.session, general)->limit_counter == 3);
    client_rig_ack(&rig, 0, 4, 0); /* of one ACK a number may be lower, and another higher */
    CHECK(rig.seen[PROSA_CLIENT_ACKED] == 2 && rig.last[PROSA_CLIENT_ACKED].acked_counter == 1);
    CHECK(rig.last[PROSA_CLIENT_ACKED].acked_seq == 0);
    client_rig_skip(&rig);
    PROSA_CLAUSE("FLOW-14");
    client_rig_ack(&rig, 4, 9, 9);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_ACK_TOO_HIGH, "FLOW-14"));
    PROSA_CLAUSE("MSG-01");
    CHECK(say(1, "bad \xff text", octets, &size) == PROSA_ERR_BAD_TEXT);
    CHECK(say(1, "", octets, &size) == PROSA_ERR_CALL);
    client_rig_fini(&rig);
}

static void test_order_and_credit(void)
{
    in_room();
    PROSA_CLAUSE("FLOW-16");
    client_rig_deliver(&rig, 1, "one", 0);
    CHECK(strcmp(rig.text, "one") == 0 && took_ack(1, 9));
    for (uint64_t n = 2; n <= 20; n++)
        client_rig_deliver(&rig, n, "more", 0);
    PROSA_CLAUSE("FLOW-17");
    uint64_t seen = 0;
    while (client_rig_take(&rig) == PROSA_FRAME_ACK) {
        CHECK(rig.message.ack.seen_seq - seen <= 4 + 1);
        seen = rig.message.ack.seen_seq;
    }
    CHECK(seen == 20 && rig.seen[PROSA_CLIENT_MESSAGE] == 20);
    PROSA_CLAUSE("MSG-17");
    client_rig_deliver(&rig, 22, "a gap", 0);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_SEQ_GAP, "MSG-17"));
    client_rig_advance(&rig, 500);
    CHECK(client_rig_ended(&rig, PROSA_ENDING_ERROR, PROSA_CODE_SEQ_GAP, true));
    client_rig_fini(&rig);

    in_room();
    client_rig_deliver(&rig, 1, "one", 0);
    client_rig_skip(&rig);
    PROSA_CLAUSE("MSG-17");
    client_rig_deliver(&rig, 1, "one again", 0);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_SEQ_GAP, "MSG-17"));
    client_rig_fini(&rig);

    in_room();
    PROSA_CLAUSE("FLOW-19");
    rig.session.slots[0].limit_seq = 0; /* as if it had granted nothing */
    client_rig_deliver(&rig, 1, "too early", 0);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_FLOW_VIOLATION, "FLOW-19"));
    client_rig_fini(&rig);
}

static void test_credit_is_raised_within_one_read(void)
{
    in_room();
    rig.keeps = true;
    for (uint64_t n = 1; n <= 11; n++)
        client_rig_deliver(&rig, n, "all at once", 0);
    rig.keeps = false;
    client_rig_feed(&rig, prosa_bytes(rig.kept, rig.kept_size));
    PROSA_CLAUSE("FLOW-17");
    CHECK(took_ack(4, 12) && took_ack(8, 16) && took_ack(11, 19) && client_rig_take(&rig) == 0);
    CHECK(rig.seen[PROSA_CLIENT_MESSAGE] == 11);
    client_rig_fini(&rig);
}

static void test_what_is_not_shown(void)
{
    in_room();
    PROSA_CLAUSE("MSG-16");
    client_rig_deliver(&rig, 1, "forged", 1);
    CHECK(rig.seen[PROSA_CLIENT_MESSAGE] == 0 && rig.seen[PROSA_CLIENT_UNSHOWN] == 1);
    CHECK(rig.last[PROSA_CLIENT_UNSHOWN].status == PROSA_ERR_BAD_SIG);
    PROSA_CLAUSE("MSG-14");
    client_rig_deliver(&rig, 2, "from the future", 2);
    CHECK(rig.seen[PROSA_CLIENT_UNSHOWN] == 2);
    CHECK(rig.last[PROSA_CLIENT_UNSHOWN].status == PROSA_ERR_UNSUPPORTED);
    rig.author_seed = 2;
    client_rig_deliver(&rig, 3, "good", 0);
    CHECK(rig.seen[PROSA_CLIENT_MESSAGE] == 1 && rig.last[PROSA_CLIENT_MESSAGE].own);
    CHECK(rig.last[PROSA_CLIENT_MESSAGE].seq == 3 && prosa_client_session_ready(&rig.session));
    client_rig_fini(&rig);
}

static void test_rooms_that_are_not_joined(void)
{
    in_room();
    rig.room_id[0] ^= 1;
    PROSA_CLAUSE("MSG-18");
    client_rig_deliver(&rig, 1, "elsewhere", 0);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_WRONG_ROOM, "MSG-18"));
    client_rig_fini(&rig);

    in_room();
    rig.room_id[0] ^= 1;
    PROSA_CLAUSE("FLOW-15");
    client_rig_ack(&rig, 0, 1, 0);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_WRONG_ROOM, "FLOW-15"));
    client_rig_fini(&rig);

    in_room();
    rig.room_id[0] ^= 1;
    PROSA_CLAUSE("MSG-18");
    client_rig_member(&rig, PROSA_EVENT_HERE, rig.server.key);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_WRONG_ROOM, "MSG-18"));
    client_rig_fini(&rig);
}

static void test_members_and_leave(void)
{
    in_room();
    PROSA_CLAUSE("MEM-02");
    client_rig_member(&rig, PROSA_EVENT_JOINED, rig.server.key);
    CHECK(rig.seen[PROSA_CLIENT_MEMBER] == 1 &&
          rig.last[PROSA_CLIENT_MEMBER].member.event == PROSA_EVENT_JOINED);
    PROSA_CLAUSE("WIRE-33");
    client_rig_member(&rig, 99, rig.server.key);
    CHECK(rig.seen[PROSA_CLIENT_MEMBER] == 1 && client_rig_take(&rig) == 0);

    PROSA_CLAUSE("MEM-07");
    CHECK(prosa_client_session_leave(&rig.session, general) == PROSA_OK);
    CHECK(client_rig_take(&rig) == PROSA_FRAME_LEAVE);
    CHECK(prosa_client_session_leave(&rig.session, general) == PROSA_ERR_CALL);
    PROSA_CLAUSE("MSG-18");
    client_rig_deliver(&rig, 1, "still on its way", 0);
    client_rig_ack(&rig, 0, 5, 0);
    CHECK(rig.seen[PROSA_CLIENT_MESSAGE] == 0 && client_rig_take(&rig) == 0);
    client_rig_member(&rig, PROSA_EVENT_LEFT, rig.server.key);
    CHECK(rig.seen[PROSA_CLIENT_LEFT] == 0);
    client_rig_member(&rig, PROSA_EVENT_LEFT, rig.config.keypair.key);
    CHECK(rig.seen[PROSA_CLIENT_LEFT] == 1 && prosa_client_session_room(&rig.session, general) == NULL);
    client_rig_fini(&rig);
}

static void test_leave_of_host(void)
{
    const struct prosa_client_join wish = {
        .room = prosa_bytes_of_string("@host"), .send_window = 1, .recv_window = 2};
    client_rig_init(&rig);
    client_rig_ready(&rig);
    CHECK(prosa_client_session_join(&rig.session, &wish) == PROSA_OK);
    const uint8_t epoch[PROSA_EPOCH_SIZE] = {3};
    prosa_room_id(rig.server.key, epoch, wish.room, rig.config.keypair.key, rig.room_id);
    const struct prosa_message joined = {
        .type = PROSA_FRAME_JOINED,
        .joined = {.room = wish.room,
                   .room_id = rig.room_id,
                   .epoch = epoch,
                   .granted_window = 1,
                   .limit_counter = 1,
                   .oldest_seq = 1,
                   .start_seq = 1},
    };
    client_rig_say(&rig, &joined);
    client_rig_skip(&rig);
    PROSA_CLAUSE("MSG-22");
    CHECK(rig.seen[PROSA_CLIENT_JOINED] == 1);
    PROSA_CLAUSE("MEM-07");
    CHECK(prosa_client_session_leave(&rig.session, wish.room) == PROSA_OK);
    CHECK(client_rig_take(&rig) == PROSA_FRAME_LEAVE && client_rig_take(&rig) == PROSA_FRAME_PING);
    client_rig_deliver(&rig, 1, "late", 0);
    CHECK(rig.seen[PROSA_CLIENT_LEFT] == 0);
    const struct prosa_message pong = {.type = PROSA_FRAME_PONG, .pong = rig.message.ping};
    client_rig_say(&rig, &pong);
    CHECK(rig.seen[PROSA_CLIENT_LEFT] == 1 && rig.seen[PROSA_CLIENT_PONG] == 0);
    client_rig_fini(&rig);
}

/* READY with audit, in an empty room. */
static void in_audited_room(void)
{
    client_rig_init(&rig);
    rig.config.features |= PROSA_FEATURE_AUDIT;
    client_rig_restart(&rig);
    client_rig_in_room(&rig);
}

static void test_audit(void)
{
    uint8_t future[PROSA_HASH_SIZE];
    in_audited_room();
    PROSA_CLAUSE("AUD-06");
    client_rig_checkpoint(&rig, 0, rig.chain);
    CHECK(rig.seen[PROSA_CLIENT_COVERED] == 1 && rig.last[PROSA_CLIENT_COVERED].seq == 0);
    client_rig_deliver(&rig, 1, "one", 0);
    client_rig_checkpoint(&rig, 1, rig.chain);
    CHECK(rig.seen[PROSA_CLIENT_COVERED] == 2 && rig.last[PROSA_CLIENT_COVERED].seq == 1);

    /* a CHECKPOINT that is ahead of the replay waits for it */
    memset(future, 7, sizeof future);
    client_rig_checkpoint(&rig, 3, future);
    client_rig_deliver(&rig, 2, "two", 0);
    CHECK(rig.seen[PROSA_CLIENT_COVERED] == 2 && rig.seen[PROSA_CLIENT_CONFLICT] == 0);
    client_rig_skip(&rig);
    PROSA_CLAUSE("AUD-05");
    client_rig_deliver(&rig, 3, "three", 0);
    CHECK(rig.seen[PROSA_CLIENT_CONFLICT] == 1 && rig.last[PROSA_CLIENT_CONFLICT].seq == 3);
    CHECK(rig.last[PROSA_CLIENT_CONFLICT].octets.size > 100);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_FORK, "AUD-05"));
    client_rig_advance(&rig, 500);
    CHECK(client_rig_ended(&rig, PROSA_ENDING_ERROR, PROSA_CODE_FORK, false));
    client_rig_fini(&rig);
}

static void test_audit_ahead_and_twice(void)
{
    uint8_t future[PROSA_HASH_SIZE] = {1}, other[PROSA_HASH_SIZE] = {2};
    in_audited_room();
    client_rig_deliver(&rig, 1, "one", 0);
    memcpy(future, rig.chain, sizeof future);
    client_rig_checkpoint(&rig, 1, future);
    PROSA_CLAUSE("AUD-05");
    client_rig_deliver(&rig, 2, "two", 0);
    client_rig_skip(&rig);
    client_rig_checkpoint(&rig, 1, other); /* another history of what was covered */
    CHECK(rig.seen[PROSA_CLIENT_CONFLICT] == 1);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_FORK, "AUD-05"));
    client_rig_fini(&rig);

    in_audited_room();
    client_rig_checkpoint(&rig, 9, future);
    client_rig_checkpoint(&rig, 9, future);
    CHECK(rig.seen[PROSA_CLIENT_CONFLICT] == 0);
    client_rig_checkpoint(&rig, 9, other);
    CHECK(rig.seen[PROSA_CLIENT_CONFLICT] == 1);
    client_rig_fini(&rig);

    in_audited_room();
    rig.chain[0] ^= 1;
    client_rig_deliver(&rig, 1, "does not follow", 0);
    CHECK(rig.seen[PROSA_CLIENT_CONFLICT] == 1 && rig.seen[PROSA_CLIENT_MESSAGE] == 0);
    client_rig_fini(&rig);

    in_audited_room();
    PROSA_CLAUSE("AUD-03");
    rig.server.seed[0] ^= 1;
    client_rig_skip(&rig);
    client_rig_checkpoint(&rig, 0, rig.chain);
    CHECK(client_rig_took_error(&rig, PROSA_CODE_BAD_SIG, "AUD-03"));
    client_rig_fini(&rig);
}

static void test_barrier(void)
{
    in_room();
    PROSA_CLAUSE("LIVE-01");
    CHECK(prosa_client_session_ping(&rig.session, prosa_bytes_of_string("mine")) == PROSA_OK);
    CHECK(client_rig_take(&rig) == PROSA_FRAME_PING);
    client_rig_ping(&rig, PROSA_FRAME_PONG, "mine");
    CHECK(rig.seen[PROSA_CLIENT_PONG] == 1);
    CHECK(prosa_client_session_ping(&rig.session, prosa_bytes_of_string("seventeen octets.")) != PROSA_OK);
    client_rig_ping(&rig, PROSA_FRAME_PING, "a");
    client_rig_ping(&rig, PROSA_FRAME_PING, "b");
    CHECK(client_rig_take(&rig) == PROSA_FRAME_PONG && rig.message.pong.opaque.at[0] == 'a');
    CHECK(client_rig_take(&rig) == PROSA_FRAME_PONG && rig.message.pong.opaque.at[0] == 'b');
    client_rig_fini(&rig);
}

int main(void)
{
    test_join();
    test_join_without_memory();
    test_lost_history();
    test_joined_is_checked();
    test_join_is_refused();
    test_window();
    test_order_and_credit();
    test_credit_is_raised_within_one_read();
    test_what_is_not_shown();
    test_rooms_that_are_not_joined();
    test_members_and_leave();
    test_leave_of_host();
    test_audit();
    test_audit_ahead_and_twice();
    test_barrier();
    return check_result();
}
