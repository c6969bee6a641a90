/* SPDX-License-Identifier: MIT */
#include "signing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LABEL(name) PROSA_LABEL_##name, PROSA_LABEL_##name##_SIZE /* the zero octet is counted */

bool load_key(struct key *key, const char *path)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file >= 0) {
        randombytes_buf(seed, sizeof seed);
        bool is_written = write(file, seed, sizeof seed) == (ssize_t)sizeof seed;
        if (close(file) != 0 || !is_written)
            return false;
    } else {
        file = open(path, O_RDONLY);
        bool is_read = file >= 0 && read(file, seed, sizeof seed) == (ssize_t)sizeof seed;
        if (file >= 0)
            close(file);
        if (!is_read)
            return false;
    }
    crypto_sign_seed_keypair(key->public, key->secret, seed);
    sodium_memzero(seed, sizeof seed);
    return true;
}

void fingerprint(char words[40], const uint8_t key[PROSA_KEY_SIZE])
{
    uint8_t hash[PROSA_HASH_SIZE];
    crypto_hash_sha256(hash, key, PROSA_KEY_SIZE);
    for (size_t i = 0; i < 8; i++)
        snprintf(words + 5 * i, 6, i < 7 ? "%02x%02x " : "%02x%02x", hash[2 * i], hash[2 * i + 1]);
}

/* --- the acceptance rule ----------------------------------------------------------------- */

/* The y of the points of low order, little-endian (KEY-02); 0, 1 and p - 1 are looked for without a table. */
static const uint8_t order_8[2][PROSA_KEY_SIZE] = {
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

bool key_is_good(struct prosa_bytes point)
{
    // >>> crypto KEY-01 KEY-02 KEY-03 | 32 octets, no point of low order, and y (little-endian, without its
    // highest bit)
    //     below p = 2^255 - 19
    uint8_t y[PROSA_KEY_SIZE];
    if (point.size != sizeof y)
        return false;
    memcpy(y, point.at, sizeof y);
    y[31] &= 0x7F;
    bool is_tiny = y[0] <= 1 && sodium_is_zero(y + 1, sizeof y - 1); /* 0 and 1 */
    bool is_huge = y[31] == 0x7F && y[0] >= 0xEC; /* p - 1, p and more, if all between is 0xFF */
    for (size_t i = 1; i < 31; i++)
        is_huge = is_huge && y[i] == 0xFF;
    return !is_tiny && !is_huge && memcmp(y, order_8[0], sizeof y) != 0 &&
           memcmp(y, order_8[1], sizeof y) != 0;
    // <<<
}

bool verify(struct prosa_bytes key, struct prosa_bytes signature, const void *message, size_t size)
{
    // >>> crypto KEY-01 KEY-04 KEY-05 | key_is_good of the key and of R, and then the library, which judges S
    // as well
    return signature.size == PROSA_SIGNATURE_SIZE && key_is_good(key) &&
           key_is_good(prosa_bytes(signature.at, 32)) &&
           crypto_sign_verify_detached(signature.at, message, size, key.at) == 0;
    // <<<
}

static void from_hex(uint8_t *octets, size_t size, const char *digits)
{
    sodium_hex2bin(octets, size, digits, 2 * size, NULL, NULL, NULL);
}

bool library_is_good(void)
{
    static const char message[] = "cofactored or cofactorless?";
    uint8_t key[PROSA_KEY_SIZE], signature[PROSA_SIGNATURE_SIZE];
    from_hex(key, sizeof key, "1965b79abed89ab3813e7d047b1290199b2f8ca77ac71940c2bc79c2954835da");
    from_hex(signature, sizeof signature,
             "077f9ddc0144af4d16de9db597e2f8936e1732eb148c2eb3abaeaa30b13e3a57"
             "8adf076fc419046ef2a5a07c2f5e8e3dc863be863e20c9392688a71f34825407");
    return !verify(prosa_bytes(key, sizeof key), prosa_bytes(signature, sizeof signature), message,
                   sizeof message - 1);
}

/* --- what is hashed and signed ----------------------------------------------------------- */

/* label || hash || tail, as the handshake signs it; `tail` may be empty */
struct proof {
    size_t size;
    uint8_t at[64 + PROSA_HASH_SIZE + PROSA_MAX_FRAME_HANDSHAKE];
};

static void add(struct proof *proof, const void *octets, size_t size)
{
    memcpy(proof->at + proof->size, octets, size);
    proof->size += size;
}

static void add_hash(struct proof *proof, struct prosa_bytes first, struct prosa_bytes second)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, first.at, first.size);
    crypto_hash_sha256_update(&state, second.at, second.size);
    crypto_hash_sha256_final(&state, proof->at + proof->size);
    proof->size += PROSA_HASH_SIZE;
}

static struct prosa_bytes without_signature(struct prosa_bytes challenge)
{
    return prosa_bytes(challenge.at, challenge.size - PROSA_FIELD_HEADER_SIZE - PROSA_SIGNATURE_SIZE);
}

void sign_challenge(const struct key *key, struct prosa_bytes hello, struct body *challenge)
{
    // >>> crypto AUTH-12 | th1 is SHA-256 over HELLO and all of CHALLENGE before its last field, of 4 + 64
    // octets; the
    //     signature of the label SERVER_AUTH and th1 becomes the last 64 octets
    struct proof proof = {0};
    add(&proof, LABEL(SERVER_AUTH));
    add_hash(&proof, hello, without_signature(prosa_bytes(challenge->at, challenge->size)));
    uint8_t *signature = challenge->at + challenge->size - PROSA_SIGNATURE_SIZE;
    crypto_sign_detached(signature, NULL, proof.at, proof.size, key->secret);
    // <<<
}

bool challenge_is_signed(struct prosa_bytes hello, const struct frame *challenge)
{
    // >>> crypto AUTH-12 AUTH-13 | verify what sign_challenge makes
    struct proof proof = {0};
    add(&proof, LABEL(SERVER_AUTH));
    add_hash(&proof, hello, without_signature(challenge->octets));
    struct prosa_bytes signature = field(challenge, PROSA_TAG_HANDSHAKE_SIG);
    return verify(field(challenge, PROSA_TAG_SERVER_KEY), signature, proof.at, proof.size);
    // <<<
}

void put_auth(struct body *body, const struct key *key, struct prosa_bytes hello,
              struct prosa_bytes challenge, const char *nick)
{
    // >>> crypto AUTH-15 | put the nick; th2 is SHA-256 over both frames; sign the label CLIENT_AUTH, th2 and
    // the fields
    //     that are there; put handshake_sig
    struct proof proof = {0};
    uint8_t signature[PROSA_SIGNATURE_SIZE];
    put_text(body, PROSA_TAG_NICK, nick);
    add(&proof, LABEL(CLIENT_AUTH));
    add_hash(&proof, hello, challenge);
    add(&proof, fields_of(body).at, fields_of(body).size);
    crypto_sign_detached(signature, NULL, proof.at, proof.size, key->secret);
    put(body, PROSA_TAG_HANDSHAKE_SIG, signature, sizeof signature);
    // <<<
}

bool auth_is_signed(struct prosa_bytes key, struct prosa_bytes hello, struct prosa_bytes challenge,
                    const struct frame *auth)
{
    // >>> crypto AUTH-15 AUTH-16 | verify what put_auth makes; before(auth, PROSA_TAG_HANDSHAKE_SIG) is
    // signed
    struct proof proof = {0};
    struct prosa_bytes zone = before(auth, PROSA_TAG_HANDSHAKE_SIG);
    add(&proof, LABEL(CLIENT_AUTH));
    add_hash(&proof, hello, challenge);
    add(&proof, zone.at, zone.size);
    return verify(key, field(auth, PROSA_TAG_HANDSHAKE_SIG), proof.at, proof.size);
    // <<<
}

/* --- messages ---------------------------------------------------------------------------- */

void sign_message(struct body *body, const struct key *key)
{
    // >>> crypto MSG-01 | sign the label MESSAGE and the fields that are there, which are the author zone;
    // put author_sig
    static uint8_t signed_octets[PROSA_LABEL_MESSAGE_SIZE + PROSA_MAX_FRAME_CEILING];
    uint8_t signature[PROSA_SIGNATURE_SIZE];
    struct prosa_bytes zone = fields_of(body);
    memcpy(signed_octets, LABEL(MESSAGE));
    memcpy(signed_octets + PROSA_LABEL_MESSAGE_SIZE, zone.at, zone.size);
    crypto_sign_detached(signature, NULL, signed_octets, PROSA_LABEL_MESSAGE_SIZE + zone.size, key->secret);
    put(body, PROSA_TAG_AUTHOR_SIG, signature, sizeof signature);
    // <<<
}

bool message_is_signed(const struct frame *message)
{
    // >>> crypto MSG-01 MSG-03 | before(message, PROSA_TAG_AUTHOR_SIG) is the author zone
    static uint8_t signed_octets[PROSA_LABEL_MESSAGE_SIZE + PROSA_MAX_FRAME_CEILING];
    struct prosa_bytes zone = before(message, PROSA_TAG_AUTHOR_SIG);
    memcpy(signed_octets, LABEL(MESSAGE));
    memcpy(signed_octets + PROSA_LABEL_MESSAGE_SIZE, zone.at, zone.size);
    struct prosa_bytes key = field(message, PROSA_TAG_AUTHOR_KEY),
                       signature = field(message, PROSA_TAG_AUTHOR_SIG);
    return verify(key, signature, signed_octets, PROSA_LABEL_MESSAGE_SIZE + zone.size);
    // <<<
}

void message_id(uint8_t id[PROSA_HASH_SIZE], const struct frame *message)
{
    // >>> crypto MSG-02 | SHA-256 over the label MESSAGE_ID and the author zone
    crypto_hash_sha256_state state;
    struct prosa_bytes zone = before(message, PROSA_TAG_AUTHOR_SIG);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)LABEL(MESSAGE_ID));
    crypto_hash_sha256_update(&state, zone.at, zone.size);
    crypto_hash_sha256_final(&state, id);
    // <<<
}

void room_id(uint8_t id[PROSA_HASH_SIZE], const uint8_t *server_key, const uint8_t *epoch, const char *name,
             const uint8_t *client_key)
{
    // >>> crypto MSG-22 | SHA-256 over the label ROOM, the server's key, the epoch, the length of the name in
    // one octet
    //     and the name, and for @host the client's key
    crypto_hash_sha256_state state;
    uint8_t length = (uint8_t)strlen(name);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)LABEL(ROOM));
    crypto_hash_sha256_update(&state, server_key, PROSA_KEY_SIZE);
    crypto_hash_sha256_update(&state, epoch, PROSA_EPOCH_SIZE);
    crypto_hash_sha256_update(&state, &length, 1);
    crypto_hash_sha256_update(&state, (const uint8_t *)name, length);
    if (strcmp(name, HOST) == 0)
        crypto_hash_sha256_update(&state, client_key, PROSA_KEY_SIZE);
    crypto_hash_sha256_final(&state, id);
    // <<<
}
