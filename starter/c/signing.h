/* SPDX-License-Identifier: MIT
 *
 * signing: keys, signatures and hashes (chapter 4, section 4.5 and chapter 5). Ed25519 and SHA-256 are
 * libsodium's.
 */
#ifndef SIGNING_H
#define SIGNING_H

#include <sodium.h>

#include "wire.h"

#define HOST "@host"

struct key {
    uint8_t public[PROSA_KEY_SIZE];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
};

/* The key in a file that only its owner can read, made at the first start (ID-01); false, and errno, if it
 * cannot. */
bool load_key(struct key *key, const char *path);
/* KEY-07: false for a library that accepts the vector key-mixed-order. */
bool library_is_good(void);
/* A key for people to compare (section 4.4). */
void fingerprint(char words[40], const uint8_t key[PROSA_KEY_SIZE]);

bool key_is_good(struct prosa_bytes point);
bool verify(struct prosa_bytes key, struct prosa_bytes signature, const void *message, size_t size);

/* A finished CHALLENGE whose last field, handshake_sig, is 64 octets of zero: puts the signature in
 * (AUTH-12). */
void sign_challenge(const struct key *key, struct prosa_bytes hello, struct body *challenge);
bool challenge_is_signed(struct prosa_bytes hello, const struct frame *challenge);
/* The fields of AUTH (AUTH-15). */
void put_auth(struct body *body, const struct key *key, struct prosa_bytes hello,
              struct prosa_bytes challenge, const char *nick);
bool auth_is_signed(struct prosa_bytes key, struct prosa_bytes hello, struct prosa_bytes challenge,
                    const struct frame *auth);

/* The author zone is written: signs it (MSG-01). */
void sign_message(struct body *body, const struct key *key);
bool message_is_signed(const struct frame *message);
void message_id(uint8_t id[PROSA_HASH_SIZE], const struct frame *message);
void room_id(uint8_t id[PROSA_HASH_SIZE], const uint8_t *server_key, const uint8_t *epoch, const char *name,
             const uint8_t *client_key);

#endif
