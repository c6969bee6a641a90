/* SPDX-License-Identifier: MIT */
/*
 * sign: Ed25519 with the acceptance rule of PROSA/1, SHA-256, and every hash and signature that the
 * protocol names. Its source is the only room that includes libsodium and nettle.
 * It refuses to make random octets: seeds and nonces are the caller's.
 * Signing and verifying copy label and message to the stack, at most 66 KiB.
 * Functions on frames expect frames that decoded without a fault.
 */
#ifndef PROSA_SIGN_H
#define PROSA_SIGN_H

#include <prosa/message.h>

/* Prepares the library and verifies the vector `key-mixed-order` [KEY-07]. Call it once before
 * anything else; PROSA_ERR_CRYPTO: the library is unfit, the program must not run. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_sign_init(void);

#define PROSA_SEED_SIZE        32 /* private key of RFC 8032 */
#define PROSA_FINGERPRINT_SIZE 16 /* of SHA-256 of a key, for people (chapter 4.4) */

/* `seed` is secret: wipe the pair when it is done with. */
struct prosa_keypair {
    uint8_t key[PROSA_KEY_SIZE];
    uint8_t seed[PROSA_SEED_SIZE];
};

PROSA_API void prosa_keypair_from_seed(struct prosa_keypair *keypair,
                                       const uint8_t seed[static PROSA_SEED_SIZE]);
PROSA_API void prosa_keypair_wipe(struct prosa_keypair *keypair);

/* Overwrites octets that were secret, in a way that no compiler leaves out. */
PROSA_API void prosa_wipe(void *at, size_t size);

/* [KEY-01] to [KEY-03] on a public key alone: PROSA_OK or PROSA_ERR_BAD_KEY. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_key_check(struct prosa_bytes key);

/* [KEY-01] to [KEY-04] on a signature alone: PROSA_OK or PROSA_ERR_BAD_SIG. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_signature_check(struct prosa_bytes sig);

PROSA_API void prosa_key_fingerprint(const uint8_t key[static PROSA_KEY_SIZE],
                                     uint8_t out[static PROSA_FINGERPRINT_SIZE]);

/* A label of the registry with its zero octet, e.g. PROSA_LABEL(MESSAGE). */
#define PROSA_LABEL(name) prosa_bytes(PROSA_LABEL_##name, PROSA_LABEL_##name##_SIZE)

/* Signature of label || message; an empty label signs the plain message.
 * PROSA_ERR_CALL: a message of more than PROSA_MAX_FRAME_CEILING octets, a label of more than 32. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_sign(const struct prosa_keypair *keypair,
                                                       struct prosa_bytes label, struct prosa_bytes message,
                                                       uint8_t sig[static PROSA_SIGNATURE_SIZE]);

/* [KEY-01] to [KEY-06], in this order. PROSA_OK, PROSA_ERR_BAD_KEY (length of key, its encoding),
 * PROSA_ERR_BAD_SIG, PROSA_ERR_CALL as above. Thread-safe, like everything after prosa_sign_init. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_verify(struct prosa_bytes key, struct prosa_bytes label,
                                                         struct prosa_bytes message, struct prosa_bytes sig);

/* SHA-256 in steps. A plain value: it can be copied to go on in two ways. */
struct prosa_sha256 {
    uint64_t state[14];
};

PROSA_API void prosa_sha256_init(struct prosa_sha256 *hash);
PROSA_API void prosa_sha256_add(struct prosa_sha256 *hash, struct prosa_bytes octets);
PROSA_API void prosa_sha256_final(struct prosa_sha256 *hash, uint8_t out[static PROSA_HASH_SIZE]);

/* The handshake. `hello` is a hash that was given the HELLO frame and nothing else; `challenge` the
 * whole CHALLENGE frame. th1 stops before its signature, which may not be made yet. */
PROSA_API void prosa_transcript_th1(const struct prosa_sha256 *hello, struct prosa_bytes challenge,
                                    uint8_t th1[static PROSA_HASH_SIZE]);
PROSA_API void prosa_transcript_th2(const struct prosa_sha256 *hello, struct prosa_bytes challenge,
                                    uint8_t th2[static PROSA_HASH_SIZE]);

/* Fill in the signature of an encoded frame of `size` octets [AUTH-12], [AUTH-15], [MSG-01], [AUD-03]. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_challenge_sign(const struct prosa_keypair *server,
                                                                 const struct prosa_sha256 *hello,
                                                                 uint8_t *challenge, size_t size);
PROSA_API PROSA_NODISCARD enum prosa_status prosa_auth_sign(const struct prosa_keypair *client,
                                                            const uint8_t th2[static PROSA_HASH_SIZE],
                                                            uint8_t *auth, size_t size);
PROSA_API PROSA_NODISCARD enum prosa_status prosa_publish_sign(const struct prosa_keypair *author,
                                                               uint8_t *publish, size_t size);
PROSA_API PROSA_NODISCARD enum prosa_status prosa_checkpoint_sign(const struct prosa_keypair *server,
                                                                  uint8_t *checkpoint, size_t size);

/* Check them: PROSA_OK, PROSA_ERR_BAD_KEY or PROSA_ERR_BAD_SIG. The keys have PROSA_KEY_SIZE octets.
 * `auth` and `checkpoint` are whole frames; author_verify takes a PUBLISH's or DELIVER's body. */
PROSA_API PROSA_NODISCARD enum prosa_status
prosa_challenge_verify(const uint8_t server_key[static PROSA_KEY_SIZE], const struct prosa_sha256 *hello,
                       struct prosa_bytes challenge);
PROSA_API PROSA_NODISCARD enum prosa_status prosa_auth_verify(const uint8_t client_key[static PROSA_KEY_SIZE],
                                                              const uint8_t th2[static PROSA_HASH_SIZE],
                                                              struct prosa_bytes auth);
PROSA_API PROSA_NODISCARD enum prosa_status
prosa_author_verify(const uint8_t author_key[static PROSA_KEY_SIZE], struct prosa_bytes body,
                    const uint8_t author_sig[static PROSA_SIGNATURE_SIZE]);
PROSA_API PROSA_NODISCARD enum prosa_status
prosa_checkpoint_verify(const uint8_t server_key[static PROSA_KEY_SIZE], struct prosa_bytes checkpoint);

/* Of a decoded body of PUBLISH or DELIVER [MSG-02]. */
PROSA_API void prosa_message_id(struct prosa_bytes body, uint8_t id[static PROSA_HASH_SIZE]);

/* [MSG-22]. `client_key` is read for the room "@host" alone, and may be NULL for others. */
PROSA_API void prosa_room_id(const uint8_t server_key[static PROSA_KEY_SIZE],
                             const uint8_t epoch[static PROSA_EPOCH_SIZE], struct prosa_bytes name,
                             const uint8_t *client_key, uint8_t room_id[static PROSA_HASH_SIZE]);

/* h_0 and h_n of a room's chain [AUD-01]; `previous` and `out` may be the same octets. */
PROSA_API void prosa_chain_start(const uint8_t room_id[static PROSA_HASH_SIZE],
                                 uint8_t out[static PROSA_HASH_SIZE]);
PROSA_API void prosa_chain_next(const uint8_t previous[static PROSA_HASH_SIZE], uint64_t room_seq,
                                uint64_t server_time, const uint8_t id[static PROSA_HASH_SIZE],
                                uint8_t out[static PROSA_HASH_SIZE]);

#endif
