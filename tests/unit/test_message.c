/* SPDX-License-Identifier: MIT */
#include <prosa/message.h>

#include "check.h"
#include "support.h"

#define FRAME_MAX (PROSA_HEADER_SIZE + PROSA_MAX_FRAME_CEILING)

static const struct prosa_bytes none = {NULL, 0};
static uint8_t octets[FRAME_MAX];
static uint8_t hash[32], key[32], sig[64], epoch[16];

static struct prosa_bytes text(const char *characters)
{
    return prosa_bytes_of_string(characters);
}

/* One good message of each form, with every optional field. */
static struct prosa_message sample(uint8_t type, enum prosa_sender from)
{
    struct prosa_message m;

    memset(&m, 0, sizeof m);
    m.type = type;
    switch (type) {
    case PROSA_FRAME_HELLO:
        m.hello = (struct prosa_hello){text("\1\2"), hash, key, 7, text("chat.example:65432")};
        break;
    case PROSA_FRAME_CHALLENGE:
        m.challenge = (struct prosa_challenge){text("\1"),
                                               hash,
                                               1,
                                               1,
                                               key,
                                               PROSA_LIMIT_MAX_FRAME_DEFAULT,
                                               PROSA_LIMIT_MAX_ROOMS_DEFAULT,
                                               PROSA_LIMIT_MAX_WINDOW_DEFAULT,
                                               PROSA_LIMIT_TOKEN_RATE_DEFAULT,
                                               PROSA_LIMIT_TOKEN_BURST_DEFAULT,
                                               PROSA_LIMIT_MEMBER_LIMIT_DEFAULT,
                                               PROSA_LIMIT_UNDECIDED_LIMIT_DEFAULT,
                                               PROSA_LIMIT_OUTPUT_LIMIT_DEFAULT,
                                               5000,
                                               15000,
                                               45000,
                                               10000,
                                               2000,
                                               sig};
        break;
    case PROSA_FRAME_AUTH:
        m.auth = (struct prosa_auth){text("ana"), true, text("Ana"), sig};
        break;
    case PROSA_FRAME_WELCOME:
        m.welcome = (struct prosa_welcome){UINT64_MAX, 1};
        break;
    case PROSA_FRAME_JOIN:
        m.join = (struct prosa_join){text("@host"), true, true, epoch, 1, 2, UINT64_MAX};
        break;
    case PROSA_FRAME_JOINED:
        m.joined = (struct prosa_joined){text("lab"), hash, epoch, 1, 2, 3, 4, 5, 6};
        break;
    case PROSA_FRAME_LEAVE:
        m.leave.room_id = hash;
        break;
    case PROSA_FRAME_MEMBER:
        m.member = (struct prosa_member){.has_nick = true,
                                         .has_member_key = true,
                                         .nick = text("ana"),
                                         .room_id = hash,
                                         .event = PROSA_EVENT_JOINED,
                                         .member_key = key,
                                         .at_seq = 9};
        break;
    case PROSA_FRAME_PUBLISH:
        m.publish = (struct prosa_publish){text("ana"), true, true,       text("Ana"), hash, key,
                                           1,           2,    text("hi"), hash,        sig};
        break;
    case PROSA_FRAME_DELIVER:
        m.deliver = (struct prosa_deliver){text("ana"), true,       true, true, text("Ana"), hash, key, 1,
                                           2,           text("hi"), hash, sig,  3,           4,    hash};
        break;
    case PROSA_FRAME_ACK:
        m.ack.room_id = hash;
        m.ack.has_limit_counter = m.ack.has_acked_counter = m.ack.has_acked_seq = from == PROSA_FROM_SERVER;
        m.ack.has_seen_seq = m.ack.has_limit_seq = from == PROSA_FROM_CLIENT;
        m.ack.limit_counter = m.ack.limit_seq = 8;
        break;
    case PROSA_FRAME_CHECKPOINT:
        m.checkpoint = (struct prosa_checkpoint){1, hash, 2, hash, sig};
        break;
    case PROSA_FRAME_PING:
        m.ping.opaque = text("0123456789abcdef");
        break;
    case PROSA_FRAME_PONG:
        m.pong.opaque = text("");
        break;
    case PROSA_FRAME_ERROR:
        m.error = (struct prosa_error){
            true,       true, true, true,          true, true, text("lab"), hash, 7, PROSA_CODE_BAD_SIG,
            text("no"), 1000, 20,   text("MSG-03")};
        break;
    default:
        m.bye = (struct prosa_bye){true, true, PROSA_CODE_NORMAL, text("bye"), 0};
        break;
    }
    return m;
}

static enum prosa_status decode(struct prosa_bytes input, enum prosa_sender from,
                                struct prosa_message *message)
{
    struct prosa_frame frame;
    memset(message, 0, sizeof *message);
    enum prosa_status status = prosa_frame_parse(input, PROSA_MAX_FRAME_CEILING, &frame);
    return status == PROSA_OK ? prosa_message_decode(&frame, from, message) : status;
}

/* Encodes, decodes the octets against a guard page, encodes what came out into exactly enough room:
 * the same octets. */
static void check_round_trip(const struct prosa_message *message, enum prosa_sender from,
                             struct prosa_bytes extra)
{
    struct prosa_message decoded;
    size_t size = 0, again = 0;

    if (!CHECK(prosa_message_encode(message, extra, octets, sizeof octets, &size) == PROSA_OK))
        return;
    struct guarded in = guarded_copy(prosa_bytes(octets, size));
    struct guarded out = guarded_new(size);
    CHECK(decode(prosa_bytes(in.at, in.size), from, &decoded) == PROSA_OK);
    CHECK(decoded.type == message->type && decoded.displayable);
    CHECK(prosa_message_encode(&decoded, decoded.body, out.at, out.size, &again) == PROSA_OK);
    CHECK(prosa_bytes_equal(prosa_bytes(octets, size), prosa_bytes(out.at, again)));
    CHECK(prosa_message_encode(&decoded, decoded.body, out.at, size - 1, &again) == PROSA_ERR_NO_SPACE);
    CHECK(prosa_message_encode(&decoded, decoded.body, out.at, 7, &again) == PROSA_ERR_NO_SPACE);
    guarded_free(&in);
    guarded_free(&out);
}

static void test_every_frame_comes_back(void)
{
    PROSA_CLAUSE("WIRE-29");
    for (size_t i = 0; i < PROSA_FRAMES_COUNT; i++) {
        uint8_t type = prosa_registry_frames[i].type;
        enum prosa_sender from =
            prosa_registry_frames[i].from == PROSA_FROM_CLIENT ? PROSA_FROM_CLIENT : PROSA_FROM_SERVER;
        struct prosa_message message = sample(type, from);
        uint8_t extra[12];
        check_round_trip(&message, from, none);
        check_round_trip(&message, from, from_hex("0001 0000 0a0b 0001 2a", extra, sizeof extra));
    }
    struct prosa_message ack = sample(PROSA_FRAME_ACK, PROSA_FROM_CLIENT);
    check_round_trip(&ack, PROSA_FROM_CLIENT, none);
}

static void test_values_reach_their_members(void)
{
    struct prosa_message in = sample(PROSA_FRAME_ERROR, PROSA_FROM_SERVER), out;
    size_t size = 0;

    CHECK(prosa_message_encode(&in, none, octets, sizeof octets, &size) == PROSA_OK);
    if (!CHECK(decode(prosa_bytes(octets, size), PROSA_FROM_SERVER, &out) == PROSA_OK))
        return;
    CHECK(out.error.code == PROSA_CODE_BAD_SIG && out.error.after_ms == 1000 && out.error.ref_type == 20);
    CHECK(out.error.counter == 7 && out.error.has_counter);
    CHECK(prosa_bytes_equal(out.error.clause, text("MSG-03")));
    CHECK(memcmp(out.error.room_id, hash, sizeof hash) == 0 && out.error.room_id != hash);

    in.error.has_room = in.error.has_counter = in.error.has_clause = false;
    CHECK(prosa_message_encode(&in, none, octets, sizeof octets, &size) == PROSA_OK);
    CHECK(decode(prosa_bytes(octets, size), PROSA_FROM_SERVER, &out) == PROSA_OK);
    CHECK(!out.error.has_room && !out.error.has_counter && !out.error.has_clause && out.error.has_room_id);
    CHECK(out.error.counter == 0 && out.error.room.at == NULL);
}

/* Leaves each field out in turn: an optional one may go, a required one is missed. */
static void test_missing_fields(void)
{
    PROSA_CLAUSE("WIRE-20");
    for (size_t i = 0; i < PROSA_FRAMES_COUNT; i++) {
        const struct prosa_frame_spec *row = &prosa_registry_frames[i];
        struct prosa_message message = sample(row->type, PROSA_FROM_SERVER), out;
        size_t size = 0;
        if (row->type == PROSA_FRAME_ACK || row->type == PROSA_FRAME_MEMBER || row->type == PROSA_FRAME_JOIN)
            continue; /* their rules are tested below */
        CHECK(prosa_message_encode(&message, none, octets, sizeof octets, &size) == PROSA_OK);
        struct prosa_bytes body = prosa_bytes(octets + PROSA_HEADER_SIZE, size - PROSA_HEADER_SIZE);
        for (size_t f = 0; f < row->field_count; f++) {
            uint8_t less[FRAME_MAX];
            struct prosa_bytes before = prosa_fields_before(body, row->fields[f]->tag);
            struct prosa_bytes until = prosa_fields_before(body, (uint16_t)(row->fields[f]->tag + 1));
            size_t length = body.size - (until.size - before.size);
            prosa_frame_header(less, row->type, (uint32_t)length);
            memcpy(less + PROSA_HEADER_SIZE, body.at, before.size);
            memcpy(less + PROSA_HEADER_SIZE + before.size, body.at + until.size, body.size - until.size);
            bool required = (row->required >> f & 1) != 0;
            enum prosa_status status =
                decode(prosa_bytes(less, PROSA_HEADER_SIZE + length), PROSA_FROM_SERVER, &out);
            CHECK(status == (required ? PROSA_ERR_BAD_FRAME : PROSA_OK));
        }
    }
}

static enum prosa_status decode_encoded(const struct prosa_message *message, enum prosa_sender from)
{
    struct prosa_message out;
    size_t size = 0;
    enum prosa_status status = prosa_message_encode(message, none, octets, sizeof octets, &size);
    /* the octets are there even when the encoder objects */
    CHECK(status == PROSA_OK || status == PROSA_ERR_CALL);
    return decode(prosa_bytes(octets, size), from, &out);
}

static void test_forms_of_ack(void)
{
    struct prosa_message server = sample(PROSA_FRAME_ACK, PROSA_FROM_SERVER);
    struct prosa_message client = sample(PROSA_FRAME_ACK, PROSA_FROM_CLIENT);

    PROSA_CLAUSE("WIRE-30");
    CHECK(decode_encoded(&server, PROSA_FROM_SERVER) == PROSA_OK);
    CHECK(decode_encoded(&server, PROSA_FROM_CLIENT) == PROSA_ERR_BAD_FRAME);
    server.ack.has_seen_seq = true;
    CHECK(decode_encoded(&server, PROSA_FROM_SERVER) == PROSA_ERR_BAD_FRAME);
    PROSA_CLAUSE("WIRE-31");
    CHECK(decode_encoded(&client, PROSA_FROM_CLIENT) == PROSA_OK);
    CHECK(decode_encoded(&client, PROSA_FROM_SERVER) == PROSA_ERR_BAD_FRAME);
    client.ack.has_seen_seq = false;
    CHECK(decode_encoded(&client, PROSA_FROM_CLIENT) == PROSA_ERR_BAD_FRAME);
}

static void test_rules_of_join_and_member(void)
{
    struct prosa_message join = sample(PROSA_FRAME_JOIN, PROSA_FROM_CLIENT);
    struct prosa_message member = sample(PROSA_FRAME_MEMBER, PROSA_FROM_SERVER);

    PROSA_CLAUSE("WIRE-32");
    join.join.has_after_seq = false;
    CHECK(decode_encoded(&join, PROSA_FROM_CLIENT) == PROSA_ERR_BAD_FRAME);
    join.join.has_epoch = false;
    CHECK(decode_encoded(&join, PROSA_FROM_CLIENT) == PROSA_OK);
    join.join.has_after_seq = true;
    CHECK(decode_encoded(&join, PROSA_FROM_CLIENT) == PROSA_OK);

    PROSA_CLAUSE("WIRE-33");
    CHECK(decode_encoded(&member, PROSA_FROM_SERVER) == PROSA_OK);
    member.member.event = PROSA_EVENT_RESYNC;
    CHECK(decode_encoded(&member, PROSA_FROM_SERVER) == PROSA_ERR_BAD_FRAME);
    member.member.event = 200; /* not registered: obeys no rule */
    CHECK(decode_encoded(&member, PROSA_FROM_SERVER) == PROSA_OK);
    member.member.has_nick = member.member.has_member_key = false;
    CHECK(decode_encoded(&member, PROSA_FROM_SERVER) == PROSA_OK);
    member.member.event = PROSA_EVENT_RESYNC;
    CHECK(decode_encoded(&member, PROSA_FROM_SERVER) == PROSA_OK);
    member.member.event = PROSA_EVENT_COUNT;
    CHECK(decode_encoded(&member, PROSA_FROM_SERVER) == PROSA_ERR_BAD_FRAME);
    member.member.has_count = true;
    CHECK(decode_encoded(&member, PROSA_FROM_SERVER) == PROSA_OK);
}

static void test_unknown_tags(void)
{
    struct prosa_message ping = sample(PROSA_FRAME_PING, PROSA_FROM_CLIENT), out;
    struct prosa_message deliver = sample(PROSA_FRAME_DELIVER, PROSA_FROM_SERVER);
    uint8_t extra[8];
    size_t size = 0;

    PROSA_CLAUSE("WIRE-23");
    CHECK(prosa_message_encode(&ping, from_hex("00a2 0000", extra, sizeof extra), octets, sizeof octets,
                               &size) == PROSA_ERR_CALL);
    CHECK(decode(prosa_bytes(octets, size), PROSA_FROM_CLIENT, &out) == PROSA_ERR_UNSUPPORTED);
    PROSA_CLAUSE("MSG-14");
    CHECK(prosa_message_encode(&deliver, from_hex("3000 0000", extra, sizeof extra), octets, sizeof octets,
                               &size) == PROSA_OK);
    CHECK(decode(prosa_bytes(octets, size), PROSA_FROM_SERVER, &out) == PROSA_OK && !out.displayable);
    CHECK(prosa_message_encode(&deliver, from_hex("7000 0000", extra, sizeof extra), octets, sizeof octets,
                               &size) == PROSA_ERR_CALL);
    CHECK(decode(prosa_bytes(octets, size), PROSA_FROM_SERVER, &out) == PROSA_ERR_UNSUPPORTED);
}

static enum prosa_status decode_target(const char *target)
{
    struct prosa_message hello = sample(PROSA_FRAME_HELLO, PROSA_FROM_CLIENT);
    hello.hello.target = text(target);
    return decode_encoded(&hello, PROSA_FROM_CLIENT);
}

static void test_values_are_judged(void)
{
    static const char *const good[] = {"a:1", "chat.example:65535", "127.0.0.1:80", "[::1]:65432",
                                       "a_b-c.d:9"};
    static const char *const bad[] = {"a:0",  "a:65536", "a:080",   "a:",      ":80",
                                      "A:80", "[]:80",   "[::1:80", "::1]:80", "[::g]:80",
                                      "a:8a", "a b:80",  "a",       "a:99999", "a:123456"};
    struct prosa_message publish = sample(PROSA_FRAME_PUBLISH, PROSA_FROM_CLIENT);

    PROSA_CLAUSE("WIRE-21");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(decode_target(good[i]) == PROSA_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(decode_target(bad[i]) == PROSA_ERR_BAD_FRAME);
    publish.publish.text = text("\xC0\x80");
    CHECK(decode_encoded(&publish, PROSA_FROM_CLIENT) == PROSA_ERR_BAD_TEXT);
    publish.publish.text = text("");
    CHECK(decode_encoded(&publish, PROSA_FROM_CLIENT) == PROSA_ERR_BAD_FRAME);
    publish.publish.text = text("hi");
    publish.publish.nick = text("Ana");
    CHECK(decode_encoded(&publish, PROSA_FROM_CLIENT) == PROSA_ERR_BAD_FRAME);
    publish.publish.nick = text("ana");
    publish.publish.counter = 0;
    CHECK(decode_encoded(&publish, PROSA_FROM_CLIENT) == PROSA_ERR_BAD_FRAME);
    publish.publish.counter = 1;
    publish.publish.author_key = NULL; /* no octets: a field of length 0 */
    CHECK(decode_encoded(&publish, PROSA_FROM_CLIENT) == PROSA_ERR_BAD_FRAME);
}

static void test_encoder_refuses_what_it_cannot_write(void)
{
    struct prosa_message ping = sample(PROSA_FRAME_PING, PROSA_FROM_CLIENT);
    uint8_t extra[8];
    size_t size = 0;

    ping.ping.opaque = prosa_bytes(octets, UINT16_MAX + 1u);
    static uint8_t room[FRAME_MAX];
    CHECK(prosa_message_encode(&ping, none, room, sizeof room, &size) == PROSA_ERR_CALL);
    ping.ping.opaque = none;
    CHECK(prosa_message_encode(&ping, from_hex("00a1 00", extra, sizeof extra), room, sizeof room, &size) ==
          PROSA_ERR_CALL);
    ping.type = 0x4B;
    CHECK(prosa_message_encode(&ping, none, room, sizeof room, &size) == PROSA_ERR_CALL);
}

static void test_deliver_keeps_the_publish_verbatim(void)
{
    struct prosa_message publish = sample(PROSA_FRAME_PUBLISH, PROSA_FROM_CLIENT), deliver;
    uint8_t extra[8];
    size_t size = 0, delivered = 0;

    PROSA_CLAUSE("MSG-11");
    CHECK(prosa_message_encode(&publish, from_hex("3a3b 0002 beef", extra, sizeof extra), octets,
                               sizeof octets, &size) == PROSA_OK);
    struct prosa_bytes body = prosa_bytes(octets + PROSA_HEADER_SIZE, size - PROSA_HEADER_SIZE);
    struct guarded out = guarded_new(size + 60);
    CHECK(prosa_deliver_encode(body, 5, 6, hash, out.at, out.size, &delivered) == PROSA_OK);
    CHECK(delivered == out.size && out.size == prosa_deliver_size(body, true));
    CHECK(decode(prosa_bytes(out.at, delivered), PROSA_FROM_SERVER, &deliver) == PROSA_OK);
    CHECK(prosa_bytes_equal(prosa_publish_zone(deliver.body), body));
    CHECK(prosa_bytes_equal(prosa_author_zone(deliver.body), prosa_author_zone(body)));
    CHECK(prosa_author_zone(body).size == body.size - 68);
    CHECK(deliver.deliver.room_seq == 5 && deliver.deliver.server_time == 6 && deliver.deliver.has_prev_hash);
    CHECK(prosa_deliver_encode(body, 5, 6, hash, out.at, out.size - 1, &delivered) == PROSA_ERR_NO_SPACE);
    CHECK(prosa_deliver_encode(body, 5, 6, NULL, out.at, out.size, &delivered) == PROSA_OK);
    CHECK(delivered == out.size - 36);
    CHECK(decode(prosa_bytes(out.at, delivered), PROSA_FROM_SERVER, &deliver) == PROSA_OK);
    CHECK(!deliver.deliver.has_prev_hash);
    guarded_free(&out);
}

int main(void)
{
    memset(hash, 0x11, sizeof hash);
    memset(key, 0x22, sizeof key);
    memset(sig, 0x33, sizeof sig);
    memset(epoch, 0x44, sizeof epoch);
    test_every_frame_comes_back();
    test_values_reach_their_members();
    test_missing_fields();
    test_forms_of_ack();
    test_rules_of_join_and_member();
    test_unknown_tags();
    test_values_are_judged();
    test_encoder_refuses_what_it_cannot_write();
    test_deliver_keeps_the_publish_verbatim();
    return check_result();
}
