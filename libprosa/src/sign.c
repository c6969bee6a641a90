/* SPDX-License-Identifier: MIT */
#include <prosa/sign.h>

#include <nettle/sha2.h>
#include <sodium.h>

#define LABEL_MAX 32u

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct prosa_sha256), "room for the state");
_Static_assert(crypto_sign_SEEDBYTES == PROSA_SEED_SIZE, "Ed25519");
_Static_assert(crypto_sign_PUBLICKEYBYTES == PROSA_KEY_SIZE, "Ed25519");
_Static_assert(crypto_sign_BYTES == PROSA_SIGNATURE_SIZE, "Ed25519");
_Static_assert(SHA256_DIGEST_SIZE == PROSA_HASH_SIZE, "SHA-256");

/* --- the acceptance rule, on plain octets (chapter 4.5) ---------------------------------------- */

/* clang-format off */
#define FF6 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF
#define FF30 FF6, FF6, FF6, FF6, FF6

/* The 14 encodings of [KEY-02] are these seven y, each with either sign bit. */
static const uint8_t low_order_y[7][32] = {
    {0x00},             /* order 4 */
    {0x01},             /* order 1 */
    {0xEC, FF30, 0x7F}, /* p - 1: order 2 */
    {0xED, FF30, 0x7F}, /* p, another way to write 0 */
    {0xEE, FF30, 0x7F}, /* p + 1, another way to write 1 */
    {0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0,
     0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05}, /* order 8 */
    {0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F,
     0x2A, 0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A}, /* order 8 */
};

/* p = 2^255 - 19 and L = 2^252 + 27742317777372353535851937790883648493, little-endian. */
static const uint8_t field_p[32] = {0xED, FF30, 0x7F};
static const uint8_t order_l[32] = {
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
};
/* clang-format on */

/* Little-endian a < b. Nothing here is secret. */
static bool is_below(const uint8_t a[static 32], const uint8_t b[static 32])
{
    for (int i = 31; i >= 0; i--)
        if (a[i] != b[i])
            return a[i] < b[i];
    return false;
}

/* [KEY-02], [KEY-03]. */
static bool is_point_acceptable(const uint8_t point[static 32])
{
    uint8_t y[32];
    memcpy(y, point, sizeof y);
    y[31] &= 0x7F;
    for (size_t i = 0; i < sizeof low_order_y / sizeof low_order_y[0]; i++)
        if (memcmp(y, low_order_y[i], sizeof y) == 0)
            return false;
    return is_below(y, field_p);
}

enum prosa_status prosa_key_check(struct prosa_bytes key)
{
    return key.size == PROSA_KEY_SIZE && is_point_acceptable(key.at) ? PROSA_OK : PROSA_ERR_BAD_KEY;
}

enum prosa_status prosa_signature_check(struct prosa_bytes sig)
{
    bool good = sig.size == PROSA_SIGNATURE_SIZE && is_point_acceptable(sig.at) &&
                is_below(sig.at + 32, order_l); /* [KEY-04] */
    return good ? PROSA_OK : PROSA_ERR_BAD_SIG;
}

/* --- keys, signatures --------------------------------------------------------------------------- */

/* The vector key-mixed-order: the key is a good point plus one of order 8, so that the cofactored
 * equation holds and the cofactorless one does not. */
static const char mixed_order_message[] = "cofactored or cofactorless?";
static const uint8_t mixed_order_key[PROSA_KEY_SIZE] = {
    0x19, 0x65, 0xB7, 0x9A, 0xBE, 0xD8, 0x9A, 0xB3, 0x81, 0x3E, 0x7D, 0x04, 0x7B, 0x12, 0x90, 0x19,
    0x9B, 0x2F, 0x8C, 0xA7, 0x7A, 0xC7, 0x19, 0x40, 0xC2, 0xBC, 0x79, 0xC2, 0x95, 0x48, 0x35, 0xDA,
};
static const uint8_t mixed_order_sig[PROSA_SIGNATURE_SIZE] = {
    0x07, 0x7F, 0x9D, 0xDC, 0x01, 0x44, 0xAF, 0x4D, 0x16, 0xDE, 0x9D, 0xB5, 0x97, 0xE2, 0xF8, 0x93,
    0x6E, 0x17, 0x32, 0xEB, 0x14, 0x8C, 0x2E, 0xB3, 0xAB, 0xAE, 0xAA, 0x30, 0xB1, 0x3E, 0x3A, 0x57,
    0x8A, 0xDF, 0x07, 0x6F, 0xC4, 0x19, 0x04, 0x6E, 0xF2, 0xA5, 0xA0, 0x7C, 0x2F, 0x5E, 0x8E, 0x3D,
    0xC8, 0x63, 0xBE, 0x86, 0x3E, 0x20, 0xC9, 0x39, 0x26, 0x88, 0xA7, 0x1F, 0x34, 0x82, 0x54, 0x07,
};

enum prosa_status prosa_sign_init(void)
{
    if (sodium_init() < 0)
        return PROSA_ERR_CRYPTO;
    struct prosa_bytes message = prosa_bytes_of_string(mixed_order_message);
    if (crypto_sign_verify_detached(mixed_order_sig, message.at, message.size, mixed_order_key) == 0)
        return PROSA_ERR_CRYPTO; /* [KEY-07] */

    struct prosa_keypair keypair;
    uint8_t sig[PROSA_SIGNATURE_SIZE];
    prosa_keypair_from_seed(&keypair, mixed_order_key); /* any public octets make a key for a test */
    if (prosa_sign(&keypair, PROSA_LABEL(MESSAGE), message, sig) != PROSA_OK ||
        prosa_verify(prosa_bytes(keypair.key, PROSA_KEY_SIZE), PROSA_LABEL(MESSAGE), message,
                     prosa_bytes(sig, sizeof sig)) != PROSA_OK)
        return PROSA_ERR_CRYPTO; /* a library that refuses everything is no better */
    return PROSA_OK;
}

void prosa_keypair_from_seed(struct prosa_keypair *keypair, const uint8_t seed[static PROSA_SEED_SIZE])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(keypair->key, secret, seed);
    memcpy(keypair->seed, seed, sizeof keypair->seed);
    sodium_memzero(secret, sizeof secret);
}

void prosa_keypair_wipe(struct prosa_keypair *keypair)
{
    sodium_memzero(keypair, sizeof *keypair);
}

void prosa_wipe(void *at, size_t size)
{
    sodium_memzero(at, size);
}

void prosa_key_fingerprint(const uint8_t key[static PROSA_KEY_SIZE],
                           uint8_t out[static PROSA_FINGERPRINT_SIZE])
{
    struct sha256_ctx hash;
    sha256_init(&hash);
    sha256_update(&hash, PROSA_KEY_SIZE, key);
    sha256_digest(&hash, PROSA_FINGERPRINT_SIZE, out);
}

/* What is signed, in one piece: label || prefix || message. */
struct signed_octets {
    uint8_t at[LABEL_MAX + PROSA_HASH_SIZE + PROSA_MAX_FRAME_CEILING];
    size_t size;
};

static enum prosa_status join_octets(struct signed_octets *all, struct prosa_bytes label,
                                     struct prosa_bytes prefix, struct prosa_bytes message)
{
    struct prosa_writer writer;

    if (label.size > LABEL_MAX || prefix.size > PROSA_HASH_SIZE || message.size > PROSA_MAX_FRAME_CEILING)
        return PROSA_ERR_CALL;
    prosa_writer_init(&writer, all->at, sizeof all->at);
    prosa_write_bytes(&writer, label);
    prosa_write_bytes(&writer, prefix);
    prosa_write_bytes(&writer, message);
    all->size = writer.size;
    return PROSA_OK;
}

static enum prosa_status sign_parts(const struct prosa_keypair *keypair, struct prosa_bytes label,
                                    struct prosa_bytes prefix, struct prosa_bytes message,
                                    uint8_t sig[static PROSA_SIGNATURE_SIZE])
{
    struct signed_octets all;
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; /* as the library has it: seed || key */
    enum prosa_status status = join_octets(&all, label, prefix, message);
    if (status != PROSA_OK)
        return status;
    memcpy(secret, keypair->seed, PROSA_SEED_SIZE);
    memcpy(secret + PROSA_SEED_SIZE, keypair->key, PROSA_KEY_SIZE);
    if (crypto_sign_detached(sig, NULL, all.at, all.size, secret) != 0)
        status = PROSA_ERR_CRYPTO;
    sodium_memzero(secret, sizeof secret);
    return status;
}

static enum prosa_status verify_parts(struct prosa_bytes key, struct prosa_bytes label,
                                      struct prosa_bytes prefix, struct prosa_bytes message,
                                      struct prosa_bytes sig)
{
    struct signed_octets all;
    enum prosa_status status = prosa_key_check(key);
    if (status == PROSA_OK)
        status = prosa_signature_check(sig);
    if (status == PROSA_OK)
        status = join_octets(&all, label, prefix, message);
    if (status == PROSA_OK && crypto_sign_verify_detached(sig.at, all.at, all.size, key.at) != 0)
        status = PROSA_ERR_BAD_SIG; /* [KEY-05] */
    return status;
}

enum prosa_status prosa_sign(const struct prosa_keypair *keypair, struct prosa_bytes label,
                             struct prosa_bytes message, uint8_t sig[static PROSA_SIGNATURE_SIZE])
{
    return sign_parts(keypair, label, prosa_bytes(NULL, 0), message, sig);
}

enum prosa_status prosa_verify(struct prosa_bytes key, struct prosa_bytes label, struct prosa_bytes message,
                               struct prosa_bytes sig)
{
    return verify_parts(key, label, prosa_bytes(NULL, 0), message, sig);
}

/* --- SHA-256 ------------------------------------------------------------------------------------ */

/* Of nettle, which has the processor's own instructions for it, where there are some; libsodium has not. */
void prosa_sha256_init(struct prosa_sha256 *hash)
{
    struct sha256_ctx state;
    sha256_init(&state);
    memcpy(hash->state, &state, sizeof state);
}

void prosa_sha256_add(struct prosa_sha256 *hash, struct prosa_bytes octets)
{
    struct sha256_ctx state;
    if (octets.size == 0)
        return;
    memcpy(&state, hash->state, sizeof state);
    sha256_update(&state, octets.size, octets.at);
    memcpy(hash->state, &state, sizeof state);
}

void prosa_sha256_final(struct prosa_sha256 *hash, uint8_t out[static PROSA_HASH_SIZE])
{
    struct sha256_ctx state;
    memcpy(&state, hash->state, sizeof state);
    sha256_digest(&state, PROSA_HASH_SIZE, out);
}

/* --- handshake, message, checkpoint ------------------------------------------------------------ */

/* A frame that ends, as far as its signature goes, in `tag`: what stands before, and the 64 octets. */
struct signed_frame {
    struct prosa_bytes before; /* fields */
    size_t sig;                /* offset in the frame; 0 when there is none */
};

static struct signed_frame find_signature(struct prosa_bytes frame, uint16_t tag)
{
    struct signed_frame found = {.sig = 0};
    if (frame.size < PROSA_HEADER_SIZE)
        return found;
    found.before =
        prosa_fields_before(prosa_bytes(frame.at + PROSA_HEADER_SIZE, frame.size - PROSA_HEADER_SIZE), tag);

    struct prosa_reader reader;
    size_t at = PROSA_HEADER_SIZE + found.before.size;
    prosa_reader_init(&reader, prosa_bytes(frame.at + at, frame.size - at));
    bool is_signature = prosa_read_u16(&reader) == tag && prosa_read_u16(&reader) == PROSA_SIGNATURE_SIZE;
    prosa_read_bytes(&reader, PROSA_SIGNATURE_SIZE);
    if (is_signature && !reader.failed)
        found.sig = at + PROSA_FIELD_HEADER_SIZE;
    return found;
}

static enum prosa_status sign_frame(const struct prosa_keypair *keypair, struct prosa_bytes label,
                                    struct prosa_bytes prefix, uint16_t tag, uint8_t *frame, size_t size)
{
    struct signed_frame found = find_signature(prosa_bytes(frame, size), tag);
    if (found.sig == 0)
        return PROSA_ERR_CALL;
    return sign_parts(keypair, label, prefix, found.before, frame + found.sig);
}

static enum prosa_status verify_frame(const uint8_t key[static PROSA_KEY_SIZE], struct prosa_bytes label,
                                      struct prosa_bytes prefix, uint16_t tag, struct prosa_bytes frame)
{
    struct signed_frame found = find_signature(frame, tag);
    if (found.sig == 0)
        return PROSA_ERR_BAD_SIG;
    return verify_parts(prosa_bytes(key, PROSA_KEY_SIZE), label, prefix, found.before,
                        prosa_bytes(frame.at + found.sig, PROSA_SIGNATURE_SIZE));
}

void prosa_transcript_th1(const struct prosa_sha256 *hello, struct prosa_bytes challenge,
                          uint8_t th1[static PROSA_HASH_SIZE])
{
    struct prosa_sha256 hash = *hello;
    struct signed_frame found = find_signature(challenge, PROSA_HANDSHAKE_SIG_TAG);
    prosa_sha256_add(&hash, prosa_bytes(challenge.at, PROSA_HEADER_SIZE));
    prosa_sha256_add(&hash, found.before);
    prosa_sha256_final(&hash, th1);
}

void prosa_transcript_th2(const struct prosa_sha256 *hello, struct prosa_bytes challenge,
                          uint8_t th2[static PROSA_HASH_SIZE])
{
    struct prosa_sha256 hash = *hello;
    prosa_sha256_add(&hash, challenge);
    prosa_sha256_final(&hash, th2);
}

/* CHALLENGE signs th1 alone; its fields are in there. */
enum prosa_status prosa_challenge_sign(const struct prosa_keypair *server, const struct prosa_sha256 *hello,
                                       uint8_t *challenge, size_t size)
{
    uint8_t th1[PROSA_HASH_SIZE];
    struct signed_frame found = find_signature(prosa_bytes(challenge, size), PROSA_HANDSHAKE_SIG_TAG);
    if (found.sig == 0)
        return PROSA_ERR_CALL;
    prosa_transcript_th1(hello, prosa_bytes(challenge, size), th1);
    return prosa_sign(server, PROSA_LABEL(SERVER_AUTH), prosa_bytes(th1, sizeof th1), challenge + found.sig);
}

enum prosa_status prosa_challenge_verify(const uint8_t server_key[static PROSA_KEY_SIZE],
                                         const struct prosa_sha256 *hello, struct prosa_bytes challenge)
{
    uint8_t th1[PROSA_HASH_SIZE];
    struct signed_frame found = find_signature(challenge, PROSA_HANDSHAKE_SIG_TAG);
    if (found.sig == 0)
        return PROSA_ERR_BAD_SIG;
    prosa_transcript_th1(hello, challenge, th1);
    return prosa_verify(prosa_bytes(server_key, PROSA_KEY_SIZE), PROSA_LABEL(SERVER_AUTH),
                        prosa_bytes(th1, sizeof th1),
                        prosa_bytes(challenge.at + found.sig, PROSA_SIGNATURE_SIZE));
}

enum prosa_status prosa_auth_sign(const struct prosa_keypair *client,
                                  const uint8_t th2[static PROSA_HASH_SIZE], uint8_t *auth, size_t size)
{
    return sign_frame(client, PROSA_LABEL(CLIENT_AUTH), prosa_bytes(th2, PROSA_HASH_SIZE),
                      PROSA_HANDSHAKE_SIG_TAG, auth, size);
}

enum prosa_status prosa_auth_verify(const uint8_t client_key[static PROSA_KEY_SIZE],
                                    const uint8_t th2[static PROSA_HASH_SIZE], struct prosa_bytes auth)
{
    return verify_frame(client_key, PROSA_LABEL(CLIENT_AUTH), prosa_bytes(th2, PROSA_HASH_SIZE),
                        PROSA_HANDSHAKE_SIG_TAG, auth);
}

enum prosa_status prosa_publish_sign(const struct prosa_keypair *author, uint8_t *publish, size_t size)
{
    return sign_frame(author, PROSA_LABEL(MESSAGE), prosa_bytes(NULL, 0), PROSA_AUTHOR_SIG_TAG, publish,
                      size);
}

enum prosa_status prosa_author_verify(const uint8_t author_key[static PROSA_KEY_SIZE],
                                      struct prosa_bytes body,
                                      const uint8_t author_sig[static PROSA_SIGNATURE_SIZE])
{
    return prosa_verify(prosa_bytes(author_key, PROSA_KEY_SIZE), PROSA_LABEL(MESSAGE),
                        prosa_author_zone(body), prosa_bytes(author_sig, PROSA_SIGNATURE_SIZE));
}

enum prosa_status prosa_checkpoint_sign(const struct prosa_keypair *server, uint8_t *checkpoint, size_t size)
{
    return sign_frame(server, PROSA_LABEL(CHECKPOINT), prosa_bytes(NULL, 0), PROSA_TAG_SERVER_SIG, checkpoint,
                      size);
}

enum prosa_status prosa_checkpoint_verify(const uint8_t server_key[static PROSA_KEY_SIZE],
                                          struct prosa_bytes checkpoint)
{
    return verify_frame(server_key, PROSA_LABEL(CHECKPOINT), prosa_bytes(NULL, 0), PROSA_TAG_SERVER_SIG,
                        checkpoint);
}

/* --- hashes of messages and rooms -------------------------------------------------------------- */

static void start_hash(struct prosa_sha256 *hash, struct prosa_bytes label)
{
    prosa_sha256_init(hash);
    prosa_sha256_add(hash, label);
}

void prosa_message_id(struct prosa_bytes body, uint8_t id[static PROSA_HASH_SIZE])
{
    struct prosa_sha256 hash;
    start_hash(&hash, PROSA_LABEL(MESSAGE_ID));
    prosa_sha256_add(&hash, prosa_author_zone(body));
    prosa_sha256_final(&hash, id);
}

void prosa_room_id(const uint8_t server_key[static PROSA_KEY_SIZE],
                   const uint8_t epoch[static PROSA_EPOCH_SIZE], struct prosa_bytes name,
                   const uint8_t *client_key, uint8_t room_id[static PROSA_HASH_SIZE])
{
    struct prosa_sha256 hash;
    uint8_t length = (uint8_t)name.size;

    start_hash(&hash, PROSA_LABEL(ROOM));
    prosa_sha256_add(&hash, prosa_bytes(server_key, PROSA_KEY_SIZE));
    prosa_sha256_add(&hash, prosa_bytes(epoch, PROSA_EPOCH_SIZE));
    prosa_sha256_add(&hash, prosa_bytes(&length, 1));
    prosa_sha256_add(&hash, name);
    if (client_key != NULL && prosa_bytes_equal(name, prosa_bytes_of_string("@host")))
        prosa_sha256_add(&hash, prosa_bytes(client_key, PROSA_KEY_SIZE));
    prosa_sha256_final(&hash, room_id);
}

void prosa_chain_start(const uint8_t room_id[static PROSA_HASH_SIZE], uint8_t out[static PROSA_HASH_SIZE])
{
    struct prosa_sha256 hash;
    start_hash(&hash, PROSA_LABEL(CHAIN_START));
    prosa_sha256_add(&hash, prosa_bytes(room_id, PROSA_HASH_SIZE));
    prosa_sha256_final(&hash, out);
}

void prosa_chain_next(const uint8_t previous[static PROSA_HASH_SIZE], uint64_t room_seq, uint64_t server_time,
                      const uint8_t id[static PROSA_HASH_SIZE], uint8_t out[static PROSA_HASH_SIZE])
{
    struct prosa_sha256 hash;
    uint8_t numbers[16];

    prosa_store_u64(numbers, room_seq);
    prosa_store_u64(numbers + 8, server_time);
    start_hash(&hash, PROSA_LABEL(CHAIN));
    prosa_sha256_add(&hash, prosa_bytes(previous, PROSA_HASH_SIZE));
    prosa_sha256_add(&hash, prosa_bytes(numbers, sizeof numbers));
    prosa_sha256_add(&hash, prosa_bytes(id, PROSA_HASH_SIZE));
    prosa_sha256_final(&hash, out);
}
