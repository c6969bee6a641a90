/* SPDX-License-Identifier: MIT */
#include <prosa/sign.h>

#include "check.h"
#include "support.h"

static const struct prosa_bytes none = {NULL, 0};

static struct prosa_keypair make_keypair(uint8_t octet)
{
    struct prosa_keypair keypair;
    uint8_t seed[PROSA_SEED_SIZE];
    memset(seed, octet, sizeof seed);
    prosa_keypair_from_seed(&keypair, seed);
    return keypair;
}

/* RFC 8032, section 7.1, tests 1 and 3. */
static void test_rfc_8032(void)
{
    uint8_t seed[32], key[32], sig[64], expected[64], message[2];
    struct prosa_keypair keypair;

    PROSA_CLAUSE("KEY-05");
    from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", seed, sizeof seed);
    from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", key, sizeof key);
    from_hex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
        expected, sizeof expected);
    prosa_keypair_from_seed(&keypair, seed);
    CHECK(memcmp(keypair.key, key, sizeof key) == 0);
    CHECK(prosa_sign(&keypair, none, none, sig) == PROSA_OK && memcmp(sig, expected, sizeof sig) == 0);

    from_hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", seed, sizeof seed);
    from_hex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
        expected, sizeof expected);
    prosa_keypair_from_seed(&keypair, seed);
    CHECK(prosa_sign(&keypair, none, from_hex("af82", message, sizeof message), sig) == PROSA_OK);
    CHECK(memcmp(sig, expected, sizeof sig) == 0);
}

static void test_label_key_and_message_count(void)
{
    struct prosa_keypair ana = make_keypair(1), bob = make_keypair(2);
    struct prosa_bytes key = prosa_bytes(ana.key, sizeof ana.key), message = prosa_bytes_of_string("hello");
    uint8_t octets[64];
    struct prosa_bytes sig = prosa_bytes(octets, sizeof octets);

    CHECK(prosa_sign(&ana, PROSA_LABEL(MESSAGE), message, octets) == PROSA_OK);
    CHECK(prosa_verify(key, PROSA_LABEL(MESSAGE), message, sig) == PROSA_OK);
    CHECK(prosa_verify(key, PROSA_LABEL(CHECKPOINT), message, sig) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_verify(key, none, message, sig) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_verify(key, none, prosa_bytes("PROSA/1 message\0hello", 21), sig) == PROSA_OK);
    CHECK(prosa_verify(key, PROSA_LABEL(MESSAGE), prosa_bytes_of_string("hellO"), sig) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_verify(prosa_bytes(bob.key, 32), PROSA_LABEL(MESSAGE), message, sig) == PROSA_ERR_BAD_SIG);
    for (size_t bit = 0; bit < 512; bit++) {
        octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(prosa_verify(key, PROSA_LABEL(MESSAGE), message, sig) == PROSA_ERR_BAD_SIG);
        octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_sizes(void)
{
    static uint8_t large[PROSA_MAX_FRAME_CEILING + 1];
    struct prosa_keypair ana = make_keypair(1);
    uint8_t octets[65] = {0};

    PROSA_CLAUSE("KEY-01");
    CHECK(prosa_sign(&ana, none, none, octets) == PROSA_OK);
    CHECK(prosa_verify(prosa_bytes(ana.key, 31), none, none, prosa_bytes(octets, 64)) == PROSA_ERR_BAD_KEY);
    CHECK(prosa_verify(none, none, none, prosa_bytes(octets, 64)) == PROSA_ERR_BAD_KEY);
    CHECK(prosa_verify(prosa_bytes(ana.key, 32), none, none, prosa_bytes(octets, 63)) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_verify(prosa_bytes(ana.key, 32), none, none, prosa_bytes(octets, 65)) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_verify(prosa_bytes(ana.key, 32), none, none, none) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_key_check(prosa_bytes(octets, 33)) == PROSA_ERR_BAD_KEY);
    CHECK(prosa_sign(&ana, none, prosa_bytes(large, sizeof large - 1), octets) == PROSA_OK);
    CHECK(prosa_sign(&ana, none, prosa_bytes(large, sizeof large), octets) == PROSA_ERR_CALL);
    CHECK(prosa_sign(&ana, prosa_bytes(large, 33), none, octets) == PROSA_ERR_CALL);
}

/* The table of chapter 4.5, as A and as R. */
static const char *const low_order[14] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

static void test_low_order_points(void)
{
    struct prosa_keypair ana = make_keypair(1);
    uint8_t sig[64], point[32];

    PROSA_CLAUSE("KEY-02");
    for (size_t i = 0; i < 14; i++) {
        from_hex(low_order[i], point, sizeof point);
        CHECK(prosa_key_check(prosa_bytes(point, sizeof point)) == PROSA_ERR_BAD_KEY);
        CHECK(prosa_sign(&ana, none, none, sig) == PROSA_OK);
        memcpy(sig, point, sizeof point);
        CHECK(prosa_signature_check(prosa_bytes(sig, sizeof sig)) == PROSA_ERR_BAD_SIG);
        CHECK(prosa_verify(prosa_bytes(ana.key, 32), none, none, prosa_bytes(sig, 64)) == PROSA_ERR_BAD_SIG);
    }
    /* With A and R the neutral point and S = 0 the equation holds for every message. */
    memset(sig, 0, sizeof sig);
    from_hex(low_order[0], point, sizeof point);
    memcpy(sig, point, sizeof point);
    CHECK(prosa_verify(prosa_bytes(point, 32), none, none, prosa_bytes(sig, 64)) == PROSA_ERR_BAD_KEY);
}

static enum prosa_status check_key(const char *hex)
{
    uint8_t point[32];
    return prosa_key_check(from_hex(hex, point, sizeof point));
}

static void test_canonical_y(void)
{
    PROSA_CLAUSE("KEY-03");
    CHECK(check_key("ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") == PROSA_OK);
    CHECK(check_key("efffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") == PROSA_ERR_BAD_KEY);
    CHECK(check_key("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") == PROSA_ERR_BAD_KEY);
    CHECK(check_key("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff") == PROSA_ERR_BAD_KEY);
    CHECK(check_key("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeff7f") == PROSA_OK);
    CHECK(check_key("0200000000000000000000000000000000000000000000000000000000000000") == PROSA_OK);
}

/* S + L satisfies the equation as well as S does. */
static void test_s_below_l(void)
{
    struct prosa_keypair ana = make_keypair(1);
    uint8_t sig[64], order[32];
    unsigned carry = 0;

    PROSA_CLAUSE("KEY-04");
    from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order, sizeof order);
    CHECK(prosa_sign(&ana, none, none, sig) == PROSA_OK);
    CHECK(prosa_verify(prosa_bytes(ana.key, 32), none, none, prosa_bytes(sig, 64)) == PROSA_OK);
    uint8_t bound[64];
    memcpy(bound, sig, 32);
    memcpy(bound + 32, order, sizeof order);
    CHECK(prosa_signature_check(prosa_bytes(bound, 64)) == PROSA_ERR_BAD_SIG);
    bound[32]--;
    CHECK(prosa_signature_check(prosa_bytes(bound, 64)) == PROSA_OK);
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    CHECK(prosa_signature_check(prosa_bytes(sig, 64)) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_verify(prosa_bytes(ana.key, 32), none, none, prosa_bytes(sig, 64)) == PROSA_ERR_BAD_SIG);
}

static void test_sha256(void)
{
    struct prosa_sha256 hash, copy;
    uint8_t out[32], again[32], expected[32];

    from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", expected, sizeof expected);
    prosa_sha256_init(&hash);
    prosa_sha256_add(&hash, prosa_bytes_of_string("a"));
    prosa_sha256_add(&hash, none);
    copy = hash;
    prosa_sha256_add(&hash, prosa_bytes_of_string("bc"));
    prosa_sha256_final(&hash, out);
    CHECK(memcmp(out, expected, sizeof out) == 0);
    prosa_sha256_add(&copy, prosa_bytes_of_string("bc"));
    prosa_sha256_final(&copy, again);
    CHECK(memcmp(out, again, sizeof out) == 0);
}

/* --- frames -------------------------------------------------------------------------------------- */

static uint8_t hello[256], challenge[512], auth[256], publish[512], checkpoint[256];
static size_t hello_size, challenge_size, auth_size, publish_size, checkpoint_size;
static struct prosa_keypair server, client;

static size_t encode(const struct prosa_message *message, uint8_t *out, size_t cap)
{
    size_t size = 0;
    uint8_t extra[8];
    struct prosa_bytes grease = from_hex("0a0b 0002 cafe", extra, sizeof extra);
    CHECK(prosa_message_encode(message, grease, out, cap, &size) == PROSA_OK);
    return size;
}

static void make_frames(void)
{
    static const uint8_t zero[64];
    struct prosa_message m = {.type = PROSA_FRAME_HELLO};
    server = make_keypair(7);
    client = make_keypair(8);
    m.hello =
        (struct prosa_hello){prosa_bytes_of_string("\1"), zero, client.key, 0, prosa_bytes_of_string("a:1")};
    hello_size = encode(&m, hello, sizeof hello);
    m.type = PROSA_FRAME_CHALLENGE;
    m.challenge = (struct prosa_challenge){prosa_bytes_of_string("\1"),
                                           zero,
                                           0,
                                           1,
                                           server.key,
                                           16384,
                                           8,
                                           64,
                                           32,
                                           64,
                                           256,
                                           65536,
                                           262144,
                                           5000,
                                           15000,
                                           45000,
                                           10000,
                                           2000,
                                           zero};
    challenge_size = encode(&m, challenge, sizeof challenge);
    m.type = PROSA_FRAME_AUTH;
    m.auth = (struct prosa_auth){.nick = prosa_bytes_of_string("ana"), .handshake_sig = zero};
    auth_size = encode(&m, auth, sizeof auth);
    m.type = PROSA_FRAME_PUBLISH;
    m.publish = (struct prosa_publish){.nick = prosa_bytes_of_string("ana"),
                                       .room_id = zero,
                                       .author_key = client.key,
                                       .counter = 1,
                                       .text = prosa_bytes_of_string("oi"),
                                       .author_sig = zero};
    publish_size = encode(&m, publish, sizeof publish);
    m.type = PROSA_FRAME_CHECKPOINT;
    m.checkpoint = (struct prosa_checkpoint){1, zero, 2, zero, zero};
    checkpoint_size = encode(&m, checkpoint, sizeof checkpoint);
}

static void test_handshake(void)
{
    struct prosa_sha256 hash;
    uint8_t th1[32], th2[32], expected[32];

    make_frames();
    prosa_sha256_init(&hash);
    prosa_sha256_add(&hash, prosa_bytes(hello, hello_size));

    PROSA_CLAUSE("AUTH-12");
    CHECK(prosa_challenge_sign(&server, &hash, challenge, challenge_size) == PROSA_OK);
    struct prosa_bytes frame = prosa_bytes(challenge, challenge_size);
    CHECK(prosa_challenge_verify(server.key, &hash, frame) == PROSA_OK);
    CHECK(prosa_challenge_verify(client.key, &hash, frame) == PROSA_ERR_BAD_SIG);
    prosa_transcript_th1(&hash, frame, th1);
    struct prosa_sha256 direct = hash;
    prosa_sha256_add(&direct, prosa_bytes(challenge, challenge_size - 68));
    prosa_sha256_final(&direct, expected);
    CHECK(memcmp(th1, expected, sizeof th1) == 0);

    PROSA_CLAUSE("AUTH-15");
    prosa_transcript_th2(&hash, frame, th2);
    CHECK(memcmp(th1, th2, sizeof th1) != 0);
    CHECK(prosa_auth_sign(&client, th2, auth, auth_size) == PROSA_OK);
    CHECK(prosa_auth_verify(client.key, th2, prosa_bytes(auth, auth_size)) == PROSA_OK);
    CHECK(prosa_auth_verify(client.key, th1, prosa_bytes(auth, auth_size)) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_auth_verify(server.key, th2, prosa_bytes(auth, auth_size)) == PROSA_ERR_BAD_SIG);
    auth[14] ^= 1; /* the nick is signed, too */
    CHECK(prosa_auth_verify(client.key, th2, prosa_bytes(auth, auth_size)) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_auth_sign(&client, th2, hello, hello_size) == PROSA_ERR_CALL);
}

static void test_message_and_checkpoint(void)
{
    struct prosa_bytes body = prosa_bytes(publish + 8, publish_size - 8);
    const uint8_t *sig = publish + publish_size - 64;
    uint8_t id[32], other[32];

    PROSA_CLAUSE("MSG-01");
    CHECK(prosa_author_verify(client.key, body, sig) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_publish_sign(&client, publish, publish_size) == PROSA_OK);
    CHECK(prosa_author_verify(client.key, body, sig) == PROSA_OK);
    PROSA_CLAUSE("MSG-02");
    prosa_message_id(body, id);
    publish[publish_size - 1] ^= 1; /* the signature is no part of the id */
    prosa_message_id(body, other);
    CHECK(memcmp(id, other, sizeof id) == 0);
    CHECK(prosa_author_verify(client.key, body, sig) == PROSA_ERR_BAD_SIG);

    PROSA_CLAUSE("AUD-03");
    CHECK(prosa_checkpoint_sign(&server, checkpoint, checkpoint_size) == PROSA_OK);
    CHECK(prosa_checkpoint_verify(server.key, prosa_bytes(checkpoint, checkpoint_size)) == PROSA_OK);
    checkpoint[12] ^= 1;
    CHECK(prosa_checkpoint_verify(server.key, prosa_bytes(checkpoint, checkpoint_size)) == PROSA_ERR_BAD_SIG);
    CHECK(prosa_checkpoint_verify(server.key, prosa_bytes(checkpoint, 12)) == PROSA_ERR_BAD_SIG);
}

static void test_room_and_chain(void)
{
    uint8_t epoch[16] = {0}, a[32], b[32], octets[14 + 80];

    PROSA_CLAUSE("MSG-22");
    prosa_room_id(server.key, epoch, prosa_bytes_of_string("lab"), NULL, a);
    prosa_room_id(server.key, epoch, prosa_bytes_of_string("lab"), client.key, b);
    CHECK(memcmp(a, b, sizeof a) == 0); /* client_key counts for @host alone */
    prosa_room_id(server.key, epoch, prosa_bytes_of_string("@host"), client.key, a);
    prosa_room_id(server.key, epoch, prosa_bytes_of_string("@host"), server.key, b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    epoch[0] = 1;
    prosa_room_id(server.key, epoch, prosa_bytes_of_string("@host"), client.key, b);
    CHECK(memcmp(a, b, sizeof a) != 0);

    PROSA_CLAUSE("AUD-01");
    struct prosa_writer writer;
    struct prosa_sha256 hash;
    prosa_writer_init(&writer, octets, sizeof octets);
    prosa_write_bytes(&writer, PROSA_LABEL(CHAIN));
    prosa_write_bytes(&writer, prosa_bytes(a, 32));
    prosa_write_u64(&writer, 3);
    prosa_write_u64(&writer, 4);
    prosa_write_bytes(&writer, prosa_bytes(b, 32));
    prosa_sha256_init(&hash);
    prosa_sha256_add(&hash, prosa_bytes(octets, writer.size));
    uint8_t expected[32];
    prosa_sha256_final(&hash, expected);
    prosa_chain_next(a, 3, 4, b, a); /* in place */
    CHECK(!writer.failed && memcmp(a, expected, sizeof a) == 0);
    prosa_chain_start(b, a);
    CHECK(memcmp(a, expected, sizeof a) != 0);
}

static void test_wipe(void)
{
    struct prosa_keypair keypair = make_keypair(3);
    static const struct prosa_keypair empty;
    uint8_t fingerprint[PROSA_FINGERPRINT_SIZE] = {0};

    prosa_key_fingerprint(keypair.key, fingerprint);
    struct prosa_sha256 hash;
    uint8_t whole[32];
    prosa_sha256_init(&hash);
    prosa_sha256_add(&hash, prosa_bytes(keypair.key, 32));
    prosa_sha256_final(&hash, whole);
    CHECK(memcmp(fingerprint, whole, sizeof fingerprint) == 0);
    prosa_keypair_wipe(&keypair);
    CHECK(memcmp(&keypair, &empty, sizeof keypair) == 0);
    prosa_wipe(whole, sizeof whole);
    CHECK(memcmp(whole, empty.seed, sizeof whole) == 0);
}

int main(void)
{
    PROSA_CLAUSE("KEY-07");
    CHECK(prosa_sign_init() == PROSA_OK);
    test_rfc_8032();
    test_label_key_and_message_count();
    test_sizes();
    test_low_order_points();
    test_canonical_y();
    test_s_below_l();
    test_sha256();
    test_handshake();
    test_message_and_checkpoint();
    test_room_and_chain();
    test_wipe();
    return check_result();
}
